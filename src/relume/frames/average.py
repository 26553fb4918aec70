"""What the mean of dark frames shows beyond the mean of the relit ones: detail, and truer tones.

Relit frames have been smoothed one by one, and what is smoothed away no mean brings back. The mean
of the dark frames holds it. The network cannot take that mean as it is: noise that was clipped at
black has left a pedestal, and it expects little of one where there is little noise. What was relit
from single frames says how dark the scene is, so one curve a channel takes the pedestal off.

It serves where noise rules. Where 8 bits and JPEG do, the mean is no better than a frame; where
nothing but noise is left, the curve means nothing.
"""

from __future__ import annotations

import cv2
import numpy as np

from relume.image.darken import render, scene_light
from relume.image.exposure import smoothstep
from relume.image.filters import fit_within
from relume.photo import Image

SIDE_PX, BLUR_PX = 320, 9
"""Longer side of the copies that the curve is read from, and their blur: noise must be averaged,
or sorting by level sorts the noise."""
BINS = 32
BRIGHTEST = 0.85
"""The quantile from which values have hardly any pedestal: they fix the exposure."""
TONE_PX = 6.0
"""Sigma of what is tone; finer is detail."""
DETAIL, TONES = 0.7, 0.4
"""How much of either is taken over at most (28 handheld bursts of four, docs/video.md)."""
DETAIL_NOISE, TONES_NOISE, ALL_NOISE = (0.15, 0.3), (0.3, 0.6), (0.7, 0.9)
"""Noise over the mean level, of dark frames, from which and up to which it is taken over."""


class DarkMean:
    """The aligned dark frames of a burst, summed where they agree with the ``reference``."""

    def __init__(self, reference: Image) -> None:
        self._reference, self._total = reference, reference.copy()
        self._squares, self._count = 0.0, 0

    def add(self, frame: Image, positions: Image, share: Image) -> None:
        """Take a dark frame whose pixels lie at ``positions`` (H, W, 2), as far as it agrees."""
        moved = cv2.remap(frame, positions, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        self._total += np.asarray(moved, np.float32) * share[:, :, None]
        # not interpolated, which would take noise away
        nearest = cv2.remap(frame, positions, None, cv2.INTER_NEAREST)
        agrees = share > 0.5
        if agrees.any():
            self._squares += float(np.square(nearest - self._reference)[agrees].mean()) / 2
            self._count += 1

    def noise(self) -> float:
        """The standard deviation of a dark frame's noise over its mean level."""
        level = float(self._reference.mean())
        return float((self._squares / max(self._count, 1)) ** 0.5 / max(level, 1e-4))

    def as_one_frame(self, weight: Image, merged: Image) -> Image:
        """The mean, as a single frame of so little noise would be; ``merged`` is what was relit."""
        mean = np.clip(self._total / weight[:, :, None], 0, 1).astype(np.float32)
        several = np.clip(weight - 1, 0, 1)
        small, light = (cv2.blur(fit_within(x, SIDE_PX), (BLUR_PX,) * 2) for x in (mean, merged))
        light = scene_light(np.asarray(light, np.float32))
        top = light >= np.quantile(light, BRIGHTEST)
        exposure = float(scene_light(small)[top].sum()) / max(float(light[top].sum()), 1e-6)
        wanted = render(light * np.float32(exposure))
        for channel in range(3):
            levels, values = _curve(small[..., channel], wanted[..., channel])
            plane = mean[..., channel]
            plane += several * (np.interp(plane, levels, values).astype(np.float32) - plane)
        return np.asarray(np.clip(mean, 0, 1), np.float32)


def shares(noise: float) -> tuple[float, float]:
    """How much of detail and of tones is taken over at this noise (:meth:`DarkMean.noise`)."""
    left = 1 - smoothstep(noise, *ALL_NOISE)
    return (
        DETAIL * smoothstep(noise, *DETAIL_NOISE) * left,
        TONES * smoothstep(noise, *TONES_NOISE) * left,
    )


def take_over(merged: Image, other: Image, weight: Image, detail: float, tones: float) -> Image:
    """``merged`` with so much of the ``other`` picture's detail and tones, where frames merged."""
    difference = other - merged
    tone = cv2.GaussianBlur(difference, (0, 0), TONE_PX)
    change = np.float32(detail) * difference + np.float32(tones - detail) * tone
    return np.asarray(merged + np.clip(weight - 1, 0, 1)[:, :, None] * change, np.float32)


def _curve(levels: Image, wanted: Image) -> tuple[Image, Image]:
    """A rising curve from what the mean shows to what it should, with both its ends."""
    order = np.argsort(levels, axis=None)
    x, y = (
        np.array([part.mean() for part in np.array_split(plane.ravel()[order], BINS) if part.size])
        for plane in (levels, wanted)
    )
    y = np.maximum.accumulate(y)
    low = float(y[0] - x[0])  # below the darkest the pedestal is the same
    high = float(y[-1] / max(x[-1], 1e-4))
    ends = np.array([0.0, *x, 1.0]), np.array([low, *y, max(high, float(y[-1]))])
    return ends[0].astype(np.float32), ends[1].astype(np.float32)
