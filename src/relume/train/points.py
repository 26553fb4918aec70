"""What a landmarker is trained on: squares around faces, and 68 points that were placed there.

A photograph with a file of points beside it (``.pts`` as iBUG's collections have it, or ``.csv``
with ``x,y``) shows one labelled face. In the others a detector finds faces, and the teacher, a
landmarker, places points on them while they are bright.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from relume.engine import Runtime
from relume.errors import InputError, RecipeError
from relume.executor import cores
from relume.faces.landmarks import cut_out
from relume.faces.peppa import Peppa
from relume.faces.search import bounds
from relume.faces.yunet import YuNet
from relume.image.filters import size_within
from relume.io import READABLE_SUFFIXES, read
from relume.io.points import points_beside, read_points
from relume.metrics.landmarks import POINTS
from relume.photo import as_float, quantise
from relume.train.data import BrightPhotos, Floats, Pixels
from relume.train.recipe import Data

AROUND = 2.2
"""Side of the square that is kept of a photograph, over the longer side of the points' bounds."""
KEPT_PX = 256
"""The largest side that it is kept with."""
LEAST_PX = 60
"""The smallest face (the longer side of its box) that a teacher is asked about."""
SURE = 0.7
"""The detector's score from which it is."""
OUTLINE = 17
"""The first so many points are the outline of the face, where teacher and labels disagree most."""
OUTLINE_TRUST, TRUST = 0.25, 0.7
"""What a teacher's points weigh, against labels: those of the outline, and the others."""


@dataclass(frozen=True)
class LabelledFaces:
    """Squares around N faces, and ``points`` (N, 68, 3) in them: x, y and what they weigh."""

    photos: BrightPhotos
    points: Floats
    labelled: npt.NDArray[np.bool_]


def read_faces(
    folders: Sequence[Path], data: Data, *, note: Callable[[str], None] | None = None
) -> LabelledFaces:
    """The faces of all photographs in the folders; those without labels only with a teacher.

    Raises:
        InputError: a folder holds no photograph, points cannot be read, or there is no face.
        RecipeError: another teacher than peppa.
    """
    teach = _teacher(data)
    files: list[Path] = []
    for folder in folders:
        own = sorted(f for f in folder.rglob("*") if f.suffix.lower() in READABLE_SUFFIXES)
        if not own:
            raise InputError(f"expected photographs of faces in {folder}, got none")
        files += own

    def faces_of(file: Path) -> list[tuple[Pixels, Floats, bool]]:
        labels = points_beside(file)
        if labels is None and teach is None:
            return []
        photo = np.asarray(quantise(read(file).pixels, np.uint8))
        if labels is not None:
            weighed = np.ones((POINTS, 3), np.float32)
            weighed[:, :2] = read_points(labels)
            return [(*around(photo, weighed), True)]
        return [(*around(photo, found), False) for found in teach(photo)] if teach else []

    with ThreadPoolExecutor(cores()) as pool:
        found = [face for faces in pool.map(faces_of, files) for face in faces]
    if not found:
        raise InputError(
            f"expected a file of {POINTS} points beside a photograph in {folders[0]} "
            "(.pts, or .csv with x,y), got none"
        )
    labelled = np.array([own for _, _, own in found])
    if note:
        note(f"{labelled.sum()} faces with labels, {(~labelled).sum()} with a teacher's points")
    return LabelledFaces(
        BrightPhotos.of(photo for photo, _, _ in found),
        np.stack([points for _, points, _ in found]),
        labelled,
    )


def around(photo: Pixels, points: Floats) -> tuple[Pixels, Floats]:
    """The square around a face, at most KEPT_PX large, and its points (68, 3) there."""
    x0, y0, x1, y1 = bounds(points[:, :2])
    side = max(round(AROUND * max(x1 - x0, y1 - y0)), 8)
    x, y = round((x0 + x1 - side) / 2), round((y0 + y1 - side) / 2)
    part = cut_out(photo, (x, y), side)
    kept = min(side, KEPT_PX)
    if kept < side:
        part = np.asarray(cv2.resize(part, (kept, kept), interpolation=cv2.INTER_AREA))
    moved = points.copy()
    moved[:, :2] = (points[:, :2] - np.array([x, y], np.float32)) * np.float32(kept / side)
    return part, moved


def _teacher(data: Data) -> Callable[[Pixels], list[Floats]] | None:
    """What finds the faces of a bright photograph (68, 3), if the recipe names it."""
    if not data.teacher:
        return None
    if data.teacher != "peppa":
        raise RecipeError(f'expected teacher peppa or none at all (""), got {data.teacher!r}')
    find, place = YuNet(threshold=SURE, runtime=Runtime(precision="f32", threads=1)), Peppa()
    weights = np.full((POINTS, 1), TRUST, np.float32)
    weights[:OUTLINE] = OUTLINE_TRUST

    def teach(photo: Pixels) -> list[Floats]:
        scale = min(1.0, data.longest_px / max(photo.shape[:2]))
        size = size_within(photo, data.longest_px)
        image = as_float(np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA)))
        boxes = [face.box for face in find(image)]
        large = [box for box in boxes if max(box[2] - box[0], box[3] - box[1]) >= LEAST_PX]
        found = [place(image, box) / np.float32(scale) for box in large]
        return [np.concatenate([points, weights], axis=1) for points in found]

    return teach
