"""How light skin looks in a photograph: the individual typology angle, and its groups.

Chardon, Cretois and Hourseau, *Skin colour typology and suntanning pathways* (1991): the angle of
(L* - 50, b*) in CIELAB. It is the skin's colour *in a photograph*: lamps, exposure and white
balance move it, and it says nothing about ethnicity.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from relume.photo import Image

Box = tuple[float, float, float, float]

ACROSS, DOWN = (0.15, 0.85), (0.45, 0.70)
"""The cheeks and the nose: shares of the width and of the height of a face's box."""

GROUPS = (("light", 41.0), ("intermediate", 28.0), ("tan", 10.0), ("brown", -30.0))
"""Groups, lightest first, with the angle in degrees that each lies above."""
DARK = "dark"
NAMES = (*(name for name, _ in GROUPS), DARK)


def skin_angle(image: Image, box: Box) -> float:
    """The typology angle in degrees of a face in a bright photograph; NaN if its cheeks are cut.

    Taken from the medians of L* and b* over the middle of the box (x0, y0, x1, y1).
    """
    x0, y0, x1, y1 = (int(value) for value in box)
    width, height = x1 - x0, y1 - y0
    rows = slice(max(y0 + int(DOWN[0] * height), 0), max(y0 + int(DOWN[1] * height), 0))
    columns = slice(max(x0 + int(ACROSS[0] * width), 0), max(x0 + int(ACROSS[1] * width), 0))
    cheeks = image[rows, columns]
    if not cheeks.size:
        return math.nan
    lab = cv2.cvtColor(np.ascontiguousarray(cheeks), cv2.COLOR_RGB2LAB)
    lightness, yellow = float(np.median(lab[..., 0])), float(np.median(lab[..., 2]))
    return math.degrees(math.atan2(lightness - 50, yellow))


def skin_group(angle: float) -> str:
    """The group of an angle in degrees; "" of NaN.

    >>> [skin_group(angle) for angle in (60, 41, 28, 0, -30, -60)]
    ['light', 'intermediate', 'tan', 'brown', 'dark', 'dark']
    """
    if math.isnan(angle):
        return ""
    return next((name for name, above in GROUPS if angle > above), DARK)
