"""A picture for the demo: scikit-image's astronaut, or a scene made from formulas."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from relume.photo import Image, to_image

HEIGHT_PX, WIDTH_PX = 400, 600
Colour: TypeAlias = tuple[float, float, float]


def sample() -> tuple[Image, str]:
    """A bright picture and what it is called; the same one at every call."""
    try:
        from skimage import data
    except ImportError:
        return scene(), "a drawn scene"
    return to_image(data.astronaut()), "scikit-image's astronaut"


def scene() -> Image:
    """A landscape with a house and a colour chart: smooth, textured and sharp parts."""
    rng = np.random.default_rng(68)
    y, x = np.mgrid[0:HEIGHT_PX, 0:WIDTH_PX].astype(np.float32)
    y, x = y / HEIGHT_PX, x / WIDTH_PX
    image = _mix((0.42, 0.62, 0.90), (0.96, 0.88, 0.78), np.clip(y / 0.6, 0, 1))
    image = _paint(image, np.hypot((x - 0.78) * 1.5, y - 0.2) < 0.07, (1.0, 0.93, 0.70))
    for height, depth, colour in (
        (0.52, 0.06, (0.45, 0.55, 0.62)),
        (0.62, 0.04, (0.36, 0.52, 0.34)),
    ):
        ridge = height + depth * np.sin(x * 9 + height * 40) + 0.4 * depth * np.sin(x * 31)
        image = _paint(image, y > ridge, colour)
    meadow = y > 0.72 + 0.01 * np.sin(x * 12)
    grain = rng.normal(0, 0.05, y.shape).astype(np.float32)
    image = np.where(meadow[..., None], _rgb((0.46, 0.60, 0.28)) + grain[..., None], image)
    image = _house(image, x, y)
    return np.ascontiguousarray(np.clip(image, 0, 1), dtype=np.float32)


def _house(image: Image, x: Image, y: Image) -> Image:
    bricks = ((np.floor(y * 60) + np.floor(x * 40 + 0.5 * (np.floor(y * 60) % 2))) % 2) * 0.05
    wall = (abs(x - 0.3) < 0.13) & (y > 0.5) & (y < 0.84)
    image = np.where(wall[..., None], _rgb((0.78, 0.42, 0.33)) + bricks[..., None], image)
    image = _paint(
        image, (y > 0.36) & (y < 0.5) & (abs(x - 0.3) < (y - 0.36) * 1.15), (0.35, 0.24, 0.24)
    )
    for left in (0.22, 0.33):
        pane = (x > left) & (x < left + 0.05) & (y > 0.57) & (y < 0.68)
        image = _paint(image, pane, (0.80, 0.90, 0.95))
    image = _paint(image, (abs(x - 0.3) < 0.025) & (y > 0.72) & (y < 0.84), (0.30, 0.20, 0.14))
    chart = (
        (0.9, 0.9, 0.9),
        (0.5, 0.5, 0.5),
        (0.8, 0.2, 0.2),
        (0.2, 0.7, 0.3),
        (0.2, 0.3, 0.8),
        (0.9, 0.8, 0.2),
    )
    for place, colour in enumerate(chart):
        left = 0.56 + 0.06 * place
        image = _paint(image, (x > left) & (x < left + 0.055) & (y > 0.82) & (y < 0.92), colour)
    return image


def _rgb(colour: Colour) -> Image:
    return np.array(colour, np.float32)


def _mix(one: Colour, other: Colour, share: Image) -> Image:
    mixed = _rgb(one) * (1 - share[..., None]) + _rgb(other) * share[..., None]
    return np.asarray(mixed, np.float32)


def _paint(image: Image, where: npt.NDArray[np.bool_], colour: Colour) -> Image:
    return np.where(where[..., None], _rgb(colour), image)
