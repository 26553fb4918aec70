"""EXIF as raw bytes: the orientation read and reset in place, directories copied into a TIFF.

EXIF is a TIFF directory behind an optional ``Exif\\0\\0``. Patching the one value keeps everything
else byte for byte, maker notes included, which writing it anew would not.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from relume.photo import Array

PREFIX = b"Exif\x00\x00"
ORIENTATION, EXIF_IFD, GPS_IFD, XMP, ICC = 0x0112, 0x8769, 0x8825, 700, 34675
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
DESCRIPTIVE = {270, 271, 272, 305, 306, 315, 33432, EXIF_IFD, GPS_IFD}
"""Tags of a photo's first directory that describe it rather than how its pixels are stored."""


@dataclass(frozen=True)
class Tag:
    """One entry of a directory: its ``value`` in little-endian bytes, and where it stands."""

    number: int
    kind: int
    count: int
    value: bytes
    at: int


def orientation(exif: bytes | None) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none or it cannot be read."""
    for tag in _first_directory(exif or b""):
        if tag.number == ORIENTATION and tag.kind == 3:
            value = int.from_bytes(tag.value[:2], "little")
            return value if 1 <= value <= 8 else 1
    return 1


def upright(exif: bytes | None) -> bytes | None:
    """The same EXIF with its orientation set to 1."""
    for tag in _first_directory(exif or b""):
        if tag.number == ORIENTATION and tag.kind == 3 and exif:
            start = (len(PREFIX) if exif.startswith(PREFIX) else 0) + tag.at
            return exif[:start] + struct.pack(_order(exif) + "H", 1) + exif[start + 2 :]
    return exif


def turn(pixels: Array, orientation: int) -> Array:
    """``pixels`` (H, W, ...) as they are to be seen, given an EXIF orientation."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def tags(tiff: bytes, offset: int | None = None) -> list[Tag]:
    """The entries of a TIFF's directory, the first one unless ``offset`` says where it is.

    Damaged directories give the entries that can be read.
    """
    order = _order(tiff)
    try:
        if offset is None:
            offset = int(struct.unpack_from(order + "I", tiff, 4)[0])
        count = int(struct.unpack_from(order + "H", tiff, offset)[0])
        entries = [
            struct.unpack_from(order + "HHI", tiff, offset + 2 + 12 * i) for i in range(count)
        ]
    except struct.error:
        return []
    found = []
    for i, (number, kind, length) in enumerate(entries):
        at = offset + 2 + 12 * i + 8
        size = SIZES.get(kind, 0) * length
        if size > 4:
            at = int(struct.unpack_from(order + "I", tiff, at)[0])
        if size and at + size <= len(tiff):
            value = tiff[at : at + size]
            if order == ">":
                value = _swapped(value, kind)
            found.append(Tag(number, kind, length, value, at))
    return found


def with_tags(tiff: bytes, exif: bytes | None, icc: bytes | None, xmp: bytes | None) -> bytes:
    """A little-endian ``tiff`` whose first directory also holds the descriptions given.

    A new directory is appended, and the header made to point at it.
    """
    extra: dict[int, tuple[int, int, bytes]] = {}
    if icc:
        extra[ICC] = (7, len(icc), icc)
    if xmp:
        extra[XMP] = (1, len(xmp), xmp)
    out = bytearray(tiff)
    body = _body(exif or b"")
    for tag in tags(body):
        if tag.number in (EXIF_IFD, GPS_IFD):
            where = int.from_bytes(tag.value, "little")
            inner = {t.number: (t.kind, t.count, t.value) for t in tags(body, where)}
            inner.pop(0xA005, None)  # interoperability points elsewhere
            extra[tag.number] = (4, 1, struct.pack("<I", _append(out, inner)))
        elif tag.number in DESCRIPTIVE:
            extra[tag.number] = (tag.kind, tag.count, tag.value)
    own = {t.number: (t.kind, t.count, t.value) for t in tags(tiff)}
    start = _append(out, {**extra, **own})
    out[4:8] = struct.pack("<I", start)
    return bytes(out)


def _append(out: bytearray, entries: dict[int, tuple[int, int, bytes]]) -> int:
    """Append a directory with its values; returns its offset."""
    fields = []
    for number in sorted(entries):
        kind, count, value = entries[number]
        if len(value) <= 4:
            fields.append(struct.pack("<HHI", number, kind, count) + value.ljust(4, b"\0"))
            continue
        out += b"\0" * (len(out) % 2)
        fields.append(struct.pack("<HHII", number, kind, count, len(out)))
        out += value
    out += b"\0" * (len(out) % 2)
    start = len(out)
    out += struct.pack("<H", len(fields)) + b"".join(fields) + struct.pack("<I", 0)
    return start


def _swapped(value: bytes, kind: int) -> bytes:
    """The other byte order; a rational is two numbers of 4 bytes."""
    size = 4 if kind in (5, 10) else SIZES[kind]
    return np.frombuffer(value, np.uint8).reshape(-1, size)[:, ::-1].tobytes()


def _first_directory(exif: bytes) -> Iterator[Tag]:
    return iter(tags(_body(exif)))


def _body(exif: bytes) -> bytes:
    return exif[len(PREFIX) :] if exif.startswith(PREFIX) else exif


def _order(data: bytes) -> str:
    return ">" if _body(data)[:2] == b"MM" else "<"
