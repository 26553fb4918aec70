"""Landmarks in the dark: their error on one view and on the face relit for itself, by light.

    python benchmarks/landmarks.py LFPW/test [-n 112] [--step 1] [--seed 9]

The folder holds photographs with one labelled face, 68 points beside each (``x,y`` CSV). Boxes are
those around the points, and the same off by 5 % (standard deviation) as a detector's in the dark
are. The second table is the error by the face's clarity, which ``relume detect`` expects of it.
About 15 minutes for 112 photographs on two cores.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np

import relume
from relume.errors import RelumeError
from relume.faces import box_around, landmarkers, parse_views, place_landmarks, render_views
from relume.faces.base import Box
from relume.faces.quality import quality
from relume.image.darken import darken
from relume.metrics.landmarks import nme

LEVELS = 1.0, 0.3, 0.1, 0.03, 0.01, 0.005
OFF = 0.05
CLARITY = 0.0, 0.3, 0.6, 1.0, 2.0, 4.0, 8.0, 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("portraits", type=Path)
    parser.add_argument("--landmarks", default="peppa")
    parser.add_argument("-n", type=int, default=112, help="photographs")
    parser.add_argument("--step", type=int, default=1, help="take every so-manyeth")
    parser.add_argument("--seed", type=int, default=9)
    options = parser.parse_args()
    errors: dict[tuple[str, float], list[float]] = defaultdict(list)
    seen: list[tuple[float, float]] = []
    try:
        place = landmarkers().create(*landmarkers().parse(options.landmarks))
    except RelumeError as error:
        parser.error(str(error))
    files = sorted(options.portraits.glob("*.jpg"))[:: options.step][: options.n]
    for number, file in enumerate(files):
        truth = np.loadtxt(file.with_suffix(".csv"), delimiter=",", skiprows=1)
        bright, true = relume.read(file).pixels, box_around(truth)
        for k in LEVELS:
            dark = darken(bright, k, np.random.default_rng((options.seed, number)))
            views = list(render_views(parse_views(("original", "machine")), dark))
            for name, box in (("", true), (", boxes off", moved(true, number))):
                one = nme(place_landmarks(views[1:], [box], place).points[0], truth)
                both = nme(place_landmarks(views, [box], place).points[0], truth)
                errors[f"one view{name}", k].append(one)
                errors[f"relit for itself{name}", k].append(both)
            clear = quality(dark, true)
            if clear is not None:
                seen.append((clear.clarity, errors["relit for itself, boxes off", k][-1]))
    print(f"NME in per cent, mean (median), n = {len(files)}, seed {options.seed}")
    for name in dict.fromkeys(name for name, _ in errors):
        cells = (100 * np.array(errors[name, k]) for k in LEVELS)
        row = "".join(f"  {cell.mean():5.1f} ({np.median(cell):4.1f})" for cell in cells)
        print(f"  {name:28}{row}")
    print("by clarity: mean NME, faces at any level")
    for low, high in pairwise(CLARITY):
        here = [error for clear, error in seen if low <= clear < high]
        if here:
            print(f"  {low:4g} to {high:<6g} {100 * np.mean(here):5.1f} %   n = {len(here)}")


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
