"""Faces in the dark: what more views find, and what they cost.

    python benchmarks/faces.py                                   # cost alone
    python benchmarks/faces.py --portraits LFPW/test [-n 56] [--step 2] [--seed 7]

Cost is time over that of the detector alone on the same photograph, in this run: a bright one and
a nearly black one (k = 0.01) of 1 MP, made of scikit-image's astronaut. ``--portraits`` holds
photographs with one labelled face, 68 points beside each (``x,y`` CSV): they are darkened, and
recall is the share whose face is found (IoU of at least 0.5 with the box around the points, score
0.6).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from skimage import data
from timing import median_s, ratio

import relume
from relume.engine.cpu import cpu_flags
from relume.errors import RelumeError
from relume.faces import box_around, detectors
from relume.faces.base import Box
from relume.faces.search import iou
from relume.image.darken import darken
from relume.photo import Image, to_image

SETTINGS = {
    "original": "original",
    "one view": "machine@1",
    "cheap": "original,machine@0.5",
    "two views": "original,machine@1",
    "default": "",
}
LEVELS = 1.0, 0.3, 0.1, 0.03, 0.01, 0.005
SIDE_PX = 1000
THRESHOLD, OVERLAP = 0.6, 0.5


def costs(detector: str, runs: int) -> None:
    bright = cv2.resize(
        to_image(data.astronaut()), (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC
    ).clip(0, 1)
    dark = darken(bright, 0.01, np.random.default_rng(0))
    alone = detectors().create(detector, {"threshold": THRESHOLD})
    print(f"times the cost of {detector} alone, 1 MP; CPU flags: {' '.join(cpu_flags())}")
    base = [median_s(lambda image=image: alone(image), runs) for image in (bright, dark)]  # type: ignore[misc]
    print(f"  {'alone':9} bright {base[0]:.3f} s   dark {base[1]:.3f} s")
    for name, views in SETTINGS.items():
        ratios = [
            ratio(lambda: find(image, detector, views), lambda: alone(image), runs)  # noqa: B023
            for image in (bright, dark)
        ]
        what = views or "what the detector needs"
        print(f"  {name:9} bright {ratios[0]:4.2f} x   dark {ratios[1]:5.2f} x   ({what})")


def find(image: Image, detector: str, views: str) -> list[relume.Face]:
    return relume.detect_faces(
        image, detector=detector, threshold=THRESHOLD, views=views.split(",") if views else None
    )


def portraits(folder: Path, most: int, step: int) -> list[tuple[Image, Box]]:
    found = []
    for path in sorted(folder.glob("*.jpg"))[::step][:most]:
        points = np.loadtxt(path.with_suffix(".csv"), delimiter=",", skiprows=1)
        found.append((relume.read(path).pixels, box_around(points)))
    return found


def recall(faces: Sequence[tuple[Image, Box]], detector: str, seed: int) -> None:
    print(f"recall, n = {len(faces)}, seed {seed}; in brackets: faces found besides")
    print(f"  {'':9}" + "".join(f"  k = {k:<9g}" for k in LEVELS))
    rows: dict[str, str] = dict.fromkeys(SETTINGS, "")
    for k in LEVELS:
        hits, others = dict.fromkeys(SETTINGS, 0), dict.fromkeys(SETTINGS, 0)
        for number, (image, box) in enumerate(faces):
            dark = darken(image, k, np.random.default_rng((seed, number)))
            for name, views in SETTINGS.items():
                boxes = [face.box for face in find(dark, detector, views)]
                hit = any(iou(box, other) >= OVERLAP for other in boxes)
                hits[name] += hit
                others[name] += len(boxes) - hit
        for name in SETTINGS:
            rows[name] += f"  {hits[name] / len(faces):.3f} ({others[name]:2d})  "
    for name, row in rows.items():
        print(f"  {name:9}{row}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--portraits", type=Path)
    parser.add_argument("--detector", default="yunet")
    parser.add_argument("-n", type=int, default=56, help="photographs")
    parser.add_argument("--step", type=int, default=2, help="take every so-manyeth")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--runs", type=int, default=5, help="of each timing; 0: none")
    options = parser.parse_args()
    try:
        if options.runs:
            costs(options.detector, options.runs)
        if options.portraits:
            faces = portraits(options.portraits, options.n, options.step)
            recall(faces, options.detector, options.seed)
    except RelumeError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
