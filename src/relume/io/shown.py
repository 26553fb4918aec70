"""A decoded frame of a clip as a player shows it: upright, and HDR as SDR."""

from __future__ import annotations

from typing import Any

import numpy as np

from relume.image.tonemap import HLG, PEAK_NITS, PQ, ToneMap
from relume.io.demux import library, note_once
from relume.photo import Array

HDR = {16: PQ, 18: HLG}
"""Transfer curves (ITU-T H.273) whose values are no sRGB."""
PRIMARIES = {1: "bt709", 9: "bt2020", 11: "p3", 12: "p3"}
SDR_TAGS = (1, 1, 1, 1)
"""Primaries, transfer, matrix and range of BT.709, as numbers of H.273."""


class Shown:
    """Called with each frame; ``notes`` gets what the user should know.

    ``is_hdr`` is whether the last frame was, ``is_turned`` whether its sides are exchanged.
    """

    def __init__(self, notes: list[str]) -> None:
        self._notes = notes
        self._maps: dict[tuple[str, str, float], ToneMap] = {}
        self.is_hdr = self.is_turned = False

    def __call__(self, frame: Any) -> Array:
        """The frame as RGB (H, W, 3), by the matrix and range that it says it has.

        uint8, or for more than 8 bits uint16.
        """
        if frame.format.name.startswith(("yuva", "rgba", "bgra", "argb", "gbrap", "ya")):
            note_once(self._notes, "the clip's transparency is dropped")
        transfer = HDR.get(frame.color_trc)
        self.is_hdr = transfer is not None
        deep = self.is_hdr or max(c.bits for c in frame.format.components) > 8
        if deep:
            pixels = np.asarray(frame.to_ndarray(format="rgb48le"))
        else:
            # as it comes, swscale rounds 8 bits down: a level and more is lost in the dark
            how = library().video.reformatter.Interpolation
            exactly = how.BILINEAR | how.ACCURATE_RND | how.FULL_CHR_H_INT
            pixels = np.asarray(frame.to_ndarray(format="rgb24", interpolation=exactly))
        if transfer is not None:
            note_once(self._notes, f"it is HDR ({transfer}): shown as SDR, highlights rolled off")
            key = (transfer, PRIMARIES.get(frame.color_primaries, "bt2020"), _peak_nits(frame))
            if key not in self._maps:
                self._maps = {key: ToneMap(transfer, primaries=key[1], peak_nits=key[2])}
            pixels = self._maps[key](pixels)
        matrix = frame.side_data.get("DISPLAYMATRIX")
        self.is_turned = matrix is not None and _exchanges(_numbers(matrix))
        return pixels if matrix is None else upright(pixels, _numbers(matrix))


def upright(pixels: Array, matrix: Array) -> Array:
    """The picture as the display matrix (9 numbers, FFmpeg's order) shows it, by whole quarters.

    A pixel (x, y) is shown at (m0 x + m3 y, m1 x + m4 y).
    """
    if _exchanges(matrix):
        pixels, along, down = pixels.transpose(1, 0, 2), matrix[3], matrix[1]
    else:
        along, down = matrix[0], matrix[4]
    pixels = pixels[:, ::-1] if along < 0 else pixels
    return np.ascontiguousarray(pixels[::-1] if down < 0 else pixels)


def _exchanges(matrix: Array) -> bool:
    """Whether it makes columns of rows."""
    a, b, _, c, d = (abs(float(value)) for value in matrix[:5])
    return b + c > a + d


def _numbers(side_data: Any) -> Array:
    return np.frombuffer(bytes(side_data), np.int32)


def _peak_nits(frame: Any) -> float:
    """The brightest that the clip says it holds, else that of its mastering display."""
    level = frame.side_data.get("CONTENT_LIGHT_LEVEL")
    if level is not None and (most := float(_numbers(level)[0])) > 0:  # MaxCLL
        return most
    display = frame.side_data.get("MASTERING_DISPLAY_METADATA")
    if display is not None:
        numbers = _numbers(display)  # 8 + 1 + 1 fractions, the last the most, then two flags
        if numbers[21] and numbers[19] > 0 and numbers[18] > 0:
            return float(numbers[18] / numbers[19])
    return PEAK_NITS
