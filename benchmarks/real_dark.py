"""Real darkness: faces at equal false alarms, fog, holes, and what JPEG does, set by set.

    python benchmarks/real_dark.py FOLDER LABELS.csv [--rows rows.jsonl] [--sets nearblack,darkface]
    python benchmarks/real_dark.py FOLDER benchmarks/real-dark-faces.csv
    python benchmarks/real_dark.py WIDER_VAL wider --split wider_face_val.mat [--drop drop.txt]

FOLDER/<set>/<image> are photographs that nobody darkened. LABELS holds a row a face or ignored
region (``set,image,width,height,x0,y0,x1,y1,flags``; one row with an empty box for a photograph
without any), in pixels of the upright photograph; what is flagged ``ignore`` or ``small`` is
neither required nor false. ``real-dark-faces.csv`` beside this script holds boxes drawn by us in
twelve photographs of DARK FACE and LIME, which are known by their sha256. WIDER is read from its
own annotations and counts the *dim* faces: at least 20 px, of a mean grey level below 50 of 255.

Each photograph is fitted into ``--side`` pixels and searched by frozen YuNet, or another detector,
in four ways: as it is, relit for people, relit for machines, and as ``detect_faces`` does. Found
is what is found at ``--rate`` false alarms a photograph (the threshold follows from the false boxes
of all sets that are asked for, so that each way pays the same) and at the default threshold of .6;
the publications' photographs are never part of this project. Rows are kept, so that a run goes on
where it was stopped.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import relume
from relume.faces import detect
from relume.faces.base import Box
from relume.image.darken import through_jpeg
from relume.metrics.detection import Scored, found_at_false_alarms
from relume.metrics.quality import agreement, fog, holes
from relume.photo import Image

LOWEST = 0.3
DIM, LEAST_PX = 50 / 255, 20
PULLED, QUALITY = 0.4, 70
"""The brightness that is asked for to see what falls apart, and the quality it is compared at."""


@dataclass
class Labelled:
    """A photograph's place, its set, its faces and what does not count."""

    kind: str
    file: Path
    faces: list[Box] = field(default_factory=list)
    ignored: list[Box] = field(default_factory=list)


def files(folder: Path) -> list[Path]:
    """The photographs in a folder."""
    return [file for file in sorted(folder.glob("*.*")) if file.is_file()]


def labelled(folder: Path, table: Path) -> Iterator[Labelled]:
    """The photographs of a table of labels."""
    rows: dict[Path, Labelled] = {}
    digests: dict[str, Path] = {}
    with table.open(newline="") as stream:
        for row in csv.DictReader(stream):
            if "sha256" in row:
                digests = digests or {sha256(f.read_bytes()).hexdigest(): f for f in files(folder)}
                kind, file = "twelve", digests.get(row["sha256"], folder / row["sha256"])
            else:
                kind, file = row["set"], folder / row["set"] / row["image"]
            photo = rows.setdefault(file, Labelled(kind, file))
            if not row["x0"]:
                continue
            x0, y0, x1, y1 = (float(row[name]) for name in ("x0", "y0", "x1", "y1"))
            free = {"ignore", "small"} & set(row.get("flags", "").split())
            (photo.ignored if free else photo.faces).append((x0, y0, x1, y1))
    yield from rows.values()


def wider(folder: Path, split: Path, drop: Path | None) -> Iterator[Labelled]:
    """WIDER's photographs in ``folder`` that hold a dim face; other faces are ignored."""
    from scipy.io import loadmat

    dropped = (
        {tuple(line.split("\t")[:2]) for line in drop.read_text().splitlines()} if drop else ()
    )
    there = {file.stem: file for file in folder.rglob("*.jpg")}
    data = loadmat(split)
    for names, boxes, invalid in zip(
        data["file_list"].ravel(),
        data["face_bbx_list"].ravel(),
        data["invalid_label_list"].ravel(),
        strict=True,
    ):
        for name, rows, bad in zip(names.ravel(), boxes.ravel(), invalid.ravel(), strict=True):
            stem = str(name.item())
            if stem not in there or (stem, "*") in dropped:
                continue
            photo = Labelled("wider", there[stem])
            grey = np.asarray(cv2.imread(str(there[stem]), cv2.IMREAD_GRAYSCALE))
            for (x, y, w, h), unusable in zip(rows, bad.ravel(), strict=True):
                box = (float(x), float(y), float(x + w), float(y + h))
                inside = grey[max(y, 0) : y + h, max(x, 0) : x + w]
                dim = max(w, h) >= LEAST_PX and inside.size and inside.mean() < DIM * 255
                out = unusable or not dim or (stem, f"{x},{y},{w},{h}") in dropped
                (photo.ignored if out else photo.faces).append(box)
            if photo.faces:
                yield photo


def relit(image: Image) -> Image:
    return relume.enhance(image, expose_for="scene")


def looked_at(image: Image, detector: str, *views: str) -> Any:
    return detect(image, detector=detector, threshold=LOWEST, views=views or None)


