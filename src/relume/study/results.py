"""Rows brought into order for counting: complete pictures only, found faces matched to true ones.

"Complete" is the same everywhere: a picture with a failed row, whatever arm, level or detector
it failed in, is in no comparison.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from relume.metrics.detection import (
    AWAY,
    Matches,
    Scored,
    ellipse_box_iou,
    iou_matrix,
    match_detections,
)
from relume.metrics.landmarks import nme
from relume.metrics.statistics import wilson_interval
from relume.study.dataset import Labels, TrueFace
from relume.study.plan import ORIGINAL, Plan, arm_name
from relume.study.rows import REFERENCE, Found, Points, Row

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class FoundShare:
    """``found`` of ``n`` faces that a detector found in an arm.

    ``rate`` has its Wilson 95 % interval ``low``, ``high``.
    """

    detector: str
    arm: str
    n: int
    found: int
    rate: float
    low: float
    high: float


def counted(found: Bools) -> dict[str, Any]:
    """The figures of a :class:`FoundShare`, from whether each face was found."""
    n, count = len(found), int(found.sum())
    low, high = wilson_interval(count, n)
    return {"n": n, "found": count, "rate": count / n if n else 0.0, "low": low, "high": high}


class Results:
    """A study's rows by picture, level, arm and detector, over its complete pictures."""

    def __init__(self, rows: Iterable[Row], *, plan: Plan, labels: Labels | None) -> None:
        rows = list(rows)
        self.plan = plan
        self.labels = labels
        self.arms = tuple(arm_name(spec) for spec in plan.arms)
        names = dict.fromkeys(row.image for row in rows)
        failed = {row.image for row in rows if row.error is not None}
        self.names = tuple(name for name in names if name not in failed)
        self.failed = tuple(name for name in names if name in failed)
        self._rows = {(r.image, r.level, r.arm, r.detector): r for r in rows}
        self._matches: dict[tuple[str, float | None, str, str], Matches] = {}

    @cached_property
    def has_truth(self) -> bool:
        """Whether faces are labelled, or seen on reference photographs."""
        return self.labels is not None or self.plan.reference is not None

    @cached_property
    def has_landmarks(self) -> bool:
        """Whether true landmarks and predicted ones can be compared."""
        if self.plan.landmarks is None or not self.has_truth:
            return False
        return self.labels is None or self.labels.kind == "points"

    def row(self, name: str, level: float | None, arm: str, detector: str | None) -> Row:
        """One row."""
        return self._rows[(name, level, arm, detector)]

    def truth(self, name: str, level: float | None, detector: str) -> tuple[TrueFace, ...]:
        """The true faces of a picture, as this detector is held to them."""
        if self.labels is not None:
            return self.labels.faces[name]
        row = self.row(name, level, REFERENCE, detector)
        return reference_faces(row, threshold=self.plan.threshold)

    def match(self, name: str, level: float | None, arm: str, detector: str) -> Matches:
        """All of a row's faces matched to the true ones, whatever their score."""
        key = (name, level, arm, detector)
        if key not in self._matches:
            truth = self.truth(name, level, detector)
            matches = match_row(self._rows[key], truth, iou=self.plan.iou)
            near = self._near_ignored(name, self._rows[key].faces)[matches.detection]
            kept = (matches.truth >= 0) | ~near
            self._matches[key] = Matches(
                matches.scores[kept], matches.detection[kept], matches.truth[kept], len(truth)
            )
        return self._matches[key]

    def matches(self, level: float | None, arm: str, detector: str) -> list[Matches]:
        """The matches of every picture."""
        return [self.match(name, level, arm, detector) for name in self.names]

    def scored(self, level: float | None, arm: str, detector: str) -> list[Scored]:
        """What every picture shows, to be counted at equal false alarms."""
        scored = []
        for name in self.names:
            faces = self.row(name, level, arm, detector).faces
            overlaps = _overlaps(faces, self.truth(name, level, detector))
            ignored = _overlaps(faces, self._ignored(name))
            scored.append(Scored.by_overlap(overlaps, [face[4] for face in faces], ignored))
        return scored

    def _ignored(self, name: str) -> tuple[TrueFace, ...]:
        return () if self.labels is None else self.labels.ignored.get(name, ())

    def _near_ignored(self, name: str, faces: Sequence[Found]) -> Bools:
        """Which of the faces found are ignored ones: no false alarms, whatever else they are."""
        overlaps = _overlaps(faces, self._ignored(name))
        near: Bools = overlaps.max(axis=1, initial=0.0) >= AWAY
        return near

    def matched(self, name: str, level: float | None, arm: str, detector: str) -> list[int | None]:
        """For each true face the index of the face found, from the threshold on."""
        return self.match(name, level, arm, detector).found_by(self.plan.threshold)

    def sure(self, name: str, level: float | None, arm: str, detector: str) -> list[Found]:
        """The faces found, from the threshold on."""
        faces = self.row(name, level, arm, detector).faces
        return [face for face in faces if face[4] >= self.plan.threshold]

    def landmarks_of(
        self, name: str, level: float | None, arm: str, detector: str
    ) -> dict[int, Points | None]:
        """The landmarks that were measured, by the index of the face found."""
        points = self.row(name, level, arm, detector).landmarks
        if arm == REFERENCE:  # beside the faces themselves; elsewhere beside the true ones
            return dict(enumerate(points))
        if not points:
            return {}
        faces = self.matched(name, level, arm, detector)
        return {j: p for j, p in zip(faces, points, strict=True) if j is not None}

    def found_in(self, name: str, level: float | None, arm: str, detector: str) -> list[bool]:
        """Whether each true face of a picture was found; without truth, whether it shows one."""
        if not self.has_truth:
            return [bool(self.sure(name, level, arm, detector))]
        return [index is not None for index in self.matched(name, level, arm, detector)]

    def found(self, level: float | None, arm: str, detector: str) -> Bools:
        """:meth:`found_in` of all pictures in a row."""
        found = [self.found_in(name, level, arm, detector) for name in self.names]
        return np.array([value for values in found for value in values], bool)

    def scores(self, level: float | None, arm: str, detector: str) -> Floats:
        """The scores of the faces found: the true ones, or each picture's best without truth."""
        values: list[float] = []
        for name in self.names:
            faces = self.row(name, level, arm, detector).faces
            if self.has_truth:
                indices = self.matched(name, level, arm, detector)
                values += [faces[j][4] for j in indices if j is not None]
            else:
                values += [f[4] for f in self.sure(name, level, arm, detector)[:1]]
        return np.array(values, np.float64)

    def errors(self, level: float | None, arm: str, detector: str | None) -> Floats:
        """NME (a fraction) of each true face's landmarks, infinite where the face was missed.

        ``detector`` None is the landmarks in the true boxes.
        """
        values: list[float] = []
        for name in self.names:
            truth = self.truth(name, level, detector or self.plan.detectors[0])
            predicted = self.row(name, level, arm, detector).landmarks
            values += [_error(t, p) for t, p in zip(truth, predicted, strict=True)]
        return np.array(values, np.float64)

    def light(self, level: float | None) -> Floats:
        """The mean level of every labelled face in the picture before any arm."""
        rows = [self.row(name, level, ORIGINAL, None) for name in self.names]
        return np.array([value for row in rows for value in row.light], np.float64)

    def pictures(self, level: float | None, arm: str) -> Mapping[str, Floats]:
        """What was measured on the pictures themselves, by name; NaN where it was not."""
        rows = [self.row(name, level, arm, None) for name in self.names]
        return {
            what: np.array([_or_nan(getattr(row, what)) for row in rows], np.float64)
            for what in ("mean", "psnr", "ssim", "psnr_gt_mean")
        }


