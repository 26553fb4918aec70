"""The meter: what a photo shows, where its light is, and which of it counts.

**Light is counted, not pixels.** Flat pixels (bars, frames of screenshots, clipped black and white)
hold none and do not count. What is measured is measured on a copy of about 128 px.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np

from relume.exposure import constants as c
from relume.exposure.aim import Aim
from relume.exposure.curve import ratio, ratios
from relume.image.color import largest, luma
from relume.image.exposure import (
    bend,
    bend_to,
    gain_for,
    scale_to,
    smoothstep,
    smoothsteps,
    subsample_step,
)
from relume.image.filters import Guide, box_filter, downscale, size_within
from relume.photo import Image

WHOLE = (0.0, 0.0, 1.0, 1.0)
"""The content of a photo without bars, in shares of its sides."""


@dataclass(frozen=True)
class Reading:
    """A photo as the meter sees it, small (h, w): light, luma, and how much each cell counts.

    ``slope`` and ``offset`` give the root of the base light at full size, as of a guided filter.
    ``level`` is the mean of the luma over what counts, ``power`` the square of the mean of its
    root, which sees shadows more; ``brightest`` and ``lamps`` are the 98th and 99.5th percentile of
    the base light, ``peak`` is the largest value of a cell. ``content`` (x0, y0, x1, y1), in shares
    of the sides, holds all that counts; ``evidence`` in [0, 1] says that the frame shows something.
    """

    base: Image
    grey: Image
    weight: Image
    slope: Image
    offset: Image
    level: float
    power: float
    brightest: float
    lamps: float
    peak: float
    content: tuple[float, float, float, float]
    evidence: float

    def counted_for(self, aim: Aim) -> Reading:
        """The same where that counts which the aim is over, and as much as it can be brought there.

        Noise alone looks as flat as a frame that shows nothing; whoever asks knows that it is one.
        Over a frame flat places count, and among the brightest too: dark tiles of a JPEG are as
        flat as bars, and without them the lamps of a night would be all that is seen of it.
        """
        reading = replace(self, evidence=self.evidence if aim.is_bounded else 1.0)
        if aim.over != "frame":
            return reading
        brightest, lamps = _brightest(self.base)
        weight = np.ones_like(self.weight)
        return replace(reading, weight=weight, brightest=brightest, lamps=lamps)

    def scene_brightness(self, expected: float) -> float:
        """The brightness that suits the photo, if ``expected`` suits its scene.

        A photo that is about as bright keeps its own, a darker one is brought to it; between them
        it changes slowly, so that of two photos of a scene the darker does not come out brighter
        by more than a few hundredths.
        """
        contrast = self.brightest / max(self.level, 1e-4)
        dark = 1 - smoothstep(self.level, *c.NIGHT_LEVEL)
        night = smoothstep(contrast, *c.NIGHT) * dark * self.lit
        expected = max(expected * (1 - c.NIGHT_CUT * night), c.DIMMEST)
        if self.level >= expected:
            return self.level
        share = 1 - smoothstep(self.power / expected, *c.SCENE_LIGHT)
        return self.level + share * (expected - self.level)

    def shadow_gain(self, brightness: float, softness: float, *, bounded: bool = True) -> float:
        """M: the lift of shadows that brings the mean of what counts to ``brightness``.

        Where it is ``bounded``, by noise, it is at most 48, and less where the frame shows little.
        """
        if not self.weight.any() or self.evidence <= 0:
            return 1.0
        lift = ratios(self.base, softness, self.toe)
        high = gain_for(
            lambda gain: self._mean(self.grey * lift(gain)),
            brightness,
            most=c.MOST_GAIN if bounded else c.MOST_ASKED,
        )
        return high if not bounded or high < 1 else float(high**self.evidence)

    def overall_gain(self, brightness: float) -> float:
        """The one factor for the whole photo that brings the mean of what counts there."""
        return gain_for(self._scaled_mean(self.grey), brightness, most=c.MOST_ASKED)

    @property
    def lit(self) -> float:
        """Whether the photo has lit places, in [0, 1]: one that is dark all over needs no curve.

        White is not a lamp: where nothing shines, what is brightest is lit as all the rest is.
        """
        dim = c.DIM_WHITE * (1 - smoothstep(self.peak, *c.SHINES))
        return smoothstep(self.lamps - dim, *c.LIT_PLACES)

    @property
    def toe(self) -> float:
        """Base light that the curve lifts by half."""
        return c.TOE + self.lit * (c.TOE_BESIDE_LAMPS - c.TOE)

    def needs_curve(self, overall: float) -> float:
        """Whether the one factor would burn out what is lit, in [0, 1]; else it serves best."""
        beyond = math.log(max(self.lamps * overall, 1e-3))
        return self.lit * smoothstep(beyond, *map(math.log, c.BEYOND))

    def softness(self, brightness: float) -> float:
        """How soft the curve's shoulder is, in [0, 1]: by how far lamps would be beyond white."""
        beyond = self.lamps * self.overall_gain(brightness)
        return smoothstep(math.log(max(beyond, 1e-3)), *map(math.log, c.FAR_BEYOND))

    def mean_at(self, gain: float, softness: float) -> float:
        """The mean grey level of what counts that the curve of ``gain`` leads to."""
        return self._mean(self.grey * ratio(self.base, gain, softness, self.toe))

    def outside(self, stops: Image) -> Reading:
        """The same where only places count that the map of ``stops`` leaves alone, if any do."""
        height, width = self.weight.shape
        lifted = cv2.resize(np.abs(stops), (width, height), interpolation=cv2.INTER_AREA)
        weight = np.where(lifted < c.UNTOUCHED_STOPS, self.weight, np.float32(0))
        return replace(self, weight=weight)

    def mean_with(self, factor: Image) -> float:
        """The mean grey level of what counts, times the factor (H, W), or 0 if nothing counts."""
        height, width = self.weight.shape
        light = self.grey * downscale(factor, width, height)
        return self._mean(np.minimum(light, 1)) if self.weight.any() else 0.0

    def match(self, picture: Image, level: float, *, by_factor: bool = False) -> Image:
        """``picture`` in [0, 1], changed in place so that the mean of what counts is ``level``.

        By a curve that keeps black, white and every order, or by one factor as a longer exposure
        would; the network is off by a few percent.
        """
        height, width = self.weight.shape
        small = downscale(picture, width, height)
        grey, most = luma(small), largest(small)
        if by_factor:
            return scale_to(picture, level, self._scaled_mean(grey))
        return bend_to(picture, level, lambda gain: self._mean(grey * bend(most, gain)))

    def crop(self, image: Image) -> Image:
        """The part of the photo that holds all that counts."""
        height, width = image.shape[:2]
        x0, y0, x1, y1 = self.content
        rows = slice(int(y0 * height), max(int(y0 * height) + 1, round(y1 * height)))
        columns = slice(int(x0 * width), max(int(x0 * width) + 1, round(x1 * width)))
        return image[rows, columns]

    def _scaled_mean(self, grey: Image) -> Callable[[float], float]:
        return lambda factor: self._mean(np.minimum(grey * np.float32(factor), 1))

    @cached_property
    def _total(self) -> float:
        return float(self.weight.sum())

    def _mean(self, grey: Image) -> float:
        if self._total <= 0:
            return float(grey.mean())
        return float((self.weight * grey).sum()) / self._total