WAYS: dict[str, Callable[[Image, str], Any]] = {
    "photograph": lambda image, detector: looked_at(image, detector, "original"),
    "relit": lambda image, detector: looked_at(relit(image), detector, "original"),
    "machine": lambda image, detector: looked_at(image, detector, "machine"),
    "default": looked_at,
}


def measured(
    photo: Labelled, side: int, ways: list[str], detector: str, pictures: bool
) -> dict[str, Any]:
    """One photograph's row: what each way found, and what relighting made of it."""
    image = relume.read(photo.file).pixels
    scale = min(1.0, side / max(image.shape[:2]))
    if scale < 1:
        size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
        image = np.clip(cv2.resize(image, size, interpolation=cv2.INTER_AREA), 0, 1)
    faces, ignored = (np.multiply(b, scale) for b in (photo.faces, photo.ignored))
    row: dict[str, Any] = {"set": photo.kind, "image": photo.file.name, "ways": {}}
    for way in ways:
        found = WAYS[way](image, detector).faces
        boxes, scores = [f.box for f in found], [f.score for f in found]
        scored = Scored.of(boxes, scores, faces, ignored)
        row["ways"][way] = {"best": scored.best.tolist(), "false": scored.false.tolist()}
    if pictures:
        row["fog"] = fog(image, relit(image))
        pulled = relume.enhance(image, brightness=PULLED, expose_for="scene")
        again = relume.enhance(through_jpeg(image, QUALITY), brightness=PULLED, expose_for="scene")
        row["holes"], row["agreement"] = holes(pulled), agreement(again, pulled)
    return row


def table(rows: list[dict[str, Any]], rate: float) -> None:
    """Faces found / false alarms a photograph, and the pictures, by set and over all."""
    sets: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        sets[row["set"]].append(row)
    ways = list(rows[0]["ways"])
    print(f"found at {rate} false alarms a photograph | found at .6 / false alarms a photograph")
    print(f"{'set':14}{'n':>5}{'faces':>6}  " + "".join(f"{way:>22}" for way in ways))
    for kind, chosen in [*sets.items(), ("all", rows)]:
        cells = []
        faces = sum(len(row["ways"][ways[0]]["best"]) for row in chosen)
        for way in ways:
            scored = [
                Scored(np.array(row["ways"][way]["best"]), np.array(row["ways"][way]["false"]))
                for row in chosen
            ]
            best = np.concatenate([s.best for s in scored])
            false = sum(int((s.false >= 0.6).sum()) for s in scored) / len(scored)
            at = found_at_false_alarms(scored, rate)
            cells.append(f"{at:9.2f} |{int((best >= 0.6).sum()):4d} /{false:5.2f}")
        print(f"{kind:14}{len(chosen):5d}{faces:6d}  " + "".join(f"{cell:>22}" for cell in cells))
    if "fog" not in rows[0]:
        return
    print(
        f"\nfog: median | asked for {PULLED}: holes, worst | JPEG q {QUALITY} against PNG, blurred"
    )
    for kind, chosen in [*sets.items(), ("all", rows)]:
        veil, hole, near = (
            np.array([row[name] for row in chosen]) for name in ("fog", "holes", "agreement")
        )
        print(
            f"{kind:14}{np.median(veil) * 255:7.1f} |{hole.mean():8.2%}{hole.max():8.2%} |"
            f"{near[np.isfinite(near)].mean():7.1f} dB"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("labels", help="the table of labels, or 'wider'")
    parser.add_argument("--split", type=Path, help="WIDER's wider_face_val.mat")
    parser.add_argument("--drop", type=Path, help="WIDER's photographs and boxes to leave out")
    parser.add_argument("--sets", default="", help="only these, with commas")
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--detector", default="yunet", help="yunet, relume or another")
    parser.add_argument("--side", type=int, default=1280, help="longer side, pixels")
    parser.add_argument("--rate", type=float, default=0.25, help="false alarms a photograph")
    parser.add_argument("--rows", type=Path, help="where rows are kept, one JSON object a line")
    parser.add_argument("--faces-only", action="store_true", help="no fog, holes and JPEG")
    options = parser.parse_args()
    wanted = set(filter(None, options.sets.split(",")))
    if options.labels == "wider":
        photos = list(wider(options.folder, options.split, options.drop))
    else:
        photos = list(labelled(options.folder, Path(options.labels)))
    photos = [photo for photo in photos if not wanted or photo.kind in wanted]
    rows: list[dict[str, Any]] = []
    if options.rows and options.rows.exists():
        rows = [json.loads(line) for line in options.rows.read_text().splitlines()]
    done = {(row["set"], row["image"]) for row in rows}
    for photo in photos:
        if (photo.kind, photo.file.name) in done or not photo.file.exists():
            continue
        ways = options.ways.split(",")
        row = measured(photo, options.side, ways, options.detector, not options.faces_only)
        rows.append(row)
        if options.rows:
            with options.rows.open("a") as stream:
                stream.write(json.dumps(row) + "\n")
    print(f"{len(rows)} of {len(photos)} photographs are there")
    if rows:
        table(rows, options.rate)


if __name__ == "__main__":
    main()
