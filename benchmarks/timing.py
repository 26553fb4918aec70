"""Timing, for the benchmarks beside this file."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

Work = Callable[[], object]


def seconds(work: Work) -> float:
    """The time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def median_s(work: Work, runs: int) -> float:
    """The median time of ``runs`` calls, after one that does not count."""
    work()
    return statistics.median(seconds(work) for _ in range(runs))


def ratio(work: Work, base: Work, runs: int) -> float:
    """The median of ``work``'s time over ``base``'s, taken in turns, after one call of each.

    In turns, because a processor's speed drifts from one minute to the next.
    """
    work()
    base()
    return statistics.median(seconds(work) / seconds(base) for _ in range(runs))
