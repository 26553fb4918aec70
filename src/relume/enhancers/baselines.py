"""Baselines that are more than one curve: CLAHE, exposure fusion, LIME.

* Zuiderveld, *Contrast Limited Adaptive Histogram Equalization*, 1994. Written here because
  OpenCV's, given 16 bits, either counts in 65,536 bins, where the clip limit is about one pixel a
  bin and the result hardly differs from the input, or (``setBitShift(8)``, OpenCV 4.11) throws the
  low 8 bits away: 20 values are left of 31,000. This one counts in 256 bins and reads its curves by
  interpolation, so that 16-bit photos keep their gradations.
* Mertens, Kautz, Van Reeth, *Exposure Fusion*, Pacific Graphics 2007: the best parts of several
  exposures, which are made from the one photo.
* Guo, Li, Ling, *LIME: Low-light Image Enhancement via Illumination Map Estimation*, IEEE TIP 2017:
  illumination by the brightest channel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
import numpy.typing as npt

from relume.catalog import Info, Parameter
from relume.enhancers.curves import exposure_gain
from relume.image.color import luma, rgb_to_ycbcr, ycbcr_to_rgb
from relume.image.denoise import denoise_reflectance
from relume.image.exposure import expose
from relume.image.filters import guided_filter
from relume.photo import Image

BINS = 256
LEVELS = np.linspace(0.0, 1.0, BINS)
Curves = npt.NDArray[np.float64]

WELL_EXPOSED, WELL_EXPOSED_SIGMA = 0.5, 0.2
"""Mertens et al., section 3.1."""
LONGEST_LEVEL = 0.55
"""The mean grey level of the longest exposure when the gain is "auto"."""

DARKEST = 0.02
"""The illumination is taken to be at least this: five levels of 255."""
EDGE_EPS = 1e-3
SIDE_TO_RADIUS = 40


@dataclass(frozen=True)
class Clahe:
    """CLAHE on luma; chroma is kept."""

    clip: float = 2.0
    grid: int = 8

    info: ClassVar[Info] = Info(
        name="clahe",
        summary="contrast limited adaptive histogram equalisation of luma",
        licence="MIT",
        source="Zuiderveld, Contrast Limited Adaptive Histogram Equalization, 1994",
        parameters=(
            Parameter("clip", "most of a bin, in multiples of an even spread", 2.0, 1.0, 40.0),
            Parameter("grid", "tiles along each side", 8, 1, 32),
        ),
    )

    def __call__(self, image: Image) -> Image:
        """The photo with its luma equalised."""
        channels = rgb_to_ycbcr(image)
        channels[:, :, 0] = equalise(channels[:, :, 0], clip=self.clip, grid=self.grid)
        return ycbcr_to_rgb(channels)


def equalise(values: Image, *, clip: float, grid: int) -> Image:
    """(H, W) values in [0, 1], each tile's histogram equalised; tiles blend bilinearly."""
    height, width = values.shape
    rows, columns = min(grid, height), min(grid, width)
    curves = _curves(values, rows, columns, clip)
    out = np.empty_like(values)
    # between four tile centres the same four curves hold, so the picture is done cell by cell
    for top, bottom, upper, lower in _cells(height, rows):
        down = _weights(top, bottom, upper, height, rows)[:, None]
        for left, right, first, second in _cells(width, columns):
            across = _weights(left, right, first, width, columns)[None, :]
            cell = values[top:bottom, left:right]
            above = _blend(cell, curves[upper, first], curves[upper, second], across)
            below = _blend(cell, curves[lower, first], curves[lower, second], across)
            out[top:bottom, left:right] = above + down * (below - above)
    return out


def _curves(values: Image, rows: int, columns: int, clip: float) -> Curves:
    """The equalising curve of each tile, (rows, columns, BINS), from 0 to 1."""
    bins = np.rint(np.clip(values, 0, 1) * (BINS - 1)).astype(np.uint8)
    curves = np.empty((rows, columns, BINS))
    for i, band in enumerate(np.array_split(bins, rows, axis=0)):
        for j, tile in enumerate(np.array_split(band, columns, axis=1)):
            curves[i, j] = _curve(np.bincount(tile.ravel(), minlength=BINS), clip)
    return curves


def _curve(histogram: npt.NDArray[np.int64], clip: float) -> Curves:
    share = histogram / histogram.sum()
    limit = clip / BINS
    excess = np.maximum(share - limit, 0).sum()
    total = np.cumsum(np.minimum(share, limit) + excess / BINS)
    # black stays black: without this an even black tile would rise by three levels
    return np.asarray((total - total[0]) / (total[-1] - total[0]))


def _cells(size: int, tiles: int) -> list[tuple[int, int, int, int]]:
    """Runs of pixels between tile centres: start, stop, and the tiles before and after."""
    centres = [int(np.floor((i + 0.5) * size / tiles)) for i in range(tiles)]
    edges = [0, *centres, size]
    runs = []
    for i in range(tiles + 1):
        if edges[i] < edges[i + 1]:
            runs.append((edges[i], edges[i + 1], max(i - 1, 0), min(i, tiles - 1)))
    return runs


def _weights(start: int, stop: int, before: int, size: int, tiles: int) -> Curves:
    """How much of the later tile each pixel takes, 0 to 1."""
    position = (np.arange(start, stop) + 0.5) * tiles / size - 0.5
    return np.asarray(np.clip(position - before, 0.0, 1.0))


def _blend(cell: Image, first: Curves, second: Curves, across: Curves) -> Curves:
    one = np.interp(cell, LEVELS, first)
    if first is second:
        return one
    return np.asarray(one + across * (np.interp(cell, LEVELS, second) - one))


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
            longest = float(np.clip(exposure_gain(image, LONGEST_LEVEL), 1.0, 64.0))
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


@dataclass(frozen=True)
class Lime:
    """L / T^gamma, with T the brightest channel, smoothed under the guidance of luma.

    The guided filter stands in for the paper's structure-aware solver: the same edges, without
    a linear system of the size of the photo.
    """

    gamma: float = 0.8
    denoise: float = 1.0

    info: ClassVar[Info] = Info(
        name="lime",
        summary="illumination from the brightest channel, edge-aware; its gamma, denoised",
        licence="MIT",
        source="Guo et al., LIME, IEEE TIP 2017; refined by a guided filter",
        parameters=(
            Parameter("gamma", "how much of the darkness is taken away", 0.8, 0.0, 1.0),
            Parameter("denoise", "strength of denoising, 0 is off", 1.0, 0.0, 2.0),
        ),
    )

    def __call__(self, image: Image) -> Image:
        """The photo with its illumination T turned into T^(1 - gamma)."""
        illumination = illumination_map(image)
        light = np.asarray(illumination ** np.float32(self.gamma), np.float32)
        relit = np.asarray(image / light[:, :, None], np.float32)
        clean = denoise_reflectance(relit, light, strength=self.denoise)
        # the paper's recomposition (eq. 20): well lit parts keep their grain
        share = illumination[:, :, None]
        return np.asarray(relit * share + clean * (1 - share), np.float32)


def illumination_map(image: Image) -> Image:
    """T, (H, W) in [0.02, 1]: the brightest channel (eq. 3), smooth but for luma's edges."""
    radius_px = max(1, min(image.shape[:2]) // SIDE_TO_RADIUS)
    subsample = max(1, min(4, radius_px // 4))
    brightest = np.ascontiguousarray(image.max(axis=2))
    smooth = guided_filter(
        luma(image), brightest, radius_px=radius_px, eps=EDGE_EPS, subsample=subsample
    )
    return np.clip(smooth, np.float32(DARKEST), np.float32(1))
