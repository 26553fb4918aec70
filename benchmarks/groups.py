"""Who is found in the dark: faces by skin, age and gender, and the colour of their skin.

    python benchmarks/groups.py FACES --people ground_truth.json [--step 3] [-o report]
    python benchmarks/groups.py FACES --detectors relume --arms original --levels 0.01 --seed 12

FACES holds bright photographs of one person each. The largest face that YuNet finds in each is the
true one; then ``relume study`` darkens, searches and compares, and its report lies in the folder.
``--people`` is a JSON list of ``filename``, ``age`` and ``gender``, as FairFace's test images at
github.com/thlaiquid-ai/demographic-test-images have it (CC BY 4.0). ``--colour`` adds CIEDE2000 of
the cheeks, of ``relume.enhance``'s result against the bright photograph. About 20 minutes for 270
faces at four levels on two cores, 5 more for the colours.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from skimage.color import deltaE_ciede2000, rgb2lab

import relume
from relume import study
from relume.errors import RelumeError
from relume.faces import detectors as catalogue
from relume.faces.base import Box
from relume.image.darken import darken
from relume.io import READABLE_SUFFIXES
from relume.metrics.skin import ACROSS, DOWN, skin_angle, skin_group
from relume.photo import Image
from relume.study.by_group import ByGroup

ARMS = "machine,original+machine"
DETECTOR = "yunet"


def label(folder: Path, step: int, people: dict[str, dict[str, str]], file: Path) -> list[str]:
    """Write the true faces with their groups; the names of the photographs without one."""
    find = catalogue().create(DETECTOR, {"threshold": 0.6})
    names = sorted(p.name for p in folder.iterdir() if p.suffix.lower() in READABLE_SUFFIXES)
    missed = []
    with file.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["image", "x0", "y0", "x1", "y1", "group:gender", "group:age"])
        for name in names[::step]:
            faces = find(relume.read(folder / name).pixels)
            if not faces:
                missed.append(name)
                continue
            box = max((face.box for face in faces), key=lambda b: (b[2] - b[0]) * (b[3] - b[1]))
            person = people.get(name, {})
            groups = [person.get("gender", "").lower(), person.get("age", "")]
            rows.writerow([name, *(f"{value:.1f}" for value in box), *groups])
    return missed


def show(
    groups: ByGroup, detector: str, levels: Sequence[float | None], arms: Sequence[str]
) -> None:
    """Shares found by group, the widest gaps, and the differences at equal light."""
    for grouping, names in groups.order.items():
        print(f"\n## {grouping}, found by {detector}\n")
        print(f"| {grouping} | n |" + "".join(f" {a}, k = {k:g} |" for a in arms for k in levels))
        print("|---|---:|" + "---:|" * (len(arms) * len(levels)))
        for name in names:
            cells = [groups.cell(grouping, name, detector, k, arm) for arm in arms for k in levels]
            shares = (f" {c.rate:.3f} ({c.low:.2f}-{c.high:.2f}) |" for c in cells)
            print(f"| {name} | {cells[0].n} |" + "".join(shares))
        gaps = [groups.gap(grouping, detector, k, arm) for arm in arms for k in levels]
        texts = ("" if g is None else f"{g.gap.value:.3f} ({g.gap.low:.2f}-{g.gap.high:.2f})"
                 for g in gaps)  # fmt: skip
        print("| widest gap | |" + "".join(f" {text} |" for text in texts))
        for arm in arms:
            print(f"\nat equal light, {arm} (share found less that of all others):")
            for e in groups.equal_light:
                mine = (e.grouping, e.detector, e.arm) == (grouping, detector, arm)
                if mine and e.difference is not None:
                    d = e.difference
                    print(f"  {e.group:12} {d.value:+.3f} ({d.low:+.3f} to {d.high:+.3f})")


def colours(labels: Path, folder: Path, levels: Sequence[float], seed: int) -> None:
    """CIEDE2000 of the cheeks by skin group: medians, as they are and at the bright lightness."""
    found: dict[tuple[str, float], list[tuple[float, float]]] = defaultdict(list)
    with labels.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for number, row in enumerate(rows):
        bright = relume.read(folder / row["image"]).pixels
        box: Box = (float(row["x0"]), float(row["y0"]), float(row["x1"]), float(row["y1"]))
        group = skin_group(skin_angle(bright, box))
        true = cheeks(bright, box)
        for k in levels:
            dark = darken(bright, k, np.random.default_rng((seed, number)))
            got = cheeks(relume.enhance(dark), box)
            level = np.array([true[0], *got[1:]])
            pair = (deltaE_ciede2000(true, got), deltaE_ciede2000(true, level))
            found[group, k].append((float(pair[0]), float(pair[1])))
    print(
        "\n## CIEDE2000 of the cheeks, medians: as they are / at the bright photograph's lightness"
    )
    for (group, k), pairs in sorted(found.items()):
        raw, level = np.median(pairs, axis=0)
        print(f"  {group:12} k = {k:<5g} {raw:5.1f} / {level:4.1f}   n = {len(pairs)}")


def cheeks(image: Image, box: Box) -> np.ndarray:
    """CIELAB of the median colour in the middle of a face."""
    x0, y0, x1, y1 = box
    rows, columns = (
        slice(
            max(int(low + share[0] * (high - low)), 0), max(int(low + share[1] * (high - low)), 1)
        )
        for low, high, share in ((y0, y1, DOWN), (x0, x1, ACROSS))
    )
    return np.asarray(rgb2lab(np.median(image[rows, columns], axis=(0, 1))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("faces", type=Path)
    parser.add_argument("--people", type=Path)
    parser.add_argument("--step", type=int, default=1, help="take every so-manyeth")
    parser.add_argument("--detectors", default=DETECTOR, help="compared, such as yunet,haar")
    parser.add_argument("--arms", default=ARMS, help="shown, such as original for one look")
    parser.add_argument("--levels", default="1,0.03,0.01,0.005")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--colour", action="store_true")
    parser.add_argument("-o", "--output", type=Path, default=Path("who-is-found"))
    options = parser.parse_args()
    people = {} if options.people is None else json.loads(options.people.read_text())
    options.output.mkdir(parents=True, exist_ok=True)
    labels = options.output / "labels.csv"
    missed = label(options.faces, options.step, {p["filename"]: p for p in people}, labels)
    if missed:
        print(f"not found when bright, left out: {', '.join(missed)}")
    levels = tuple(float(part) for part in options.levels.split(","))
    detectors = tuple(options.detectors.split(","))
    arms = tuple(options.arms.split(","))
    plan = study.Plan(
        pictures=options.faces, report=options.output / "report", arms=arms, darken=levels,
        detectors=detectors, labels=labels, seed=options.seed, examples=0,
        groups=("skin", "gender", "age") if people else ("skin",), title="Who is found in the dark",
    )  # fmt: skip
    try:
        report = study.run(plan, processes=options.jobs)
    except RelumeError as error:
        parser.error(str(error))
    print(report.answer)
    assert report.table.groups is not None
    for detector in detectors:
        show(report.table.groups, detector, plan.levels, arms)
    if options.colour:
        colours(labels, options.faces, [k for k in levels if k < 1], options.seed)


if __name__ == "__main__":
    main()
