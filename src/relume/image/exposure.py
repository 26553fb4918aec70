"""Exposure: how bright a picture is, a longer exposure simulated, lit parts protected."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from relume.errors import ParameterError
from relume.image.color import REC601, largest, linear_to_srgb, luma, srgb_to_linear, times
from relume.image.filters import fit_within
from relume.image.parallel import for_row_blocks, map_row_blocks
from relume.photo import Image

GAIN_STEP = 5e-4
"""Relative width to which :func:`gain_for` closes in."""

TOLERANCE, FRAME_TOLERANCE = 0.01, 0.02
"""Relative error of a mean level that is left alone: of what counts, and of a whole frame."""

MOST_FACTOR, MOST_ODDS = 1.6, 4.0
"""The most that a picture, or the odds of its values, are multiplied or divided with."""

SCALE_STEPS = 6

SHOULDER = 0.8
"""Linear light from which :func:`expose` rolls off instead of clipping."""

LIT_SAMPLES = 1_000_000
"""Pixels, at least, by which :func:`lit_level` is found."""

LAMP_LEVEL = 0.6
"""Grey that counts fully as light: a lamp makes a night photo no better exposed than a wall."""

DARK_LEVEL, LIT_LEVEL = 0.18, 0.30
"""Lit levels up to which a photo is dark, and from which it is well exposed.

Measured: 90 % of 12 real night photographs and 98 % of LOL's dark ones lie below 0.18; 95 % of
LOL's bright ones and 75 % of the photographs of LFPW and FDDB above 0.29.
"""

GATE = 0.95
"""The share of the original that a well exposed photo keeps."""

HEADROOM = 0.12
"""How far below white what was dark is held, so that lamps stand out from it."""

NO_HEADROOM = 1e-4

NO_LAMP, LAMP = 0.4, 0.7
"""Luma of the brightest cell up to which a photo shows no lamp, and from which it does."""

CELLS = 128
"""A cell is a 128th of the picture's longer side, so that hot pixels are no lamps."""

KNEE = 0.02
"""Half the width, in luma, over which that ceiling sets in."""


DIM = 0.1
"""Mean grey level up to which a picture does not look lit, whatever was done to it."""

NEARLY = 0.02
"""Mean change of a value below which a picture is said to be left as it is."""


def mean_level(image: Image) -> float:
    """Mean Rec. 601 grey level in [0, 1]."""
    return float(np.dot(REC601, cv2.mean(image)[:3]))


def lit_level(image: Image) -> float:
    """How well lit a picture is: the mean of its luma, lamps counted as no more than 0.6."""
    return float(
        cv2.mean(np.minimum(luma(subsample(image, LIT_SAMPLES)), np.float32(LAMP_LEVEL)))[0]
    )


def left_as_lit(before: Image, after: Image, *, nearly: float = NEARLY) -> bool:
    """Whether a picture that is not dim was hardly changed: it looks lit."""
    return mean_level(before) > DIM and float(cv2.norm(before, after, cv2.NORM_L1)) < (
        nearly * before.size
    )


def subsample(image: Image, pixels: int) -> Image:
    """Every n-th pixel, so that at least ``pixels`` are left of a picture that has them.

    A curve of single values has nearly the same mean over them. It has not over a smaller copy:
    noise and lamps pass through a curve differently than their mean.
    """
    step = subsample_step(image, pixels)
    return np.ascontiguousarray(image[::step, ::step])


def subsample_step(image: Image, pixels: int) -> int:
    """The n of :func:`subsample`."""
    return max(1, int((image.shape[0] * image.shape[1] / pixels) ** 0.5))


def gain_for(mean_at: Callable[[float], float], level: float, *, most: float) -> float:
    """The gain in [1 / most, most] with which a rising mean reaches ``level``, or the nearest."""
    low, high = 1 / most, most
    while high / low > 1 + GAIN_STEP:
        gain = (low * high) ** 0.5
        low, high = (gain, high) if mean_at(gain) < level else (low, gain)
    return high


def scale_to(
    picture: Image, level: float, mean_at: Callable[[float], float], *, within: float = TOLERANCE
) -> Image:
    """``picture``, changed in place by one factor, as a longer exposure would, to meet ``level``.

    ``mean_at`` is its mean level times a factor. A network is off by a few percent; a relative
    error below ``within`` is left. Few steps do, and the graph for other programs takes the same.
    """
    factor = 1.0
    for _ in range(SCALE_STEPS):
        mean = mean_at(factor)
        if is_met(mean, level, within):
            break
        factor = float(np.clip(factor * level / mean, 1 / MOST_FACTOR, MOST_FACTOR))
    return picture if factor == 1 else np.multiply(picture, np.float32(factor), out=picture)


def bend_to(picture: Image, level: float, mean_at: Callable[[float], float]) -> Image:
    """``picture`` in [0, 1], bent in place to meet ``level``: black, white, order and hues stay.

    ``mean_at`` is its mean level with each pixel times the :func:`bend` of its largest channel.
    """
    if is_met(mean_at(1), level):
        return picture
    gain = gain_for(mean_at, level, most=MOST_ODDS)

    def draw(rows: slice) -> None:
        picture[rows] = times(picture[rows], bend(largest(picture[rows]), gain))

    for_row_blocks(draw, picture)
    return picture


def bend(values: Image, gain: float) -> Image:
    """What values in [0, 1] are multiplied with for their odds v / (1 - v) to be ``gain`` times."""
    return np.asarray(np.float32(gain) / (1 + np.float32(gain - 1) * values), np.float32)


def is_met(mean: float, level: float, within: float = TOLERANCE) -> bool:
    """Whether a mean level is near enough, or of a picture without light, which none can meet."""
    return mean <= 0 or abs(mean / level - 1) < within


