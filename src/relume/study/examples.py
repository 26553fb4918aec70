"""The photographs of a report: faces won and lost, and the arms side by side over the light.

They are rendered again from the plan: rows hold no pictures, and every arm gives the same picture
twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from relume.faces import Face
from relume.image.draw import draw_faces, panels
from relume.io import encode
from relume.photo import Image, Photo
from relume.study import sources
from relume.study.evaluate import Evaluator
from relume.study.plan import ORIGINAL, level_name
from relume.study.results import Results
from relume.study.rows import REFERENCE, Unit

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


def discordant(observed: Results) -> list[Example]:
    """Up to ``plan.examples`` lost and as many won for each arm, taken in turn from the levels."""
    plan, detector = observed.plan, observed.plan.detectors[0]
    examples = []
    for arm in (a for a in observed.arms if a != ORIGINAL):
        for kind in ("lost", "won"):
            by_level = [_changed(observed, level, arm, detector, kind) for level in plan.levels]
            turns = (unit for turn in zip_longest(*by_level) for unit in turn if unit is not None)
            chosen = [unit for unit, _ in zip(turns, range(plan.examples), strict=False)]
            examples += [Example(unit, arm, detector, kind) for unit in chosen]
    return examples


class ExampleRenderer:
    """Renders a report's photographs with the boxes and landmarks of its rows."""

    def __init__(self, bench: Evaluator, observed: Results) -> None:
        self._bench = bench
        self._observed = observed
        self._arms = {arm.name: arm for arm in bench.arms}

    def strip(self, example: Example, number: int) -> Figure:
        """An example: the original beside the arm, and the normal-light photograph if there is."""
        name, level = example.unit
        images, captions, said = [], [], []
        for arm in self._columns(example):
            faces = self._faces(example.unit, arm, example.detector)
            images.append(draw_faces(self._shown(example.unit, arm), faces))
            label = "normal light" if arm == REFERENCE else arm
            captions.append(f"{label}: {_scores(faces)}")
            said.append(f"{label} {_scores(faces)}")
        at = "" if level is None else f" at {level_name(level)}"
        return Figure(
            f"{example.kind}-{number:03d}.jpg",
            _jpeg(panels(images, captions, height_px=STRIP_HEIGHT_PX)),
            f"{name}{at}",
            f"{name}{at}, faces found by {example.detector}: {'; '.join(said)}.",
            example.arm,
            example.kind,
        )

    def light_panel(self) -> Figure:
        """Every arm (rows) over the light (columns): one picture's levels, or dark to bright."""
        units = self._columns_of_light()
        lines = []
        for arm in self._observed.arms:
            images, captions = [], []
            for unit in units:
                faces = self._faces(unit, arm, self._observed.plan.detectors[0])
                images.append(draw_faces(self._shown(unit, arm), faces))
                where = unit[0] if unit[1] is None else level_name(unit[1])
                captions.append(f"{arm}, {where}")
            lines.append(panels(images, captions, height_px=PANEL_HEIGHT_PX))
        width = max(line.shape[1] for line in lines)
        padded = [
            np.pad(line, ((0, 0), (0, width - line.shape[1]), (0, 0)), constant_values=1.0)
            for line in lines
        ]
        over = ", ".join(unit[0] if unit[1] is None else level_name(unit[1]) for unit in units)
        return Figure(
            "light.jpg",
            _jpeg(np.concatenate(padded, axis=0)),
            "The arms over the light",
            f"Rows: {', '.join(self._observed.arms)}. Columns: {over}. Boxes are faces found.",
        )

    def _columns(self, example: Example) -> list[str]:
        reference = [REFERENCE] if self._bench.inputs.references else []
        return [ORIGINAL, example.arm, *reference]

    def _columns_of_light(self) -> list[Unit]:
        plan, names = self._observed.plan, self._observed.names
        if plan.darken:
            return [(names[0], level) for level in plan.levels]
        means = self._observed.pictures(None, ORIGINAL)["mean"]
        order = np.argsort(-means, kind="stable")
        count = min(PANEL_COLUMNS, len(names))
        places = np.linspace(0, len(names) - 1, count).round().astype(int)
        return [(names[order[place]], None) for place in places]

    def _shown(self, unit: Unit, arm: str) -> Image:
        inputs = self._bench.inputs
        if arm == REFERENCE:
            return sources.load(inputs.references[unit[0]])
        file = inputs.folders.get(arm, {}).get(unit)
        return self._arms[arm].render(self._bench.picture(unit), file)

    def _faces(self, unit: Unit, arm: str, detector: str) -> list[Face]:
        """The faces of a row with their landmarks; without true faces those are made here."""
        found = self._observed.sure(*unit, arm, detector)
        landmarker = self._bench.landmarker
        if landmarker is None:
            return [Face(box=face[:4], score=face[4]) for face in found]
        shown = self._shown(unit, arm)
        return [
            Face(box=face[:4], score=face[4], landmarks=landmarker(shown, face[:4]))
            for face in found
        ]


def _changed(
    observed: Results, level: float | None, arm: str, detector: str, kind: str
) -> list[Unit]:
    """The pictures of a level on which the arm lost (won) something that was (not) found."""
    units = []
    for name in observed.names:
        if observed.has_truth:
            before = [j is not None for j in observed.taken(name, level, ORIGINAL, detector)]
            after = [j is not None for j in observed.taken(name, level, arm, detector)]
        else:
            before = [bool(observed.sure(name, level, ORIGINAL, detector))]
            after = [bool(observed.sure(name, level, arm, detector))]
        pairs = zip(before, after, strict=True)
        wanted = (True, False) if kind == "lost" else (False, True)
        if wanted in pairs:
            units.append((name, level))
    return units


def _scores(faces: Sequence[Face]) -> str:
    if not faces:
        return "none found"
    shown = ", ".join(f"{face.score:.2f}" for face in faces[:3])
    return f"found {shown}" + (f" and {len(faces) - 3} more" if len(faces) > 3 else "")


def _jpeg(image: Image) -> bytes:
    return encode(Photo(np.ascontiguousarray(image)), "jpeg", quality=JPEG_QUALITY)
