"""What a detector is trained on: bright photographs, their labelled faces, and what a teacher sees.

A folder with a ``faces.csv`` (``image,x0,y0,x1,y1``, and ``ignore`` if wanted; a row with empty
numbers for a photograph without faces) is labelled: *every* face of it stands there. Of other
folders the teacher alone says where faces are.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from relume.errors import InputError
from relume.faces.search import RawDetections
from relume.metrics.detection import iou_matrix
from relume.nets.sizes import DETECTOR_STRIDES_PX
from relume.train.data import BrightPhotos, Floats, read_photos
from relume.train.recipe import Data

LABELS = "faces.csv"
BOX = ("x0", "y0", "x1", "y1")
SURE, UNSURE = 0.5, 0.1
"""A teacher's score that takes the place of a label, and one below which it says nothing."""
SAME, OTHER = 0.5, 0.3
"""The overlap from which a teacher's box is a labelled face, and under which it is none."""
SMALLEST_PX = 9.0
"""Labelled faces with a shorter side below this are neither required nor wrong."""
LARGEST_PX = (40.0, 128.0, np.inf)
"""The largest face, by the root of its area, that is taught on each level."""
TAUGHT, BESIDE = 0.9, 0.5
"""What is asked of the cell in the middle of a face the teacher missed, and of those beside."""
ASKED = 0.3
"""The score from which a cell is asked for a box and points, too."""
TARGETS = 17


@dataclass(frozen=True)
class Labels:
    """The faces of a photograph: ``boxes`` (N, 4) in its pixels; ``ignore`` (N,) are no matter."""

    boxes: Floats
    ignore: npt.NDArray[np.bool_]

    def moved(self, x_px: float, y_px: float, scale: float) -> Labels:
        """Shifted, then scaled."""
        shift = np.array([x_px, y_px] * 2, np.float32)
        return Labels((self.boxes + shift) * np.float32(scale), self.ignore)

    def mirrored(self, width_px: int) -> Labels:
        """Of the mirrored picture."""
        x0, y0, x1, y1 = self.boxes.T
        return Labels(np.stack([width_px - x1, y0, width_px - x0, y1], axis=1), self.ignore)

    def inside(self, side_px: int) -> Labels:
        """Those of which a part is in a square picture; less than half of one is ignored."""
        cut = np.clip(self.boxes, 0, side_px)
        area, seen = _area(self.boxes), _area(cut)
        some = seen > 0
        return Labels(self.boxes[some], (self.ignore | (seen < 0.5 * area))[some])

    @classmethod
    def joined(cls, parts: Sequence[Labels]) -> Labels:
        """Those of all parts."""
        return cls(
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.ignore for part in parts]),
        )


@dataclass(frozen=True)
class FacePhotos:
    """Bright photographs and their labels, None where nobody said which faces they show."""

    photos: BrightPhotos
    labels: Sequence[Labels | None]


def read_face_photos(
    folders: Sequence[Path], data: Data, *, note: Callable[[str], None] | None = None
) -> FacePhotos:
    """The photographs of the folders with their labels, at most ``data.longest_px`` long.

    Raises:
        InputError: a folder holds no photograph, or labels that cannot be read.
    """
    listed = {folder: _read_labels(folder / LABELS) for folder in folders}
    kept, photos = read_photos(folders, data, note=note)
    labels: list[Labels | None] = []
    for folder, file, scale in kept:
        own = listed[folder]
        found = None if own is None else own.get(file.relative_to(folder).as_posix())
        labels.append(None if found is None else found.moved(0, 0, scale))
    return FacePhotos(photos, labels)


def _read_labels(path: Path) -> dict[str, Labels] | None:
    """The labels of each photograph in a table; None where there is no table."""
    if not path.exists():
        return None
    rows: dict[str, list[tuple[list[float], bool]]] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                own = rows.setdefault(row["image"], [])
                if row["x0"]:
                    ignore = (row.get("ignore") or "0") not in ("0", "false")
                    own.append(([float(row[name]) for name in BOX], ignore))
    except (OSError, UnicodeDecodeError, KeyError, ValueError) as error:
        raise InputError(
            f"expected the columns image,{','.join(BOX)} in {path}, got: {error}"
        ) from error
    return {
        name: Labels(
            np.array([box for box, _ in own], np.float32).reshape(-1, 4),
            np.array([ignore for _, ignore in own], bool),
        )
        for name, own in rows.items()
    }


