"""How well a photograph and its faces can be seen: light, noise, and what to expect of both.

In the dark "no face found" may mean that there is none, or that no camera could have shown it. What
tells them apart is the *clarity* of the picture: the contrast of its large areas over the noise of
a point. Light alone does not: a noisy camera lifts the mean level of a black picture.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from relume.faces.base import Box, Face, Quality
from relume.faces.views import is_nearly_black, relative_noise
from relume.image.exposure import mean_level
from relume.metrics.landmarks import OUTER_EYE_CORNERS
from relume.photo import Image

PIXELS = 160_000
"""A picture is brought to about this size before its noise is measured: clarity is of contents."""
CELLS = 20
"""Areas along the longer side of a photograph."""
FACE_CELLS = 8
"""Areas along each side of a face."""
ROUNDING = 0.3 / 255
"""Least noise: that of 8 bit steps."""

HIDDEN = ((0.5, 0.5), (3.0, 0.3))
"""Up to which clarity which share of faces is not found, of nearly black photographs.

Measured on 112 photographs of FDDB and 96 of FairFace at 0.03 to 0.005 times the light: of faces
that a bright photograph shows, 46 % are found below 0.5, 67 to 76 % from there to 3, 92 % above.
"""
ERRORS = ((0.2, 0.092), (0.65, 0.085), (1.4, 0.058), (2.8, 0.056), (5.6, 0.048), (12.0, 0.047))
"""Expected landmark error (NME) by a face's clarity; between them by its logarithm.

Measured on 81 of LFPW's training photographs that relume's landmarker never saw, at six levels of
light, 486 faces (``benchmarks/landmarks.py``, seed 9). Landmarks that have a sigma say more: see
``quality_of``.
"""

MEAN_DISTANCE = 2 / 3**0.5
"""The mean distance of a point, over its standard deviation along an axis, as relume's own
landmarker has it: a density exp(-r / s) has the mean 2 s and the variance 3 s^2 along each axis."""


def quality(image: Image, box: Box) -> Quality | None:
    """The quality of a face in a box of the photograph; None where it lies outside."""
    x0, y0, x1, y1 = (round(value) for value in box)
    face = image[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
    if not face.size:
        return None
    face = np.ascontiguousarray(face)
    noise, clear = relative_noise(face), _clarity(face, (FACE_CELLS, FACE_CELLS))
    marks, errors = zip(*ERRORS, strict=True)
    expected = np.interp(np.log(max(clear, 1e-6)), np.log(marks), errors)
    return Quality(mean_level(face), noise, clear, float(expected))


def quality_of(image: Image, face: Face) -> Quality | None:
    """:func:`quality` of a face; what its landmarks' own sigma says of their error goes first."""
    seen = quality(image, face.box)
    if seen is None or face.sigma is None or face.landmarks is None:
        return seen
    right, left = (face.landmarks[corner] for corner in OUTER_EYE_CORNERS)
    eyes_px = max(float(np.linalg.norm(left - right)), 1.0)
    return replace(seen, expected_nme=MEAN_DISTANCE * float(face.sigma.mean()) / eyes_px)


def clarity(image: Image) -> float:
    """The contrast of a photograph's large areas over the noise of a point."""
    height, width = image.shape[:2]
    shrink = min(1.0, (PIXELS / (height * width)) ** 0.5)
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    cell = max(size) / CELLS
    cells = (max(2, round(size[0] / cell)), max(2, round(size[1] / cell)))
    return _clarity(np.asarray(small, np.float32), cells)


def hidden_share(image: Image, *, nearly_black: bool | None = None) -> float:
    """The share of faces that may be expected to stay hidden in a photograph: 0 in a good one.

    ``nearly_black`` is :func:`is_nearly_black`, where that is known.
    """
    if not (is_nearly_black(image) if nearly_black is None else nearly_black):
        return 0.0
    clear = clarity(image)
    return next((share for below, share in HIDDEN if clear < below), 0.0)


def warning(hidden: float) -> str | None:
    """What a user is told about a share of hidden faces: None where there is nothing to say."""
    if hidden == 0:
        return None
    share = "half of the faces or more stay" if hidden >= 0.5 else "about 3 faces in 10 stay"
    return f"too dark to be sure: in photographs like this {share} hidden"


def _clarity(image: Image, cells: tuple[int, int]) -> float:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    areas = cv2.resize(grey, cells, interpolation=cv2.INTER_AREA)
    noise = max(float(grey.mean()) * relative_noise(image), ROUNDING)
    return float(areas.std()) / noise
