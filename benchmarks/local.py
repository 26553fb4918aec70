"""Photographs with lit places: what the dark gains and what the lit keeps.

    python benchmarks/local.py --pairs SICE --recipe recipes/relume-4.toml
    python benchmarks/local.py --nights FOLDER [--side 1000]

``--pairs`` holds ``low/`` and ``high/``, two exposures of a scene; the reference is their exposure
fusion (Mertens, as OpenCV does it) and the method gets the under-exposed frame. With ``--recipe``
only scenes that it holds out are measured. ``--nights`` is a folder of night photographs without
references: how much lit detail they keep, and how bright they become; its folders are the sets.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import relume
from relume.image.exposure import mean_level
from relume.image.filters import downscale
from relume.io.formats import READABLE_SUFFIXES
from relume.metrics.quality import lit_detail, psnr, psnr_gt_mean, ssim
from relume.photo import Image, quantise
from relume.train.data import Pair, find_pairs, split
from relume.train.recipe import load

MOST_SIDE_PX = 100_000
ARMS: dict[str, dict[str, Any]] = {
    "original": {"method": "original"},
    "gamma 0.5": {"method": "gamma", "protect_lit": False},
    "fusion": {"method": "fusion"},
    "relume, one exposure": {"local": 0.0},
    "relume": {},
}


def floats(picture: Any) -> Image:
    return np.asarray(picture, np.float32) / np.float32(255)


def levels(file: Path, side_px: int = MOST_SIDE_PX) -> Any:
    """The photo as 8 bit, its longest side ``side_px`` at most."""
    image = relume.read(file).pixels
    height, width = image.shape[:2]
    scale = min(1.0, side_px / max(height, width))
    small = downscale(image, round(width * scale), round(height * scale)) if scale < 1 else image
    return quantise(small, np.uint8)


def fused(pair: Pair) -> Image:
    merged = cv2.createMergeMertens().process([pair.low, pair.high])
    return floats(quantise(np.clip(np.asarray(merged, np.float32), 0, 1), np.uint8))


def scenes(pairs: list[Pair]) -> None:
    print(f"{len(pairs)} scenes; reference: exposure fusion of both frames")
    print(f"{'':32} {'PSNR':>7} {'SSIM':>6} {'at its mean':>12} {'lit detail':>11}")
    for name, options in ARMS.items():
        for given in (False, True):
            if given and not name.startswith("relume"):
                continue
            rows = []
            for pair in pairs:
                reference = fused(pair)
                asked: dict[str, Any] = {"brightness": mean_level(reference)} if given else {}
                out = relume.enhance(pair.low, **options, **asked)
                result = floats(out)
                forgiving = psnr_gt_mean(result, reference)
                kept = lit_detail(floats(pair.low), result)
                rows.append((psnr(result, reference), ssim(result, reference), forgiving, kept))
            mean = np.mean(rows, axis=0)
            label = name + (", brightness given" if given else "")
            print(
                f"{label:32} {mean[0]:7.2f} {mean[1]:6.3f} {mean[2]:12.2f} {mean[3]:11.2f}",
                flush=True,
            )


def nights(folder: Path, side_px: int) -> None:
    """One row for each set, a folder of photographs, and method; the last rows are of all."""
    files = sorted(f for f in folder.rglob("*") if f.suffix.lower() in READABLE_SUFFIXES)
    rows: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for file in files:
        photo = levels(file, side_px)
        for name, options in ARMS.items():
            result = floats(relume.enhance(photo, **options))
            row = (lit_detail(floats(photo), result), mean_level(result))
            rows[file.parent.name, name].append(row)
            rows["all", name].append(row)
    print(f"{len(files)} night photographs, longest side {side_px} px at most")
    print(f"{'':12} {'n':>4} {'':22} {'lit detail':>11} {'keep .9':>8} {'mean level':>11}")
    for (group, name), measured in sorted(rows.items(), key=lambda row: row[0][0] == "all"):
        kept, level = np.array(measured).T
        print(
            f"{group:12} {len(kept):4} {name:22} {np.median(kept):11.2f} "
            f"{np.mean(kept >= 0.9):8.0%} {level.mean():11.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=Path)
    parser.add_argument("--recipe", type=Path)
    parser.add_argument("--nights", type=Path)
    parser.add_argument("--side", type=int, default=MOST_SIDE_PX, help="pixels, of the nights")
    options = parser.parse_args()
    if options.pairs and options.recipe:
        recipe = load(options.recipe)
        data = replace(recipe.data, scenes="", exclude=())
        scenes(split([options.pairs], data, recipe.seed)[1])
    elif options.pairs:
        scenes([Pair(n, n, levels(a), levels(b)) for n, a, b in find_pairs(options.pairs)])
    if options.nights:
        nights(options.nights, options.side)


if __name__ == "__main__":
    main()
