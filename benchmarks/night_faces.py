"""Faces in photographs of dark places: what a detector finds before and after they are relit.

    python benchmarks/night_faces.py FOLDER [--side 1000] [--sheet crops.png] [--labels boxes.csv]

The detector is YuNet as it is, at its threshold; ``as detect_faces does`` looks at the photograph
and a view of it made for machines. The folders in FOLDER are the sets. ``--labels`` holds boxes
that a person has judged, as lines ``file,x0,y0,x1,y1,face`` (pixels at that side; face 1 or 0): a
detection that overlaps one is counted as a face or a false alarm. What no line says anything of is
written to the file with an empty last column, and shown by ``--sheet``, numbered, to be judged.
Two minutes for 100 photographs on two cores.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from local import ARMS as ALL_ARMS
from local import floats, levels

import relume
from relume.faces import detect, detectors
from relume.faces.base import Box
from relume.faces.search import iou
from relume.io.formats import READABLE_SUFFIXES
from relume.photo import Image, quantise

ARMS = {name: options for name, options in ALL_ARMS.items() if name != "fusion"}
OVERLAP = 0.3
"""Lower than elsewhere: boxes of 15 px are a pixel or two off on each side."""
TWO_VIEWS = "as detect_faces does"
CROP_PX, COLUMNS = 110, 12


@dataclass
class Seen:
    """A place that some way takes for a face: its file, box and what a person says of it."""

    file: str
    box: Box
    face: str = ""


def read_labels(labels: Path | None) -> list[Seen]:
    if not labels or not labels.exists():
        return []
    with labels.open(newline="") as stream:
        return [
            Seen(file, (float(x0), float(y0), float(x1), float(y1)), face)
            for file, x0, y0, x1, y1, face in list(csv.reader(stream))[1:]
        ]


def write_labels(file: Path, seen: Sequence[Seen]) -> None:
    with file.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(("file", "x0", "y0", "x1", "y1", "face"))
        rows.writerows((s.file, *(round(v, 1) for v in s.box), s.face) for s in seen)


def crop(picture: Image, box: Box, number: int) -> Image:
    """The box and as much again around it, its number below."""
    x0, y0, x1, y1 = box
    half = max(x1 - x0, y1 - y0)
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    scale = CROP_PX / (2 * half)
    move = np.array([[scale, 0, CROP_PX / 2 - scale * x], [0, scale, CROP_PX / 2 - scale * y]])
    shown = cv2.warpAffine(picture, move, (CROP_PX, CROP_PX), flags=cv2.INTER_LINEAR)
    corner, white = int(CROP_PX / 2 - scale * half / 2), (1.0, 1.0, 1.0)
    opposite = CROP_PX - corner
    cv2.rectangle(shown, (corner, corner), (opposite, opposite), white, 1)
    below = np.zeros((14, CROP_PX, 3), np.float32)
    cv2.putText(below, str(number), (2, 11), cv2.FONT_HERSHEY_SIMPLEX, 0.4, white, 1)
    return np.vstack([shown, below])


def ways(photo: Image) -> tuple[dict[str, list[Box]], Image]:
    """The boxes that each way finds, and the relit photo."""
    alone = detectors().create("yunet")
    found, relit = {}, floats(photo)
    for name, options in ARMS.items():
        relit = floats(relume.enhance(photo, **options))
        found[name] = [face.box for face in alone(relit)]
    found[TWO_VIEWS] = [face.box for face in detect(photo).faces]
    return found, relit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--side", type=int, default=1000)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--labels", type=Path)
    options = parser.parse_args()
    files = sorted(f for f in options.folder.rglob("*") if f.suffix.lower() in READABLE_SUFFIXES)
    known = read_labels(options.labels)
    counts: Counter[tuple[str, str, str]] = Counter()
    photos = Counter(group for f in files for group in (f.parent.name, "all"))
    tiles: list[tuple[Seen, Image]] = []
    for file in files:
        found, relit = ways(levels(file, options.side))
        here = [seen for seen in known if seen.file == file.name]
        for name, boxes in found.items():
            for box in boxes:
                near = max(here, key=lambda seen: iou(seen.box, box), default=None)
                if near is None or iou(near.box, box) < OVERLAP:
                    near = Seen(file.name, box)
                    here.append(near)
                    known.append(near)
                if not near.face and near not in (tile[0] for tile in tiles):
                    tiles.append((near, crop(relit, near.box, known.index(near))))
                for group in (file.parent.name, "all"):
                    counts[group, name, near.face] += 1
    print(f"{'':12} {'photos':>6} {'':22} {'faces':>6} {'false alarms':>13} {'not judged':>11}")
    for group in sorted(photos, key=lambda group: group == "all"):
        for name in (*ARMS, TWO_VIEWS):
            right, wrong, unknown = (counts[group, name, kind] for kind in ("1", "0", ""))
            print(f"{group:12} {photos[group]:6} {name:22} {right:6} {wrong:13} {unknown:11}")
    if options.labels:
        write_labels(options.labels, known)
    if options.sheet and tiles:
        shown = [tile for _, tile in tiles]
        shown += [np.zeros_like(shown[0])] * (-len(shown) % COLUMNS)
        rows = [np.hstack(shown[n : n + COLUMNS]) for n in range(0, len(shown), COLUMNS)]
        sheet = quantise(np.clip(np.vstack(rows), 0, 1).astype(np.float32), np.uint8)
        cv2.imwrite(str(options.sheet), sheet[:, :, ::-1])


if __name__ == "__main__":
    main()
