"""relume's own 68 points: small, shipped, taught in the dark, and aware of their own error.

The network looks at the photograph as it is: a square around the face, opened up by a black level
and one gain (:mod:`relume.image.opening`) of the square's own. No enhancer runs before it.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from relume.catalog import Info, Parameter
from relume.engine import Array, Inference, Runtime, load
from relume.faces.base import MIRRORED, Box, Placed, Points, mirrored_points
from relume.faces.search import box_around, points_bounds
from relume.image.opening import Opening
from relume.metrics.landmarks import POINTS
from relume.nets.sizes import LANDMARKS_PX
from relume.photo import Image, check_image
from relume.weights import path

WEIGHTS = "relume-landmarks"
CROP = 1.4
"""Side of the square over the longer side of the points' bounds."""

INFO = Info(
    name="relume",
    summary="relume's own 68 points (2026): taught in the dark, shipped",
    licence="MIT",
    source="relume; trained by recipes/landmarks.toml",
    parameters=(
        Parameter("mirror", "average with the mirrored picture: less error, twice the time", True),
        Parameter("passes", "crop again around the points found, this many times in all", 1, 1, 5),
    ),
    weights=(WEIGHTS,),
)


class RelumeLandmarker:
    """One look at each face of a photograph, all faces in one batch."""

    info = INFO

    def __init__(
        self, *, mirror: bool = True, passes: int = 1, inference: Inference | None = None
    ) -> None:
        """Load the network, unless its ``inference`` is given.

        Raises:
            WeightsError: its weights are damaged or missing.
        """
        self.mirror, self.passes = mirror, passes
        self.network = inference or load(path(WEIGHTS), runtime=Runtime(precision="f32"))

    def __call__(self, image: Image, box: Box) -> Points:
        """The 68 points of the face in ``box`` (a detector's box, from hairline to chin)."""
        points: Points = self.place(image, [box]).points[0]
        return points

    def place(self, image: Image, boxes: Sequence[Box]) -> Placed:
        """The points of the faces in ``boxes``, and how far off each may be."""
        check_image(image)
        if not boxes:
            return Placed(np.zeros((0, POINTS, 2), np.float32), np.zeros((0, POINTS), np.float32))
        for _ in range(self.passes - 1):
            placed = self._look(image, boxes, mirror=False)
            boxes = [box_around(points) for points in placed.points]
        return self._look(image, boxes, mirror=self.mirror)

    def _look(self, image: Image, boxes: Sequence[Box], *, mirror: bool) -> Placed:
        squares = [square(box) for box in boxes]
        crops = np.stack([cut(image, *place) for place in squares])  # (N, 96, 96, 3)
        found = self._points(crops)
        points, sigma = found["points"], found["sigma"]
        if mirror:
            other = self._points(crops[:, :, ::-1])
            turned = np.stack([mirrored_points(points, 1) for points in other["points"]])
            points = (points + turned) / 2
            sigma = (sigma + other["sigma"][:, MIRRORED[POINTS]]) / 2
        corners = np.array([corner for corner, _ in squares], np.float32)
        sides = np.array([side_px for _, side_px in squares], np.float32)
        placed = points * sides[:, None, None] + corners[:, None]
        return Placed(placed.astype(np.float32), sigma * sides[:, None])

    def _points(self, crops: Image) -> dict[str, Array]:
        opened = [opening(crop) for crop in crops]
        return dict(
            self.network(
                {
                    "image": np.ascontiguousarray(crops.transpose(0, 3, 1, 2)),
                    "black": np.stack([one.black for one in opened]),
                    "gain": np.array([[one.gain] for one in opened], np.float32),
                }
            )
        )


def opening(crop: Image) -> Opening:
    """What opens up a square, measured on a quarter of its pixels."""
    return Opening.of(np.ascontiguousarray(crop[::2, ::2]))


def square(box: Box) -> tuple[tuple[int, int], int]:
    """The square around a face that the network sees: its corner and side, whole pixels."""
    x0, y0, x1, y1 = points_bounds(box)
    side_px = max(round(CROP * max(x1 - x0, y1 - y0)), 1)
    return (round((x0 + x1 - side_px) / 2), round((y0 + y1 - side_px) / 2)), side_px


def cut(image: Image, corner: tuple[int, int], side_px: int) -> Image:
    """A square of the picture (96, 96, 3); outside of it, its border goes on."""
    return to_input(cut_out(image, corner, side_px))


def cut_out(image: Array, corner: tuple[int, int], side_px: int) -> Array:
    """A square of the picture (side_px, side_px, 3); outside of it, its border goes on."""
    height, width = image.shape[:2]
    x, y = corner
    part = image[max(y, 0) : y + side_px, max(x, 0) : x + side_px]
    if part.shape[:2] != (side_px, side_px):  # the nearest pixel inside
        rows = np.clip(np.arange(y, y + side_px), 0, height - 1)
        columns = np.clip(np.arange(x, x + side_px), 0, width - 1)
        part = image[rows[:, None], columns]
    return np.ascontiguousarray(part)


def to_input(part: Image) -> Image:
    """A square of any size at the network's: the mean of the pixels where it is made smaller."""
    size = (LANDMARKS_PX, LANDMARKS_PX)
    kind = cv2.INTER_AREA if part.shape[0] > LANDMARKS_PX else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(part, size, interpolation=kind), np.float32)
