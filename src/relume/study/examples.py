"""The photographs of a report: faces won and lost, and the arms side by side over the light.

They are rendered again from the plan: rows hold no pictures, and every arm gives the same picture
twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
import numpy.typing as npt

from relume.faces import Face, View, landmark_view
from relume.image.draw import draw_faces, panels, stacked
from relume.io import encode
from relume.photo import Image, Photo
from relume.study import dataset
from relume.study.evaluate import Evaluator
from relume.study.plan import ORIGINAL, level_name
from relume.study.results import Results
from relume.study.rows import REFERENCE, Points, Unit

STRIP_HEIGHT_PX = 300
PANEL_HEIGHT_PX = 170
PANEL_COLUMNS = 6
JPEG_QUALITY = 88


@dataclass(frozen=True)
class Example:
    """A face (or, without labels, a picture) that an arm ``"lost"`` or ``"won"``."""

    unit: Unit
    arm: str
    detector: str
    kind: str


@dataclass(frozen=True)
class Figure:
    """A picture for the report: file name, JPEG, heading and alternative text."""

    name: str
    jpeg: bytes
    title: str
    alt: str
    arm: str = ""
    kind: str = ""


def discordant(results: Results) -> list[Example]:
    """Up to ``plan.examples`` lost and as many won for each arm, taken in turn from the levels."""
    plan, detector = results.plan, results.plan.detectors[0]
    examples = []
    for arm in (a for a in results.arms if a != ORIGINAL):
        for kind in ("lost", "won"):
            by_level = [_changed(results, level, arm, detector, kind) for level in plan.levels]
            turns = (unit for turn in zip_longest(*by_level) for unit in turn if unit is not None)
            chosen = [unit for unit, _ in zip(turns, range(plan.examples), strict=False)]
            examples += [Example(unit, arm, detector, kind) for unit in chosen]
    return examples


class ExampleRenderer:
    """Renders a report's photographs with the boxes and landmarks of its rows."""

    def __init__(self, evaluator: Evaluator, results: Results) -> None:
        self._evaluator = evaluator
        self._results = results
        self._arms = {arm.name: arm for arm in evaluator.arms}

    def strip(self, example: Example, number: int) -> Figure:
        """An example: the original beside the arm, and the normal-light photograph if there is."""
        name, level = example.unit
        images, captions, words = [], [], []
        arms = [ORIGINAL, example.arm]
        arms += [REFERENCE] if self._evaluator.inputs.references else []
        for arm in arms:
            picture, faces = self._drawn(example.unit, arm, example.detector)
            images.append(picture)
            label = "normal light" if arm == REFERENCE else arm
            captions.append(f"{label}: {_scores(faces)}")
            words.append(f"{label} {_scores(faces)}")
        at = "" if level is None else f" at {level_name(level)}"
        return Figure(
            f"{example.kind}-{number:03d}.jpg",
            _jpeg(panels(images, captions, height_px=STRIP_HEIGHT_PX)),
            f"{name}{at}",
            f"{name}{at}, faces found by {example.detector}: {'; '.join(words)}.",
            example.arm,
            example.kind,
        )

    def light_panel(self) -> Figure:
        """Every arm (rows) over the light (columns): one picture's levels, or dark to bright."""
        units = self._light_columns()
        lines = []
        for arm in self._results.arms:
            images, captions = [], []
            for unit in units:
                images.append(self._drawn(unit, arm, self._results.plan.detectors[0])[0])
                where = unit[0] if unit[1] is None else level_name(unit[1])
                captions.append(f"{arm}, {where}")
            lines.append(panels(images, captions, height_px=PANEL_HEIGHT_PX))
        over = ", ".join(unit[0] if unit[1] is None else level_name(unit[1]) for unit in units)
        return Figure(
            "light.jpg",
            _jpeg(stacked(lines)),
            "The arms over the light",
            f"Rows: {', '.join(self._results.arms)}. Columns: {over}. Boxes are faces found.",
        )

    def _light_columns(self) -> list[Unit]:
        plan, names = self._results.plan, self._results.names
        if plan.darken:
            return [(names[0], level) for level in plan.levels]
        means = self._results.pictures(None, ORIGINAL)["mean"]
        order = np.argsort(-means, kind="stable")
        count = min(PANEL_COLUMNS, len(names))
        spread = np.linspace(0, len(names) - 1, count).round().astype(int)
        return [(names[order[i]], None) for i in spread]

    def _drawn(self, unit: Unit, arm: str, detector: str) -> tuple[Image, list[Face]]:
        """The view of an arm that landmarks were placed on, with what was found; and the faces."""
        if arm == REFERENCE:
            image = dataset.load(self._evaluator.inputs.references[unit[0]])
            views = [View(REFERENCE, image, 1.0)]
        else:
            picture = self._evaluator.picture(unit)
            views = self._evaluator.views(self._arms[arm], unit, picture)
        view = landmark_view(views)
        found = self._results.sure(*unit, arm, detector)
        points = self._results.landmarks_of(*unit, arm, detector)
        if self._evaluator.landmarker is not None and not self._results.has_truth:
            points = {j: self._evaluator.landmarks(views, face[:4]) for j, face in enumerate(found)}
        faces = [Face(face[:4], face[4], _array(points.get(j))) for j, face in enumerate(found)]
        return draw_faces(view.image, [_on_view(face, view) for face in faces]), faces


def _array(points: Points | None) -> npt.NDArray[np.float32] | None:
    return None if points is None else np.array(points, np.float32)


def _on_view(face: Face, view: View) -> Face:
    points = None if face.landmarks is None else view.points_from_photograph(face.landmarks)
    return Face(view.from_photograph(face.box), face.score, points)


def _changed(
    results: Results, level: float | None, arm: str, detector: str, kind: str
) -> list[Unit]:
    """The pictures of a level on which the arm lost (won) something that was (not) found."""
    units = []
    for name in results.names:
        before = results.found_in(name, level, ORIGINAL, detector)
        after = results.found_in(name, level, arm, detector)
        pairs = zip(before, after, strict=True)
        change = (True, False) if kind == "lost" else (False, True)
        if change in pairs:
            units.append((name, level))
    return units


def _scores(faces: Sequence[Face]) -> str:
    if not faces:
        return "none found"
    shown = ", ".join(f"{face.score:.2f}" for face in faces[:3])
    return f"found {shown}" + (f" and {len(faces) - 3} more" if len(faces) > 3 else "")


def _jpeg(image: Image) -> bytes:
    return encode(Photo(np.ascontiguousarray(image)), "jpeg", quality=JPEG_QUALITY)
