"""The table of a study: pure numbers and sentences, from its rows alone.

Every figure is over the pictures complete in all arms; the same rows give the same table.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from relume.metrics.detection import (
    average_precision,
    detection_rates,
    found_at_false_alarms,
    precision_difference,
)
from relume.metrics.landmarks import error_curve_area, failure_rate
from relume.metrics.statistics import (
    Estimate,
    holm,
    mcnemar_exact,
    paired_bootstrap_mean,
)
from relume.study import by_group, wording
from relume.study.by_group import ByGroup
from relume.study.dataset import Labels
from relume.study.plan import ORIGINAL, Plan
from relume.study.results import Bools, Floats, FoundShare, Results, counted
from relume.study.rows import Row
from relume.study.wording import Verdict, judge_counts, judge_difference

FALSE_ALARMS = (0.1, 0.25, 0.5)
"""False alarms a picture at which the recall of every arm is given: equal ones."""
TRUE_BOXES = "true boxes"
CURVE_NME = tuple(round(0.005 * i, 3) for i in range(41))
"""The errors, 0 to 20 %, at which the cumulative error curve is kept."""


@dataclass(frozen=True)
class Versus:
    """An arm against ``original``, pair by pair: counts, exact McNemar, Holm over arms, wording."""

    lost: int
    won: int
    p: float
    p_holm: float
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class Cell(FoundShare):
    """One detector at one level in one arm; pictures, where there are no true faces.

    ``score`` is the mean best score where something was found.
    The rest needs true faces: ``precision`` and false alarms a picture at the threshold, the
    ``recall_at`` each number of FALSE_ALARMS, whatever threshold that takes, average precision,
    and its difference to ``original`` with a bootstrap interval.
    """

    level: float | None
    score: float | None = None
    precision: float | None = None
    fp_per_image: float | None = None
    recall_at: tuple[float, ...] | None = None
    average_precision: float | None = None
    average_precision_difference: Estimate | None = None
    versus: Versus | None = None


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


@dataclass(frozen=True)
class PictureCell:
    """The pictures of one level in one arm: means of grey level, PSNR (dB) and SSIM."""

    level: float | None
    arm: str
    mean: float
    psnr: float | None = None
    ssim: float | None = None
    psnr_gt_mean: float | None = None


@dataclass(frozen=True)
class Failure:
    """A picture that failed in an arm, and its error."""

    image: str
    arm: str
    error: str


@dataclass(frozen=True)
class Crossing:
    """The exposure at which an arm's rate meets the original's, between two levels.

    ``darker`` says where the arm is in darker pictures than that: ``"above"`` or ``"below"`` the
    original. Interpolated on the logarithm of the exposure.
    """

    detector: str
    arm: str
    k: float
    darker: str


@dataclass(frozen=True)
class Table:
    """All figures of a study. ``pictures`` are compared, ``left_out`` failed somewhere."""

    answer: str
    answers: Mapping[str, str]
    arms: tuple[str, ...]
    detectors: tuple[str, ...]
    levels: tuple[float | None, ...]
    unit_noun: str
    pictures: int
    left_out: int
    failures: tuple[Failure, ...]
    cells: tuple[Cell, ...]
    landmarks: tuple[LandmarkCell, ...] = ()
    pictures_by_arm: tuple[PictureCell, ...] = ()
    crossings: tuple[Crossing, ...] = ()
    notes: tuple[str, ...] = ()
    groups: ByGroup | None = None

    def cell(self, detector: str, level: float | None, arm: str) -> Cell:
        """The cell of these names.

        Raises:
            KeyError: there is none.
        """
        for cell in self.cells:
            if (cell.detector, cell.level, cell.arm) == (detector, level, arm):
                return cell
        raise KeyError((detector, level, arm))

    def best(self, detector: str) -> Cell | None:
        """The cell of this detector that gained most over the original, None if nothing did."""
        return wording.best_cell(cell for cell in self.cells if cell.detector == detector)

    def as_json(self) -> dict[str, Any]:
        """The table as plain dictionaries and lists."""
        return asdict(self)


def build(rows: Iterable[Row], *, plan: Plan, labels: Labels | None) -> Table:
    """The table of a study's rows, from them alone.

    Nothing is drawn from chance but the bootstrap, which the plan's seed fixes.
    """
    rows = list(rows)
    results = Results(rows, plan=plan, labels=labels)
    unit_noun = "faces" if results.has_truth else "pictures"
    cells: list[Cell] = []
    if results.names:
        for detector in plan.detectors:
            for level in plan.levels:
                cells += _level_cells(results, detector, level, unit_noun)
    found = tuple(cells)
    marks = _landmark_cells(results) if results.has_landmarks and results.names else ()
    answers = {d: wording.answer(found, d, len(results.names), unit_noun) for d in plan.detectors}
    return Table(
        answer=answers[plan.detectors[0]],
        answers=answers,
        arms=results.arms,
        detectors=plan.detectors,
        levels=plan.levels,
        unit_noun=unit_noun,
        pictures=len(results.names),
        left_out=len(results.failed),
        failures=_failures(rows),
        cells=found,
        landmarks=marks,
        pictures_by_arm=_picture_cells(results) if results.names else (),
        crossings=tuple(_crossings(found)),
        notes=(*wording.hidden_by_threshold(found), *wording.notes(plan, labels, results)),
        groups=by_group.build(results),
    )


def _level_cells(
    results: Results, detector: str, level: float | None, unit_noun: str
) -> list[Cell]:
    """All arms of one detector at one level, compared with ``original``, Holm over the arms."""
    base = results.found(level, ORIGINAL, detector)
    others = [arm for arm in results.arms if arm != ORIGINAL]
    found = {arm: results.found(level, arm, detector) for arm in others}
    lost = {arm: int((base & ~found[arm]).sum()) for arm in others}
    won = {arm: int((found[arm] & ~base).sum()) for arm in others}
    p = {arm: mcnemar_exact(lost[arm], won[arm]) for arm in others}
    adjusted = dict(zip(others, holm([p[arm] for arm in others]), strict=True))
    cells = [_cell(results, detector, level, ORIGINAL, base)]
    for arm in others:
        verdict = judge_counts(
            n=len(base),
            found=int(base.sum()),
            lost=lost[arm],
            won=won[arm],
            p=adjusted[arm],
            comparisons=len(others),
            unit_noun=unit_noun,
        )
        versus = Versus(lost[arm], won[arm], p[arm], adjusted[arm], verdict)
        cells.append(_cell(results, detector, level, arm, found[arm], versus))
    return cells


def _cell(
    results: Results,
    detector: str,
    level: float | None,
    arm: str,
    found: Bools,
    versus: Versus | None = None,
) -> Cell:
    score = results.scores(level, arm, detector)
    values: dict[str, Any] = {"score": float(score.mean()) if len(score) else None}
    if results.has_truth:
        values |= _with_truth(results, detector, level, arm)
    values |= counted(found)
    return Cell(detector=detector, level=level, arm=arm, versus=versus, **values)


def _with_truth(results: Results, detector: str, level: float | None, arm: str) -> dict[str, Any]:
    """Precision, false alarms and average precision, where the true faces are known."""
    matches = results.matches(level, arm, detector)
    rates = detection_rates(matches, results.plan.threshold)
    values: dict[str, Any] = {
        "precision": _or_none(rates.precision),
        "fp_per_image": rates.fp_per_image,
        "average_precision": _or_none(average_precision(matches)),
    }
    if not math.isnan(rates.recall):
        scored = results.scored(level, arm, detector)
        values["recall_at"] = tuple(found_at_false_alarms(scored, rate) for rate in FALSE_ALARMS)
    if arm != ORIGINAL and not math.isnan(rates.recall):
        base = results.matches(level, ORIGINAL, detector)
        values["average_precision_difference"] = precision_difference(
            matches, base, seed=results.plan.seed
        )
    return values


def _landmark_cells(results: Results) -> tuple[LandmarkCell, ...]:
    """All landmark figures of a study, true boxes first."""
    cells: list[LandmarkCell] = []
    for detector in (None, *results.plan.detectors):
        for level in results.plan.levels:
            errors = {arm: results.errors(level, arm, detector) for arm in results.arms}
            if len(errors[ORIGINAL]):
                cells += _landmark_level(errors, detector or TRUE_BOXES, level, results.plan.seed)
    return tuple(cells)


def _landmark_level(
    errors: dict[str, Floats], source: str, level: float | None, seed: int
) -> list[LandmarkCell]:
    common = np.all([np.isfinite(values) for values in errors.values()], axis=0)
    cells = []
    for arm, values in errors.items():
        n = int(common.sum())
        difference = verdict = None
        if arm != ORIGINAL and n:
            difference = paired_bootstrap_mean(errors[ORIGINAL][common], values[common], seed=seed)
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


def _curve(errors: Floats) -> tuple[float, ...]:
    return tuple(float((errors <= limit).mean()) for limit in CURVE_NME)


def _picture_cells(results: Results) -> tuple[PictureCell, ...]:
    cells = []
    for level in results.plan.levels:
        for arm in results.arms:
            measured = results.pictures(level, arm)
            means = {
                what: float(np.nanmean(values)) if np.isfinite(values).any() else None
                for what, values in measured.items()
            }
            mean = means.pop("mean")
            assert mean is not None, "every complete picture has a mean level"
            cells.append(PictureCell(level, arm, mean, **means))
    return tuple(cells)


def _failures(rows: Iterable[Row]) -> tuple[Failure, ...]:
    """Every picture that failed, once for each arm, with its first error."""
    failed: dict[tuple[str, str], Failure] = {}
    for row in rows:
        if row.error is not None:
            failed.setdefault((row.image, row.arm), Failure(row.image, row.arm, row.error))
    return tuple(failed.values())


def _crossings(cells: Iterable[Cell]) -> Iterable[Crossing]:
    """Where an arm's rate passes the original's, from level to level."""
    rates = {(c.detector, c.arm, c.level): c.rate for c in cells}
    series: dict[tuple[str, str], list[float]] = {}
    for cell in cells:
        if cell.arm != ORIGINAL and cell.level is not None:
            series.setdefault((cell.detector, cell.arm), []).append(cell.level)
    for (detector, arm), levels in series.items():
        gaps = [(k, rates[(detector, arm, k)] - rates[(detector, ORIGINAL, k)]) for k in levels]
        apart = [(k, gap) for k, gap in gaps if gap != 0]
        for (k, gap), (darker_k, darker_gap) in pairwise(apart):
            if gap * darker_gap < 0:
                share = gap / (gap - darker_gap)
                at = float(np.exp(np.log(k) + share * (np.log(darker_k) - np.log(k))))
                yield Crossing(detector, arm, at, "above" if darker_gap > 0 else "below")


def _or_none(value: float) -> float | None:
    """JSON has no NaN."""
    return value if np.isfinite(value) else None
