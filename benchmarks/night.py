"""What relume makes of a street at night: two pictures of the README, by the shipped weights.

    python benchmarks/night.py               # writes docs/images/local.jpg and paint.jpg

The street is drawn by formulas (night_scene.py), so nobody's photograph is needed.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import cv2
import numpy as np
from night_scene import HEIGHT_PX, WIDTH_PX, Floats, photograph

import relume
from relume.image import draw
from relume.image.color import luma
from relume.io import write
from relume.photo import Image, Photo

STROKES = 4
"""How often each line is painted."""


def local(photo: Image) -> Image:
    automatic = relume.enhance(photo)
    level = float(luma(automatic).mean())
    one = relume.enhance(photo, local=0, brightness=level)
    captions = ["the photo", "one exposure for all", "local exposure"]
    return draw.panels([photo, one, automatic], captions, height_px=620)


def stroke(points: list[tuple[float, float]], radius: float, shape: tuple[int, int]) -> Floats:
    """Half a stop along a line through ``points`` (shares of the sides), as the page's brush."""
    height, width = shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) + 0.5
    nearest = np.full(shape, np.inf, np.float32)
    for (ax, ay), (bx, by) in itertools.pairwise(points):
        for t in np.linspace(0, 1, 40):
            px, py = (ax + t * (bx - ax)) * width, (ay + t * (by - ay)) * height
            apart = ((x - px) ** 2 + (y - py) ** 2) / (radius * max(shape)) ** 2
            nearest = np.minimum(nearest, apart)
    return np.asarray(0.5 * np.clip(1 - nearest, 0, 1) ** 2, np.float32)


def paint(photo: Image) -> Image:
    """The photo, its automatic light, and light painted on the walker and the wall by two lines."""
    cells = (64, round(64 * WIDTH_PX / HEIGHT_PX))
    lines = (
        ([(0.56, 0.64), (0.56, 0.86)], 0.2),
        ([(0.13, 0.60), (0.14, 0.76)], 0.18),
    )
    strokes = [STROKES * stroke(points, radius, cells) for points, radius in lines]
    automatic = relume.enhance(photo)
    painted = relume.enhance(photo, exposure=np.sum(strokes, axis=0))
    over = cv2.resize(np.sum(strokes, axis=0), (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_CUBIC)
    share = np.clip(0.5 * over / over.max(), 0, 1)[..., None]
    shown = automatic * (1 - share) + np.array([1.0, 0.75, 0.38], np.float32) * share
    captions = ["the photo", "automatic", "two places painted", "lit there"]
    return draw.panels([photo, automatic, shown, painted], captions, height_px=520)


PICTURES = {"local": local, "paint": paint}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--out", type=Path, default=Path("docs/images"))
    options = parser.parse_args()
    photo = photograph()
    for name, make in PICTURES.items():
        picture = np.ascontiguousarray(np.clip(make(photo), 0, 1), dtype=np.float32)
        print(write(Photo(picture), options.out / f"{name}.jpg", overwrite=True, quality=88))


if __name__ == "__main__":
    main()