def meter(image: Image) -> Reading:
    """What the meter sees of a photo (H, W, 3)."""
    size = size_within(image, c.METER_SIDE_PX)
    small = downscale(image, *size)
    most, grey = largest(small), luma(small)
    root = np.sqrt(np.maximum(most, 0))
    weight = 1 - smoothsteps(_flat_share(image, size), *c.MOSTLY_FLAT)
    # half of a cell at the border of a frame may be the frame
    inner = np.asarray(cv2.erode(weight, np.ones((3, 3), np.uint8)), np.float32)
    weight = inner if inner.sum() > c.INNER_SHARE * weight.sum() else weight
    slope, offset = Guide.of(root, c.METER_RADIUS_PX, c.EDGE_EPS).coefficients(root)
    root = np.asarray(np.maximum(slope * root + offset, 0), np.float32)
    base, total = root * root, float(weight.sum())
    if total <= 0:
        return Reading(base, grey, weight, slope, offset, 0.0, 0.0, 0.0, 0.0, 0.0, WHOLE, 0.0)
    counted = weight > c.LEAST_WEIGHT * weight.max()
    brightest, lamps = _brightest(base[counted])
    level, content = float((weight * grey).sum()) / total, _content(weight)
    return Reading(
        base,
        grey,
        weight,
        slope,
        offset,
        level=level,
        power=(float((weight * np.sqrt(np.maximum(grey, 0))).sum()) / total) ** 2,
        brightest=brightest,
        lamps=lamps,
        peak=_largest_inside(most, content),
        content=content,
        evidence=_evidence(grey, weight, level),
    )


