"""What counts of faces and paired errors show, and what they could have shown.

A study compares arms on the *same* pictures, so tests are paired: exact McNemar for faces found
or lost, the paired bootstrap for errors. The power statement says how many wins it would have
taken: a detector that finds 118 of 124 faces leaves six to win, and six wins without a loss are
the fewest that reach p < 0.05.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from relume.errors import ParameterError, extra_module

Indices = npt.NDArray[np.intp]

CONFIDENCE = 0.95
BOOTSTRAP_CHUNK = 1_000_000
"""Most resampled values held at once (8 bytes each)."""


@dataclass(frozen=True)
class Estimate:
    """A value with its confidence interval."""

    value: float
    low: float
    high: float

    def excludes(self, value: float) -> bool:
        """Whether ``value`` lies outside the interval."""
        return not self.low <= value <= self.high


def wilson_interval(successes: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a proportion (Wilson 1927); (0, 1) if n = 0.

    Raises:
        ParameterError: counts that are not 0 <= successes <= n.
        MissingExtra: scipy is not installed.
    """
    if not 0 <= successes <= n:
        raise ParameterError(f"expected 0 <= successes <= n, got {successes} of {n}")
    if n == 0:
        return 0.0, 1.0
    interval = _binomtest(successes, n).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def mcnemar_exact(lost: int, won: int) -> float:
    """Two-sided exact McNemar p-value of discordant pairs (a binomial test of 1/2); 1 if none.

    Raises:
        ParameterError: negative counts.
        MissingExtra: scipy is not installed.
    """
    if lost < 0 or won < 0:
        raise ParameterError(f"expected counts of at least 0, got {lost} lost and {won} won")
    return float(_binomtest(won, lost + won).pvalue) if lost + won else 1.0


def _binomtest(successes: int, n: int) -> Any:
    stats = extra_module("scipy.stats", "the statistics of a study", "study")
    return stats.binomtest(successes, n, 0.5)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for their number (Holm 1979), in the order given.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted = [1.0] * len(p_values)
    running = 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = running
    return adjusted


def paired_bootstrap_mean(
    first: npt.ArrayLike, second: npt.ArrayLike, *, resamples: int = 2_000, seed: int = 0
) -> Estimate:
    """Mean of ``second - first`` over pairs, with its 95 % percentile bootstrap interval.

    Raises:
        ParameterError: different lengths, no pairs, or values that are not finite.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if a.shape != b.shape or a.ndim != 1 or a.size == 0:
        raise ParameterError(f"expected as many values in both arms, got {a.shape} and {b.shape}")
    difference = b - a
    if not np.isfinite(difference).all():
        raise ParameterError(
            "expected finite values; leave out missed faces or give them a penalty"
        )
    n = len(difference)
    return paired_bootstrap(
        lambda rows: difference[rows].mean(axis=1), n, resamples=resamples, seed=seed
    )


def paired_bootstrap(
    statistic: Callable[[Indices], npt.ArrayLike], n: int, *, resamples: int = 2_000, seed: int = 0
) -> Estimate:
    """A statistic of n pictures with its 95 % percentile bootstrap interval (Efron 1979).

    ``statistic`` takes the indices ``(R, n)`` of R resamples and gives ``(R,)``: compute the
    difference of two arms in it (of their AP, say), and both are resampled alike. NaN results (no
    labelled face was drawn) are left out of the interval, which scipy's bootstrap cannot do. The
    same seed gives the same interval.
    """
    rng = np.random.default_rng(seed)
    value = np.asarray(statistic(np.arange(n)[None])).reshape(-1)[0]
    draws: list[npt.NDArray[np.float64]] = []
    chunk = max(1, BOOTSTRAP_CHUNK // n)
    for start in range(0, resamples, chunk):
        rows = rng.integers(0, n, (min(chunk, resamples - start), n))
        draws.append(np.asarray(statistic(rows), np.float64))
    low, high = np.nanquantile(np.concatenate(draws), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(float(value), float(low), float(high))


def least_discordant(*, alpha: float = 0.05, comparisons: int = 1) -> int:
    """The fewest discordant pairs, all of one kind, that reach ``p < alpha`` in exact McNemar.

    ``comparisons`` divides alpha, as Holm's first step does.

    >>> least_discordant(), least_discordant(comparisons=3)
    (6, 7)
    """
    level = _level(alpha, comparisons)
    n = 1
    while 2 * 0.5**n >= level:
        n += 1
    return n


@dataclass(frozen=True)
class Power:
    """Whether a gain over ``found`` of ``n`` faces could have been shown at all.

    ``winnable`` faces were left to win; ``needed`` wins against ``lost`` losses are the fewest
    with p < ``alpha`` (divided by ``comparisons``).
    """

    n: int
    found: int
    lost: int
    winnable: int
    needed: int
    alpha: float
    comparisons: int

    @property
    def possible(self) -> bool:
        """Whether there were enough faces left to win."""
        return self.winnable >= self.needed

    def sentence(self) -> str:
        """The power statement in words.

        >>> gain_power(124, 118, comparisons=3).sentence()
        'a gain could not have been shown: only 6 of 124 faces were left to win, and it takes \
at least 7 won against 0 lost (exact McNemar, p < 0.05 over 3 comparisons)'
        """
        left = f"only {self.winnable} of {self.n} faces were left to win"
        over = f" over {self.comparisons} comparisons" if self.comparisons > 1 else ""
        test = f"(exact McNemar, p < {self.alpha:g}{over})"
        if not self.possible:
            return (
                f"a gain could not have been shown: {left}, and it takes at least "
                f"{self.needed} won against {self.lost} lost {test}"
            )
        if self.winnable == self.needed:
            return (
                f"a gain could hardly have been shown: {left}, and it takes all of them "
                f"against {self.lost} lost {test}"
            )
        return (
            f"could only have shown a gain of at least {self.needed} won against "
            f"{self.lost} lost {test}"
        )


def gain_power(
    n: int, found: int, *, lost: int = 0, alpha: float = 0.05, comparisons: int = 1
) -> Power:
    """What it would take to show a gain over a baseline that found ``found`` of ``n`` faces.

    ``lost`` is how many of the baseline's faces the other arm lost (0 asks for the best case).

    Raises:
        ParameterError: counts that do not fit together.
    """
    if not 0 <= found <= n or not 0 <= lost <= found:
        raise ParameterError(f"expected 0 <= lost <= found <= n, got {lost}, {found}, {n}")
    level = _level(alpha, comparisons)
    needed = max(lost, least_discordant(alpha=alpha, comparisons=comparisons))
    while mcnemar_exact(lost, needed) >= level:
        needed += 1
    return Power(n, found, lost, n - found, needed, alpha, comparisons)


def _level(alpha: float, comparisons: int) -> float:
    if comparisons < 1:
        raise ParameterError(f"expected at least one comparison, got {comparisons}")
    return alpha / comparisons
