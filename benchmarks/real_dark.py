"""Faces in real darkness: what is found in twelve photographs that nobody darkened.

    python benchmarks/real_dark.py FOLDER [--threshold 0.6]

``real-dark-faces.csv`` beside this script holds boxes drawn by us, on the relit photographs at
twice their size and more: every face that a person can tell for one and that is at least 12 px
wide, and nothing for heads seen from behind, dolls and helmets. The photographs are DARK FACE's and
LIME's and are not part of this project; they are recognised by their sha256. Half a minute on two
cores.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
from collections import defaultdict
from pathlib import Path

import relume
from relume.faces import detect
from relume.faces.base import Box
from relume.faces.search import iou

LABELS = Path(__file__).with_name("real-dark-faces.csv")
WAYS = {
    "the photograph alone": ("original",),
    "one relit view": ("original", "machine@1"),
    "as detect_faces does": ("original", "machine"),
}
OVERLAP = 0.3
"""Lower than elsewhere: boxes of 15 px, drawn by hand, are a pixel or two off on each side."""


def labels() -> dict[str, list[Box]]:
    """The boxes of every photograph by its sha256; none where it shows no face."""
    found: dict[str, list[Box]] = defaultdict(list)
    with LABELS.open(newline="") as stream:
        for row in csv.DictReader(stream):
            boxes = found[row["sha256"]]
            if row["x0"]:
                boxes.append(
                    (float(row["x0"]), float(row["y0"]), float(row["x1"]), float(row["y1"]))
                )
    return dict(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threshold", type=float, default=0.6)
    options = parser.parse_args()
    known = labels()
    files = {hashlib.sha256(f.read_bytes()).hexdigest(): f for f in options.folder.glob("*.*")}
    here = {digest: files[digest] for digest in known if digest in files}
    hits, wrong, total = dict.fromkeys(WAYS, 0), dict.fromkeys(WAYS, 0), 0
    for digest, file in here.items():
        photo = relume.read(file)
        total += len(known[digest])
        for way, views in WAYS.items():
            found = detect(photo, threshold=options.threshold, views=views)
            boxes = [face.box for face in found.faces]
            right = sum(any(iou(true, box) >= OVERLAP for box in boxes) for true in known[digest])
            hits[way] += right
            wrong[way] += len(boxes) - right
    print(f"{len(here)} of {len(known)} photographs are there, with {total} faces")
    for way in WAYS:
        print(f"  {way:22} {hits[way]} found, {wrong[way]} false alarms")


if __name__ == "__main__":
    main()
