"""Blind pairs: two pictures of one photograph without names, a person's choice, and the table.

    python benchmarks/blind.py make OUT relume=RESULTS other=RESULTS third=RESULTS [--photos 24]
    python benchmarks/blind.py table OUT

A folder of RESULTS holds one picture a photograph; pictures of the same name (without ending, and
without relume's ``.relume``) are of one photograph. The first is compared with each of the others.
``make`` writes OUT/001.png, 002.png, ... with one picture left and the other right, in an order and
on sides drawn by the seed; OUT/answers.csv, to be filled in with left, right or same; and
OUT/key.csv, which says what is where: to be opened afterwards only. ``table`` gives the share that
was preferred of the pairs that were told apart, with Wilson's 95 % interval, and how many were not.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np

from relume.metrics.statistics import wilson_interval

CHOICES = ("left", "right", "same")
GAP_PX = 16


def pictures(folder: Path) -> dict[str, Path]:
    """The pictures of a folder by the photograph they show."""
    return {
        file.stem.removesuffix(".relume"): file
        for file in sorted(folder.iterdir())
        if file.suffix.lower() in {".png", ".jpg", ".jpeg", ".webp"}
    }


def beside(left: Path, right: Path, side: int) -> np.ndarray:
    """Both pictures at one size, a grey gap between them."""
    first, second = (cv2.imread(str(file)) for file in (left, right))
    if first is None or second is None:
        sys.exit(f"expected pictures, cannot read {left if first is None else right}")
    scale = min(1.0, side / max(first.shape[:2]))
    size = (max(1, round(first.shape[1] * scale)), max(1, round(first.shape[0] * scale)))
    first, second = (cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in (first, second))
    gap = np.full((size[1], GAP_PX, 3), 128, np.uint8)
    return np.hstack([first, gap, second])


def make(out: Path, named: list[str], photos: int, side: int, seed: int) -> None:
    """The pairs, the sheet for the answers, and the key."""
    folders = {}
    for text in named:
        name, found, folder = text.partition("=")
        if not found or not Path(folder).is_dir():
            sys.exit(f"expected NAME=FOLDER of results, got {text!r}")
        folders[name] = pictures(Path(folder))
    ours, *others = folders
    if not others:
        sys.exit("expected at least two folders of results, to compare the first with the others")
    rng = np.random.default_rng(seed)
    pairs = []
    for other in others:
        both = sorted(folders[ours].keys() & folders[other].keys())
        for index in rng.permutation(len(both))[:photos]:
            sides = (ours, other) if rng.random() < 0.5 else (other, ours)
            pairs.append((both[int(index)], *sides))
    if not pairs:
        sys.exit("the folders have no photograph in common: their names differ")
    out.mkdir(parents=True, exist_ok=False)
    order = rng.permutation(len(pairs))
    with (out / "key.csv").open("w", newline="") as key, (out / "answers.csv").open("w") as sheet:
        writer = csv.writer(key)
        writer.writerow(["pair", "photo", "left", "right", "first"])
        sheet.write("pair,choice\n")
        for number, index in enumerate(order, 1):
            photo, left, right = pairs[int(index)]
            picture = beside(folders[left][photo], folders[right][photo], side)
            cv2.imwrite(str(out / f"{number:03}.png"), picture)
            writer.writerow([f"{number:03}", photo, left, right, ours])
            sheet.write(f"{number:03},\n")
    print(f"{len(pairs)} pairs in {out}; fill in {out / 'answers.csv'} with {', '.join(CHOICES)}")


def table(out: Path) -> None:
    """The share in which the first method was preferred to each other one."""
    with (out / "key.csv").open(newline="") as stream:
        key = {row["pair"]: row for row in csv.DictReader(stream)}
    with (out / "answers.csv").open(newline="") as stream:
        answers = {row["pair"]: row["choice"].strip() for row in csv.DictReader(stream)}
    allowed = (*CHOICES, "")
    wrong = [f"{pair}: {choice}" for pair, choice in answers.items() if choice not in allowed]
    if wrong or answers.keys() - key.keys():
        sys.exit(f"expected {', '.join(CHOICES)} for pairs of the key, got {', '.join(wrong)}")
    ours = next(iter(key.values()))["first"]
    counts: dict[str, list[float]] = defaultdict(list)
    for pair, choice in answers.items():
        if not choice:
            continue
        row = key[pair]
        mine = "left" if row["left"] == ours else "right"
        other = row["right" if mine == "left" else "left"]
        value = 0.5 if choice == "same" else float(choice == mine)
        counts[other].append(value)
        counts["all"].append(value)
    print(f"{ours} preferred to, of {len(counts['all'])} of {len(key)} pairs that were judged")
    for other, values in sorted(counts.items(), key=lambda item: item[0] == "all"):
        won, told = values.count(1.0), len(values) - values.count(0.5)
        low, high = wilson_interval(won, told)
        share = won / told if told else float("nan")
        print(
            f"  {other:16} {share:4.0%} of {told:3} ({low:.0%}-{high:.0%}), "
            f"{len(values) - told} the same"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    doing = parser.add_subparsers(dest="doing", required=True)
    making = doing.add_parser("make")
    making.add_argument("out", type=Path)
    making.add_argument("results", nargs="+", help="NAME=FOLDER, the first is compared with all")
    making.add_argument("--photos", type=int, default=24, help="pairs with each other method")
    making.add_argument("--side", type=int, default=768, help="longer side of a picture, pixels")
    making.add_argument("--seed", type=int, default=0)
    doing.add_parser("table").add_argument("out", type=Path)
    options = parser.parse_args()
    if options.doing == "table":
        table(options.out)
    else:
        make(options.out, options.results, options.photos, options.side, options.seed)


if __name__ == "__main__":
    main()
