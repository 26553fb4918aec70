"""PNG, read and written: OpenCV's pixels, our own chunks of metadata, and grey with alpha."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from relume.errors import UnreadableInput
from relume.io.encoding import BT709, Encoding, Primaries, by_code_points
from relume.io.pillow import iptc_of, load, note_frames
from relume.io.raster import (
    Raster,
    check_size,
    decode_opencv,
    encode_opencv,
    open_header,
    split,
)
from relume.io.xmp import PREFIX
from relume.photo import Array, Meta

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, GREY_ALPHA, RGBA = 0, 2, 4, 6
HIGHEST_FILTER = 4
COMPRESSION = 3
"""Of zlib's 1 to 9: at 12 MP half the time of 6 for about 4 % more bytes."""

METRE_PER_INCH = 0.0254
LARGEST_INFLATED_BYTES = 1 << 24
LARGEST_TEXT_BYTES, SMALLEST_TEXT_BYTES = 1 << 20, 100
"""Of all text together, and what a text counts for at least."""

MOST_NAMED = 5
SOUND_GAMMA = (0.1, 10.0)

XMP_KEYWORD = b"XML:com.adobe.xmp"
RAW_PROFILE = b"raw profile type "
"""Begins the keyword of metadata in hexadecimal text, from before PNG had chunks for them."""

PIXELS = frozenset((b"PLTE", b"tRNS", b"IDAT"))
FRAMES = frozenset((b"acTL", b"fcTL", b"fdAT"))


@dataclass
class PngHeader:
    """What a PNG's chunks say; ``pixels`` are those that a decoder needs, ``moving`` the frames."""

    width: int
    height: int
    depth_bits: int
    colour_type: int
    is_interlaced: bool
    pixels: list[memoryview]
    moving: list[memoryview] = field(default_factory=list)
    is_default_a_frame: bool = False
    has_end: bool = False
    frames: int = 1
    text: list[tuple[str, str]] = field(default_factory=list)
    text_bytes: int = 0
    lost_text: list[str] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)
    encoding: Encoding | None = None
    gamma: float = 1 / 2.2
    primaries: Primaries = BT709
    notes: list[str] = field(default_factory=list)

    def meta(self) -> Meta:
        """The metadata among them."""
        return Meta(text=tuple(self.text), **self.fields)

    @property
    def has_pixels(self) -> bool:
        """Whether the default picture's pixels have begun."""
        return bytes(self.pixels[-1][4:8]) == b"IDAT"

    def pictures(self) -> Iterator[bytes]:
        """PNGs of the pixels alone, the best first: the rest is not their decoder's business.

        Of an animation whose default picture is none of its frames, the first frame is the picture.
        """
        end = chunk(b"IEND", b"")
        if self.frames and self.moving and not self.is_default_a_frame:
            animation, *frames = self.moving
            yield b"".join((SIGNATURE, self.pixels[0], animation, *self.pixels[1:], *frames, end))
        yield b"".join((SIGNATURE, *self.pixels, end))


def read(data: bytes, max_megapixels: float) -> Raster:
    """A PNG in its own depth.

    Raises:
        UnreadableInput: a damaged or truncated file.
        TooLarge: more pixels than allowed.
    """
    header = read_header(data)
    check_size(header.width, header.height, max_megapixels)
    if not header.has_end and not _is_whole(header):
        raise UnreadableInput("truncated PNG: the end is missing")
    raster = _read_deep(header) if header.depth_bits == 16 else _read_packed(header)
    raster.meta, raster.encoding = header.meta(), header.encoding
    if header.lost_text:
        raster.note(f"its text {', '.join(header.lost_text)} is too large and is left out")
    for note in header.notes:
        raster.note(note)
    if not header.has_end:
        raster.note("its end is missing; the picture is all there")
    note_frames(raster, header.frames)
    return raster


def _read_packed(header: PngHeader) -> Raster:
    """Up to 8 bits, palettes among them, by Pillow: nothing makes it print, or crash."""
    for data in header.pictures():
        with suppress(Exception):  # frames may be damaged in any way: then the default picture
            picture = open_header(data)
            if getattr(picture, "default_image", False):
                picture.seek(1)
            return load(picture)
    return load(open_header(data))  # once more, for what it says


def _read_deep(header: PngHeader) -> Raster:
    """16 bits, by OpenCV, which gets nothing that libpng would complain of."""
    if not _is_sound(header):
        raise UnreadableInput("damaged PNG: its pixels, or their check sums, are wrong")
    *_, data = header.pictures()
    pixels = decode_opencv(data)
    if pixels is None:
        raise UnreadableInput("damaged or truncated PNG")
    colour, alpha = split(pixels)
    if header.colour_type in (GREY, GREY_ALPHA) and colour.ndim == 3:
        colour = np.ascontiguousarray(colour[:, :, 0])
    return Raster(colour, alpha)