def _brightest(base: Image) -> tuple[float, float]:
    """Base light of the brightest places and of the lamps, among places of any shape."""
    brightest, lamps = np.percentile(base, (c.BRIGHTEST, c.LAMPS))
    return float(brightest), float(lamps)


def _flat_share(image: Image, size: tuple[int, int]) -> Image:
    """The share of pixels (h, w) that equal their right and lower neighbours: no photograph."""
    step = subsample_step(image, c.FLAT_SAMPLES)
    rows, columns = ((side - 1) // step for side in image.shape[:2])
    if rows < 1 or columns < 1:
        return np.zeros((size[1], size[0]), np.float32)
    green = cv2.extractChannel(image, 1)

    def sampled(y: int, x: int) -> Image:
        return np.asarray(green[y::step, x::step][:rows, :columns])

    here = sampled(0, 0)
    difference = np.maximum(cv2.absdiff(here, sampled(0, 1)), cv2.absdiff(here, sampled(1, 0)))
    flat = (difference < c.FLAT_STEP).astype(np.float32)
    return np.asarray(cv2.resize(flat, size, interpolation=cv2.INTER_AREA), np.float32)


def _evidence(grey: Image, weight: Image, level: float) -> float:
    """How sure it is, in [0, 1], that cells of this luma (h, w) and mean level show something."""
    total = float(weight.sum())
    light = np.minimum(grey, np.float32(c.MOST_EVIDENT * level))
    rows, columns = np.indices(grey.shape) // c.SQUARE_PX
    board = ((rows + columns) % 2).astype(np.float32)

    def smoothed(part: Image) -> Image:
        share = np.maximum(box_filter(part, c.SMOOTH_PX), np.float32(1e-6))
        half = box_filter(light * part, c.SMOOTH_PX) / share
        return np.asarray(half - float((weight * half).sum()) / total, np.float32)

    one, other = smoothed(weight * board), smoothed(weight * (1 - board))
    together, *alone = (
        float((weight * x).sum()) / total for x in (one * other, one * one, other * other)
    )
    return smoothstep(together / max(math.sqrt(alone[0] * alone[1]), 1e-12), *c.EVIDENCE)


def _content(weight: Image) -> tuple[float, float, float, float]:
    rows, columns = (
        np.flatnonzero(weight.max(axis=n) > c.LEAST_WEIGHT * weight.max()) for n in (1, 0)
    )
    height, width = weight.shape
    return (
        float(columns[0]) / width,
        float(rows[0]) / height,
        float(columns[-1] + 1) / width,
        float(rows[-1] + 1) / height,
    )


def _largest_inside(cells: Image, content: tuple[float, float, float, float]) -> float:
    """The largest of the cells (h, w) between the bars: lamps that are clipped to white count."""
    height, width = cells.shape
    x0, y0, x1, y1 = content
    rows, columns = (
        slice(round(y0 * height), round(y1 * height)),
        slice(round(x0 * width), round(x1 * width)),
    )
    return float(cells[rows, columns].max())
