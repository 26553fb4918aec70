"""What a JPEG file says of itself: whole or cut off, its quality, its chroma subsampling."""

from __future__ import annotations

import numpy as np

STANDARD_LUMA_SUM = 3688
"""Sum of the luminance table of the JPEG standard (Annex K), which is IJG quality 50."""


def is_whole(data: bytes) -> bool:
    """Whether the picture's data goes on to its end marker.

    Inside the entropy-coded data an 0xFF is always followed by a zero or a restart marker, so an
    end marker behind the first scan's start is the picture's own, not a thumbnail's.
    """
    start = scan_start(data)
    return start is not None and data.find(b"\xff\xd9", start) >= 0


def scan_start(data: bytes) -> int | None:
    """Offset of the first start-of-scan marker, segments walked one by one; None without one."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xDA:
            return at
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def quality_of(tables: dict[int, list[int]]) -> int | None:
    """The IJG quality (1-100) whose luminance table is nearest in sum to the file's."""
    if not tables:
        return None
    wanted = sum(tables[min(tables)])
    qualities = np.arange(1, 101)
    scale = np.where(qualities < 50, 5000 // qualities, 200 - 2 * qualities)
    sums = np.maximum(scale / 100 * STANDARD_LUMA_SUM, 64)
    return int(qualities[np.abs(sums - wanted).argmin()])
