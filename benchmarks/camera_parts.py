"""What each part of the camera costs, and which make a darkened photograph look like a real one.

    python benchmarks/camera_parts.py BRIGHT [--real DARK] [-n 14] [--k 0.03] [--seed 25]

BRIGHT holds photographs of a person each that nothing was trained on. Each is fitted into 512 px,
darkened (``image/darken.py``), relit to the mean level that it had, and compared with itself: PSNR,
CIEDE2000 (mean over the pixels), and whether frozen YuNet finds on the relit picture the face that
it finds on the bright one. A row is a part of the camera switched on alone, over a camera with
white Gaussian noise and a JPEG of quality 97, and left out of the camera that has all of them.
Noise and strengths are the same in every row.

With ``--real`` (a folder of photographs that nobody darkened, searched with its folders) the dark
pictures' statistics stand beside: black (mean over the channels of the .5 percentile) and its
colour (largest less least), both in levels; grain (energy of luma between 1 and 2 px over that
between 2 and 4, in the flattest quarter: white noise has the most), chroma over luma noise there,
and tiles (steps across the borders of 8 px tiles over other steps). ``far`` is how far the medians
lie from the real ones, in interquartile ranges of these, mean of the five.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from skimage.color import deltaE_ciede2000, rgb2lab

import relume
from relume.faces import detectors
from relume.faces.base import Box, Detector
from relume.faces.search import iou
from relume.image.color import rgb_to_ycbcr
from relume.image.darken import Camera, darken, planckian
from relume.image.exposure import mean_level
from relume.image.filters import box_filter, fit_within, gaussian_blur
from relume.image.sensor import SENSORS
from relume.io import READABLE_SUFFIXES
from relume.metrics.quality import psnr
from relume.photo import Image

SIDE_PX = 512
TILE_PX = 8
WINDOW_PX = 4
FLATTEST = 25.0
BLACKEST = 0.5
STATISTICS = ("black", "its colour", "grain", "chroma", "tiles")

PARTS: dict[str, dict[str, Any]] = {
    "lamp, half adapted": {"lamp": planckian(2850), "adapted": 0.5},
    "white balance off": {"red_error": 0.1, "blue_error": -0.1},
    "glare": {"glare": 0.03},
    "shading": {"shading": 0.35},
    "sensor's noise": {"sensor": 0},
    "raw of 12 bits": {"raw_bits": 12},
    "hot pixels": {"hot": 2e-5},
    "correlated noise": {"correlation_px": 0.7},
    "blotches": {"blotches": 0.25, "blotch_px": 6.0},
    "motion": {"motion_px": 3},
    "smoothed": {"smoothing": 12.0},
    "sharpened": {"sharpening": 0.5},
    "colour smoothed": {"chroma_px": 2.0},
    "black (8, 2, 8)": {"black": (8 / 255, 2 / 255, 8 / 255), "black_shading": 0.3},
    "JPEG of 75": {"jpeg_quality": 75},
    "JPEG again": {"again_quality": 75, "again_scale": 0.75},
}
"""Each in the middle of what ``Camera.draw_phone`` draws. A sensor has its own noise, which leaves
no room for correlation and blotches: those are part of a camera without it."""


def camera(names: list[str], number: int, seed: int) -> Camera:
    """The camera of a photograph, with these parts."""
    plain = replace(Camera.draw(np.random.default_rng((seed, number))), jpeg_quality=97)
    given: dict[str, Any] = {}
    for name in names:
        given |= PARTS[name]
    if "sensor" in given:
        given["sensor"] = number % len(SENSORS)
    return replace(plain, **given)


def rows() -> Iterator[tuple[str, list[str]]]:
    """The names of the rows and the parts that their cameras have."""
    yield "none", []
    yield "all", list(PARTS)
    for name in PARTS:
        yield f"alone: {name}", [name]
    for name in PARTS:
        yield f"without: {name}", [other for other in PARTS if other != name]


def largest_face(picture: Image, find: Detector) -> Box | None:
    boxes = [face.box for face in find(picture)]
    return max(boxes, key=lambda b: (b[2] - b[0]) * (b[3] - b[1]), default=None)


def statistics(dark: Image) -> list[float]:
    """The :data:`STATISTICS` of a dark picture in 8 bits."""
    levels = dark * np.float32(255)
    black = np.percentile(levels, BLACKEST, axis=(0, 1))
    planes = rgb_to_ycbcr(levels)
    bands = []
    for plane in np.moveaxis(planes, 2, 0):
        once, twice = (gaussian_blur(np.ascontiguousarray(plane), sigma) for sigma in (1.0, 2.0))
        bands.append([(plane - once) ** 2, (once - twice) ** 2])
    flatness = box_filter(bands[0][1], WINDOW_PX)
    lit = box_filter(np.ascontiguousarray(planes[:, :, 0]), WINDOW_PX) > black.mean() + 2
    flat = lit & (flatness <= np.percentile(flatness[lit], FLATTEST)) if lit.any() else ~lit
    fine, coarse = (float(band[flat].mean()) + 1e-3 for band in bands[0])
    colour = float(np.mean([chroma[0][flat].mean() for chroma in bands[1:]]))
    across = np.abs(np.diff(planes[:, :, 0], axis=1)).mean(axis=0)
    at = np.arange(len(across)) % TILE_PX == TILE_PX - 1
    tiles = (across[at].mean() + 1e-3) / (across[~at].mean() + 1e-3)
    return [
        float(black.mean()),
        float(np.ptp(black)),
        fine / coarse,
        float(np.sqrt(colour / fine)),
        float(tiles),
    ]


def middle(image: Image) -> Image:
    """The middle of a photograph, at a multiple of JPEG's tiles, as many pixels as it has."""
    top, left = (max(0, (side - SIDE_PX) // 2) // TILE_PX * TILE_PX for side in image.shape[:2])
    return image[top : top + SIDE_PX, left : left + SIDE_PX]


def files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in READABLE_SUFFIXES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bright", type=Path)
    parser.add_argument("--real", type=Path)
    parser.add_argument("-n", type=int, default=14, help="bright photographs, evenly chosen")
    parser.add_argument("--k", type=float, default=0.03, help="linear exposure")
    parser.add_argument("--seed", type=int, default=25)
    options = parser.parse_args()
    every = files(options.bright)
    find = detectors().create("yunet", {"threshold": 0.6})
    photos = []
    for file in every[:: max(1, len(every) // options.n)][: options.n]:
        bright = fit_within(relume.read(file).pixels, SIDE_PX)
        face = largest_face(bright, find)
        if face is not None:
            photos.append((bright, face))
    if not photos:
        parser.error(f"no photograph with a face in {options.bright}")
    print(f"{len(photos)} photographs at k = {options.k:g}, seed {options.seed}")
    print(f"{'':32}  PSNR  CIEDE  found" + "".join(f"{name:>12}" for name in STATISTICS) + "  far")
    real = None
    if options.real is not None:
        seen = np.array([statistics(middle(relume.read(f).pixels)) for f in files(options.real)])
        real = np.percentile(seen, [50, 25, 75], axis=0)
        line = "".join(f"{value:12.2f}" for value in real[0])
        print(f"{f'real, {len(seen)}':32}                     {line}")
    for name, parts in rows():
        values, dark_values = [], []
        for number, (bright, face) in enumerate(photos):
            rng = np.random.default_rng((options.seed, number))
            used = camera(parts, number, options.seed)
            dark = darken(bright, options.k, rng, camera=used)
            relit = relume.enhance(dark, brightness=mean_level(bright))
            error = float(deltaE_ciede2000(rgb2lab(bright), rgb2lab(relit)).mean())
            found = any(iou(f.box, face) >= 0.4 for f in find(relit))
            values.append((psnr(relit, bright), error, float(found)))
            dark_values.append(statistics(dark))
        got = np.median(dark_values, axis=0)
        line = "{:6.2f}{:7.2f}{:7.2f}".format(*np.mean(values, axis=0))
        line += "".join(f"{value:12.2f}" for value in got)
        if real is not None:
            ranges = np.maximum(real[2] - real[1], 1e-3)
            line += f"{np.mean(np.abs(got - real[0]) / ranges):5.2f}"
        print(f"{name:32}{line}", flush=True)


if __name__ == "__main__":
    main()
