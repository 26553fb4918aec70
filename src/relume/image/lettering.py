"""Words on pictures, in the font that comes with Pillow."""

from __future__ import annotations

from functools import cache
from typing import TypeAlias, cast

import numpy as np
import PIL.Image
from PIL import ImageDraw, ImageFont

from relume.photo import Image

Colour: TypeAlias = tuple[int, int, int]


@cache
def font(size_px: int) -> ImageFont.FreeTypeFont:
    """Pillow's own font in a size."""
    return cast(ImageFont.FreeTypeFont, ImageFont.load_default(size_px))


def text_size(words: str, face: ImageFont.FreeTypeFont) -> tuple[int, int]:
    """Width and height of a line of words; the height is the font's, the same for all words."""
    ascent, descent = face.getmetrics()
    return round(face.getlength(words)), ascent + descent


def fitted(words: str, face: ImageFont.FreeTypeFont, width_px: int) -> str:
    """The words on one line, cut with an ellipsis if they are wider than ``width_px``."""
    words = " ".join(words.split())
    if text_size(words, face)[0] <= width_px:
        return words
    cut = len(words)
    while cut and text_size(words[:cut].rstrip() + "...", face)[0] > width_px:
        cut -= 1
    return words[:cut].rstrip() + "..." if cut else ""


def text_mask(words: str, face: ImageFont.FreeTypeFont, height: int, width: int) -> Image:
    """The words in the middle of a plane (height, width), as a share of ink in [0, 1]."""
    plane = PIL.Image.new("L", (width, height))
    # middle of the capitals, so that descenders do not lift the line
    capitals = face.getbbox("X")
    y = (height - (capitals[3] - capitals[1])) / 2 - capitals[1]
    x = (width - face.getlength(words)) / 2
    ImageDraw.Draw(plane).text((round(x), round(y)), words, 255, font=face)
    return np.asarray(plane, np.float32) / np.float32(255)


def lettered(ground: Image, words: str, face: ImageFont.FreeTypeFont, colour: Colour) -> Image:
    """``ground`` with the words in its middle."""
    share = text_mask(words, face, *ground.shape[:2])[:, :, None]
    ink = np.asarray(colour, np.float32) / np.float32(255)
    return np.asarray(ground + share * (ink - ground), np.float32)
