"""BMP: what Pillow reads of it, colours by any masks, and the colour profile that it may have."""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import Any

import numpy as np

from relume.errors import UnreadableInput
from relume.io.pillow import read as read_pillow
from relume.io.raster import Raster, check_size, decode_opencv, split
from relume.photo import Array

FILE_HEADER_BYTES = 14
BITFIELDS = (3, 6)
PROFILE_AT = FILE_HEADER_BYTES + 112
EMBEDDED = b"DEBM"
"""The colour space "MBED", little-endian: an ICC profile follows."""


def read(data: bytes, max_megapixels: float) -> Raster:
    """A BMP; masks of more than 8 bits give 16.

    Raises:
        UnreadableInput: a damaged file.
        TooLarge: more pixels than allowed.
    """
    if (size := _size(data)) is not None:
        check_size(*size, max_megapixels)
    raster = _read_masked(data, max_megapixels)
    if raster is None:
        try:
            raster = read_pillow(data, max_megapixels)
        except (UnreadableInput, OSError, ValueError, SyntaxError):
            pixels = decode_opencv(data) if size is not None else None
            if pixels is None:
                raise
            raster = Raster(*split(pixels))
    with suppress(struct.error):
        if data[FILE_HEADER_BYTES + 56 :][:4] == EMBEDDED:
            start, length = struct.unpack_from("<II", data, PROFILE_AT)
            raster.describe(icc=data[FILE_HEADER_BYTES + start :][:length])
    return raster


def _size(data: bytes) -> tuple[int, int] | None:
    """Width and height of the header."""
    (header_bytes,) = struct.unpack("<I", data[14:18].ljust(4, b"\0"))
    if header_bytes == 12 and len(data) > 22:
        return struct.unpack_from("<HH", data, 18)
    if header_bytes >= 16 and len(data) > 26:
        width, height = struct.unpack_from("<ii", data, 18)
        return width, abs(height)
    return None


def _read_masked(data: bytes, max_megapixels: float) -> Raster | None:
    """The colours that masks pick out of 16 or 32 bits; None of any other BMP."""
    try:
        start, header_bytes, width, height, _, bits, kind = struct.unpack_from("<IIiiHHI", data, 10)
        masks = struct.unpack_from("<4I", data, FILE_HEADER_BYTES + 40)
    except struct.error:
        return None
    if kind not in BITFIELDS or bits not in (16, 32) or header_bytes < 40:
        return None
    masks = tuple(mask & ((1 << bits) - 1) for mask in masks)
    # the fourth is alpha's, where the header has it
    used = masks if header_bytes >= 56 or kind == BITFIELDS[1] else (*masks[:3], 0)
    check_size(width, abs(height), max_megapixels)
    step = (width * bits + 31) // 32 * 4
    raw = data[start : start + step * abs(height)]
    if not all(used[:3]) or len(raw) < step * abs(height):
        return None
    dtype = np.dtype("<u2" if bits == 16 else "<u4")
    rows = np.frombuffer(raw, np.uint8).reshape(abs(height), step)[:, : width * bits // 8]
    words = np.ascontiguousarray(rows).view(dtype)
    words = words[::-1] if height > 0 else words
    out = np.dtype(np.uint16 if max(map(int.bit_count, used)) > 8 else np.uint8)
    planes = [_channel(words, mask, out) for mask in used if mask]
    return Raster(
        np.dstack(planes[:3]), planes[3] if len(planes) == 4 and planes[3].any() else None
    )


def _channel(words: Array, mask: int, dtype: np.dtype[Any]) -> Array:
    """The bits of a mask, spread over the range of ``dtype``."""
    lowest = (mask & -mask).bit_length() - 1
    most = mask >> lowest
    values = ((words & mask) >> lowest).astype(np.float64)
    return np.rint(values * (np.iinfo(dtype).max / most)).astype(dtype)
