"""What faces look like: the statistics of 68 points that landmarks in the dark are held to.

    python benchmarks/face_shapes.py FOLDER ... [-o face-shapes.npz]

FOLDERs hold bright photographs. Every face that YuNet is sure of gets Peppa's points, in units of
the detector's box and of that box moved a little, as boxes found in the dark are. Written are the
mean and the largest axes of variation. No labels are read and no photograph is kept.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import relume
from relume.faces import box_around, detectors, landmarkers
from relume.faces.base import Box
from relume.faces.refit import to_shape
from relume.io import READABLE_SUFFIXES

SURE, SMALLEST_PX = 0.85, 48.0
AXES, COPIES, MOVED = 15, 2, 0.03


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, default=Path("face-shapes.npz"))
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    detector = detectors().create("yunet", {"threshold": SURE})
    landmarker = landmarkers().create("peppa")
    shapes = []
    for folder in options.folders:
        for file in sorted(p for p in folder.rglob("*") if p.suffix.lower() in READABLE_SUFFIXES):
            image = relume.read(file).pixels
            for face in detector(image):
                if min(np.subtract(face.box[2:], face.box[:2])) < SMALLEST_PX:
                    continue
                points = landmarker(image, face.box)
                for box in (face.box, box_around(points)):
                    shapes += [to_shape(points, _moved(box, rng)) for _ in range(COPIES)]
    values = np.array(shapes)
    mean = values.mean(axis=0)
    _, sizes, axes = np.linalg.svd(values - mean, full_matrices=False)
    scaled = axes[:AXES] * sizes[:AXES, None] / np.sqrt(len(values) - 1)
    np.savez(options.output, mean=mean.astype(np.float32), axes=scaled.astype(np.float32))
    kept = (sizes[:AXES] ** 2).sum() / (sizes**2).sum()
    print(f"{len(values)} shapes, {kept:.1%} of their variance in {AXES} axes -> {options.output}")


def _moved(box: Box, rng: np.random.Generator) -> Box:
    x0, y0, x1, y1 = box
    width, height = x1 - x0, y1 - y0
    dx, dy, larger = rng.normal(0, MOVED, 3)
    return (
        x0 + (dx - larger / 2) * width,
        y0 + (dy - larger / 2) * height,
        x1 + (dx + larger / 2) * width,
        y1 + (dy + larger / 2) * height,
    )


if __name__ == "__main__":
    main()
