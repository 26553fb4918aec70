"""Which frame of a burst is the sharpest, whatever noise each of them has.

Noise is as fine as detail, so no measure of one frame tells a noisy one from a sharp one. What two
frames have in common is no noise: how much of a third frame's detail is found in one frame, over
how much is found in another, says how much sharper the one is (an instrumental variable). Coarse
structure, found in the same way, says how much of it is contrast: noise clipped at black lifts it.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from relume.frames.align import global_motion, inside, pixel_grid
from relume.image.color import luma
from relume.image.filters import fit_within
from relume.photo import Array, Image

SHARPER = 1.3
"""How much sharper than the first picture another must be to become the reference."""
SIDE_PX = 800
FINE_PX, COARSE_PX = (1.0, 2.5), (4.0, 10.0)
"""Sigmas of the bands of detail and of structure."""
LEAST_OVERLAP = 0.3


def sharpest(images: Sequence[Image]) -> int:
    """The index of the first image, or of the sharpest if that is clearly sharper."""
    gains = sharpness(images)
    best = int(np.argmax(gains))
    return best if gains[best] > SHARPER else 0


def sharpness(images: Sequence[Image]) -> list[float]:
    """How much sharper than the first each image is: 1 as sharp, 0 where that cannot be told.

    Images (H, W, 3) of one size that show one scene. Two alone have no third to be compared with:
    there the noise of the first makes the other look less sharp than it is, never sharper.
    """
    first, *others = (fit_within(image, SIDE_PX) for image in images)
    height, width = first.shape[:2]
    overlap = np.ones((height, width), bool)
    bands = [(_bands(first))]
    for image in others:
        warp = global_motion(first, image)
        positions = np.asarray(pixel_grid(height, width) @ warp[:, :2].T + warp[:, 2], np.float32)
        overlap &= inside(positions) > 0
        bands.append([cv2.remap(b, positions, None, cv2.INTER_CUBIC) for b in _bands(image)])
    if not others or overlap.mean() < LEAST_OVERLAP:
        return [1.0] + [0.0] * len(others)
    fine, coarse = (_common([b[n][overlap] for b in bands]) for n in (0, 1))
    return [1.0] + [_ratio(fine, n) / (_ratio(coarse, n) or np.inf) for n in range(1, len(bands))]


def _ratio(common: Array, number: int) -> float:
    """How much of the other images' band the image has, over how much the first has."""
    third = [n for n in range(1, len(common)) if n != number] or [0]
    mine, firsts = (float(common[n, third].sum()) for n in (number, 0))
    return mine / firsts if mine > 0 and firsts > 0 else 0.0


def _common(bands: Sequence[Image]) -> Array:
    """(n, n): the covariances of the images' bands."""
    values = np.stack(bands)
    return np.asarray(values @ values.T / max(values.shape[1], 1), np.float64)


def _bands(image: Image) -> list[Image]:
    grey = luma(image)
    return [
        np.asarray(
            cv2.GaussianBlur(grey, (0, 0), low) - cv2.GaussianBlur(grey, (0, 0), high), np.float32
        )
        for low, high in (FINE_PX, COARSE_PX)
    ]
