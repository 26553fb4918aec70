"""From a network's raw detections to faces: levels, tiles, suppression, and the boxes' algebra.

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

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from relume.errors import ParameterError
from relume.faces.base import Box, Face, by_score
from relume.metrics.detection import iou_matrix
from relume.photo import Image

LARGEST_PX = 1280
TILE_PX = 2048
OVERLAP_PX = 384
SAME_IOU, VOTES_FROM = 0.5, 0.3
"""The overlap and the score from which a box is averaged with a better one."""
PART_SHARE, PART_SIZE = 0.85, 2.0
"""A box with that share of its area in a surer one, more than so many times as large, is a part of
that face.

Measured: of 23 false boxes on 131 real dark photographs 6 were parts of one large face; no true
face is lost by it there, nor in WIDER, LFPW and FDDB, bright or dark.
"""

# Where YuNet's boxes lie in the bounds of the 68 points: medians over 101 photographs of LFPW's
# training half (benchmarks/peppa_preprocessing.py). The brows are the topmost points, a
# detector's box reaches to the hairline.
LEFT, TOP, RIGHT, BOTTOM = 0.014, -0.353, 0.983, 0.995

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class RawDetections:
    """N possible faces: ``boxes`` (N, 4), ``scores`` (N,), ``landmarks`` (N, K, 2)."""

    boxes: Floats
    scores: Floats
    landmarks: Floats

    @classmethod
    def joined(cls, parts: Sequence[RawDetections]) -> RawDetections:
        """Those of all parts, of which there is at least one, in their order."""
        return cls(
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.landmarks for part in parts]),
        )

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

    def merged(self, most_iou: float) -> RawDetections:
        """Those that :meth:`suppressed` leaves, each box the mean of those that show its face.

        Weighted by the square of the score. What shows a face has a fixed overlap and a fixed score
        or more, so that a threshold only cuts the list short; weaker boxes stay as they are.
        """
        left, voters = self.suppressed(most_iou), self.where(self.scores >= VOTES_FROM)
        boxes = left.boxes.copy()
        sure = left.scores >= VOTES_FROM
        shows = iou_matrix(boxes[sure], voters.boxes) >= SAME_IOU  # (sure, voters)
        shares = shows * voters.scores**2
        total = shares.sum(axis=1, keepdims=True)  # 0 for a box without area
        means = boxes[sure]
        np.divide(shares @ voters.boxes, total, out=means, where=total > 0, casting="unsafe")
        boxes[sure] = means
        return RawDetections(boxes, left.scores, left.landmarks)

    def without_parts(self) -> RawDetections:
        """Those, best score first, that are no parts of surer faces."""
        corners, sure = self.boxes.astype(np.float64), self.scores >= VOTES_FROM
        wholes = corners[sure]
        low = np.maximum(corners[:, None, :2], wholes[None, :, :2])
        high = np.minimum(corners[:, None, 2:], wholes[None, :, 2:])
        inside = np.clip(high - low, 0, None).prod(axis=2)  # (N, wholes)
        areas = (corners[:, 2:] - corners[:, :2]).prod(axis=1)
        part = (inside >= PART_SHARE * areas[:, None]) & (areas[sure] > PART_SIZE * areas[:, None])
        surer = self.scores[sure] > self.scores[:, None]
        return self.where(~(part & surer).any(axis=1))

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
    find: Callable[[Image], RawDetections],
    image: Image,
    *,
    most_iou: float,
    largest_px: int | None = None,
    merge: bool = False,
) -> RawDetections:
    """What ``find`` sees at all levels and in all tiles of a picture, suppressed to one each.

    ``largest_px`` is the longer side down to which the picture is halved, by default
    :data:`LARGEST_PX`; ``merge`` averages what shows the same face instead of keeping the best, and
    leaves parts of a face out.
    """
    largest_px = LARGEST_PX if largest_px is None else largest_px
    found: list[RawDetections] = []
    for scale, level in _levels(image, largest_px):
        for x, y, tile in _tiles(level):
            here = find(tile)
            here = here.where(_whole(here.boxes, x, y, tile, level))
            if max(level.shape[:2]) > largest_px:
                longer_px = (here.boxes[:, 2:] - here.boxes[:, :2]).max(axis=1, initial=0)
                here = here.where(longer_px <= OVERLAP_PX)
            found.append(here.moved(scale=scale, x_px=x, y_px=y))
    every = RawDetections.joined(found)
    return every.merged(most_iou).without_parts() if merge else every.suppressed(most_iou)


def _levels(image: Image, largest_px: int) -> Iterator[tuple[float, Image]]:
    """The picture at full size and halved until it fits, each with its factor to the full size."""
    scale = 1.0
    yield scale, image
    while max(image.shape[:2]) > largest_px:
        height, width = image.shape[:2]
        # an odd last row or column is cut, so that the factor is exactly two
        even = image[: height - height % 2 or 1, : width - width % 2 or 1]
        size = (max(1, width // 2), max(1, height // 2))
        image = np.asarray(cv2.resize(even, size, interpolation=cv2.INTER_AREA))
        scale *= 2
        yield scale, image


def _tiles(level: Image) -> Iterator[tuple[int, int, Image]]:
    """Overlapping tiles with their corners; the level itself if it is small enough."""
    height, width = level.shape[:2]
    for y in _starts(height):
        for x in _starts(width):
            yield x, y, level[y : y + TILE_PX, x : x + TILE_PX]


def _starts(length_px: int) -> list[int]:
    if length_px <= TILE_PX:
        return [0]
    return [*range(0, length_px - TILE_PX, TILE_PX - OVERLAP_PX), length_px - TILE_PX]


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


def box_around(points: npt.ArrayLike) -> Box:
    """The box a detector would draw around labelled points ``(K, 2)``: from hairline to chin.

    Raises:
        ParameterError: fewer than two different points.
    """
    x0, y0, x1, y1 = bounds(points)
    width, height = x1 - x0, y1 - y0
    return (x0 + LEFT * width, y0 + TOP * height, x0 + RIGHT * width, y0 + BOTTOM * height)


def points_bounds(box: Box) -> Box:
    """Where the bounds of the 68 points lie in a detector's box: the inverse of box_around."""
    x0, y0, x1, y1 = box
    width, height = (x1 - x0) / (RIGHT - LEFT), (y1 - y0) / (BOTTOM - TOP)
    left, top = x0 - LEFT * width, y0 - TOP * height
    return (left, top, left + width, top + height)


