"""One unit of a study: a picture at a level, through every arm and every detector.

Each enhanced picture is computed once and handed to all detectors; the darkened picture is the
same for all arms.
"""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from relume.errors import RelumeError
from relume.faces import (
    Detector,
    Face,
    Landmarker,
    View,
    detect_on_views,
    detectors,
    landmark_view,
    landmarkers,
    place_landmarks,
)
from relume.image.darken import darken
from relume.image.exposure import mean_level
from relume.metrics.quality import psnr, psnr_gt_mean, ssim
from relume.photo import Image
from relume.study import arms as arm_specs
from relume.study import dataset
from relume.study.arms import Arm
from relume.study.dataset import Box, Labels, TrueFace
from relume.study.groups import level_in
from relume.study.plan import ORIGINAL, Plan
from relume.study.results import match_row, reference_faces
from relume.study.rows import REFERENCE, Found, Points, Row, Unit

LOW_SCORE = 0.1
"""Detections are kept from this score on: average precision needs those below the threshold."""


@dataclass
class Clock:
    """Seconds by what they were spent on."""

    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @contextmanager
    def on(self, what: str) -> Iterator[None]:
        """Count the time of a block."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[what] += time.perf_counter() - start


@dataclass(frozen=True)
class Inputs:
    """All that is known about the files of a study before it runs; goes to every process."""

    plan: Plan
    names: tuple[str, ...]
    labels: Labels | None
    references: Mapping[str, Path]
    folders: Mapping[str, Mapping[Unit, Path]]

    @property
    def units(self) -> list[Unit]:
        """Every picture at every level, in the order of the report."""
        return [(name, level) for name in self.names for level in self.plan.levels]

    @property
    def rows_a_unit(self) -> int:
        """How many rows a unit writes: the picture and each detector, in each arm."""
        reference = len(self.plan.detectors) if self.references else 0
        return len(self.plan.arms) * (1 + len(self.plan.detectors)) + reference


class Evaluator:
    """The arms, detectors and landmarker of a study, ready to work through units."""

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs
        self.plan = inputs.plan
        self.arms = [arm_specs.parse(spec) for spec in self.plan.arms]
        self.detectors = {spec: make_detector(spec) for spec in self.plan.detectors}
        self.landmarker: Landmarker | None = None
        if self.plan.landmarks is not None:
            self.landmarker = landmarkers().create(*landmarkers().parse(self.plan.landmarks))

    def rows(self, unit: Unit, clock: Clock) -> list[Row]:
        """All rows of a unit; what fails becomes rows with the error, never an exception."""
        try:
            picture = self.picture(unit, clock)
            context = self._reference(unit, clock)
        except Exception as error:
            return self._failed(unit, error)
        rows = list(context.rows)
        for arm in self.arms:
            try:
                with clock.on("enhance"):
                    views = self.views(arm, unit, picture)
                rows += self._arm(unit, arm.name, views, context, clock)
            except Exception as error:
                rows += self._failed_arm(unit, arm.name, error)
        return rows

    def picture(self, unit: Unit, clock: Clock | None = None) -> Image:
        """The unit's picture before any arm: as it is, or darkened to its level."""
        clock = clock or Clock()
        name, level = unit
        with clock.on("read"):
            image = dataset.load(self.plan.pictures / name)
        if level is None:
            return image
        with clock.on("darken"):
            return darken(image, level, generator(self.plan.seed, name, level))

    def views(self, arm: Arm, unit: Unit, picture: Image) -> list[View]:
        """What detectors look at in an arm, of this unit's picture."""
        return arm.show(picture, self.inputs.folders.get(arm.name, {}).get(unit))

    def landmarks(
        self, views: Sequence[View], box: Box, clock: Clock | None = None
    ) -> Points | None:
        """The landmarks in a box of the photograph, placed as ``detect_faces`` does.

        None without a landmarker.
        """
        if self.landmarker is None:
            return None
        with (clock or Clock()).on("landmarks"):
            placed = place_landmarks(views, [box], self.landmarker)
        return tuple((round(float(x), 2), round(float(y), 2)) for x, y in placed.points[0])

    def _reference(self, unit: Unit, clock: Clock) -> _Context:
        """The true faces: labelled, or what the detectors see on the reference photograph."""
        labels, file = self.inputs.labels, self.inputs.references.get(unit[0])
        known = None if labels is None else labels.faces[unit[0]]
        truth = dict.fromkeys(self.detectors, known)
        if file is None:
            return _Context(None, truth, ())
        with clock.on("read"):
            image = dataset.load(file)
        rows = []
        for spec, detector in self.detectors.items():
            with clock.on("detect"):
                stored = _as_found(detector(image))
            sure = [face[:4] for face in stored if face[4] >= self.plan.threshold]
            view = View(REFERENCE, image, 1.0)
            points = tuple(self.landmarks([view], box, clock) for box in sure)
            row = Row(*unit, REFERENCE, spec, faces=stored, landmarks=points)
            rows.append(row)
            if labels is None:
                truth[spec] = reference_faces(row, threshold=self.plan.threshold)
        return _Context(image, truth, tuple(rows))

    def _arm(
        self, unit: Unit, arm: str, views: Sequence[View], context: _Context, clock: Clock
    ) -> list[Row]:
        rows = [self._picture_row(unit, arm, views, context, clock)]
        for spec, detector in self.detectors.items():
            with clock.on("detect"):
                stored = _as_found(self._faces(detector, views))
            row = Row(*unit, arm, spec, faces=stored)
            truth = context.truth[spec]
            if truth is not None and self.landmarker is not None:
                matches = match_row(row, truth, iou=self.plan.iou)
                points = (
                    None if j is None else self.landmarks(views, stored[j][:4], clock)
                    for j in matches.found_by(self.plan.threshold)
                )
                row = replace(row, landmarks=tuple(points))
            rows.append(row)
        return rows

    def _faces(self, detector: Detector, views: Sequence[View]) -> list[Face]:
        if len(views) == 1 and views[0].scale == 1:
            return detector(views[0].image)
        # weak faces are kept for average precision; what leads is what detect_faces would take
        return detect_on_views(views, detector, lead_score=self.plan.threshold)

    def _picture_row(
        self, unit: Unit, arm: str, views: Sequence[View], context: _Context, clock: Clock
    ) -> Row:
        """The picture itself: mean level, likeness to the reference, landmarks in true boxes.

        Of several views the first that was enhanced is the picture. The reference is brought to
        its size.
        """
        picture = landmark_view(views).image
        values: dict[str, Any] = {"mean": _rounded(mean_level(picture))}
        if context.image is not None:
            with clock.on("compare"):
                reference = _at_size(context.image, picture)
                values["psnr"] = _rounded(psnr(picture, reference))
                values["ssim"] = _rounded(ssim(picture, reference))
                if self.plan.gt_mean:
                    values["psnr_gt_mean"] = _rounded(psnr_gt_mean(picture, reference))
        truth = context.truth[self.plan.detectors[0]]
        labels = self.inputs.labels
        if truth and arm == ORIGINAL and labels is not None and labels.groupings:
            values["light"] = tuple(round(level_in(picture, face.box), 5) for face in truth)
        if truth and self.landmarker is not None:
            values["landmarks"] = tuple(self.landmarks(views, f.box, clock) for f in truth)
        return Row(*unit, arm, **values)

    def _failed(self, unit: Unit, error: Exception) -> list[Row]:
        rows = []
        if self.inputs.references:
            text = _error_text(error)
            rows = [Row(*unit, REFERENCE, spec, error=text) for spec in self.detectors]
        for arm in self.arms:
            rows += self._failed_arm(unit, arm.name, error)
        return rows

    def _failed_arm(self, unit: Unit, arm: str, error: Exception) -> list[Row]:
        return [Row(*unit, arm, spec, error=_error_text(error)) for spec in (None, *self.detectors)]


