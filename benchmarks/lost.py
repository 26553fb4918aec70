"""Where faces are lost in the dark: by size, sharpness and how sure the detector was when bright.

    python benchmarks/lost.py FDDB/images FDDB/ellipses.csv [-k 0.01] [--step 5] [--seed 3]

Every face of the labels that the bright photograph shows is looked for again in the dark, on one
relit view (``original,machine@1``) and as ``relume.detect_faces`` does. About 12 minutes for 112
photographs on two cores.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

import relume
from relume.faces import Face
from relume.image.darken import darken
from relume.metrics.detection import ellipse_box_iou
from relume.photo import Image
from relume.study.dataset import Ellipse, find_pictures, read_labels

WAYS = {
    "one relit view": ("original", "machine@1"),
    "as detect_faces does": ("original", "machine"),
}
FAINT = 0.3
OVERLAP = 0.5


@dataclass(frozen=True)
class Looked:
    """A face that the bright photograph shows, and the best score at its place in the dark."""

    size_px: float
    sharpness: float
    bright: float
    dark: dict[str, float]


def score_at(faces: list[Face], ellipse: Ellipse) -> float:
    """The best score of those that overlap the ellipse enough; 0 if none does."""
    if not faces:
        return 0.0
    near = ellipse_box_iou([ellipse], [face.box for face in faces])[0] >= OVERLAP
    return max((f.score for f, hit in zip(faces, near, strict=True) if hit), default=0.0)


def sharpness(image: Image, box: tuple[float, ...]) -> float:
    """The deviation of a face's Laplacian at 48 px over that of its grey levels."""
    x0, y0, x1, y1 = (max(round(value), 0) for value in box)
    grey = cv2.cvtColor(np.ascontiguousarray(image[y0:y1, x0:x1]), cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (48, 48), interpolation=cv2.INTER_AREA)
    return float(cv2.Laplacian(small, cv2.CV_32F).std() / max(float(small.std()), 1e-3))


def table(title: str, looked: list[Looked], of: Callable[[Looked], float], *edges: float) -> None:
    print(f"| {title} | n | " + " | ".join(f"{way} | of it faint" for way in WAYS) + " |")
    print("|---|---:|" + "---:|---:|" * len(WAYS))
    for low, high in zip((-np.inf, *edges), (*edges, np.inf), strict=True):
        here = [face for face in looked if low <= of(face) < high]
        if not here:
            continue
        text = f"{low:g} to {high:g}".replace("-inf to", "below").replace(" to inf", " and more")
        print(f"| {text} | {len(here)} |", end="")
        for way in WAYS:
            scores = np.array([face.dark[way] for face in here])
            faint = ((scores >= FAINT) & (scores < 0.6)).mean()
            print(f" {(scores >= 0.6).mean():.2f} | {faint:.2f} |", end="")
        print()
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("-k", type=float, default=0.01)
    parser.add_argument("--step", type=int, default=5, help="take every so-manyeth")
    parser.add_argument("--seed", type=int, default=3)
    options = parser.parse_args()
    known = read_labels(options.labels, find_pictures(options.pictures)).faces
    looked, wrong = [], dict.fromkeys(("bright", *WAYS), 0)
    names = sorted(known)[:: options.step]
    for number, name in enumerate(names):
        bright = relume.read(options.pictures / name).pixels
        dark = darken(bright, options.k, np.random.default_rng((options.seed, number)))
        ellipses = [face.ellipse for face in known[name] if face.ellipse is not None]
        seen = relume.detect_faces(bright, threshold=FAINT)
        found = {way: relume.detect_faces(dark, threshold=FAINT, views=WAYS[way]) for way in WAYS}
        for way, faces in (("bright", seen), *found.items()):
            sure = [face for face in faces if face.score >= 0.6]
            wrong[way] += len(sure) - sum(score_at(sure, e) > 0 for e in ellipses)
        for true in known[name]:
            assert true.ellipse is not None, "the labels are FDDB's"
            at = score_at(seen, true.ellipse)
            x0, _, x1, _ = true.box
            if at >= 0.6 and min(x1, bright.shape[1]) - max(x0, 0) > 4:
                scores = {way: score_at(faces, true.ellipse) for way, faces in found.items()}
                looked.append(Looked(x1 - x0, sharpness(bright, true.box), at, scores))
    print(
        f"{len(looked)} faces of {len(names)} photographs, k = {options.k:g}: share found again, "
    )
    print(f"and with a score of {FAINT:g} to 0.6 only\n")
    table("width, px", looked, lambda face: face.size_px, 20, 30, 45, 70, 110)
    table("sharpness", looked, lambda face: face.sharpness, 0.4, 0.6, 0.8, 1.0)
    table("score when bright", looked, lambda face: face.bright, 0.8, 0.88, 0.92)
    rates = ", ".join(f"{way} {count / len(names):.3f}" for way, count in wrong.items())
    print(f"false alarms per photograph: {rates}")


if __name__ == "__main__":
    main()
