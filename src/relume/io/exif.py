"""Metadata as bytes: EXIF, XMP and ICC, changed in place so that all else stays as it was.

EXIF is a small TIFF. Writing it anew would move its parts, and break the offsets inside a camera's
maker note, which nobody can correct; so single values are overwritten where they stand.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from relume.photo import Array

EXIF_PREFIX = b"Exif\0\0"
ORIENTATION = 0x0112
THUMBNAIL_AT, THUMBNAIL_BYTES = 0x0201, 0x0202
TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
MOST_ENTRIES = 1 << 17
"""Over all directories of a file; one that claims more is not read for minutes."""

LARGEST_FIELD_BYTES = 1 << 16
MOST_FIELDS = 500
# what describes a picture, not its pixels: names, makers, times, ratings, exposure
DESCRIPTIVE = frozenset(
    {269, 270, 271, 272, 285, 305, 306, 315, 316, 18246, 18249, 33432, *range(40091, 40096)}
)
EXIF_DIRECTORY, GPS_DIRECTORY, COLOR_SPACE, INTEROPERABILITY = 34665, 34853, 40961, 40965
# camera raw (TIFF/EP) has some of EXIF's fields in its first directory
EP = frozenset({33434, 33437, 34850, 34855, 36867, *range(37377, 37387)})
# of the raw pixels, or full of offsets into the raw file: maker note, sizes, filter pattern
OF_RAW = frozenset({37500, 40962, 40963, 41730})


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


class Field(NamedTuple):
    """One field to be written; ``value`` are its bytes, in the file's byte order."""

    tag: int
    kind: int
    value: bytes


@dataclass(frozen=True)
class Directory:
    """The fields of the directory at ``at``, and where the offset of the next one stands."""

    order: str
    entries: dict[int, Entry]
    at: int
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
    visited: set[int] = set()
    entries = 0
    while at and at not in visited and entries < MOST_ENTRIES:
        visited.add(at)
        found = _directory(data, order, at)
        yield found
        entries += len(range(at + 2, found.next_at, 12))
        (at,) = struct.unpack_from(order + "I", data, found.next_at)


def _directory(data: bytes, order: str, at: int) -> Directory:
    (count,) = struct.unpack_from(order + "H", data, at)
    entries: dict[int, Entry] = {}
    for start in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind, number = struct.unpack_from(order + "HHI4x", data, start)
        entries.setdefault(tag, Entry(tag, kind, number, start))
    return Directory(order, entries, at, at + 2 + 12 * count)


def directory_bytes(
    order: str, at: int, fields: Iterable[Field], kept: Iterable[bytes] = ()
) -> bytes:
    """A directory that stands at ``at``, with its values; ``kept`` are entries as they are."""
    entries = {struct.unpack_from(order + "H", entry)[0]: entry for entry in kept}
    fields = list(fields)
    values = bytearray()
    values_at = at + 6 + 12 * (len(entries) + len(fields))
    for tag, kind, value in fields:
        field = value.ljust(4, b"\0")
        if len(value) > 4:
            field = struct.pack(order + "I", values_at + len(values))
            values += value + b"\0" * (len(value) % 2)
        count = len(value) // TYPE_BYTES[kind]
        entries[tag] = struct.pack(order + "HHI", tag, kind, count) + field
    packed = b"".join(entry for _, entry in sorted(entries.items()))
    return struct.pack(order + "H", len(entries)) + packed + bytes(4) + bytes(values)


def tag_bytes(data: bytes, found: Directory, tag: int) -> bytes | None:
    """The bytes of a field's value, None if it is not there, or outside the data."""
    entry = found.entries.get(tag)
    if entry is None or not entry.size_bytes:
        return None
    at = entry.at + 8
    if entry.size_bytes > 4:
        (at,) = struct.unpack_from(found.order + "I", data, at)
    value = data[at : at + entry.size_bytes]
    return value if len(value) == entry.size_bytes else None


def extract_exif(data: bytes, *, of_raw: bool = False) -> bytes | None:
    """The EXIF of a TIFF's picture, or of a camera raw that was developed to sRGB.

    That is what the first directory says of the picture, with its EXIF and GPS directories, laid
    out anew. ``of_raw`` leaves out what is true of the raw file only.
    """
    try:
        first = next(directories(data), None)
        if first is None:
            return None
        parts: dict[int, dict[int, Field]] = {EXIF_DIRECTORY: {}, GPS_DIRECTORY: {}}
        for pointer, part in parts.items():
            at = first.number(data, pointer)
            if at:
                part |= _fields(data, _directory(data, first.order, at))
    except struct.error:
        return None
    main = _fields(data, first)
    exif = parts[EXIF_DIRECTORY]
    exif.pop(INTEROPERABILITY, None)  # a directory of its own, about thumbnails
    if of_raw:
        exif = {tag: main[tag] for tag in EP & main.keys()} | exif
        exif = {tag: field for tag, field in exif.items() if tag not in OF_RAW}
        if exif:
            exif[COLOR_SPACE] = Field(COLOR_SPACE, 3, struct.pack(first.order + "H", 1))
        parts[EXIF_DIRECTORY] = exif
    body = bytearray(data[:4] + bytes(4))
    kept = [field for tag, field in main.items() if tag in DESCRIPTIVE]
    for pointer, part in parts.items():
        if part:
            kept.append(Field(pointer, 4, struct.pack(first.order + "I", len(body))))
            body += directory_bytes(first.order, len(body), part.values())
    struct.pack_into(first.order + "I", body, 4, len(body))
    return bytes(body + directory_bytes(first.order, len(body), kept)) if kept else None


def _fields(data: bytes, found: Directory) -> dict[int, Field]:
    """A directory's fields; those that are damaged or very large are left out."""
    fields: dict[int, Field] = {}
    for entry in list(found.entries.values())[:MOST_FIELDS]:
        value = tag_bytes(data, found, entry.tag)
        if value is not None and len(value) <= LARGEST_FIELD_BYTES:
            fields[entry.tag] = Field(entry.tag, entry.kind, value)
    return fields


def split_orientation(data: bytes) -> tuple[int, bytes]:
    """The orientation (1 to 8, 0 if it says none) of EXIF or a TIFF, and the same bytes saying 1.

    Bytes that make no sense are left alone.
    """
    try:
        first = next(directories(data), None)
        entry = first.entries.get(ORIENTATION) if first else None
        code = {1: "B", 3: "H", 4: "I"}.get(entry.kind) if entry else None
        if first is None or entry is None or code is None or entry.count != 1:
            return 0, data
        (value,) = struct.unpack_from(first.order + code, data, entry.at + 8)
    except struct.error:
        return 0, data
    if value == 1:
        return 1, data
    changed = bytearray(data)
    struct.pack_into(first.order + code, changed, entry.at + 8, 1)
    return (value if 2 <= value <= 8 else 0), bytes(changed)


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
        # cameras put it last: then its bytes go too
        if stop >= len(exif) - 4:
            del changed[start:]
    return bytes(changed)


def sanitized_exif(data: bytes | None) -> tuple[int, bytes | None]:
    """The orientation, and the EXIF as a photo carries it: bare, upright, no thumbnail.

    0 where it says no orientation; None in place of what cannot be read, which encoders refuse
    or complain about.
    """
    orientation, bare = split_orientation((data or b"").removeprefix(EXIF_PREFIX))
    try:
        is_sound = next(directories(bare), None) is not None
    except struct.error:
        is_sound = False
    return (orientation, without_thumbnail(bare)) if is_sound else (0, None)


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
