"""TIFF, written: 8 and 16 bit and float, grey or RGB, with alpha and metadata.

Pillow writes no 16-bit RGB and OpenCV no metadata. The file begins with the photo's EXIF, which is
a TIFF itself, so that all its offsets still hold (a maker note's too); the picture is appended and
described by a new first directory.
"""

from __future__ import annotations

import struct
import zlib
from fractions import Fraction
from typing import Literal

import numpy as np

from relume.errors import OutputError
from relume.io.exif import Directory, directories, icc_for_mode
from relume.photo import Array, Meta

STRIP_BYTES = 1 << 20
COMPRESSION = 3
DEFLATE, DIFFERENCES, UNASSOCIATED_ALPHA, INCH = 8, 2, 2, 2
LARGEST_BYTES = (1 << 32) - (1 << 20)

# what describes pixels or their place: an EXIF's own values belong to another file
STRUCTURE = frozenset(
    {*range(254, 260), 262, 266, 273, 274, *range(277, 282), 284, 317, 320, *range(322, 326)}
    | {330, 338, 339, 513, 514, *range(529, 533), 700, 34675}
)
RESOLUTION = frozenset((282, 283, 296))
Field = tuple[int, str, bytes]
Order = Literal["<", ">"]


def encode_tiff(values: Array, alpha: Array | None, meta: Meta) -> bytes:
    """uint8, uint16 or float32 pixels, (H, W) or (H, W, 3), as a TIFF with the metadata.

    Raises:
        OutputError: more than a TIFF's 4 GB.
    """
    if values.ndim == 2 and alpha is not None and values.dtype != np.uint8:
        # few programs read deep grey with alpha, OpenCV and Pillow among those that do not
        values = np.repeat(values[:, :, None], 3, axis=2)
    channels = values[:, :, None] if values.ndim == 2 else values
    if alpha is not None:
        channels = np.dstack([channels, alpha])
    exif, kept = _base(meta)
    order: Order = "<" if exif[:2] == b"II" else ">"
    height, width, samples = channels.shape
    row_bytes = width * samples * channels.dtype.itemsize
    rows = max(1, min(height, STRIP_BYTES // row_bytes))
    strips = [_strip(channels[top : top + rows], order) for top in range(0, height, rows)]
    body = bytearray(exif + b"\0" * (len(exif) % 2))
    if len(body) + sum(map(len, strips)) > LARGEST_BYTES:
        raise OutputError("the picture is larger than a TIFF can be (4 GB); write PNG")
    offsets = []
    for strip in strips:
        offsets.append(len(body))
        body += strip + b"\0" * (len(strip) % 2)
    bits = 8 * channels.dtype.itemsize
    is_float = channels.dtype.kind == "f"
    fields: list[Field] = [
        _longs(order, 256, width),
        _longs(order, 257, height),
        _shorts(order, 258, *[bits] * samples),
        _shorts(order, 259, DEFLATE),
        _shorts(order, 262, 1 if values.ndim == 2 else 2),
        _longs(order, 273, *offsets),
        _shorts(order, 274, 1),
        _shorts(order, 277, samples),
        _longs(order, 278, rows),
        _longs(order, 279, *map(len, strips)),
        _shorts(order, 284, 1),
        _shorts(order, 339, *[3 if is_float else 1] * samples),
    ]
    if not is_float:
        fields.append(_shorts(order, 317, DIFFERENCES))
    if alpha is not None:
        fields.append(_shorts(order, 338, UNASSOCIATED_ALPHA))
    fields += _metadata_fields(meta, order, grey=values.ndim == 2)
    return _with_directory(body, order, fields, kept)


def _base(meta: Meta) -> tuple[bytes, list[tuple[int, bytes]]]:
    """The bytes that the file begins with, and the entries of their directory that stay."""
    if not meta.exif:
        return b"II*\0" + bytes(4), []
    try:
        first: Directory | None = next(directories(meta.exif), None)
    except struct.error:
        first = None
    if first is None:
        return b"II*\0" + bytes(4), []
    dropped = STRUCTURE | (RESOLUTION if meta.dpi else frozenset())
    kept = [
        (entry.tag, meta.exif[entry.at : entry.at + 12])
        for entry in first.entries.values()
        if entry.tag not in dropped
    ]
    return meta.exif, kept


def _strip(rows: Array, order: Order) -> bytes:
    """Rows compressed; of whole numbers the differences along a row are."""
    if rows.dtype.kind != "f":
        differences = rows.copy()
        differences[:, 1:] -= rows[:, :-1]
        rows = differences
    ordered = np.ascontiguousarray(rows.astype(rows.dtype.newbyteorder(order), copy=False))
    return zlib.compress(ordered.tobytes(), COMPRESSION)


def _metadata_fields(meta: Meta, order: Order, *, grey: bool) -> list[Field]:
    fields: list[Field] = []
    if meta.dpi is not None:
        for tag, dpi in zip((282, 283), meta.dpi, strict=True):
            ratio = Fraction(dpi).limit_denominator(1000)
            pair = struct.pack(order + "II", ratio.numerator, ratio.denominator)
            fields.append((tag, "Q", pair))
        fields.append(_shorts(order, 296, INCH))
    if meta.xmp:
        fields.append((700, "B", meta.xmp))
    icc = icc_for_mode(meta.icc, grey=grey)
    if icc:
        fields.append((34675, "U", icc))
    return fields


def _with_directory(
    body: bytearray, order: Order, fields: list[Field], kept: list[tuple[int, bytes]]
) -> bytes:
    entries = list(kept)
    for tag, code, value in fields:
        kind, size = {"H": (3, 2), "I": (4, 4), "Q": (5, 8), "B": (1, 1), "U": (7, 1)}[code]
        head = struct.pack(order + "HHI", tag, kind, len(value) // size)
        if len(value) <= 4:
            entries.append((tag, head + value.ljust(4, b"\0")))
        else:
            entries.append((tag, head + struct.pack(order + "I", len(body))))
            body += value + b"\0" * (len(value) % 2)
    struct.pack_into(order + "I", body, 4, len(body))
    body += struct.pack(order + "H", len(entries))
    body += b"".join(entry for _, entry in sorted(entries)) + bytes(4)
    return bytes(body)


def _shorts(order: Order, tag: int, *values: int) -> Field:
    return tag, "H", struct.pack(f"{order}{len(values)}H", *values)


def _longs(order: Order, tag: int, *values: int) -> Field:
    return tag, "I", struct.pack(f"{order}{len(values)}I", *values)
