"""Landmark figures of a study: in the true boxes, and behind each detector.

In the true boxes every face counts, and detection plays no part. Behind a detector the mean error
is over the faces found in *all* arms at that level, so that no arm gains by missing hard faces;
failure rates and areas are over all faces, a missed one being a failure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from relume.metrics.landmarks import error_curve_area, failure_rate
from relume.metrics.statistics import Estimate, paired_bootstrap_mean
from relume.study.plan import ORIGINAL
from relume.study.results import Floats, Results
from relume.study.verdict import Verdict, judge_difference

TRUE_BOXES = "true boxes"
CURVE_NME = tuple(round(0.005 * i, 3) for i in range(41))
"""The errors, 0 to 20 %, at which the cumulative error curve is kept."""


@dataclass(frozen=True)
class LandmarkCell:
    """One arm at one level: ``source`` is ``"true boxes"`` or a detector.

    ``nme`` (a fraction) and its ``difference`` to ``original`` are over the ``n`` faces common
    to all arms; the rest over all ``faces``, ``missed`` of them counted as failures. ``curve``
    is the share of all faces with at most each error of CURVE_NME.
    """

    source: str
    level: float | None
    arm: str
    faces: int
    n: int
    missed: int
    nme: float | None
    failure_rate_8: float
    failure_rate_10: float
    auc_8: float
    curve: tuple[float, ...]
    difference: Estimate | None = None
    verdict: Verdict | None = None


def landmark_cells(observed: Results) -> tuple[LandmarkCell, ...]:
    """All landmark figures of a study, true boxes first."""
    cells: list[LandmarkCell] = []
    for detector in (None, *observed.plan.detectors):
        for level in observed.plan.levels:
            errors = {arm: observed.errors(level, arm, detector) for arm in observed.arms}
            if len(errors[ORIGINAL]):
                cells += _level(errors, detector or TRUE_BOXES, level, observed.plan.seed)
    return tuple(cells)


def _level(
    errors: dict[str, Floats], source: str, level: float | None, seed: int
) -> list[LandmarkCell]:
    common = np.all([np.isfinite(values) for values in errors.values()], axis=0)
    cells = []
    for arm, values in errors.items():
        n = int(common.sum())
        difference = verdict = None
        if arm != ORIGINAL and n:
            difference = paired_bootstrap_mean(
                errors[ORIGINAL][common], values[common], resamples=2000, seed=seed
            )
            verdict = judge_difference(difference, lower_is_better=True, n=n, scale=100, unit=" %")
        cells.append(
            LandmarkCell(
                source,
                level,
                arm,
                faces=len(values),
                n=n,
                missed=int((~np.isfinite(values)).sum()),
                nme=float(values[common].mean()) if n else None,
                failure_rate_8=failure_rate(values, limit=0.08),
                failure_rate_10=failure_rate(values, limit=0.10),
                auc_8=error_curve_area(values, limit=0.08),
                curve=_curve(values),
                difference=difference,
                verdict=verdict,
            )
        )
    return cells


def _curve(errors: npt.NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float((errors <= limit).mean()) for limit in CURVE_NME)
