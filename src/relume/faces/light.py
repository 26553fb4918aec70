"""Whether a box holds any light: what is of a face's size in it, beside what is of a pixel's.

A nearly black photograph that is multiplied a hundred times shows its noise, and noise has eyes and
mouths in it: a detector is nearly as sure of them as of faces. The photograph itself tells them
apart. The parts of a face differ in their light; noise, and what JPEG leaves of it, differs from
pixel to pixel, and its means over such parts are alike.
"""

from __future__ import annotations

import cv2
import numpy as np

from relume.faces.base import Box
from relume.faces.quality import ROUNDING
from relume.image.filters import box_filter
from relume.photo import Image

PARTS = 6
"""Parts along each side of a box."""
POINT_RADIUS_PX = 2
"""What the mean over the pixels within this many rows and columns takes away is of a pixel's size.
"""
LEAST_BOX_PX = 32
"""The shorter side of a box from which its parts are larger than that."""
LEAST_LIGHT = 1.1
"""How much more the parts have to differ than the pixels: standard deviations.

Chosen on 19 photographs that a phone took of next to nothing and on WIDER darkened: all seven
false boxes there lie below, none of six faces (docs/real-darkness.md).
"""
NOISE_IS_SURER = 0.15
"""How much surer a face has to be where only noise is to be seen.

Faces in heavy noise of their own making stay found by it, which a veto loses.
"""


def holds_light(image: Image, box: Box) -> bool:
    """Whether a box of a photograph (H, W, 3) shows more than noise; True where it is too small.

    ``box`` is (x0, y0, x1, y1) in pixels; what lies outside the photograph does not count.
    """
    x0, y0, x1, y1 = (max(round(value), 0) for value in box)
    inside = image[y0:y1, x0:x1]
    if min(inside.shape[:2]) < LEAST_BOX_PX:
        return True
    grey = cv2.cvtColor(np.ascontiguousarray(inside), cv2.COLOR_RGB2GRAY)
    parts = cv2.resize(grey, (PARTS, PARTS), interpolation=cv2.INTER_AREA)
    points = grey - box_filter(grey, POINT_RADIUS_PX)
    return float(parts.std()) >= LEAST_LIGHT * max(float(points.std()), ROUNDING)
