"""Metadata as bytes: EXIF, XMP and ICC, changed in place so that all else stays as it was.

EXIF is a small TIFF. Writing it anew would move its parts, and break the offsets inside a camera's
maker note, which nobody can correct; so single values are overwritten where they stand.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from relume.photo import Array

EXIF_PREFIX = b"Exif\0\0"
ORIENTATION = 0x0112
THUMBNAIL_AT, THUMBNAIL_BYTES = 0x0201, 0x0202
TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
XMP_ORIENTATION = re.compile(rb"(tiff:Orientation(?:\s*=\s*[\"']|>))[2-8](?=[\"'<])")


@dataclass(frozen=True)
class Entry:
    """One field of a TIFF directory; ``at`` is where its twelve bytes stand."""

    tag: int
    kind: int
    count: int
    at: int

    @property
    def size_bytes(self) -> int:
        """Bytes of the field's values; up to four stand in the entry itself."""
        return TYPE_BYTES.get(self.kind, 0) * self.count


@dataclass(frozen=True)
class Directory:
    """The fields of one directory, and where the offset of the next one stands."""

    order: str
    entries: dict[int, Entry]
    next_at: int

    def number(self, data: bytes, tag: int, default: int = 0) -> int:
        """The first value of a whole-number field; of text and fractions the default."""
        values = self.numbers(data, tag)
        return values[0] if values else default

    def numbers(self, data: bytes, tag: int) -> tuple[int, ...]:
        """All values of a whole-number field, () if it is not there.

        Raises:
            struct.error: the values lie outside the data.
        """
        entry = self.entries.get(tag)
        code = {1: "B", 3: "H", 4: "I"}.get(entry.kind) if entry else None
        if entry is None or code is None or not entry.count:
            return ()
        at = entry.at + 8
        if entry.size_bytes > 4:
            (at,) = struct.unpack_from(self.order + "I", data, at)
        return struct.unpack_from(f"{self.order}{entry.count}{code}", data, at)


def directories(data: bytes) -> Iterator[Directory]:
    """The directories of a (classic) TIFF or of EXIF, first to last; none if it is neither.

    Raises:
        struct.error: a directory lies outside the data.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(data[:4]))
    if order is None:
        return
    (at,) = struct.unpack_from(order + "I", data, 4)
    seen: set[int] = set()
    while at and at not in seen:
        seen.add(at)
        (count,) = struct.unpack_from(order + "H", data, at)
        entries: dict[int, Entry] = {}
        for place in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind, number = struct.unpack_from(order + "HHI", data, place)
            entries.setdefault(tag, Entry(tag, kind, number, place))
        next_at = at + 2 + 12 * count
        yield Directory(order, entries, next_at)
        (at,) = struct.unpack_from(order + "I", data, next_at)


def tag_bytes(data: bytes, found: Directory, tag: int) -> bytes | None:
    """The bytes of a long field (ICC, XMP), None if it is not there."""
    entry = found.entries.get(tag)
    if entry is None or entry.size_bytes <= 4:
        return None
    (at,) = struct.unpack_from(found.order + "I", data, entry.at + 8)
    return bytes(data[at : at + entry.size_bytes])


def split_orientation(data: bytes) -> tuple[int, bytes]:
    """The orientation (1 to 8) of EXIF or a TIFF, and the same bytes saying 1.

    Bytes that make no sense are left alone, their orientation is 1.
    """
    try:
        first = next(directories(data), None)
        entry = first.entries.get(ORIENTATION) if first else None
        code = {1: "B", 3: "H", 4: "I"}.get(entry.kind) if entry else None
        if first is None or entry is None or code is None or entry.count != 1:
            return 1, data
        (value,) = struct.unpack_from(first.order + code, data, entry.at + 8)
    except struct.error:
        return 1, data
    if value == 1:
        return 1, data
    changed = bytearray(data)
    struct.pack_into(first.order + code, changed, entry.at + 8, 1)
    return (value if 2 <= value <= 8 else 1), bytes(changed)


def without_thumbnail(exif: bytes) -> bytes:
    """EXIF without its thumbnail, which would go on showing the dark, unrotated picture."""
    try:
        found = list(directories(exif))
        if len(found) < 2:
            return exif
        start = found[1].number(exif, THUMBNAIL_AT)
        stop = start + found[1].number(exif, THUMBNAIL_BYTES)
    except struct.error:
        return exif
    changed = bytearray(exif)
    struct.pack_into(found[0].order + "I", changed, found[0].next_at, 0)
    if 8 < start < stop <= len(exif):
        changed[start:stop] = bytes(stop - start)
        # cameras put it last: then its place goes too
        if stop >= len(exif) - 4:
            del changed[start:]
    return bytes(changed)


def sanitized_exif(data: bytes | None) -> tuple[int, bytes | None]:
    """The orientation, and the EXIF as a photo carries it: bare, upright, no thumbnail.

    None in place of what cannot be read, which encoders refuse or complain about.
    """
    orientation, bare = split_orientation((data or b"").removeprefix(EXIF_PREFIX))
    try:
        is_sound = next(directories(bare), None) is not None
    except struct.error:
        is_sound = False
    return (orientation, without_thumbnail(bare)) if is_sound else (1, None)


def plain_xmp(data: bytes | None) -> bytes | None:
    """The XMP packet, upright (same length, so that its padding still fits)."""
    return XMP_ORIENTATION.sub(rb"\g<1>1", data) if data else None


def upright(values: Array, orientation: int) -> Array:
    """Pixels (H, W, ...) as EXIF's ``orientation`` (1 to 8) wants them shown, contiguous.

    Raises:
        ValueError: another orientation.
    """
    if not 1 <= orientation <= 8:
        raise ValueError(f"expected an orientation from 1 to 8, got {orientation}")
    if orientation == 1:
        return values
    if orientation >= 5:
        values = values.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return np.ascontiguousarray(values)


def icc_for_mode(icc: bytes | None, *, grey: bool) -> bytes | None:
    """The profile, if it describes the kind of pixels that are written (grey or RGB)."""
    if icc is None or icc[16:20] == (b"GRAY" if grey else b"RGB "):
        return icc
    # grey files often carry an RGB profile (sRGB); readers use its tone curve
    return icc if grey and icc[16:20] == b"RGB " else None
