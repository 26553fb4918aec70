"""Metering: how much light every place of a photo gets when nobody says it.

One exposure for a whole photo lifts the dark and ruins the lit. So the photo's *base light* B - the
largest of its channels, smoothed but for edges - is taken through one rising curve,

    f(B) = M B / (1 + (M^p - 1) B^p)^(1 / p),

which multiplies the dark with M as a longer exposure would, and bends before it reaches white: p is
2.5, and less where lamps are many times too bright. What is so dark that 8 bits hold no signal is
lifted less, so that black stays black. Every place is multiplied with f(B) / B: as f rises,
nothing changes order; as B follows edges, there is no halo; as neighbours share a factor, their
contrast stays. M is where the mean of f(B) meets the wanted brightness. A photo that is dark all
over has no lit places to save, and one that is evenly dim none that would burn out: they get one
exposure, as their scenes had.

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

from relume.image.color import largest, luma, times
from relume.image.exposure import bend, bend_to, gain_for, scale_to, smoothstep, smoothsteps
from relume.image.filters import box_filter, downscale
from relume.image.parallel import for_row_blocks
from relume.nets.sizes import GAMMA
from relume.photo import Image

SIDE_PX = 128
"""Longer side of the copy that is metered."""
RADIUS_PX = 5
EPS = 0.002
"""Variance of the root of luma below which a neighbourhood has no edge."""

FLAT_STEP = 0.4 / 255
"""Neighbouring values that differ by less are equal: their place holds no picture."""
MOSTLY_FLAT = (0.85, 0.99)
"""Shares of such pixels in a cell from which it counts less, and not at all."""
TOE, TOE_BESIDE_LAMPS = 0.6 / 255, 2.0 / 255
"""Base light that is lifted by half of what the curve says: 8 bits hold no signal below the first,
and below the second JPEG and stray light leave none of a night's sky, where there are lamps."""
SHOULDER, SOFT_SHOULDER = 2.5, 1.0
"""p of photos with lit places, and of those whose lamps are far beyond white."""
FAR_BEYOND = (3.0, 8.0)
"""Light of lamps at one exposure for all, times white, from which the shoulder gets softer."""
BEYOND = (0.95, 1.2)
"""The same from which one exposure begins to burn out what is lit, and from which it does."""
HEADROOM = 0.1
"""How far below white the softest shoulder holds what was dark, so that lamps stand out from it."""
ROOM = 0.98
"""Light that the brightest pixels of a lit texture may reach, so that it stays a texture."""
TEXTURE = np.ones((9, 9), np.uint8)
"""What is darker than its surroundings and smaller than this is texture (a lamp's veins)."""
MOST_GAIN = 48.0
"""The most that shadows are lifted by: what lies lower is noise in any 8-bit photograph."""
MOST_ASKED = 1000.0
"""The same where somebody asked for the brightness."""
EVIDENCE = (0.3, 0.6)
"""Correlation of the two halves of a frame's cells up to which it shows nothing (what they have in
common is the picture, noise is not), and from which it is a picture."""
SQUARE_PX, SMOOTH_PX = 4, 6
"""Side of the squares of the chequerboard that parts the cells, larger than what a camera's noise
is correlated over; and the radius over which each half is smoothed."""
LAMP = 3.0
"""Light over the mean from which more does not count as evidence: a lamp fills one square."""

WHOLE = (0.0, 0.0, 1.0, 1.0)
"""The content of a photo without bars, in shares of its sides."""

UNTOUCHED_STOPS = 0.05
"""What an exposure map may ask for where the photo's own exposure still holds."""

LEFT_ALONE, RELIT = 0.1, 0.9
"""Stops up to which a place is left as it is but for the factor, and from which it is all the
network's: a place that was lit needs no network."""

