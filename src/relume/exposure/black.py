"""The black point: what a camera records where there is no light, and what is left without it.

Phones lift the blacks of nearly black photographs, by a colour of their own: red 14, green 3, blue
14 of 255 with ten levels of light above. Multiplied, that is a grey or purple fog. So it is taken
off, channel by channel, before anything is multiplied; white stays white.

**It is read with evidence**, because the darkest place of most photographs is not the camera's
black: it may be a wall, haze, or the colour of a lamp. A level is the camera's as far as

* the darkest places of *different parts* of the frame agree in it,
* nothing lies below it,
* it is no more than cameras lift blacks by, and
* it is a good part of all that was recorded. Of a lit photograph it is not, and there is nothing to
  gain; of a red-lit one the red rises with the light, from part to part.

Each is a smooth step, and the level is multiplied with all of them, so that nothing jumps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from relume.exposure import constants as c
from relume.image.exposure import smoothstep
from relume.image.filters import fit_within
from relume.image.parallel import map_row_blocks
from relume.photo import Image

LEVELS = 255.0

BlackLevel = str | float | Sequence[float]
"""How a black is given: ``"auto"``, one number of 255, or red, green and blue."""


@dataclass(frozen=True)
class Black:
    """The black level of each channel, in [0, 1) of encoded values; 0 where there is none."""

    red: float = 0.0
    green: float = 0.0
    blue: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Black:
        """Red, green and blue of 255, ``"14,3,14"``, or one number for all, checked already."""
        levels = [float(part) / LEVELS for part in text.split(",")]
        return cls(*(levels * 3 if len(levels) == 1 else levels))

    def __bool__(self) -> bool:
        return any(self.levels)

    @property
    def levels(self) -> tuple[float, float, float]:
        """Red, green and blue in [0, 1)."""
        return self.red, self.green, self.blue

    def __str__(self) -> str:
        return ",".join(f"{level * LEVELS:.3g}" for level in self.levels)

    def off(self, image: Image) -> Image:
        """``image`` (H, W, 3) without it: 0 at the level and below, white where it was white."""
        if not self:
            return image
        level = np.array(self.levels, np.float32)
        scale = 1 / (1 - level)

        def subtract(rows: Image) -> Image:
            return np.asarray(np.maximum(rows - level, 0) * scale, np.float32)

        return map_row_blocks(subtract, image)


NO_BLACK = Black()


def black_text(given: BlackLevel) -> str:
    """A black as text, however it was given: what the option is checked as."""
    if isinstance(given, str):
        return given
    numbers = [given] if isinstance(given, int | float) else given
    return ",".join(f"{number:g}" for number in numbers)


def read_black(image: Image) -> Black:
    """The black level of a photo (H, W, 3), as far as there is evidence that it has one."""
    cells = _without_bars(fit_within(image, c.PARTED_SIDE_PX))
    if min(cells.shape[:2]) < c.PARTS:
        return NO_BLACK
    darkest = np.stack([_darkest(part) for part in parts(cells)])
    level = np.sort(darkest, axis=0)[1]
    most = float(level.max())
    light = float((cells.mean(axis=(0, 1)) - level).sum()) / max(float(level.sum()), 1e-6)
    share = smoothstep(most, *c.BLACK_LIFTED) * (1 - smoothstep(most, *c.BLACK_MOST))
    share *= smoothstep(light, *c.BLACK_SHOWS) * (1 - smoothstep(light, *c.BLACK_LIGHT))
    if share == 0:
        return NO_BLACK
    agreeing = (
        darkest <= level + np.float32(c.BLACK_APART) + np.float32(c.BLACK_APART_SHARE) * level
    ).sum(axis=0)
    share *= smoothstep(float(agreeing.min()), *c.BLACK_AGREEING)
    share *= smoothstep(float(cells.min(axis=(0, 1)).sum() / level.sum()), *c.BLACK_BELOW)
    return Black(*(max(float(one) - c.BLACK_LEFT, 0.0) * share for one in level))


def parts(cells: Image) -> list[Image]:
    """A frame (h, w, ...), parted into equal ones."""
    rows = np.array_split(cells, c.PARTS, axis=0)
    return [part for row in rows for part in np.array_split(row, c.PARTS, axis=1)]


def _darkest(part: Image) -> Image:
    """(3,): what the darkest cells of a part do not exceed, channel by channel."""
    values = np.sort(part.reshape(-1, 3), axis=0)
    return np.asarray(values[math.ceil(c.BLACK_DARKEST * (len(values) - 1))], np.float32)


def _without_bars(cells: Image) -> Image:
    """What is left without rows and columns of one value at the border; all, if that is nothing."""
    most = cells.max(axis=2)
    rows, columns = (np.flatnonzero(np.ptp(most, axis=axis) > c.BLACK_BAR_RANGE) for axis in (1, 0))
    if min(len(rows), len(columns)) < c.PARTS:
        return cells
    return cells[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
