"""Peppa: 68 landmarks from a small network, given a box.

ainrichman, *Peppa-Facial-Landmark-PyTorch* ("slim", 26.5 M multiply-adds, trained on 300W-LP).
Its training code says BGR, (value - 127) / 127 and grey borders; the crop was found by evidence:
``benchmarks/peppa_preprocessing.py`` compares channel orders, normalisations, crops and box
conventions on LFPW's training half and reports on its test half.
"""

from __future__ import annotations

import cv2
import numpy as np

from relume.catalog import Info, Parameter
from relume.engine import Runtime, load
from relume.faces.base import Box, Points, mirrored_points
from relume.faces.search import box_around, points_bounds
from relume.metrics.landmarks import POINTS
from relume.photo import Image, check_image
from relume.weights import path

INPUT_PX = 160
CROP = 1.3
"""Side of the square crop over the longer side of the points' bounds."""
MIDDLE = np.float32(127)

INFO = Info(
    name="peppa",
    summary="68 points from a small network, given a box",
    licence="Apache-2.0",
    source="https://github.com/ainrichman/Peppa-Facial-Landmark-PyTorch",
    parameters=(
        Parameter("mirror", "average with the mirrored picture: less error, twice the time", True),
        Parameter("passes", "crop again around the points found, this many times in all", 1, 1, 5),
    ),
    weights=("peppa_68",),
)


class Peppa:
    """The 68-point network behind a square crop of the face."""

    info = INFO

    def __init__(self, *, mirror: bool = True, passes: int = 1) -> None:
        """Load the network.

        Raises:
            WeightsError: its weights are not here and cannot be fetched.
        """
        self.mirror = mirror
        self.passes = passes
        file = path("peppa_68")
        self.network = load(file, runtime=Runtime(precision="f32"))

    def __call__(self, image: Image, box: Box) -> Points:
        """The 68 points of the face in ``box`` (a detector's box, from hairline to chin)."""
        check_image(image)
        for _ in range(self.passes - 1):
            box = box_around(self._predict(image, box, mirror=False))
        return self._predict(image, box, mirror=self.mirror).astype(np.float32)

    def _predict(self, image: Image, box: Box, *, mirror: bool) -> Points:
        pixels, side_px, corner = square_crop(image, box)
        points = self._points(pixels)
        if mirror:
            other = mirrored_points(self._points(pixels[:, ::-1]), 1)
            points = np.asarray((points + other) / 2, np.float32)
        return points * np.float32(side_px) + corner

    def _points(self, pixels: Image) -> Points:
        """The 68 points as shares of the crop."""
        batch = (pixels.transpose(2, 0, 1)[None] - MIDDLE) / MIDDLE
        out = self.network({self.network.inputs[0]: batch})[self.network.outputs[0]]
        return np.asarray(out[0, : 2 * POINTS].reshape(POINTS, 2), np.float32)


def square_crop(image: Image, box: Box, *, factor: float = CROP) -> tuple[Image, float, Points]:
    """The network's view of a face: BGR in [0, 255], grey outside the picture; side and corner.

    The square is centred on the points' expected bounds, ``factor`` times their longer side.
    """
    x0, y0, x1, y1 = points_bounds(box)
    side_px = factor * max(x1 - x0, y1 - y0)
    corner = np.array([(x0 + x1 - side_px) / 2, (y0 + y1 - side_px) / 2], np.float32)
    # warpAffine maps pixel centres: half a pixel in the crop and half in the picture
    scale = INPUT_PX / side_px
    shift = -corner * scale + (scale - 1) / 2
    to_crop = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float64)
    pixels = cv2.warpAffine(
        image[:, :, ::-1] * np.float32(255),
        to_crop,
        (INPUT_PX, INPUT_PX),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(float(MIDDLE),) * 3,
    )
    return np.asarray(pixels, np.float32), side_px, corner
