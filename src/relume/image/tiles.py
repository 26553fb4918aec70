"""Large pictures in tiles: the same result as in one go, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from itertools import product

import cv2
import numpy as np

from relume.errors import ParameterError
from relume.photo import Image

on_tile: ContextVar[Callable[[int, int], None] | None] = ContextVar("on_tile", default=None)
"""Called after every tile with how many are done, and of how many: for a progress bar."""


def run_tiled(
    fn: Callable[..., Image],
    image: Image,
    *,
    plane: Image | None = None,
    tile_px: int,
    halo_px: int,
    multiple: int = 1,
) -> Image:
    """``fn`` of the whole image (H, W, C), computed tile by tile; (H, W, D) as ``fn`` gives D.

    ``fn`` keeps height and width and is only given sizes that are multiples of ``multiple``: the
    image is mirrored past its right and lower border as far as that needs. Tiles start at
    multiples of it too and are handed over with ``halo_px`` around them (rounded up likewise),
    so a network's strides fall on the same pixels. The result equals that of one go whenever
    ``fn`` sees no farther than the halo. The tile of a ``plane`` (H, W) is its second argument, if
    there is one. An image no larger than a tile is done in one go.

    Raises:
        ParameterError: ``tile_px`` is not a positive multiple of ``multiple``, or a negative halo.
    """
    if multiple < 1 or tile_px < 1 or tile_px % multiple:
        raise ParameterError(f"expected tiles of a multiple of {multiple} px, got {tile_px} px")
    if halo_px < 0:
        raise ParameterError(f"a halo must be 0 px or more, got {halo_px}")
    given = [image] if plane is None else [image, plane]
    height, width = image.shape[:2]
    full_height, full_width = _up(height, multiple), _up(width, multiple)
    if max(full_height, full_width) <= tile_px:
        result = fn(*(_part(whole, 0, full_height, 0, full_width) for whole in given))
        return np.ascontiguousarray(result[:height, :width])
    halo = _up(halo_px, multiple)
    out: Image | None = None
    corners = list(product(range(0, full_height, tile_px), range(0, full_width, tile_px)))
    for number, (y0, x0) in enumerate(corners, 1):
        top, left = max(0, y0 - halo), max(0, x0 - halo)
        bottom = min(full_height, y0 + tile_px + halo)
        right = min(full_width, x0 + tile_px + halo)
        result = fn(*(_part(whole, top, bottom, left, right) for whole in given))
        if out is None:
            out = np.empty((height, width, result.shape[2]), result.dtype)
        y1, x1 = min(y0 + tile_px, height), min(x0 + tile_px, width)
        out[y0:y1, x0:x1] = result[y0 - top : y1 - top, x0 - left : x1 - left]
        if (report := on_tile.get()) is not None:
            report(number, len(corners))
    assert out is not None
    return out


def _part(whole: Image, top: int, bottom: int, left: int, right: int) -> Image:
    """A window of an image or a plane as mirrored past its lower and right border, contiguous."""
    height, width = whole.shape[:2]
    below, beside = max(0, bottom - height), max(0, right - width)
    # from where on there is enough of it to be mirrored; the picture itself is never copied
    first, start = min(top, max(0, height - below)), min(left, max(0, width - beside))
    part = whole[first:bottom, start:right]
    if below or beside:
        part = cv2.copyMakeBorder(part, 0, below, 0, beside, cv2.BORDER_REFLECT)
        part = part.reshape(*part.shape[:2], *whole.shape[2:])
    return np.ascontiguousarray(part[top - first :, left - start :])


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
