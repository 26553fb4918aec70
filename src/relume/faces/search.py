"""Faces as arrays, while a network's many answers are thinned out: levels, tiles, suppression.

**Large pictures.** A detector sees faces of a range of sizes only (YuNet's about 10 to 500 px). A
picture whose longer side is above ``LARGEST_PX`` is searched at its full size *and* at halves of
it until it fits, so that neither a small face in a crowd nor a face filling a 12 MP selfie is
missed; nothing is only searched downscaled. Levels above ``TILE_PX`` are searched in overlapping
tiles, which bounds the memory. A detection cut by an inner edge of a tile is dropped: it lies
whole in the neighbouring tile. One larger than the overlap is left to the next smaller level:
where a face is too large for it, a detector takes parts of it for faces (on 14 LFPW faces enlarged
to 900 px YuNet made 41 such mistakes, and 2 by this rule, at the same recall).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from relume.faces.base import Face, by_score
from relume.faces.boxes import non_maximum_suppression
from relume.photo import Image

LARGEST_PX = 1280
TILE_PX = 2048
OVERLAP_PX = 384

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class RawDetections:
    """N possible faces: ``boxes`` (N, 4), ``scores`` (N,), ``landmarks`` (N, K, 2)."""

    boxes: Floats
    scores: Floats
    landmarks: Floats

    def where(self, keep: npt.NDArray[np.bool_] | list[int]) -> RawDetections:
        """Those that a mask or a list of indices keeps."""
        return RawDetections(self.boxes[keep], self.scores[keep], self.landmarks[keep])

    def moved(self, *, scale: float, x_px: float, y_px: float) -> RawDetections:
        """All shifted in their level, then brought to the full size."""
        shift = np.array([x_px, y_px], np.float32)
        factor = np.float32(scale)
        return RawDetections(
            (self.boxes + np.tile(shift, 2)) * factor,
            self.scores,
            (self.landmarks + shift) * factor,
        )

    def suppressed(self, most_iou: float) -> RawDetections:
        """Those left by non-maximum suppression, best score first."""
        return self.where(non_maximum_suppression(self.boxes, self.scores, most_iou=most_iou))

    def faces(self) -> list[Face]:
        """As faces, best score first; boxes without area are left out."""
        found = []
        for box, score, points in zip(self.boxes, self.scores, self.landmarks, strict=True):
            x0, y0, x1, y1 = (float(value) for value in box)
            if x1 > x0 and y1 > y0:
                landmarks = points.astype(np.float32) if len(points) else None
                found.append(Face((x0, y0, x1, y1), float(np.clip(score, 0, 1)), landmarks))
        return by_score(found)


def search(
    find: Callable[[Image], RawDetections], image: Image, *, most_iou: float
) -> RawDetections:
    """What ``find`` sees at all levels and in all tiles of a picture, suppressed to one each."""
    found: list[RawDetections] = []
    for scale, level in _levels(image):
        for x, y, tile in _tiles(level):
            here = find(tile)
            here = here.where(_whole(here.boxes, x, y, tile, level))
            if max(level.shape[:2]) > LARGEST_PX:
                here = here.where(_longer_sides(here.boxes) <= OVERLAP_PX)
            found.append(here.moved(scale=scale, x_px=x, y_px=y))
    if len(found) == 1:
        return found[0].suppressed(most_iou)
    joined = RawDetections(
        np.concatenate([part.boxes for part in found]),
        np.concatenate([part.scores for part in found]),
        np.concatenate([part.landmarks for part in found]),
    )
    return joined.suppressed(most_iou)


def _levels(image: Image) -> Iterator[tuple[float, Image]]:
    """The picture at full size and halved until it fits, each with its factor to the full size."""
    scale = 1.0
    yield scale, image
    while max(image.shape[:2]) > LARGEST_PX:
        height, width = image.shape[:2]
        # an odd last row or column is cut, so that the factor is exactly two
        even = image[: height - height % 2 or 1, : width - width % 2 or 1]
        size = (max(1, width // 2), max(1, height // 2))
        image = np.asarray(cv2.resize(even, size, interpolation=cv2.INTER_AREA))
        scale *= 2
        yield scale, image


def _tiles(level: Image) -> Iterator[tuple[int, int, Image]]:
    """Overlapping tiles with their places; the level itself if it is small enough."""
    height, width = level.shape[:2]
    for y in _starts(height):
        for x in _starts(width):
            yield x, y, level[y : y + TILE_PX, x : x + TILE_PX]


def _starts(length_px: int) -> list[int]:
    if length_px <= TILE_PX:
        return [0]
    return [*range(0, length_px - TILE_PX, TILE_PX - OVERLAP_PX), length_px - TILE_PX]


def _longer_sides(boxes: Floats) -> Floats:
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).max(axis=1), np.float32)


def _whole(boxes: Floats, x_px: int, y_px: int, tile: Image, level: Image) -> npt.NDArray[np.bool_]:
    """Which boxes are not cut by an edge of the tile that lies inside the level."""
    height, width = tile.shape[:2]
    cut = np.zeros(len(boxes), bool)
    if x_px > 0:
        cut |= boxes[:, 0] <= 0
    if y_px > 0:
        cut |= boxes[:, 1] <= 0
    if x_px + width < level.shape[1]:
        cut |= boxes[:, 2] >= width
    if y_px + height < level.shape[0]:
        cut |= boxes[:, 3] >= height
    return ~cut
