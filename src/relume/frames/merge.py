"""Frames merged where they agree: per pixel, by their residual against the noise to be expected.

The noise is what the frames differ by in most places of the same brightness: their median
residual. A place that differs by much more shows something that moved, and is not mixed in. It is
looked for at two scales: the energy of small neighbourhoods sees thin things, the mean difference
of larger ones sees what is faint, where noise is averaged out.
"""

from __future__ import annotations

import cv2
import numpy as np

from relume.enhancers.metering import largest
from relume.image.color import luma
from relume.photo import Image

FINE_PX, COARSE_PX = 5, 15
"""Neighbourhoods of the two scales."""
LEVELS = 6
"""Brightnesses at which the noise is measured, as it differs among them."""
FINE_MOST, COARSE_MOST = (28 / 255) ** 2, (11 / 255) ** 2
"""The most noise, as variance at each scale, that is believed."""
FINE_LEAST, COARSE_LEAST = (1.5 / 255) ** 2, (0.6 / 255) ** 2
"""The least: frames are 8 bit."""
LIMIT = 7.0
"""Residual energy, relative to its median, at which half of the trust is left: five times the
deviation of noise, less would cost too many of its tails."""
COARSE_SHARE = 3.0
"""How much sooner the coarse scale loses trust: noise has shorter tails there."""


def trust(reference: Image, frame: Image, *, limit: float = LIMIT) -> Image:
    """(H, W) in [0, 1]: how far each pixel of an aligned ``frame`` shows what ``reference`` does.

    Both are relit, of one exposure, in [0, 1].
    """
    residual = np.asarray(frame - reference, np.float32)
    fine = _box(largest(np.square(residual)), FINE_PX)
    coarse = largest(np.square(_box(residual, COARSE_PX)))
    grey = _box(luma(reference), COARSE_PX)
    bins = np.minimum((grey * LEVELS).astype(np.uint8), LEVELS - 1)
    excess = np.maximum(
        fine / _noise(fine, bins, FINE_LEAST, FINE_MOST),
        coarse / _noise(coarse, bins, COARSE_LEAST, COARSE_MOST) * np.float32(COARSE_SHARE),
    )
    share = np.square(excess / np.float32(limit))
    return np.asarray(1 / (1 + share), np.float32)


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


def _noise(energy: Image, bins: Image, least: float, most: float) -> Image:
    """(H, W): the median energy among pixels of the same brightness."""
    step = max(1, round((energy.size / 60_000) ** 0.5))
    sample, levels = energy[::step, ::step], bins[::step, ::step]
    overall = float(np.median(sample))
    table = np.full(LEVELS, overall, np.float32)
    for level in range(LEVELS):
        of = sample[levels == level]
        if of.size > 200:
            table[level] = np.median(of)
    return np.asarray(np.clip(table, least, most).astype(np.float32)[bins], np.float32)