def expose(image: Image, gain: float) -> Image:
    """``gain`` times the light, highlights rolled off instead of clipped.

    On linear light x with y = gain * x: y itself up to s = 0.8, and from there

        s + (1 - s) (1 - exp(-a t)) / (1 - exp(-a)),  t = (y - s) / (gain - s),

    where a makes the slope at s 1. So black and white stay, every order of values stays, a gain
    of 1 changes nothing, and nothing jumps as the gain moves away from it. A gain below 1 only
    scales.

    Raises:
        ParameterError: a gain that is not a positive number.
    """
    if not (math.isfinite(gain) and gain > 0):
        raise ParameterError(f"a gain must be a number above 0, got {gain}")
    if gain == 1:
        return image.copy()
    bend = _bend((gain - SHOULDER) / (1 - SHOULDER)) if gain > 1 else 0.0

    def curve(values: Image) -> Image:
        light = srgb_to_linear(values) * np.float32(gain)
        if gain > 1:
            light = _rolled_off(light, gain, bend)
        return np.clip(linear_to_srgb(light), 0, 1)

    return map_row_blocks(curve, image)


def _rolled_off(light: Image, gain: float, bend: float) -> Image:
    t = np.maximum(light - np.float32(SHOULDER), 0) / np.float32(gain - SHOULDER)
    if bend < 1e-4:  # its limit is a straight line, which float32 could not divide
        rise = t
    else:
        rise = np.expm1(np.float32(-bend) * t) / np.float32(math.expm1(-bend))
    low = np.minimum(light, np.float32(SHOULDER))
    return np.asarray(low + np.float32(1 - SHOULDER) * rise, np.float32)


def _bend(ratio: float) -> float:
    """The a > 0 with a / (1 - exp(-a)) = ratio > 1, by Newton's method from above."""
    a = max(ratio, 2 * (ratio - 1))
    for _ in range(50):
        decay = math.exp(-a)
        rest = a - ratio * (1 - decay)
        slope = 1 - ratio * decay
        step = rest / slope if slope > 1e-12 else 0.0
        a -= step
        if abs(step) < 1e-12 * max(a, 1e-6):
            break
    return max(a, 0.0)


def _headroom(image: Image) -> float:
    """0.12 for a picture whose brightest part has a luma above 0.7, 0 (no ceiling) below 0.4."""
    cells = fit_within(luma(image), CELLS)
    return HEADROOM * smoothstep(float(cells.max()), NO_LAMP, LAMP)


def _lit_share(original: Image, enhanced: Image, headroom: float) -> Image:
    """The share of the original, (H, W) in [0, 1], that keeps lit parts from being blown out.

    A pixel whose luma was x may become as bright as

        c(x) = 1 - h (1 - exp(-(1 - x) / h)),

    which follows the original near white and ends at 1 - h for what was black. Where the enhanced
    luma e lies above that, the share is (e - min(e, c)) / (e - x): the blend has just the luma c.
    As min(e, c) rises with e and x, a glow around a lamp keeps its order of brightness, and as no
    neighbour is looked at, every edge stays and there is no halo.
    """
    before, after = luma(original), luma(enhanced)
    if headroom < NO_HEADROOM:
        return np.zeros_like(before)
    h, knee = np.float32(headroom), np.float32(KNEE * headroom / HEADROOM)
    ceiling = np.float32(1) + h * np.expm1((before - np.float32(1)) / h)
    # a parabola joins the two branches of the minimum, so that its edge is not seen in a sky
    near = np.maximum(knee - np.abs(after - ceiling), 0)
    target = np.minimum(after, ceiling) - near * near / (4 * knee)
    rise = after - before
    share = (after - np.maximum(target, before)) / np.maximum(rise, np.float32(1e-6))
    return np.where(rise > 0, np.clip(share, 0, 1), np.float32(0)).astype(np.float32, copy=False)


@dataclass(frozen=True)
class LitProtection:
    """How much of a photo is lit well enough to stay: measured once, on the original.

    The share of the original in the result is 1 - (1 - g)(1 - m). g, the ``gate``, judges the
    picture: 0 up to a :func:`lit_level` of 0.18, 0.95 from 0.30 on, a smooth step between. m is
    the share of each pixel, for lamps and windows of dark photos. Nothing jumps with the exposure
    or across the picture.
    """

    gate: float
    headroom: float

    @classmethod
    def of(cls, original: Image) -> LitProtection:
        """The protection that ``original`` needs."""
        gate = GATE * smoothstep(lit_level(original), DARK_LEVEL, LIT_LEVEL)
        return cls(gate, _headroom(original))

    def blend(self, original: Image, enhanced: Image) -> Image:
        """``enhanced`` in [0, 1], some rows or all, with the original blended back."""
        if self.headroom < NO_HEADROOM:
            gated = cv2.addWeighted(original, self.gate, enhanced, 1 - self.gate, 0)
            return np.asarray(gated, np.float32)
        share = 1 - np.float32(1 - self.gate) * (1 - _lit_share(original, enhanced, self.headroom))
        return np.asarray(enhanced + share[:, :, None] * (original - enhanced), np.float32)


def smoothstep(x: float, low: float, high: float) -> float:
    """0 up to ``low``, 1 from ``high`` on, smooth between."""
    t = min(max((x - low) / (high - low), 0.0), 1.0)
    return t * t * (3 - 2 * t)


def smoothsteps(x: Image, low: float, high: float) -> Image:
    """0 up to ``low``, 1 from ``high`` on, smooth between, of every value."""
    t = x - np.float32(low)
    t /= np.float32(high - low)
    np.clip(t, 0, 1, out=t)
    square = t * t
    t *= -2
    t += 3
    return np.asarray(np.multiply(square, t, out=t))
