"""What the boxes of HEIC and AVIF (ISO/IEC 14496-12, 23008-12) say of the picture."""

from __future__ import annotations

from collections.abc import Iterator

from relume.io.encoding import Encoding, by_code_points
from relume.io.xmp import CLIP, GAIN_MAP

MOST_BOXES = 10_000
GAIN_MAPS = (b"hdrgainmap", b"tmap")
"""What names an item, or an auxiliary one's type, that makes HDR of the main picture."""


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and body of each box, as far as they are whole."""
    at = 0
    for _ in range(MOST_BOXES):
        if at + 8 > len(data):
            return
        size, head = int.from_bytes(data[at : at + 4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        elif size == 0:
            size = len(data) - at
        if size < head or at + size > len(data):
            return
        yield data[at + 4 : at + 8], data[at + head : at + size]
        at += size


def child(data: bytes, *kinds: bytes) -> bytes:
    """The body of the first box of that path; empty if there is none."""
    for kind in kinds:
        data = next((body for found, body in boxes(data) if found == kind), b"")
        data = data[4:] if kind == b"meta" else data
    return data


def properties(data: bytes) -> list[tuple[bytes, bytes]]:
    """Kind and body of each property of the main picture."""
    meta = child(data, b"meta")
    there = _all_properties(meta)
    main = child(meta, b"pitm")
    wide = main[:1] != b"\0"
    item = int.from_bytes(main[4 : 8 if wide else 6], "big")
    links = child(meta, b"iprp", b"ipma")
    own = _links(links, item) if links else range(1, len(there) + 1)
    return [there[index - 1] for index in own if 0 < index <= len(there)]


def _all_properties(meta: bytes) -> list[tuple[bytes, bytes]]:
    return list(boxes(child(meta, b"iprp", b"ipco")))


def _links(links: bytes, item: int) -> list[int]:
    """The numbers of an item's properties, counted from 1 (the box "ipma")."""
    id_bytes, wide = (2 if links[0] < 1 else 4), links[3:4] > b"\0" and links[3] & 1
    at, step = 8, 2 if wide else 1
    for _ in range(min(int.from_bytes(links[4:8], "big"), MOST_BOXES)):
        found, count = int.from_bytes(links[at : at + id_bytes], "big"), links[at + id_bytes :][:1]
        at += id_bytes + 1
        end = at + step * int.from_bytes(count, "big")
        if found == item:
            numbers = (links[n : n + step] for n in range(at, end, step))
            return [int.from_bytes(n, "big") & (0x7FFF if wide else 0x7F) for n in numbers]
        at = end
    return []


def encoding_of(data: bytes) -> Encoding | None:
    """What the main picture's colour box says in code points (nclx); None if there is none.

    Of a picture made of tiles it may be the tiles that have the box.
    """
    for kind, body in (*properties(data), *_all_properties(child(data, b"meta"))):
        if kind == b"colr" and body[:4] == b"nclx" and len(body) >= 10:
            return by_code_points(
                int.from_bytes(body[4:6], "big"), int.from_bytes(body[6:8], "big")
            )
    return None


def is_deep(data: bytes) -> bool:
    """Whether an AVIF's main picture has more than 8 bits a channel (the box "av1C")."""
    return any(kind == b"av1C" and body[2:3] and body[2] & 0x40 for kind, body in properties(data))


def left_out(data: bytes) -> tuple[str, ...]:
    """What the file holds beside the picture: a phone's clip, a gain map."""
    meta = child(data, b"meta")
    items = (child(meta, b"iinf"), child(meta, b"iprp"))
    found = []
    if any(kind == b"mpvd" for kind, _ in boxes(data)):
        found.append(CLIP)
    if any(name in part for part in items for name in GAIN_MAPS):
        found.append(GAIN_MAP)
    return tuple(found)
