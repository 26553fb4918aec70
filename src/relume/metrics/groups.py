"""Whether groups of faces fare differently: differences of shares that are not paired."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from relume.errors import ParameterError, extra_module
from relume.metrics.statistics import Estimate, paired_bootstrap, wilson_interval


def difference_of_shares(found: int, n: int, other_found: int, other_n: int) -> Estimate:
    """Share in a group less that in another, with its 95 % interval.

    Newcombe's hybrid score interval (1998, method 10), from the two Wilson intervals: it holds its
    level where a share is near 0 or 1, as those of detectors are.

    Raises:
        ParameterError: a group without members, or counts that do not fit together.
        MissingExtra: scipy is not installed.
    """
    if n < 1 or other_n < 1:
        raise ParameterError(f"expected members in both groups, got {n} and {other_n}")
    low, high = wilson_interval(found, n)
    other_low, other_high = wilson_interval(other_found, other_n)
    rate, other = found / n, other_found / other_n
    below = float(np.hypot(rate - low, other_high - other))
    above = float(np.hypot(high - rate, other - other_low))
    return Estimate(rate - other, rate - other - below, rate - other + above)


def fisher_exact(found: int, n: int, other_found: int, other_n: int) -> float:
    """Two-sided p-value of Fisher's exact test that two groups have one share.

    Raises:
        ParameterError: counts that do not fit together.
        MissingExtra: scipy is not installed.
    """
    if not (0 <= found <= n and 0 <= other_found <= other_n):
        raise ParameterError(
            f"expected 0 <= found <= n, got {found} of {n} and {other_found} of {other_n}"
        )
    stats = extra_module("scipy.stats", "the statistics of a study", "study")
    table = [[found, n - found], [other_found, other_n - other_found]]
    return float(stats.fisher_exact(table).pvalue)


def stratified_difference(
    found: npt.ArrayLike,
    member: npt.ArrayLike,
    stratum: npt.ArrayLike,
    cluster: npt.ArrayLike,
    *,
    seed: int = 0,
    resamples: int = 1_000,
) -> Estimate | None:
    """Share found of members less that of all others *in the same stratum*, with an interval.

    ``found`` and ``member`` are (N,) of booleans, ``stratum`` and ``cluster`` (N,) of whole numbers
    from 0 on. Strata count by Mantel and Haenszel's weights (Greenland and Robins 1985), so one
    that holds members only, or none, counts nothing. The interval is a percentile bootstrap over
    clusters: the same face at several levels is no new face. None where no stratum holds both.
    """
    hit, mine = np.asarray(found, bool), np.asarray(member, bool)
    strata, clusters = np.asarray(stratum, np.intp), np.asarray(cluster, np.intp)
    if not hit.size:
        return None
    shape = (int(clusters.max()) + 1, int(strata.max()) + 1)
    # counts of each cluster in each stratum, so that a resample is a sum over drawn clusters
    counts = [np.zeros(shape) for _ in range(4)]
    for total, which in zip(counts, (mine & hit, mine, ~mine & hit, ~mine), strict=True):
        np.add.at(total, (clusters[which], strata[which]), 1)

    def difference(rows: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        a, n, b, m = (np.stack([total[row].sum(axis=0) for row in rows]) for total in counts)
        both = np.maximum(n + m, 1)
        with np.errstate(invalid="ignore"):
            value = ((a * m - b * n) / both).sum(axis=1) / (n * m / both).sum(axis=1)
        return np.asarray(value, np.float64)

    if np.isnan(difference(np.arange(shape[0])[None])[0]):
        return None
    return paired_bootstrap(difference, shape[0], resamples=resamples, seed=seed)
