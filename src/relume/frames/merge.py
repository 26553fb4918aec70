"""Frames merged where they agree: per pixel, by their residual against the noise to be expected.

The noise is what the frames differ by in flat places of the same brightness: their median
residual. Edges are left out, as there every misplaced pixel looks like noise. By how much a place
differs beyond that says how far off the frame is there, in variances of noise, and so how much it
is worth, as in a Kalman filter. It is looked for at two scales: the energy of small neighbourhoods
sees thin things, the mean difference of larger ones sees what is faint, where noise averages out.
"""

from __future__ import annotations

import cv2
import numpy as np

from relume.image.color import largest, luma
from relume.photo import Array, Image

FINE_PX, COARSE_PX = 5, 15
"""Neighbourhoods of the two scales."""
LEVELS = 6
"""Brightnesses at which the noise is measured, as it differs among them."""
MEDIAN_OF_THIRD = 1.5
SAMPLES = 20_000
"""Pixels, about, by which the noise is measured."""
SLOPES = (0.4, 0.7, 0.9)
"""Shares of the pixels, those of least slope first, for which the noise is measured apart: there
is more of it at edges."""
FINE_MOST, COARSE_MOST = (40 / 255) ** 2, (18 / 255) ** 2
"""The most noise, as variance at each scale, that is believed."""
FINE_LEAST, COARSE_LEAST = (1.5 / 255) ** 2, (0.6 / 255) ** 2
"""The least: frames are 8 bit."""
SLACK = 2.0
"""Residual energy, over the usual, that noise may have at a place: its tails."""
WIDTH = 3.0
"""How much more than that takes half of the trust."""


def disagreement(
    reference: Image,
    frame: Image,
    *,
    still: float = 1.0,
    slack: float = SLACK,
    width: float = WIDTH,
) -> Image:
    """(H, W), 0 or more: how far an aligned ``frame`` is off ``reference``, in variances of noise.

    Both are relit, of one exposure, in [0, 1]. ``still`` in [0, 1] is the share of the frame that
    does not move: there edges show the noise as well as flat places do.
    """
    residual = np.asarray(frame - reference, np.float32)
    fine = _box(largest(np.square(residual)), FINE_PX)
    coarse = largest(np.square(_box(residual, COARSE_PX)))
    grey = luma(reference)
    bins = np.minimum((_box(grey, COARSE_PX) * LEVELS).astype(np.uint8), LEVELS - 1)
    smooth = _box(grey, FINE_PX)
    slope = np.hypot(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1))
    kinds = np.zeros(slope.shape, np.uint8)
    for edge in np.quantile(slope[::4, ::4], SLOPES):
        kinds += slope > edge
    noise = (
        _noise(fine, bins, kinds, still, FINE_LEAST, FINE_MOST),
        _noise(coarse, bins, kinds, still, COARSE_LEAST, COARSE_MOST),
    )
    excess = np.maximum(fine / noise[0] - slack, coarse / noise[1] - 1.6 * slack)
    return np.asarray(np.square(np.maximum(excess, 0) / width), np.float32)


def match_exposure(reference: Image, frame: Image, overlap: Image) -> Image:
    """``frame`` with every channel multiplied so that most of it is as bright as ``reference``."""
    step = max(1, round((overlap.size / 40_000) ** 0.5))
    a, b = (cv2.blur(x, (9, 9))[::step, ::step] for x in (reference, frame))
    inner = (overlap[::step, ::step] > 0) & (a.max(axis=2) < 0.9) & (a.min(axis=2) > 0.02)
    if inner.sum() < 50:
        return frame
    ratio = np.median(a[inner] / np.maximum(b[inner], 0.01), axis=0)
    return np.asarray(frame * np.clip(ratio, 0.8, 1.25).astype(np.float32), np.float32)


def _box(values: Image, side_px: int) -> Image:
    blurred = cv2.blur(values, (side_px, side_px), borderType=cv2.BORDER_REFLECT)
    return np.asarray(blurred, np.float32)


def _noise(
    energy: Image, bins: Array, kinds: Array, still: float, least: float, most: float
) -> Image:
    """(H, W): the median energy among the pixels of the same brightness and slope."""
    step = max(1, round((energy.size / SAMPLES) ** 0.5))
    sample, levels, slopes = (x[::step, ::step].ravel() for x in (energy, bins, kinds))
    table = np.full((LEVELS, len(SLOPES) + 1), _usual(sample[slopes == 0]), np.float32)
    for level in range(LEVELS):
        for kind in range(len(SLOPES) + 1):
            chosen = sample[(levels == level) & (slopes == kind)]
            if chosen.size > 100:
                table[level, kind] = _usual(chosen)
            elif kind:
                table[level, kind] = table[level, kind - 1]
    # what moves is misplaced at edges: there flat places alone show the noise
    table = table[:, :1] + np.float32(still) * (table - table[:, :1])
    places = bins * np.uint8(table.shape[1]) + kinds
    return np.asarray(np.take(np.clip(table, least, most), places), np.float32)


def _usual(energies: Image) -> float:
    """About the median, from the smaller ones: what moved is among the larger."""
    third = energies.size // 3
    return MEDIAN_OF_THIRD * float(np.partition(energies, third)[third])
