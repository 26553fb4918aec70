"""Raw PSNR and SSIM of methods on pairs of dark and bright photographs.

    python benchmarks/quality.py --pairs LOL/eval --methods retinexnet,retinexnet:denoise=none
    python benchmarks/quality.py --pairs LOL/train --recipe recipes/retinexnet.toml

``--pairs`` holds ``low/`` and ``high/``. With ``--recipe`` only the recipe's validation scenes are
measured. ``--told`` hands every method that takes a brightness the reference's mean grey level:
those figures stand in a column of their own and are never comparable with the others.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import relume
from relume.enhancers import methods
from relume.image.exposure import mean_level
from relume.metrics.quality import psnr, psnr_gt_mean, ssim
from relume.photo import quantise
from relume.train.data import Pair, find_pairs, split
from relume.train.recipe import load


def pairs_of(folder: Path, recipe: Path | None) -> list[Pair]:
    if recipe is not None:
        loaded = load(recipe)
        return split([folder], loaded.data, loaded.seed)[1]
    read = [(name, relume.read(low), relume.read(high)) for name, low, high in find_pairs(folder)]
    return [
        Pair(n, n, quantise(a.pixels, np.uint8), quantise(b.pixels, np.uint8)) for n, a, b in read
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--recipe", type=Path)
    parser.add_argument("--methods", default="original,retinexnet:denoise=none,retinexnet")
    parser.add_argument("--told", action="store_true")
    options = parser.parse_args()
    pairs = pairs_of(options.pairs, options.recipe)
    print(f"{len(pairs)} pairs; raw PSNR in dB and SSIM, 8-bit results, lit areas not protected")
    print(f"{'method':36} {'PSNR':>7} {'SSIM':>7} {'PSNR, GT-mean':>14}")
    for spec in split_specs(options.methods):
        told = options.told and methods().info(spec.partition(":")[0]).takes_brightness
        rows = []
        for pair in pairs:
            high = pair.high.astype(np.float32) / np.float32(255)
            level = mean_level(high) if told else None
            out = relume.enhance(pair.low, method=spec, protect_lit=False, brightness=level)
            result = out.astype(np.float32) / np.float32(255)
            rows.append((psnr(result, high), ssim(result, high), psnr_gt_mean(result, high)))
        mean = np.mean(rows, axis=0)
        name = spec + (" (brightness told)" if told else "")
        print(f"{name:36} {mean[0]:7.2f} {mean[1]:7.4f} {mean[2]:14.2f}", flush=True)


def split_specs(text: str) -> list[str]:
    """Methods are separated by commas; parameters after the first one of a method by plus signs."""
    return [part.replace("+", ",") for part in text.split(",")]


if __name__ == "__main__":
    main()