def match_row(row: Row, truth: Sequence[TrueFace], *, iou: float) -> Matches:
    """A row's faces matched to the true ones, one to one, best score first.

    Ellipses are compared with boxes as regions, as FDDB does; see relume.metrics.detection for
    the rule and how it differs from FDDB's.
    """
    return match_detections(_overlaps(row.faces, truth), [face[4] for face in row.faces], iou=iou)


def _overlaps(faces: Sequence[Found], truth: Sequence[TrueFace]) -> Floats:
    """Intersection over union ``(N, M)`` of N found faces with M true ones."""
    boxes = np.array([face[:4] for face in faces], np.float64).reshape(-1, 4)
    shares = np.zeros((len(faces), len(truth)))
    if not shares.size:
        return shares
    ellipses = [face.ellipse for face in truth if face.ellipse is not None]
    if not ellipses:
        return iou_matrix(boxes, [face.box for face in truth])
    # a study has labels of one kind: all are ellipses, or none is
    return ellipse_box_iou(ellipses, boxes).T


def reference_faces(row: Row, *, threshold: float) -> tuple[TrueFace, ...]:
    """The true faces that a detector saw on the reference photograph, with their landmarks."""
    sure = [face for face in row.faces if face[4] >= threshold]
    points = row.landmarks or (None,) * len(sure)
    return tuple(
        TrueFace(face[:4], points=None if p is None else np.array(p, np.float64))
        for face, p in zip(sure, points, strict=True)
    )


def _error(face: TrueFace, predicted: Points | None) -> float:
    if predicted is None or face.points is None:
        return math.inf
    return nme(predicted, face.points)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
