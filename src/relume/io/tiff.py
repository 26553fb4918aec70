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
import PIL.Image
from PIL import ImageFile, TiffImagePlugin

from relume.errors import OutputError, UnreadableInput
from relume.io.exif import Directory, directories, icc_for_mode, split_orientation, tag_bytes
from relume.io.pillow import load, metadata, note_frames
from relume.io.raster import Raster, check_size, decode_opencv, open_header, split
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
# what describes the picture, not its pixels: names, makers, times, ratings, captions
EXIF_OF_TIFF = frozenset(
    {269, 270, 271, 272, 285, 305, 306, 315, 316, 18246, 18249, 33432, 33723, *range(40091, 40096)}
)
EXIF_POINTERS = (34665, 34853)
# dtype, bits a sample, sample format (1 whole numbers, 3 floats)
DEEP = ((np.uint16, {16}, {1}), (np.float32, {32}, {3}), (np.float64, {64}, {3}))
Field = tuple[int, str, bytes]
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
        raster = load(picture)
        raster.describe(exif=_exif_of(picture))
        note_frames(raster, int(getattr(picture, "n_frames", 1)))
        white_is_zero = first is not None and first.number(data, 262) == 0
        if white_is_zero and raster.colour.dtype == np.uint16:
            raster.colour = 65535 - raster.colour  # Pillow sees to it in 8 bits
    raster.orientation = orientation
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
        icc, xmp = (tag_bytes(data, first, tag) for tag in (34675, 700))
        raster.describe(icc=icc, xmp=xmp, dpi=_resolution(data, first))
    else:
        raster.describe(**metadata(picture) | {"exif": _exif_of(picture)})
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


def _exif_of(picture: ImageFile.ImageFile) -> bytes | None:
    """A TIFF's own tags that an EXIF would hold, as an EXIF."""
    if not isinstance(picture, TiffImagePlugin.TiffImageFile):
        return None
    found = picture.getexif()
    kept = PIL.Image.Exif()
    for tag in EXIF_OF_TIFF & set(found):
        kept[tag] = found[tag]
    for pointer in EXIF_POINTERS:
        if pointer in found:
            kept[pointer] = found.get_ifd(pointer)
    return kept.tobytes() if len(kept) else None


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
    bits = 8 * channels.dtype.itemsize
    is_float = channels.dtype.kind == "f"
    fields: list[Field] = [
        _longs(order, 256, width),
        _longs(order, 257, height),
        _shorts(order, 258, *[bits] * samples),
        _shorts(order, 259, DEFLATE),
        _shorts(order, 262, 1 if colour.ndim == 2 else 2),
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
    if raster.alpha is not None:
        fields.append(_shorts(order, 338, UNASSOCIATED_ALPHA))
    fields += _metadata_fields(meta, order)
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


def _metadata_fields(meta: Meta, order: Order) -> list[Field]:
    fields: list[Field] = []
    if meta.dpi is not None:
        for tag, dpi in zip((282, 283), meta.dpi, strict=True):
            ratio = Fraction(dpi).limit_denominator(1000)
            pair = struct.pack(order + "II", ratio.numerator, ratio.denominator)
            fields.append((tag, "Q", pair))
        fields.append(_shorts(order, 296, INCH))
    if meta.xmp:
        fields.append((700, "B", meta.xmp))
    if meta.icc:
        fields.append((34675, "U", meta.icc))
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
