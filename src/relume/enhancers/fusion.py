"""Exposure fusion: the best parts of several exposures, which are made from the one photo.

Mertens, Kautz, Van Reeth: *Exposure Fusion*, Pacific Graphics 2007.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np

from relume.catalog import Info, Parameter
from relume.enhancers.curves import gain_for
from relume.image.color import luma
from relume.image.exposure import expose
from relume.photo import Image

WELL_EXPOSED = 0.5
WELL_EXPOSED_SIGMA = 0.2
"""Mertens et al., section 3.1."""

LONGEST_LEVEL = 0.55
"""The mean grey level of the longest exposure when the gain is "auto"."""


@dataclass(frozen=True)
class Fusion:
    """Multi-exposure fusion of re-exposed copies."""

    gain: float | str = "auto"
    exposures: int = 4

    info: ClassVar[Info] = Info(
        name="fusion",
        summary="exposure fusion of re-exposed copies of the photo",
        licence="MIT",
        source="Mertens et al., Exposure Fusion, Pacific Graphics 2007",
        parameters=(
            Parameter(
                "gain", "light of the longest exposure over the photo's", "auto", 1.0, 256.0,
                also=("auto",),
            ),
            Parameter("exposures", "how many copies are fused", 4, 2, 8),
        ),
    )  # fmt: skip

    def __call__(self, image: Image) -> Image:
        """The exposures, fused."""
        longest = self.gain
        if isinstance(longest, str):
            longest = float(np.clip(gain_for(image, LONGEST_LEVEL), 1.0, 64.0))
        gains = np.geomspace(1.0, longest, self.exposures)
        weights = [_weight(expose(image, float(gain))) for gain in gains]
        total = np.sum(weights, axis=0)
        depth = _depth(image.shape[0], image.shape[1])
        fused: list[Image] = []
        # one exposure after another, so that a single pyramid is in memory
        for gain, weight in zip(gains, weights, strict=True):
            layers = _weighted(expose(image, float(gain)), weight / total, depth)
            if not fused:
                fused = list(layers)
            else:
                for level, layer in zip(fused, layers, strict=True):
                    level += layer
        return _collapse(fused)


def _weight(exposure: Image) -> Image:
    """How good each pixel of an exposure is: contrast times saturation times exposedness."""
    contrast = np.abs(cv2.Laplacian(luma(exposure), cv2.CV_32F))
    around = exposure - _mean_of_channels(exposure)[:, :, None]
    saturation = np.sqrt(_mean_of_channels(around * around))
    distance = (exposure - np.float32(WELL_EXPOSED)) / np.float32(WELL_EXPOSED_SIGMA)
    exposed = np.exp(np.float32(-1.5) * _mean_of_channels(distance * distance))
    # the offsets let grey and flat pixels count too, by their exposedness
    quality = (contrast + np.float32(0.02)) * (saturation + np.float32(0.02)) * exposed
    return np.asarray(quality + np.float32(1e-12), np.float32)


def _mean_of_channels(image: Image) -> Image:
    # numpy's own sum over a last axis of three is many times slower
    return np.asarray(cv2.transform(image, np.full((1, 3), 1 / 3)))


def _depth(height: int, width: int) -> int:
    """Pyramid levels under the photo itself: down to a shorter side of about 4 pixels."""
    return max(int(np.log2(max(min(height, width), 1))) - 2, 0)


def _weighted(exposure: Image, weight: Image, depth: int) -> Iterator[Image]:
    """The exposure's Laplacian pyramid times the weight's Gaussian pyramid, finest first."""
    for _ in range(depth):
        lower = cv2.pyrDown(exposure)
        detail = exposure - cv2.pyrUp(lower, dstsize=(exposure.shape[1], exposure.shape[0]))
        yield np.asarray(detail * weight[:, :, None])
        exposure, weight = lower, cv2.pyrDown(weight)
    yield np.asarray(exposure * weight[:, :, None])


def _collapse(layers: list[Image]) -> Image:
    image = layers[-1]
    for detail in reversed(layers[:-1]):
        image = detail + cv2.pyrUp(image, dstsize=(detail.shape[1], detail.shape[0]))
    return image
