"""Methods that send every pixel through one curve: original, gamma, auto-gamma, auto-exposure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from relume.catalog import Info, Parameter
from relume.enhancers.base import Brightness
from relume.image.color import REC601, luma
from relume.image.exposure import expose, gain_for, subsample
from relume.photo import Image

AUTO_LEVEL = 0.42
"""The mean grey level that "auto" aims at: about that of LOL's normal-light photographs."""

MEAN_SAMPLES = 60_000
"""Pixels, at least, of which the mean is brought there."""

LEVELS = 4096
"""Steps of value that :func:`exposure_gain` tells apart."""

LEAST_EXPONENT = 0.2
"""How far auto-gamma brightens."""

WIDEST_GAIN = 1024.0
"""The bracket of the search for a gain: ten stops to either side."""


@dataclass(frozen=True)
class Original:
    """The photo as it is: the arm that every study compares with."""

    info: ClassVar[Info] = Info(
        name="original",
        summary="the photo as it is",
        licence="MIT",
        source="relume",
    )

    def __call__(self, image: Image) -> Image:
        """``image`` itself."""
        return image


@dataclass(frozen=True)
class Gamma:
    """v -> ((v - min) / (max - min)) ^ exponent, min and max over the whole photo."""

    exponent: float = 0.5
    normalise: bool = True

    info: ClassVar[Info] = Info(
        name="gamma",
        summary="one power curve: min-max normalised, then the exponent",
        licence="MIT",
        source="University of Houston course project, 2018",
        parameters=(
            Parameter("exponent", "below 1 brightens", 0.5, 0.05, 5.0),
            Parameter("normalise", "stretch the darkest to 0 and the brightest value to 1", True),
        ),
    )

    def __call__(self, image: Image) -> Image:
        """The photo through the curve; a photo of one value is not stretched."""
        low, high = float(image.min()), float(image.max())
        if self.normalise and high > low:
            image = (image - np.float32(low)) / np.float32(high - low)
        return np.asarray(image ** np.float32(self.exponent), np.float32)


@dataclass(frozen=True)
class AutoGamma:
    """The power curve that brings the median of luma to ``target``; never darkens."""

    target: float = 0.45

    info: ClassVar[Info] = Info(
        name="auto-gamma",
        summary="the power curve that brings the median luma to a target",
        licence="MIT",
        source="relume; exponent = log(target) / log(median)",
        parameters=(Parameter("target", "target median of luma", 0.45, 0.05, 0.95),),
    )

    def __call__(self, image: Image) -> Image:
        """The photo through the curve, with an exponent of 0.2 to 1."""
        # half a level of 8 bit stands in for black, which no exponent can move
        median = float(np.clip(np.median(luma(image)), 0.5 / 255, 1 - 0.5 / 255))
        exponent = np.clip(np.log(self.target) / np.log(median), LEAST_EXPONENT, 1.0)
        return np.asarray(image ** np.float32(exponent), np.float32)


@dataclass(frozen=True)
class AutoExposure:
    """A longer exposure, simulated: one gain on linear light, highlights rolled off.

    On its own it aims at a mean grey level of 0.42 and never darkens; a brightness that is asked
    for is met in both directions.
    """

    max_gain: float = 32.0
    brightness: Brightness = "auto"

    info: ClassVar[Info] = Info(
        name="auto-exposure",
        summary="a gain on linear light with a highlight shoulder, as a longer exposure",
        licence="MIT",
        source="relume",
        parameters=(
            Parameter("max_gain", "the most light is multiplied with by itself", 32.0, 1.0, 1024.0),
        ),
        takes_brightness=True,
    )

    def with_brightness(self, brightness: Brightness) -> AutoExposure:
        """The same method, aiming at ``brightness``."""
        return replace(self, brightness=brightness)

    def __call__(self, image: Image) -> Image:
        """The photo, exposed anew."""
        if isinstance(self.brightness, str):
            gain = float(np.clip(exposure_gain(image, AUTO_LEVEL), 1.0, self.max_gain))
        else:
            gain = exposure_gain(image, self.brightness)
        return image if gain == 1 else expose(image, gain)


def exposure_gain(image: Image, level: float) -> float:
    """The gain on linear light that brings the mean grey level of ``image`` to ``level``.

    At the end of ten stops where the level is out of reach.
    """
    values, shares = _weighed_values(image)
    return gain_for(lambda gain: float(shares @ expose(values, gain)), level, most=WIDEST_GAIN)


def _weighed_values(image: Image) -> tuple[Image, npt.NDArray[np.float64]]:
    """The values of ``image`` in ``LEVELS`` steps at most, and the share of each in its mean grey.

    A curve of single values has the same mean over these as over the picture's pixels: exactly
    for 8 bits, whose values have a step each.
    """
    sample = subsample(image, MEAN_SAMPLES).astype(np.float64)
    steps = np.clip(sample * (LEVELS - 1) + 0.5, 0, LEVELS - 1).astype(np.intp).reshape(-1)
    weights = np.broadcast_to(np.array(REC601) / (sample.size / 3), sample.shape).reshape(-1)
    shares = np.bincount(steps, weights, LEVELS).astype(np.float64)
    sums = np.bincount(steps, weights * sample.reshape(-1), LEVELS)
    there = shares > 0
    return (sums[there] / shares[there]).astype(np.float32), shares[there]
