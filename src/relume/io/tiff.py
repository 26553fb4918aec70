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
from PIL.ImageFile import ImageFile

from relume.errors import OutputError, UnreadableInput
from relume.io.encoding import D65, Encoding
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
from relume.io.raster import Raster, check_size, decode_opencv, open_header, split, unmultiplied
from relume.photo import Array, Meta

STRIP_BYTES = 1 << 20
COMPRESSION = 3
DEFLATE, DIFFERENCES, UNASSOCIATED_ALPHA, INCH = 8, 2, 2, 2
LARGEST_BYTES = (1 << 32) - (1 << 20)

RESOLUTION = frozenset((282, 283, 296))
ICC, XMP, IPTC = 34675, 700, 33723
WIDTH, HEIGHT, BITS, COMPRESSED, PHOTOMETRIC, SAMPLES, PLANAR = 256, 257, 258, 259, 262, 277, 284
WHITE_POINT, PRIMARY_COLOURS, EXTRA_SAMPLES, SAMPLE_FORMAT = 318, 319, 338, 339
UNSPECIFIED, ASSOCIATED = 0, 1
MOST_SAMPLES = 8
NO_ALPHA = "it has a further channel that is no transparency, which is left out"
# where pixels lie, and how many bytes they have: strips, tiles
PLACES = ((273, 279), (324, 325))
# what is true of each plane: sizes, compression, fill order, rows, predictor, tiles, JPEG tables
OF_PLANES = (WIDTH, HEIGHT, COMPRESSED, 266, 278, 317, 322, 323, 347)
# dtype, bits a sample, sample format (1 whole numbers, 2 signed, 3 floats)
DEEP = (
    (np.uint16, {16}, {1}),
    (np.int16, {16}, {2}),
    (np.float32, {32}, {3}),
    (np.float64, {64}, {3}),
)
Order = Literal["<", ">"]


def read(data: bytes, max_megapixels: float) -> Raster:
    """The first picture of a TIFF, in its own depth.

    Raises:
        UnreadableInput: a damaged file, or a kind of TIFF that is not supported.
        TooLarge: more pixels than allowed.
    """
    try:
        found = _pictures(data)
    except struct.error as error:
        raise UnreadableInput("damaged TIFF: its directory is not all there") from error
    first = found[0] if found else None
    if first is not None:  # the first directory of all may be a few words
        data = data[:4] + struct.pack(first.order + "I", first.at) + data[8:]
        check_size(first.number(data, WIDTH), first.number(data, HEIGHT), max_megapixels)
        if (samples := first.number(data, SAMPLES, 1)) > MOST_SAMPLES:
            raise UnreadableInput(f"a TIFF of {samples} channels is not supported")
    # both decoders would turn the pixels themselves, each in its own cases
    orientation, data = split_orientation(data)
    if first is not None and _needs_opencv(first, data):
        raster = _read_deep(data, first)
    else:
        picture = _opened(data, first)
        check_size(*picture.size, max_megapixels)
        raster = _read_plain(picture, first, data)
    if first is None:
        note_frames(raster, picture)
        tags: dict[int, tuple[int, ...]] = getattr(picture, "tag_v2", {})
        raster.note("the EXIF that a BigTIFF may have is not carried over")
        if raster.colour.ndim == 3 and max(tags.get(BITS, (8,))) > 8:
            raster.note("it had more than 8 bits a channel; of a BigTIFF 8 of them are read")
    else:
        note_frames(raster, len(found))
        raster.describe(exif=extract_exif(data), iptc=tag_bytes(data, first, IPTC))
        raster.encoding = _encoding(data, first)
    raster.orientation = orientation
    return raster


def _opened(data: bytes, first: Directory | None) -> ImageFile:
    """The picture as Pillow opens it.

    Raises:
        UnreadableInput: a kind of TIFF that it does not read.
    """
    try:
        return open_header(data)
    except UnreadableInput as error:
        if first is None:
            raise
        tags = ((SAMPLES, 1), (BITS, 1), (SAMPLE_FORMAT, 1), (PHOTOMETRIC, 0), (COMPRESSED, 1))
        numbers = tuple(first.number(data, tag, default) for tag, default in tags)
        raise UnreadableInput(
            "a TIFF of this kind is not supported, or damaged (channels {}, bits {}, sample "
            "format {}, photometric {}, compression {})".format(*numbers)
        ) from error


def _pictures(data: bytes) -> list[Directory]:
    """The directories that are pictures, as far as they can be read; none of a BigTIFF.

    Raises:
        struct.error: not even the first directory can be read.
    """
    found: list[Directory] = []
    try:
        found.extend(directories(data))
    except struct.error:
        if not found:
            raise
    whole = [d for d in found if d.number(data, WIDTH) and d.number(data, HEIGHT)]
    return whole or found[:1]


def _read_plain(picture: ImageFile, first: Directory | None, data: bytes) -> Raster:
    """What Pillow decodes: 8 bits, grey of 16, palettes, CMYK."""
    # it would read the EXIF, and this is done here
    picture.load_end = lambda: None  # type: ignore[method-assign]
    raster = load(picture)
    if first is None:
        return raster
    photometric = first.number(data, PHOTOMETRIC)
    if photometric == 0 and raster.colour.dtype == np.uint16:
        raster.colour = 65535 - raster.colour  # Pillow sees to it in 8 bits
    channels = raster.channels()[0, 0].size
    if photometric in (0, 1, 2) and first.number(data, SAMPLES, 1) > channels:
        raster.note(NO_ALPHA)
    return raster


