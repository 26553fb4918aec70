"""Contrast limited adaptive histogram equalisation of luma, at any bit depth.

Written here because OpenCV's, given 16 bits, either counts in 65,536 bins, where the clip limit is
about one pixel a bin and the result hardly differs from the input, or (``setBitShift(8)``, OpenCV
4.11) throws the low 8 bits away: 20 values are left of 31,000. This one counts in 256 bins and
reads its curves by interpolation, so that 16-bit photos keep their gradations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from relume.catalog import Info, Parameter
from relume.image.color import rgb_to_ycbcr, ycbcr_to_rgb
from relume.photo import Image

BINS = 256
LEVELS = np.linspace(0.0, 1.0, BINS)
Curves = npt.NDArray[np.float64]


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
