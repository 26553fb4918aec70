"""The paired bootstrap of a difference of average precisions, many resamples at once.

Recomputing the average precision picture list by picture list takes minutes for a ladder; here a
resample is a weight for each picture, and the curve's sums are taken over all resamples together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from relume.metrics.detection import Matches
from relume.metrics.statistics import Estimate, paired_bootstrap

Floats = npt.NDArray[np.float64]

RESAMPLES = 2000
ROWS_AT_ONCE = 64
"""Resamples whose curves are held at once: 64 x some thousand detections x 8 bytes."""


class WeightedPrecision:
    """The average precision of fixed matches under a weight for each picture."""

    def __init__(self, matches: Sequence[Matches]) -> None:
        pictures = np.repeat(np.arange(len(matches)), [len(m.scores) for m in matches])
        scores = np.concatenate([m.scores for m in matches])
        hits = np.concatenate([m.truth >= 0 for m in matches])
        order = np.argsort(-scores, kind="stable")
        self._pictures = pictures[order]
        self._hits = hits[order].astype(np.float64)
        self._last_of_equals = np.append(scores[order][1:] != scores[order][:-1], True)
        self._n_truth = np.array([m.n_truth for m in matches], np.float64)

    def __call__(self, weights: Floats) -> Floats:
        """The average precision ``(R,)`` for each row of weights ``(R, pictures)``.

        All points, precision made falling, equal scores entering together: with weights of 1
        the same as relume.metrics.detection.average_precision. NaN without a true face.
        """
        n_truth = weights @ self._n_truth
        if not len(self._pictures):
            return np.where(n_truth > 0, 0.0, np.nan)
        counted = weights[:, self._pictures]
        hits = np.cumsum(counted * self._hits, axis=1)[:, self._last_of_equals]
        all_ = np.cumsum(counted, axis=1)[:, self._last_of_equals]
        precision = np.divide(hits, all_, out=np.zeros_like(hits), where=all_ > 0)
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        area = (envelope * np.diff(hits, axis=1, prepend=0.0)).sum(axis=1)
        found: Floats = np.divide(area, n_truth, out=np.full_like(area, np.nan), where=n_truth > 0)
        return found


def precision_difference(
    arm: Sequence[Matches], original: Sequence[Matches], *, seed: int
) -> Estimate:
    """Average precision of ``arm`` less that of ``original``, pictures resampled in pairs."""
    curves = WeightedPrecision(arm), WeightedPrecision(original)
    n = len(original)

    def difference(rows: npt.NDArray[np.intp]) -> Floats:
        values = []
        for start in range(0, len(rows), ROWS_AT_ONCE):
            chunk = rows[start : start + ROWS_AT_ONCE]
            weights = np.zeros((len(chunk), n))
            np.add.at(weights, (np.arange(len(chunk))[:, None], chunk), 1.0)
            values.append(curves[0](weights) - curves[1](weights))
        return np.concatenate(values)

    return paired_bootstrap(difference, n, resamples=RESAMPLES, seed=seed, vectorised=True)
