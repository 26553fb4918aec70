"""Raw PSNR and SSIM of methods on pairs of dark and bright photographs.

    python benchmarks/quality.py --pairs LOL/eval --methods retinexnet,retinexnet:denoise=none
    python benchmarks/quality.py --pairs LOL/train --recipe recipes/retinexnet.toml

``--pairs`` holds ``low/`` and ``high/``. With ``--recipe`` only the recipe's validation scenes are
measured. ``--told`` hands every method that takes a brightness the reference's mean grey level:
those figures stand in a column of their own and are never comparable with the others.

    python benchmarks/quality.py --pairs LOL/train --recipe recipes/relume-4.toml --blended
    python benchmarks/quality.py --noise POLYU

``--blended`` asks how robust methods are to how dark a photo is: the input is low + t (high - low),
the reference's brightness is given. ``--noise`` holds ``noisy/`` and ``mean/`` (the mean of many
exposures, the reference) under equal names: the noisy one, made as dark as a factor of its light
says, is relit to the mean level of the reference. ``--local 0`` is one exposure for a whole photo.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import relume
from relume.enhancers import methods
from relume.image.color import linear_to_srgb, srgb_to_linear
from relume.image.exposure import mean_level
from relume.metrics.quality import psnr, psnr_gt_mean, ssim
from relume.photo import Array, Image, quantise
from relume.train.data import Pair, find_pairs, split
from relume.train.recipe import load

BLENDS = 0.0, 0.05, 0.1, 0.2, 0.3, 0.5
LIGHT = 1.0, 0.3, 0.1, 0.03, 0.01


def pairs_of(folder: Path, recipe: Path | None) -> list[Pair]:
    if recipe is not None:
        loaded = load(recipe)
        return split([folder], loaded.data, loaded.seed)[1]
    read = [(name, relume.read(low), relume.read(high)) for name, low, high in find_pairs(folder)]
    return [
        Pair(n, n, quantise(a.pixels, np.uint8), quantise(b.pixels, np.uint8)) for n, a, b in read
    ]


def told(picture: Image, reference: Image, spec: str, local: float | None) -> Image:
    """The method's result in 8-bit levels, the reference's brightness given if it takes one."""
    info = methods().info(spec.partition(":")[0])
    level = mean_level(reference) if info.takes_brightness else None
    local = local if info.takes_local else None
    dark = quantise(picture, np.uint8)
    options: dict[str, Any] = {
        "method": spec,
        "protect_lit": False,
        "brightness": level,
        "local": local,
    }
    return floats(relume.enhance(dark, **options))


def floats(levels: Array) -> Image:
    return levels.astype(np.float32) / np.float32(255)


def blended(pairs: list[Pair], specs: list[str], local: float | None) -> None:
    print(f"{len(pairs)} pairs; input low + t (high - low), brightness given; PSNR in dB / SSIM")

    def inputs(t: float) -> Iterator[tuple[Image, Image]]:
        for pair in pairs:
            low, high = floats(pair.low), floats(pair.high)
            yield low + np.float32(t) * (high - low), high

    table(specs, {f"t = {t:<8g}": partial(inputs, t) for t in BLENDS}, local)


def real_noise(folder: Path, specs: list[str], local: float | None, most: int) -> None:
    files = sorted((folder / "mean").iterdir())
    files = files[:: max(1, len(files) // most)][:most]
    print(f"{len(files)} pairs of real noise, darkened; PSNR in dB / SSIM, brightness given")

    def inputs(k: float) -> Iterator[tuple[Image, Image]]:
        for file in files:
            noisy = folder / "noisy" / file.name
            photo, reference = (relume.read(path).pixels for path in (noisy, file))
            yield linear_to_srgb(srgb_to_linear(photo) * np.float32(k)), reference

    table(specs, {f"light {k:<6g}": partial(inputs, k) for k in LIGHT}, local)


def table(
    specs: list[str],
    columns: dict[str, Callable[[], Iterator[tuple[Image, Image]]]],
    local: float | None,
) -> None:
    """A row a method; a column is the mean over its pairs of input and reference."""
    print(f"{'method':24}" + "".join(f"   {title}" for title in columns))
    for spec in specs:
        row = f"{spec:24}"
        for inputs in columns.values():
            rows = []
            for dark, reference in inputs():
                result = told(dark, reference, spec, local)
                rows.append((psnr(result, reference), ssim(result, reference)))
            mean = np.mean(rows, axis=0)
            row += f"  {mean[0]:5.2f} / {mean[1]:.3f}"
        print(row, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=Path)
    parser.add_argument("--blended", action="store_true")
    parser.add_argument("--noise", type=Path)
    parser.add_argument("--local", type=float)
    parser.add_argument("-n", type=int, default=100, help="pairs of real noise")
    parser.add_argument("--recipe", type=Path)
    parser.add_argument("--methods", default="original,retinexnet:denoise=none,retinexnet")
    parser.add_argument("--told", action="store_true")
    options = parser.parse_args()
    specs = split_specs(options.methods)
    if options.noise:
        real_noise(options.noise, specs, options.local, options.n)
    if not options.pairs:
        return
    pairs = pairs_of(options.pairs, options.recipe)
    if options.blended:
        blended(pairs, specs, options.local)
        return
    print(f"{len(pairs)} pairs; raw PSNR in dB and SSIM, 8-bit results, lit areas not protected")
    print(f"{'method':36} {'PSNR':>7} {'SSIM':>7} {'PSNR, GT-mean':>14}")
    for spec in specs:
        given = options.told and methods().info(spec.partition(":")[0]).takes_brightness
        rows = []
        for pair in pairs:
            high = pair.high.astype(np.float32) / np.float32(255)
            level = mean_level(high) if given else None
            out = relume.enhance(pair.low, method=spec, protect_lit=False, brightness=level)
            result = out.astype(np.float32) / np.float32(255)
            rows.append((psnr(result, high), ssim(result, high), psnr_gt_mean(result, high)))
        mean = np.mean(rows, axis=0)
        name = spec + (" (brightness told)" if given else "")
        print(f"{name:36} {mean[0]:7.2f} {mean[1]:7.4f} {mean[2]:14.2f}", flush=True)


def split_specs(text: str) -> list[str]:
    """Methods are separated by commas; parameters after the first one of a method by plus signs."""
    return [part.replace("+", ",") for part in text.split(",")]


if __name__ == "__main__":
    main()
