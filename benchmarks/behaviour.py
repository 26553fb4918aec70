"""How methods behave: harmless on lit photographs, skin tones, the brightness that is asked for.

    python benchmarks/behaviour.py --lit LOL/train/high --portraits LFPW/test

``--lit`` is a folder of well exposed photographs: those with a mean level of 90 to 160 pass
through, and what came out is compared with what went in. ``--portraits`` holds photographs with
68 points beside them (``x,y`` CSV): they are darkened and relit, and CIEDE2000 is taken inside the
points' box against the bright original, both at the original's mean level, so that it tells
colour from exposure. The same portraits give the light ladder (results at neighbouring exposures)
and the brightness ladder (mean of the result over what was asked).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from skimage.color import deltaE_ciede2000, rgb2lab

import relume
from relume.errors import RelumeError
from relume.image.darken import darken
from relume.image.exposure import mean_level
from relume.metrics.quality import psnr
from relume.photo import Image

LIT_LEVELS = 90 / 255, 160 / 255
LEVELS = 0.1, 0.03, 0.01
LADDER = tuple(float(k) for k in np.geomspace(1, 0.03, 12))
ASKED = 0.2, 0.3, 0.4, 0.5, 0.6
SEED = 11


def harmless(folder: Path, methods: Sequence[str], most: int) -> None:
    photos = [relume.read(path).pixels for path in sorted(folder.iterdir()) if path.is_file()]
    lit = [p for p in photos if LIT_LEVELS[0] <= mean_level(p) <= LIT_LEVELS[1]]
    lit = lit[:: max(1, len(lit) // most)][:most]
    print(f"well exposed photographs, PSNR of the result against the input (n = {len(lit)})")
    for method in methods:
        values = [psnr(relume.enhance(photo, method=method), photo) for photo in lit]
        values = [min(value, 60.0) for value in values]  # unchanged ones are infinite
        print(f"  {method:16} mean {np.mean(values):5.1f} dB, worst {min(values):5.1f} dB")


def portraits(folder: Path, most: int) -> list[tuple[Image, tuple[slice, slice]]]:
    files = sorted(folder.glob("*.jpg"))
    found = []
    for path in files[:: max(1, len(files) // most)][:most]:
        image = relume.read(path).pixels
        points = np.loadtxt(path.with_suffix(".csv"), delimiter=",", skiprows=1)
        (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
        rows = slice(max(0, int(y0)), int(y1) + 1)
        found.append((image, (rows, slice(max(0, int(x0)), int(x1) + 1))))
    return found


def at_mean_of(image: Image, reference: Image) -> Image:
    gain = mean_level(reference) / max(mean_level(image), 1e-6)
    return np.asarray(np.minimum(image * np.float32(gain), 1), np.float32)


def skin(faces: Sequence[tuple[Image, tuple[slice, slice]]], methods: Sequence[str]) -> None:
    print(f"CIEDE2000 inside the face box at equal mean level (n = {len(faces)})")
    print(f"  {'method':16}" + "".join(f"  k = {k:<5g}" for k in LEVELS))
    for method in methods:
        row = f"  {method:16}"
        for k in LEVELS:
            differences = []
            for number, (image, box) in enumerate(faces):
                dark = darken(image, k, np.random.default_rng((SEED, number)))
                shown, true = relume.enhance(dark, method=method)[box], image[box]
                lab = [rgb2lab(view) for view in (at_mean_of(shown, true), true)]
                differences.append(deltaE_ciede2000(*lab).mean())
            row += f"  {np.mean(differences):9.2f}"
        print(row, flush=True)


def ladders(faces: Sequence[tuple[Image, tuple[slice, slice]]], methods: Sequence[str]) -> None:
    few = [image for image, _ in faces[:8]]
    print(
        f"largest step of the result's mean level, 12 exposures from k = 1 to 0.03 (n = {len(few)})"
    )
    for method in methods:
        steps = []
        for image in few:
            # the same noise at every step, so that only the exposure moves
            shown = [darken(image, k, np.random.default_rng(SEED)) for k in LADDER]
            means = [mean_level(relume.enhance(dark, method=method)) for dark in shown]
            steps.append(np.abs(np.diff(means)).max())
        print(f"  {method:16} {max(steps):.3f} (mean over photographs {np.mean(steps):.3f})")
    print(f"result's mean level over the one asked for, k = 0.1 (n = {len(few)})")
    for method in methods:
        if not relume.methods().info(method).takes_brightness:
            continue
        for asked in ASKED:
            means = [
                mean_level(relume.enhance(darken(image, 0.1, np.random.default_rng(SEED)),
                                          method=method, brightness=asked))
                for image in few
            ]  # fmt: skip
            ratios = np.array(means) / asked
            print(f"  {method:16} asked {asked:g}: {ratios.min():.3f} to {ratios.max():.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lit", type=Path)
    parser.add_argument("--portraits", type=Path)
    parser.add_argument("--methods", default="relume,retinexnet,gamma,auto-exposure")
    parser.add_argument("-n", type=int, default=40, help="photographs of each kind")
    options = parser.parse_args()
    methods = options.methods.split(",")
    try:
        if options.lit:
            harmless(options.lit, methods, options.n)
        if options.portraits:
            faces = portraits(options.portraits, options.n)
            skin(faces, ["original", *methods])
            ladders(faces, methods)
    except RelumeError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
