"""What counts of faces and paired errors show, and what they could have shown.

A study compares arms on the *same* pictures, so tests are paired: exact McNemar for faces found
or lost, the paired bootstrap for errors. The power statement says how many wins it would have
taken: a detector that finds 118 of 124 faces leaves six to win, and six wins without a loss are
the fewest that reach p < 0.05.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from relume.errors import MissingExtra, ParameterError

Indices = npt.NDArray[np.intp]

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


def wilson_interval(successes: int, n: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion (Wilson 1927), without continuity correction.

    (0, 1) if n = 0.

    Raises:
        ParameterError: counts that are not 0 <= successes <= n, confidence outside (0, 1).
    """
    if not 0 <= successes <= n:
        raise ParameterError(f"expected 0 <= successes <= n, got {successes} of {n}")
    _check_fraction("confidence", confidence)
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    rate = successes / n
    centre = rate + z * z / (2 * n)
    half = z * float(np.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)))
    scale = 1 + z * z / n
    # the ends at 0 and n successes are exactly 0 and 1; rounding must not say otherwise
    low = 0.0 if successes == 0 else (centre - half) / scale
    high = 1.0 if successes == n else (centre + half) / scale
    return low, high


def mcnemar_exact(lost: int, won: int) -> float:
    """Two-sided exact McNemar p-value of discordant pairs (a binomial test of 1/2); 1 if none.

    Raises:
        ParameterError: negative counts.
        MissingExtra: scipy is not installed.
    """
    if lost < 0 or won < 0:
        raise ParameterError(f"expected counts of at least 0, got {lost} lost and {won} won")
    if lost + won == 0:
        return 1.0
    try:
        from scipy.stats import binomtest
    except ImportError as error:
        raise MissingExtra("the exact McNemar test", "study", "scipy") from error
    return float(binomtest(won, lost + won, 0.5).pvalue)


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
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    *,
    resamples: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Mean of ``second - first`` over pairs, with its percentile bootstrap interval.

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
    return paired_bootstrap(
        lambda rows: difference[rows].mean(axis=-1),
        len(difference),
        resamples=resamples,
        confidence=confidence,
        seed=seed,
        vectorised=True,
    )


def paired_bootstrap(
    statistic: Callable[[Indices], npt.ArrayLike],
    n: int,
    *,
    resamples: int = 2_000,
    confidence: float = 0.95,
    seed: int = 0,
    vectorised: bool = False,
) -> Estimate:
    """A statistic of n pictures with its percentile bootstrap interval (Efron 1979).

    ``statistic`` takes the indices ``(n,)`` of a resample and gives a number: compute the
    difference of two arms in it (of their AP, say), and both are resampled alike. With
    ``vectorised`` it takes ``(R, n)`` and gives ``(R,)``. NaN results are left out of the
    interval. The same seed gives the same interval.

    Raises:
        ParameterError: n < 1, confidence outside (0, 1), resamples < 1.
    """
    if n < 1 or resamples < 1:
        raise ParameterError(f"expected at least one item and resample, got {n} and {resamples}")
    _check_fraction("confidence", confidence)
    rng = np.random.default_rng(seed)
    everything = np.arange(n)
    value = np.asarray(statistic(everything[None] if vectorised else everything)).reshape(-1)[0]
    draws: list[npt.NDArray[np.float64]] = []
    chunk = max(1, BOOTSTRAP_CHUNK // n) if vectorised else 1
    for start in range(0, resamples, chunk):
        rows = rng.integers(0, n, (min(chunk, resamples - start), n))
        drawn = statistic(rows if vectorised else rows[0])
        draws.append(np.asarray(drawn, np.float64).reshape(-1))
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(np.concatenate(draws), [tail, 1 - tail])
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


def smallest_showable(
    n_discordant: int, *, alpha: float = 0.05, comparisons: int = 1
) -> int | None:
    """The fewest wins among ``n_discordant`` changed faces with ``p < alpha``; None if none do.

    >>> smallest_showable(6), smallest_showable(5), smallest_showable(20)
    (6, None, 15)
    """
    level = _level(alpha, comparisons)
    for won in range((n_discordant + 1) // 2, n_discordant + 1):
        if mcnemar_exact(n_discordant - won, won) < level:
            return won
    return None


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
    _check_fraction("alpha", alpha)
    if comparisons < 1:
        raise ParameterError(f"expected at least one comparison, got {comparisons}")
    return alpha / comparisons


def _check_fraction(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise ParameterError(f"{name} must be between 0 and 1, got {value}")