def _settle_extra(raster: Raster, first: Directory, data: bytes) -> None:
    """Make of a fourth channel what the file says it is; one that says nothing is alpha."""
    if raster.alpha is None:
        return
    kind = next(iter(first.numbers(data, EXTRA_SAMPLES)), UNASSOCIATED_ALPHA)
    if kind == UNSPECIFIED:
        raster.alpha = None
        raster.note(NO_ALPHA)
    elif kind == ASSOCIATED:
        raster.colour = unmultiplied(raster.colour, raster.alpha)


def _encoding(data: bytes, first: Directory) -> Encoding | None:
    """The primaries that the file tells without a profile, with TIFF's gamma of 2.2."""
    values = [tag_bytes(data, first, tag) for tag in (PRIMARY_COLOURS, WHITE_POINT)]
    if values[0] is None or len(values[0]) != 48 or len(values[1] or bytes(16)) != 16:
        return None
    numbers = struct.unpack(f"{first.order}12I", values[0])
    if values[1] is not None:
        numbers += struct.unpack(f"{first.order}4I", values[1])
    ratios = [
        above / below if below else 0
        for above, below in zip(numbers[::2], numbers[1::2], strict=True)
    ]
    xy = [*zip(ratios[::2], ratios[1::2], strict=True)]
    return Encoding((*xy, D65)[:4], 2.2) if all(y > 0 for _, y in xy) else None


def _needs_opencv(first: Directory, data: bytes) -> bool:
    """Whether there are several channels of more than 8 bits, which Pillow would cut to 8.

    Or signed ones, or more than 32 bits, which it does not open at all.
    """
    bits = first.numbers(data, BITS) or (1,)
    is_signed = 2 in first.numbers(data, SAMPLE_FORMAT) and max(bits) == 16
    is_separated = first.number(data, PHOTOMETRIC) == 5  # CMYK
    return max(bits) > 32 or is_signed or (len(bits) > 1 and max(bits) > 8 and not is_separated)


def _read_deep(data: bytes, first: Directory) -> Raster:
    bits = set(first.numbers(data, BITS))
    formats = set(first.numbers(data, SAMPLE_FORMAT)) or {1}
    expected = next((d for d, *kinds in DEEP if kinds == [bits, formats]), None)
    if expected is None:
        raise UnreadableInput(
            f"a TIFF of {'/'.join(map(str, sorted(bits)))} bits and sample format "
            f"{'/'.join(map(str, sorted(formats)))} is not supported; expected whole numbers of 8 "
            "or 16 bits, or floats of 32 or 64"
        )
    planes = _planes(data, first) if first.number(data, PLANAR, 1) == 2 else [data]
    found = (decode_opencv(plane) for plane in planes)
    decoded = [plane for plane in found if plane is not None and plane.dtype == expected]
    if len(decoded) < len(planes):
        raise UnreadableInput(f"damaged, truncated or unusual TIFF of {max(bits)} bits a channel")
    pixels = decoded[0]
    if len(decoded) > 1:  # as OpenCV has them: blue first
        pixels = np.dstack([*decoded[2::-1], *decoded[3:]])
    if expected == np.float64:
        pixels = pixels.astype(np.float32)
    elif expected == np.int16:
        pixels = _unsigned(pixels)
    raster = Raster(*split(pixels))
    _settle_extra(raster, first, data)
    try:
        picture = open_header(data)
    except UnreadableInput:  # Pillow cannot open RGB floats at all
        icc, xmp = (tag_bytes(data, first, tag) for tag in (ICC, XMP))
        raster.describe(icc=icc, xmp=xmp, dpi=_resolution(data, first))
    else:
        raster.describe(**metadata(picture))
    return raster


def _unsigned(pixels: Array) -> Array:
    """Signed 16 bits, 0 to 32,767, as unsigned ones of the full range.

    Raises:
        UnreadableInput: values below 0.
    """
    if pixels.min() < 0:
        raise UnreadableInput(
            f"expected signed values from 0 (black) to 32767, got {pixels.min()}; clip them"
        )
    return np.asarray((pixels.astype(np.uint16) << 1) | (pixels.astype(np.uint16) >> 14))


def _planes(data: bytes, first: Directory) -> list[bytes]:
    """A grey TIFF of each of the colour planes: the same file, with a directory of the plane's own.

    Raises:
        UnreadableInput: other planes than red, green, blue and perhaps one more.
    """
    order, samples = first.order, first.number(data, SAMPLES, 1)
    places = [(where, sizes) for where, sizes in PLACES if where in first.entries]
    offsets, lengths = (first.numbers(data, tag) for tag in places[0]) if places else ((), ())
    if (
        samples not in (3, 4)
        or not offsets
        or len(offsets) % samples
        or len(offsets) != len(lengths)
    ):
        raise UnreadableInput("a TIFF of these colour planes is not supported; interleave them")
    data += b"\0" * (len(data) % 2)
    kept = [data[first.entries[tag].at :][:12] for tag in OF_PLANES if tag in first.entries]
    step, found = len(offsets) // samples, []
    for at in range(0, len(offsets), step):
        fields = [
            _shorts(order, BITS, first.numbers(data, BITS)[0]),
            _shorts(order, PHOTOMETRIC, 1),
            _shorts(order, SAMPLES, 1),
            _shorts(order, SAMPLE_FORMAT, first.number(data, SAMPLE_FORMAT, 1)),
            _longs(order, places[0][0], *offsets[at : at + step]),
            _longs(order, places[0][1], *lengths[at : at + step]),
        ]
        head = data[:4] + struct.pack(order + "I", len(data)) + data[8:]
        found.append(head + directory_bytes(order, len(data), fields, kept))
    return found


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


def _shorts(order: str, tag: int, *values: int) -> Field:
    return Field(tag, 3, struct.pack(f"{order}{len(values)}H", *values))


def _longs(order: str, tag: int, *values: int) -> Field:
    return Field(tag, 4, struct.pack(f"{order}{len(values)}I", *values))