def bounds(points: npt.ArrayLike) -> Box:
    """The smallest box that holds points ``(K, 2)``.

    Raises:
        ParameterError: fewer than two different points, or all on an upright line.
    """
    values = np.asarray(points, np.float64).reshape(-1, 2)
    low, high = values.min(axis=0), values.max(axis=0)
    if not (high > low).all():
        raise ParameterError("expected points that span an area")
    return (float(low[0]), float(low[1]), float(high[0]), float(high[1]))


def iou(first: Box, second: Box) -> float:
    """Intersection over union of two boxes."""
    return float(iou_matrix([first], [second])[0, 0])


def non_maximum_suppression(
    boxes: npt.ArrayLike, scores: npt.ArrayLike, *, most_iou: float
) -> list[int]:
    """The indices that stay, best score first: none overlaps a better one by over ``most_iou``."""
    corners = np.asarray(boxes, np.float64).reshape(-1, 4)
    low, high = corners[:, :2].T, corners[:, 2:].T  # (2, N): x and y apart, which is fast
    areas = np.clip(high - low, 0, None).prod(axis=0)
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    kept: list[int] = []
    while order.size:
        best, order = order[0], order[1:]
        kept.append(int(best))
        (x0, y0), (x1, y1) = low[:, order], high[:, order]
        wide = np.minimum(x1, high[0, best]) - np.maximum(x0, low[0, best])
        tall = np.minimum(y1, high[1, best]) - np.maximum(y0, low[1, best])
        both = np.where((wide > 0) & (tall > 0), wide * tall, 0)
        union = areas[order] + areas[best] - both
        shares = np.divide(both, union, out=np.zeros_like(both), where=union > 0)
        order = order[shares <= most_iou]
    return kept


def weighted_box(boxes: Sequence[Box], weights: Sequence[float]) -> Box:
    """The mean of boxes by weight; a plain mean if no weight is above 0."""
    total = sum(weights)
    shares = [w / total for w in weights] if total > 0 else [1 / len(boxes)] * len(boxes)
    x0, y0, x1, y1 = (
        sum(share * box[i] for share, box in zip(shares, boxes, strict=True)) for i in range(4)
    )
    return (x0, y0, x1, y1)
