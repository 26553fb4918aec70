"""TIFF, read and written: 8 and 16 bit and float, grey or RGB, with alpha and metadata.

Pillow reads and writes no 16-bit RGB, and OpenCV no metadata. A file that we write begins with the
photo's EXIF, which is a TIFF itself, so that all its offsets still hold (a maker note's too); the
picture is appended and described by a new first directory.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from fractions import Fraction
from typing import Literal

import numpy as np

from relume.errors import OutputError, UnreadableInput
from relume.io.exif import (
    DESCRIPTIVE,
    EXIF_DIRECTORY,
    GPS_DIRECTORY,
    Directory,
    Field,
    directories,
    directory_bytes,
    extract_exif,
    icc_for_mode,
    split_orientation,
    tag_bytes,
)
from relume.io.pillow import load, metadata, note_frames
from relume.io.raster import Raster, check_size, decode_opencv, open_header, split
from relume.photo import Array, Meta

STRIP_BYTES = 1 << 20
COMPRESSION = 3
DEFLATE, DIFFERENCES, UNASSOCIATED_ALPHA, INCH = 8, 2, 2, 2
LARGEST_BYTES = (1 << 32) - (1 << 20)

RESOLUTION = frozenset((282, 283, 296))
ICC, XMP, IPTC = 34675, 700, 33723
# dtype, bits a sample, sample format (1 whole numbers, 3 floats)
DEEP = ((np.uint16, {16}, {1}), (np.float32, {32}, {3}), (np.float64, {64}, {3}))
Order = Literal["<", ">"]


def read(data: bytes, max_megapixels: float) -> Raster:
    """The first picture of a TIFF, in its own depth.

    Raises:
        UnreadableInput: a damaged file, or a kind of TIFF that is not supported.
        TooLarge: more pixels than allowed.
    """
    # both decoders would turn the pixels themselves, each in its own cases
    orientation, data = split_orientation(data)
    first = next(directories(data), None)
    if first is not None:
        check_size(first.number(data, 256), first.number(data, 257), max_megapixels)
    if first is not None and _needs_opencv(first, data):
        raster = _read_deep(data, first)
        note_frames(raster, sum(1 for _ in directories(data)))
    else:
        picture = open_header(data)
        check_size(*picture.size, max_megapixels)
        # it would read the EXIF, which is done below
        picture.load_end = lambda: None  # type: ignore[method-assign]
        raster = load(picture)
        note_frames(raster, int(getattr(picture, "n_frames", 1)))
        white_is_zero = first is not None and first.number(data, 262) == 0
        if white_is_zero and raster.colour.dtype == np.uint16:
            raster.colour = 65535 - raster.colour  # Pillow sees to it in 8 bits
    raster.orientation = orientation
    if first is not None:
        raster.describe(exif=extract_exif(data), iptc=tag_bytes(data, first, IPTC))
    else:
        raster.note("the EXIF that a BigTIFF may have is not carried over")
    return raster


def _needs_opencv(first: Directory, data: bytes) -> bool:
    """Whether there are several channels of more than 8 bits, which Pillow would cut to 8.

    Or more than 32, which it does not open at all.
    """
    bits = first.numbers(data, 258) or (1,)
    is_separated = first.number(data, 262) == 5  # CMYK
    return max(bits) > 32 or (len(bits) > 1 and max(bits) > 8 and not is_separated)


def _read_deep(data: bytes, first: Directory) -> Raster:
    bits = set(first.numbers(data, 258))
    formats = set(first.numbers(data, 339)) or {1}
    expected = next((d for d, *kinds in DEEP if kinds == [bits, formats]), None)
    if expected is None:
        raise UnreadableInput(
            f"a TIFF of {'/'.join(map(str, sorted(bits)))} bits and sample format "
            f"{'/'.join(map(str, sorted(formats)))} is not supported; expected whole numbers of 8 "
            "or 16 bits, or floats of 32 or 64"
        )
    if first.number(data, 284, 1) != 1:
        raise UnreadableInput("a TIFF of separate colour planes is not supported; interleave them")
    pixels = decode_opencv(data)
    if pixels is None or pixels.dtype != expected:
        raise UnreadableInput(f"damaged, truncated or unusual TIFF of {max(bits)} bits a channel")
    if expected == np.float64:
        pixels = pixels.astype(np.float32)
    raster = Raster(*split(pixels))
    try:
        picture = open_header(data)
    except UnreadableInput:  # Pillow cannot open RGB floats at all
        icc, xmp = (tag_bytes(data, first, tag) for tag in (ICC, XMP))
        raster.describe(icc=icc, xmp=xmp, dpi=_resolution(data, first))
    else:
        raster.describe(**metadata(picture))
    return raster


def _resolution(data: bytes, first: Directory) -> tuple[float, float] | None:
    """Dots per inch in both directions, where both are given in inches."""
    ratios = [
        struct.unpack(first.order + "II", tag_bytes(data, first, tag) or bytes(8))
        for tag in (282, 283)
    ]
    if first.number(data, 296, 2) != 2 or not all(n and d for n, d in ratios):
        return None
    (x, per_x), (y, per_y) = ratios
    return x / per_x, y / per_y


def write(raster: Raster) -> bytes:
    """uint8, uint16 or float32 pixels, (H, W) or (H, W, 3), as a TIFF with the metadata.

    Raises:
        OutputError: more than a TIFF's 4 GB.
    """
    colour, meta = raster.colour, raster.meta
    if colour.ndim == 2 and raster.alpha is not None and colour.dtype != np.uint8:
        # few programs read deep grey with alpha, OpenCV and Pillow among those that do not
        colour = np.repeat(colour[:, :, None], 3, axis=2)
        meta = replace(meta, icc=icc_for_mode(meta.icc, grey=False))
    channels = replace(raster, colour=colour).channels()
    channels = channels[:, :, None] if channels.ndim == 2 else channels
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
    fields = [
        *_picture_fields(order, channels, has_alpha=raster.alpha is not None),
        _longs(order, 273, *offsets),
        _longs(order, 278, rows),
        _longs(order, 279, *map(len, strips)),
        *_metadata_fields(meta, order),
    ]
    struct.pack_into(order + "I", body, 4, len(body))
    return bytes(body + directory_bytes(order, len(body), fields, kept))


def _picture_fields(order: Order, channels: Array, *, has_alpha: bool) -> list[Field]:
    height, width, samples = channels.shape
    is_float = channels.dtype.kind == "f"
    fields = [
        _longs(order, 256, width),
        _longs(order, 257, height),
        _shorts(order, 258, *[8 * channels.dtype.itemsize] * samples),
        _shorts(order, 259, DEFLATE),
        _shorts(order, 262, 1 if samples <= 2 else 2),
        _shorts(order, 274, 1),
        _shorts(order, 277, samples),
        _shorts(order, 284, 1),
        _shorts(order, 339, *[3 if is_float else 1] * samples),
    ]
    if not is_float:
        fields.append(_shorts(order, 317, DIFFERENCES))
    if has_alpha:
        fields.append(_shorts(order, 338, UNASSOCIATED_ALPHA))
    return fields


def _base(meta: Meta) -> tuple[bytes, list[bytes]]:
    """The bytes that the file begins with, and the entries of their directory that stay."""
    if not meta.exif:
        return b"II*\0" + bytes(4), []
    try:
        first: Directory | None = next(directories(meta.exif), None)
    except struct.error:
        first = None
    if first is None:
        return b"II*\0" + bytes(4), []
    tags = DESCRIPTIVE | {EXIF_DIRECTORY, GPS_DIRECTORY}
    tags |= frozenset() if meta.dpi else RESOLUTION
    kept = [
        meta.exif[entry.at : entry.at + 12]
        for tag, entry in first.entries.items()
        if tag in tags and tag_bytes(meta.exif, first, tag) is not None
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


def _metadata_fields(meta: Meta, order: Order) -> list[Field]:
    fields: list[Field] = []
    if meta.dpi is not None:
        for tag, dpi in zip((282, 283), meta.dpi, strict=True):
            ratio = Fraction(dpi).limit_denominator(1000)
            pair = struct.pack(order + "II", ratio.numerator, ratio.denominator)
            fields.append(Field(tag, 5, pair))
        fields.append(_shorts(order, 296, INCH))
    for tag, kind, value in ((XMP, 1, meta.xmp), (ICC, 7, meta.icc), (IPTC, 7, meta.iptc)):
        if value:
            fields.append(Field(tag, kind, value))
    return fields


def _shorts(order: Order, tag: int, *values: int) -> Field:
    return Field(tag, 3, struct.pack(f"{order}{len(values)}H", *values))


def _longs(order: Order, tag: int, *values: int) -> Field:
    return Field(tag, 4, struct.pack(f"{order}{len(values)}I", *values))
