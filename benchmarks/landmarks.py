"""Landmarks in the dark: their error by light, and whether a landmarker knows its own.

    python benchmarks/landmarks.py LFPW/test [--landmarks relume,peppa] [-n 112] [--seed 9]

The folder holds photographs with one labelled face, 68 points beside each (``.csv`` or ``.pts``).
Boxes are those around the points, and the same off by 5 % (standard deviation) as a detector's in
the dark are. The points are placed as ``relume detect`` does. Of a landmarker that says how far off
its points may be: the share of points nearer than the median and the 90 % quantile that it gives.
The last table is the error of the first by clarity, which ``relume detect`` expects of the others.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np

import relume
from relume.errors import RelumeError
from relume.faces import box_around, landmarkers, parse_views, place_landmarks, render_views
from relume.faces.base import Box, Placed, SureLandmarker
from relume.faces.quality import quality
from relume.image.darken import darken
from relume.io.points import points_beside, read_points
from relume.metrics.landmarks import nme

LEVELS = 1.0, 0.3, 0.1, 0.03, 0.01, 0.005
OFF = 0.05
CLARITY = 0.0, 0.3, 0.6, 1.0, 2.0, 4.0, 8.0, 1e9
QUANTILES = {0.5: 1.678, 0.9: 3.890}
"""Of the distance over s, where its density is r exp(-r / s) / s^2: 1 - (1 + q) exp(-q)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("portraits", type=Path)
    parser.add_argument("--landmarks", default="relume,peppa")
    parser.add_argument("--levels", default=",".join(f"{k:g}" for k in LEVELS))
    parser.add_argument("-n", type=int, default=112, help="photographs")
    parser.add_argument("--step", type=int, default=1, help="take every so-manyeth")
    parser.add_argument("--seed", type=int, default=9)
    options = parser.parse_args()
    names = options.landmarks.split(",")
    levels = [float(k) for k in options.levels.split(",")]
    try:
        places = {name: landmarkers().create(*landmarkers().parse(name)) for name in names}
    except RelumeError as error:
        parser.error(str(error))
    one = all(isinstance(place, SureLandmarker) for place in places.values())
    looks = parse_views(("original",) if one else ("original", "machine"))
    files = sorted(options.portraits.glob("*.jpg"))[:: options.step][: options.n]
    errors: dict[tuple[str, float], list[float]] = defaultdict(list)
    nearer: dict[tuple[str, float], list[float]] = defaultdict(list)
    seconds: dict[str, float] = defaultdict(float)
    seen: list[tuple[float, float]] = []
    for number, file in enumerate(files):
        labels = points_beside(file)
        if labels is None:
            parser.error(f"expected a file of points beside {file}")
        truth = read_points(labels)
        bright, true = relume.read(file).pixels, box_around(truth)
        boxes = {"": true, ", boxes off": moved(true, number)}
        for k in levels:
            dark = darken(bright, k, np.random.default_rng((options.seed, number)))
            views = list(render_views(looks, dark))
            clear = quality(dark, true)
            for name, place in places.items():
                began = time.perf_counter()
                placed = place_landmarks(views, list(boxes.values()), place)
                seconds[name] += (time.perf_counter() - began) / len(boxes)
                for how, points in zip(boxes, placed.points, strict=True):
                    errors[name + how, k].append(nme(points, truth))
                for quantile, reach in QUANTILES.items():
                    nearer[f"{name}, {quantile:.0%}", k] += within(placed, truth, reach)
                if clear is not None and name == names[0]:
                    seen.append((clear.clarity, errors[f"{name}, boxes off", k][-1]))
    print(f"NME in per cent, mean (median), n = {len(files)}, seed {options.seed}")
    print(f"  {'k':28}" + "".join(f"  {k:12g}" for k in levels))
    for name in dict.fromkeys(name for name, _ in errors):
        cells = (100 * np.array(errors[name, k]) for k in levels)
        row = "".join(f"  {cell.mean():5.1f} ({np.median(cell):4.1f})" for cell in cells)
        print(f"  {name:28}{row}")
    for name in dict.fromkeys(name for name, _ in nearer):
        if nearer[name, levels[0]]:
            shares = (float(np.mean(nearer[name, k])) for k in levels)
            print(f"  nearer than {name:16}" + "".join(f"  {share:12.2f}" for share in shares))
    for name, total in seconds.items():
        print(f"{name}: {1000 * total / len(files) / len(levels):.1f} ms a face")
    print("by clarity: mean NME, faces at any level")
    for low, high in pairwise(CLARITY):
        here = [error for clear, error in seen if low <= clear < high]
        if here:
            print(f"  {low:4g} to {high:<6g} {100 * np.mean(here):5.1f} %   n = {len(here)}")


def within(placed: Placed, truth: np.ndarray, reach: float) -> list[float]:
    """The share of the first face's points that are nearer than so many s; [] without a sigma."""
    if placed.sigma is None:
        return []
    distance = np.linalg.norm(placed.points[0] - truth, axis=1)
    return [float((distance < reach * placed.sigma[0] / 3**0.5).mean())]


def moved(box: Box, number: int) -> Box:
    """The box with every side off, as one found in the dark is."""
    x0, y0, x1, y1 = box
    left, top, right, bottom = np.random.default_rng((4, number)).normal(0, OFF, 4)
    width, height = x1 - x0, y1 - y0
    return (
        x0 + left * width,
        y0 + top * height,
        x1 + right * width,
        y1 + bottom * height,
    )


if __name__ == "__main__":
    main()