@dataclass(frozen=True)
class _Context:
    """The reference photograph, the true faces by detector, and the rows about them."""

    image: Image | None
    truth: Mapping[str, tuple[TrueFace, ...] | None]
    rows: tuple[Row, ...]


def generator(seed: int, name: str, level: float) -> np.random.Generator:
    """The random numbers of one darkened picture: of the study's seed, its name and the level."""
    digest = hashlib.sha256(f"{seed}\n{name}\n{level!r}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))


def make_detector(spec: str) -> Detector:
    """A detector that also gives its unsure faces, where it has a threshold to lower."""
    name, parameters = detectors().parse(spec)
    names = [parameter.name for parameter in detectors().info(name).parameters]
    if "threshold" in names and "threshold" not in parameters:
        parameters = {**parameters, "threshold": LOW_SCORE}
    return detectors().create(name, parameters)


def _at_size(reference: Image, view: Image) -> Image:
    """The reference at the size of a view, which may be shrunk."""
    if reference.shape == view.shape:
        return reference
    height, width = view.shape[:2]
    how = cv2.INTER_AREA if height < reference.shape[0] else cv2.INTER_CUBIC
    scaled = cv2.resize(reference, (width, height), interpolation=how)
    return np.clip(np.asarray(scaled, np.float32), np.float32(0), np.float32(1))


def _as_found(faces: list[Face]) -> tuple[Found, ...]:
    """Boxes and scores, best score first; the box breaks ties, so that the order is fixed."""
    found = []
    for face in faces:
        x0, y0, x1, y1 = (round(float(v), 2) for v in face.box)
        found.append((x0, y0, x1, y1, round(float(face.score), 5)))
    return tuple(sorted(found, key=lambda face: (-face[4], face)))


def _rounded(value: float) -> float | None:
    """Five digits, so that a report does not hang on the last bit; None where it is infinite."""
    return round(value, 5) if np.isfinite(value) else None


def _error_text(error: Exception) -> str:
    return str(error) if isinstance(error, RelumeError) else f"{type(error).__name__}: {error}"