def _is_sound(header: PngHeader) -> bool:
    """Whether check sums, compressed pixels and the filters of their rows are right."""
    for part in header.pixels:
        if zlib.crc32(part[4:-4]) != int.from_bytes(part[-4:], "big"):
            return False
    channels = {GREY: 1, GREY_ALPHA: 2, RGB: 3, RGBA: 4}.get(header.colour_type, 0)
    line, at = 1 + 2 * channels * header.width, 0
    for rows in _inflated_pixels(header):
        filters = np.frombuffer(rows, np.uint8)[-at % line :: line]
        if not header.is_interlaced and filters.size and filters.max() > HIGHEST_FILTER:
            return False
        at += len(rows)
    return channels > 0 and at >= (0 if header.is_interlaced else line * header.height)


def _is_whole(header: PngHeader) -> bool:
    """Whether all pixels are there, of a file that has no end."""
    return any(rows == b"" for rows in _inflated_pixels(header))


def _inflated_pixels(header: PngHeader) -> Iterator[bytes]:
    """The rows decompressed, in pieces; the last is empty if the stream has come to its end."""
    inflater = zlib.decompressobj()
    with suppress(zlib.error):
        for part in header.pixels:
            rest = bytes(part[8:-4]) if bytes(part[4:8]) == b"IDAT" else b""
            while rest and not inflater.eof:
                rows = inflater.decompress(rest, LARGEST_INFLATED_BYTES)
                if rows:
                    yield rows
                rest = inflater.unconsumed_tail
        if inflater.eof:
            yield b""


def read_header(data: bytes) -> PngHeader:
    """The header and metadata of a PNG, before and after its pixels.

    Raises:
        UnreadableInput: it does not begin with a header.
    """
    chunks = _chunks(data)
    kind, whole = next(chunks, (b"", memoryview(b"")))
    if kind != b"IHDR" or len(whole) != 25:
        raise UnreadableInput("damaged PNG: it does not begin with a header")
    width, height, depth, colour_type, interlaced = struct.unpack(">IIBB2xB", whole[8:21])
    header = PngHeader(width, height, depth, colour_type, bool(interlaced), [whole])
    for kind, whole in chunks:
        if kind == b"IEND":
            header.has_end = True
            break
        if kind in PIXELS:
            header.pixels.append(whole)
        elif kind in FRAMES:
            # frames are told of before the pixels if the default picture is the first
            is_default = kind == b"fcTL" and len(header.moving) == 1 and not header.has_pixels
            header.is_default_a_frame |= is_default
            header.moving.append(whole)
        # pixels are the decoder's business: they would be copied for nothing
        if kind not in (b"IDAT", b"fdAT"):
            _read_chunk(header, kind, bytes(whole[8:-4]))
    gamma = Encoding(header.primaries, 1 / header.gamma)
    if header.encoding is None and not gamma.is_srgb:
        header.encoding = gamma
    return header


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Each chunk's kind and all of its bytes."""
    view = memoryview(data)
    at = len(SIGNATURE)
    while at + 12 <= len(view):
        (length,) = struct.unpack_from(">I", view, at)
        if at + 12 + length > len(view):
            return
        yield bytes(view[at + 4 : at + 8]), view[at : at + 12 + length]
        at += 12 + length


def _read_chunk(header: PngHeader, kind: bytes, body: bytes) -> None:
    if kind == b"acTL" and len(body) == 8:
        header.frames = struct.unpack(">I4x", body)[0]
    elif kind == b"eXIf":
        header.fields["exif"] = body
    elif kind == b"pHYs" and len(body) == 9 and body[8] == 1:
        x, y = struct.unpack(">II", body[:8])
        header.fields["dpi"] = (x * METRE_PER_INCH, y * METRE_PER_INCH)
    elif kind in (b"tEXt", b"zTXt", b"iTXt"):
        _read_text(header, kind, body)
    else:
        _read_colour(header, kind, body)


def _read_colour(header: PngHeader, kind: bytes, body: bytes) -> None:
    """What the pixels mean; of several chunks cICP goes first, then iCCP, sRGB, gAMA and cHRM."""
    if kind == b"iCCP" and "icc" not in header.fields:  # cICP goes first
        header.fields["icc"] = _inflated(body.partition(b"\0")[2][1:])
        if header.fields["icc"] is None:
            header.notes.append("its colour profile is damaged and left out")
    elif kind == b"cICP" and len(body) == 4:
        header.encoding = by_code_points(body[0], body[1])
        header.fields["icc"] = None
    elif kind == b"sRGB" and header.encoding is None:
        header.encoding = Encoding()
    elif kind == b"gAMA" and len(body) == 4:
        gamma = int.from_bytes(body, "big") / 100_000
        header.gamma = gamma if SOUND_GAMMA[0] <= gamma <= SOUND_GAMMA[1] else header.gamma
    elif kind == b"cHRM" and len(body) == 32:
        white_x, white_y, *others = (value / 100_000 for value in struct.unpack(">8I", body))
        xy = (*zip(others[::2], others[1::2], strict=True), (white_x, white_y))
        if all(y > 0 for _, y in xy):
            header.primaries = xy