DARK, LIT = 0.55, 0.88
"""Light relative to what is expected of the scene: up to the first a photo is brought to what is
expected, from the second on it keeps what it has."""
LIT_PLACES = (0.25, 0.45)
"""Base light of the brightest places of a photo that is dark all over, and of one with a window."""
NIGHT = (2.3, 4.0)
NIGHT_CUT = 0.23
"""Light of the brightest places, relative to the mean, of a dark room at most and of a night with
lamps at least; such a night stays darker by the cut, as it is one."""
DIMMEST = 0.28
"""The least brightness that a dark photo is brought to."""


@dataclass(frozen=True)
class Metering:
    """A photo as the meter sees it, small (h, w): light, luma, and how much each cell counts.

    ``slope`` and ``offset`` give the root of the base light at full size, as of a guided filter.
    ``level`` is the mean of the luma over what counts, ``power`` the square of the mean of its
    root, which sees shadows more; ``brightest`` and ``lamps`` are the 98th and 99.5th percentile of
    the base light. ``content`` (x0, y0, x1, y1), in shares of the sides, holds all that counts;
    ``evidence`` in [0, 1] says that the frame shows something.
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
    content: tuple[float, float, float, float]
    evidence: float

    def counting_all(self) -> Metering:
        """The same where all pixels count alike, and as much as they can: for what is asked.

        Noise alone looks as flat as a frame that shows nothing; whoever asks knows that it is one.
        """
        return replace(self, weight=np.ones_like(self.weight), evidence=1.0)

    def wanted(self, expected: float) -> float:
        """The brightness that suits the photo, if ``expected`` suits its scene.

        A photo that is about as bright keeps its own, a darker one is brought to it; between them
        it changes slowly, so that of two photos of a scene the darker does not come out brighter
        by more than a few hundredths.
        """
        contrast = self.brightest / max(self.level, 1e-4)
        dark = 1 - smoothstep(self.level, 0.15, 0.3)
        night = smoothstep(contrast, *NIGHT) * dark * self.lit
        expected = max(expected * (1 - NIGHT_CUT * night), DIMMEST)
        if self.level >= expected:
            return self.level
        share = 1 - smoothstep(self.power / expected, DARK, LIT)
        return self.level + share * (expected - self.level)

    def shadow_gain(self, brightness: float, softness: float, *, asked: bool = False) -> float:
        """M: the lift of shadows that brings the mean of what counts to ``brightness``.

        Unless somebody ``asked`` for that brightness, noise bounds it: it is at most
        :data:`MOST_GAIN`, and less where the frame shows little.
        """
        if not self.weight.any() or self.evidence <= 0:
            return 1.0
        lift = ratios(self.base, softness, self.toe)
        high = gain_for(
            lambda gain: self._mean(self.grey * lift(gain)),
            brightness,
            most=MOST_ASKED if asked else MOST_GAIN,
        )
        return high if asked or high < 1 else float(high**self.evidence)

    def overall_gain(self, brightness: float) -> float:
        """The one factor for the whole photo that brings the mean of what counts there."""
        return gain_for(self._scaled_mean(self.grey), brightness, most=MOST_ASKED)

    @property
    def lit(self) -> float:
        """Whether the photo has lit places, in [0, 1]: one that is dark all over needs no curve."""
        return smoothstep(self.lamps, *LIT_PLACES)

    @property
    def toe(self) -> float:
        """Base light that the curve lifts by half."""
        return TOE + self.lit * (TOE_BESIDE_LAMPS - TOE)

    def needs_curve(self, overall: float) -> float:
        """Whether the one factor would burn out what is lit, in [0, 1]; else it serves best."""
        beyond = math.log(max(self.lamps * overall, 1e-3))
        return self.lit * smoothstep(beyond, *map(math.log, BEYOND))

    def softness(self, brightness: float) -> float:
        """How soft the curve's shoulder is, in [0, 1]: by how far lamps would be beyond white."""
        beyond = self.lamps * self.overall_gain(brightness)
        return smoothstep(math.log(max(beyond, 1e-3)), *map(math.log, FAR_BEYOND))

    def factor(
        self, image: Image, gain: float, softness: float, *, overall: float, local: float
    ) -> Image:
        """(H, W): what the encoded values of each pixel of ``image`` are multiplied with.

        ``local`` in [0, 1] leads from the one factor ``overall`` to the curve of ``gain``.
        """
        height, width = image.shape[:2]
        brightest = largest(image)
        root = np.sqrt(brightest)
        slope, offset = (
            cv2.resize(x, (width, height), interpolation=cv2.INTER_LINEAR)
            for x in (self.slope, self.offset)
        )
        root *= slope
        root += offset
        del slope, offset  # planes of many megabytes
        np.maximum(root, 0, out=root)
        factor = np.multiply(root, root, out=root)  # the base light, and then its factor
        envelope = cv2.morphologyEx(brightest, cv2.MORPH_CLOSE, TEXTURE)
        del brightest

        def draw(rows: slice) -> None:
            lift = self.curve(factor[rows], gain, softness, overall=overall, local=local)
            room = ROOM / np.maximum(envelope[rows], np.float32(1e-3))
            limit = lift + np.float32(local) * (np.maximum(room, np.minimum(lift, 1)) - lift)
            np.minimum(lift, limit, out=factor[rows])

        for_row_blocks(draw, factor)
        return factor

    def curve(
        self, base: Image, gain: float, softness: float, *, overall: float, local: float
    ) -> Image:
        """The same for places whose base light is given."""
        curved = ratio(base, gain, softness, self.toe)
        if local == 1:
            return curved
        return np.asarray(curved**local * overall ** (1 - local), np.float32)

    def mean_at(self, gain: float, softness: float) -> float:
        """The mean grey level of what counts that the curve of ``gain`` leads to."""
        return self._mean(self.grey * ratio(self.base, gain, softness, self.toe))

    def outside(self, stops: Image) -> Metering:
        """The same where only places count that the map of ``stops`` leaves alone, if any do."""
        height, width = self.weight.shape
        fitted = cv2.resize(np.abs(stops), (width, height), interpolation=cv2.INTER_AREA)
        weight = np.where(fitted < UNTOUCHED_STOPS, self.weight, np.float32(0))
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