def targets(seen: RawDetections, labels: Labels | None, side_px: int) -> Floats:
    """What is asked of every cell of a square picture: ``float32 (cells, 17)``.

    Score, the weight of the score, box (4) and points (10) in pixels, the weight of the points.
    ``seen`` is what the teacher says of every cell. Where there are labels, what it sees beside
    them is wrong, and what it misses is taught in the middle of the face.
    """
    rows = np.zeros((len(seen.scores), TARGETS), np.float32)
    scores = np.where(seen.scores >= UNSURE, seen.scores, 0)
    rows[:, 1], rows[:, 16] = 1, scores > 0
    rows[:, 2:6], rows[:, 6:16] = seen.boxes, seen.landmarks.reshape(len(rows), -1)
    if labels is not None:
        labels = labels.inside(side_px)
        taken = np.flatnonzero(scores > 0)
        overlap = iou_matrix(seen.boxes[taken], labels.boxes)  # (cells with a score, labels)
        scores[taken[overlap.max(axis=1, initial=0) < OTHER]] = 0
        for box, own in zip(labels.boxes[~labels.ignore], overlap.T[~labels.ignore], strict=True):
            rows[taken[own > SAME], 2:6] = box  # nearer than a teacher's
        known = (overlap > SAME) & (seen.scores[taken] >= SURE)[:, None]
        seen_at_all = np.asarray(known.any(axis=0))
        for box, ignore, here in zip(labels.boxes, labels.ignore, seen_at_all, strict=True):
            if ignore or min(box[2] - box[0], box[3] - box[1]) < SMALLEST_PX:
                rows[_inside(box, side_px) & (scores < SURE), 1] = 0
            elif not here:
                _teach(rows, scores, box, side_px)
    rows[:, 0] = scores
    return rows


def centres(side_px: int) -> Floats:
    """The middles (cells, 2) of all cells of a square picture, in pixels, in the targets' order."""
    parts = []
    for stride_px in DETECTOR_STRIDES_PX:
        steps = np.arange(side_px // stride_px)
        y, x = np.meshgrid(steps, steps, indexing="ij")
        parts.append((np.stack([x, y], axis=2).reshape(-1, 2) + 0.5) * stride_px)
    return np.concatenate(parts).astype(np.float32)


def strides(side_px: int) -> Floats:
    """The stride (cells,) of each of them."""
    counts = [(side_px // s) ** 2 for s in DETECTOR_STRIDES_PX]
    return np.repeat(np.array(DETECTOR_STRIDES_PX, np.float32), counts)


def _teach(rows: Floats, scores: Floats, box: Floats, side_px: int) -> None:
    """Ask for a face that the teacher missed, in the cells at its middle."""
    size = float(np.sqrt(_area(box[None])[0]))
    level = int(np.searchsorted(LARGEST_PX, size))
    middle = np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2], np.float32)
    own = np.flatnonzero(strides(side_px) == DETECTOR_STRIDES_PX[level])
    away = np.abs(centres(side_px)[own] - middle).max(axis=1) / DETECTOR_STRIDES_PX[level]
    for cell, distance in zip(own, away, strict=True):
        wanted = TAUGHT if distance <= 0.5 else BESIDE if distance <= 1 else 0
        if wanted > scores[cell]:
            scores[cell] = wanted
            rows[cell, 1], rows[cell, 2:6], rows[cell, 16] = 1, box, 0


def _inside(box: Floats, side_px: int) -> npt.NDArray[np.bool_]:
    middles = centres(side_px)
    return np.asarray(((middles >= box[:2]) & (middles <= box[2:])).all(axis=1))


def _area(boxes: Floats) -> Floats:
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).clip(0).prod(axis=1), np.float32)