def _read_text(header: PngHeader, kind: bytes, body: bytes) -> None:
    """A keyword with its text; the EXIF and XMP that some programs put there are not text."""
    keyword, _, rest = body.partition(b"\0")
    text: bytes | None = rest
    profile = (
        keyword.lower().removeprefix(RAW_PROFILE)
        if keyword.lower().startswith(RAW_PROFILE)
        else b""
    )
    is_text = keyword != XMP_KEYWORD and not profile
    if kind == b"iTXt":
        text = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    if kind == b"zTXt" or (kind == b"iTXt" and rest[:1] == b"\1"):
        packed = rest[1:] if kind == b"zTXt" else text or b""
        text = _inflated(packed, LARGEST_TEXT_BYTES if is_text else LARGEST_INFLATED_BYTES)
    name = keyword.decode("latin-1")
    if keyword == XMP_KEYWORD:
        header.fields["xmp"] = text
    elif profile:
        _read_profile(header, profile, text or b"")
    else:
        header.text_bytes += len(text or b"") + SMALLEST_TEXT_BYTES
        if text is None or header.text_bytes > LARGEST_TEXT_BYTES:
            if name not in header.lost_text and len(header.lost_text) < MOST_NAMED:
                header.lost_text.append(name)
            return
        header.text.append(
            (name, text.decode("utf-8" if kind == b"iTXt" else "latin-1", "replace"))
        )


def _read_profile(header: PngHeader, name: bytes, text: bytes) -> None:
    """Metadata as ImageMagick and others write them: a name, a length, hexadecimal digits."""
    try:
        body = bytes.fromhex(text.split(maxsplit=2)[2].decode("ascii"))
    except (IndexError, ValueError):
        header.notes.append(f"its {name.decode('latin-1')} (a raw profile) is damaged and left out")
        return
    is_xmp = name == b"xmp" or (name == b"app1" and body.startswith(PREFIX))
    if is_xmp:
        header.fields.setdefault("xmp", body.removeprefix(PREFIX))
    elif name in (b"exif", b"app1"):
        header.fields.setdefault("exif", body)
    elif name in (b"icc", b"icm"):
        header.fields.setdefault("icc", body)
    elif name in (b"iptc", b"8bim"):
        header.fields.setdefault("iptc", iptc_of(body))


def _inflated(data: bytes, largest_bytes: int = LARGEST_INFLATED_BYTES) -> bytes | None:
    """The bytes decompressed, or None if they are damaged or a bomb."""
    inflater = zlib.decompressobj()
    try:
        out = inflater.decompress(data, largest_bytes)
    except zlib.error:
        return None
    return out if inflater.eof else None


def write(raster: Raster) -> bytes:
    """uint8 or uint16 pixels, (H, W) or (H, W, 3), as a PNG with the metadata."""
    if raster.colour.ndim == 2 and raster.alpha is not None:
        data = _encode_grey_alpha(raster.colour, raster.alpha)
    else:
        data = encode_opencv(raster, ".png", [cv2.IMWRITE_PNG_COMPRESSION, COMPRESSION])
    first = len(SIGNATURE) + 25
    return data[:first] + _metadata_chunks(raster.meta) + data[first:]


def _encode_grey_alpha(grey: Array, alpha: Array) -> bytes:
    """Grey with alpha, which neither OpenCV (at all) nor Pillow (16 bit) writes."""
    height, width = grey.shape
    depth = 8 * grey.dtype.itemsize
    pair = np.stack([grey, alpha], axis=2).astype(grey.dtype.newbyteorder(">"))
    rows = pair.reshape(height, -1).view(np.uint8)
    # filter 2: each byte less the one above it
    filtered = np.full((height, rows.shape[1] + 1), 2, np.uint8)
    filtered[0, 1:] = rows[0]
    filtered[1:, 1:] = rows[1:] - rows[:-1]
    header = struct.pack(">IIBBBBB", width, height, depth, GREY_ALPHA, 0, 0, 0)
    pixels = zlib.compress(filtered.tobytes(), COMPRESSION)
    chunks = (b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")
    return SIGNATURE + b"".join(chunk(kind, body) for kind, body in chunks)


def _metadata_chunks(meta: Meta) -> bytes:
    out = b""
    if meta.icc:
        out += chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(meta.icc))
    if meta.dpi is not None:
        x, y = (round(d / METRE_PER_INCH) for d in meta.dpi)
        out += chunk(b"pHYs", struct.pack(">IIB", x, y, 1))
    if meta.exif:
        out += chunk(b"eXIf", meta.exif)
    if meta.xmp:
        out += chunk(b"iTXt", XMP_KEYWORD + b"\0\0\0\0\0" + meta.xmp)
    for keyword, text in meta.text:
        key = " ".join(keyword.split()).encode("latin-1", "replace")[:79].strip()
        text = text.replace("\0", "")
        if not key:
            continue
        try:
            out += chunk(b"tEXt", key + b"\0" + text.encode("latin-1"))
        except UnicodeEncodeError:
            out += chunk(b"iTXt", key + b"\0\0\0\0\0" + text.encode())
    return out


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG: length, kind, body, check sum."""
    check = zlib.crc32(body, zlib.crc32(kind))
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)