def ratio(base: Image, gain: float, softness: float, toe: float = TOE) -> Image:
    """f(B) / B of base light in [0, 1]."""
    return ratios(base, softness, toe)(gain)


def ratios(base: Image, softness: float, toe: float = TOE) -> Callable[[float], Image]:
    """The same for any gain: what does not depend on it is computed once."""
    power = SHOULDER + softness * (SOFT_SHOULDER - SHOULDER)
    bent = np.power(base, np.float32(power))
    dimmed = 1 - np.float32(HEADROOM * softness) * (1 - base)
    signal = base / (base + np.float32(toe))

    def at(gain: float) -> Image:
        lift = np.power(1 + np.float32(gain**power - 1) * bent, np.float32(-1 / power))
        lift *= np.float32(gain)
        if gain <= 1:
            return lift
        lift *= dimmed
        return np.asarray(1 + (lift - 1) * signal, np.float32)

    return at


def meter(image: Image) -> Metering:
    """What the meter sees of a photo (H, W, 3)."""
    height, width = image.shape[:2]
    scale = min(1.0, SIDE_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = downscale(image, *size)
    root, grey = np.sqrt(np.maximum(largest(small), 0)), luma(small)
    weight = 1 - smoothsteps(_flat_share(image, size), *MOSTLY_FLAT)
    # half of a cell at the border of a frame may be the frame
    inner = np.asarray(cv2.erode(weight, np.ones((3, 3), np.uint8)), np.float32)
    weight = inner if inner.sum() > 0.25 * weight.sum() else weight
    mean = box_filter(root, RADIUS_PX)
    variance = np.maximum(box_filter(root * root, RADIUS_PX) - mean * mean, 0)
    steep = np.asarray(variance / (variance + np.float32(EPS)), np.float32)
    slope, offset = (box_filter(x, RADIUS_PX) for x in (steep, mean - steep * mean))
    root = np.asarray(np.maximum(slope * root + offset, 0), np.float32)
    base, total = root * root, float(weight.sum())
    if total <= 0:
        return Metering(base, grey, weight, slope, offset, 0.0, 0.0, 0.0, 0.0, WHOLE, 0.0)
    counted = base[weight > 0.05 * weight.max()]
    brightest, lamps = (float(v) for v in np.percentile(counted, (98, 99.5)))
    level = float((weight * grey).sum()) / total
    return Metering(
        base,
        grey,
        weight,
        slope,
        offset,
        level=level,
        power=(float((weight * np.sqrt(np.maximum(grey, 0))).sum()) / total) ** 2,
        brightest=brightest,
        lamps=lamps,
        content=_content(weight),
        evidence=_evidence(grey, weight, level),
    )


def network_share(factor: Image) -> Image:
    """(H, W) in [0, 1]: how much of a place is the network's, by the stops it is lifted."""
    stops = np.float32(GAMMA) * np.log2(np.maximum(factor, np.float32(1e-6)))
    return smoothsteps(stops, LEFT_ALONE, RELIT)


def expose_directly(image: Image, factor: Image) -> Image:
    """The photo times the factor (H, W), limited where a channel would clip, so that hues stay."""
    room = largest(image)
    np.maximum(room, np.float32(1e-6), out=room)
    np.divide(1, room, out=room)
    np.maximum(room, np.minimum(factor, 1), out=room)
    return times(image, np.minimum(factor, room, out=room))


def _flat_share(image: Image, size: tuple[int, int]) -> Image:
    """The share of pixels (h, w) that equal their right and lower neighbours: no photograph."""
    step = max(1, int((image.shape[0] * image.shape[1] / 250_000) ** 0.5))
    rows, columns = ((side - 1) // step for side in image.shape[:2])
    if rows < 1 or columns < 1:
        return np.zeros((size[1], size[0]), np.float32)
    green = cv2.extractChannel(image, 1)

    def sampled(y: int, x: int) -> Image:
        return np.asarray(green[y::step, x::step][:rows, :columns])

    here = sampled(0, 0)
    difference = np.maximum(cv2.absdiff(here, sampled(0, 1)), cv2.absdiff(here, sampled(1, 0)))
    flat = (difference < FLAT_STEP).astype(np.float32)
    return np.asarray(cv2.resize(flat, size, interpolation=cv2.INTER_AREA), np.float32)


def _evidence(grey: Image, weight: Image, level: float) -> float:
    """How sure it is, in [0, 1], that cells of this luma (h, w) and mean level show something."""
    total = float(weight.sum())
    light = np.minimum(grey, np.float32(LAMP * level))
    rows, columns = np.indices(grey.shape) // SQUARE_PX
    board = ((rows + columns) % 2).astype(np.float32)

    def smoothed(part: Image) -> Image:
        share = np.maximum(box_filter(part, SMOOTH_PX), np.float32(1e-6))
        half = box_filter(light * part, SMOOTH_PX) / share
        return np.asarray(half - float((weight * half).sum()) / total, np.float32)

    one, other = smoothed(weight * board), smoothed(weight * (1 - board))
    together, *alone = (
        float((weight * x).sum()) / total for x in (one * other, one * one, other * other)
    )
    return smoothstep(together / max(math.sqrt(alone[0] * alone[1]), 1e-12), *EVIDENCE)


def _content(weight: Image) -> tuple[float, float, float, float]:
    rows, columns = (np.flatnonzero(weight.max(axis=n) > 0.05 * weight.max()) for n in (1, 0))
    height, width = weight.shape
    return (
        float(columns[0]) / width,
        float(rows[0]) / height,
        float(columns[-1] + 1) / width,
        float(rows[-1] + 1) / height,
    )
