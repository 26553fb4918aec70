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
from relume.image.color import linear_to_srgb, srgb_to_linear
from relume.image.darken import darken
from relume.image.exposure import mean_level
from relume.metrics.quality import lit_detail, psnr
from relume.photo import Image

LIT_LEVELS = 90 / 255, 160 / 255
LEVELS = 0.1, 0.03, 0.01
LADDER = tuple(float(k) for k in np.geomspace(1, 0.03, 12))
ASKED = 0.2, 0.3, 0.4, 0.5, 0.6
SEED = 11
BACKLIT = 0, 2, 3, 4


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
        f"the result's mean level, 12 exposures from k = 1 to 0.03 (n = {len(few)}): largest step, "
        "and largest rise where the light falls"
    )
    for method in methods:
        steps, rises = [], []
        for image in few:
            # the same noise at every step, so that only the exposure moves
            shown = [darken(image, k, np.random.default_rng(SEED)) for k in LADDER]
            means = [mean_level(relume.enhance(dark, method=method)) for dark in shown]
            steps.append(np.abs(np.diff(means)).max())
            rises.append((np.array(means) - np.minimum.accumulate(means)).max())
        print(
            f"  {method:16} {max(steps):.3f} (mean over photographs {np.mean(steps):.3f})   "
            f"{max(rises):.3f} ({np.mean(rises):.3f})"
        )
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


def against_the_light(image: Image, box: tuple[slice, slice], stops: float, seed: int) -> Image:
    """The portrait with its person's light cut softly by so many stops, in 8-bit levels."""
    height, width = image.shape[:2]
    rows, columns = box
    high, wide = rows.stop - rows.start, columns.stop - columns.start
    y, x = (np.arange(n, dtype=np.float32) for n in (height, width))
    cy, cx = (rows.start + rows.stop) / 2, (columns.start + columns.stop) / 2

    def ellipse(middle: float, half_high: float, half_wide: float) -> Image:
        across, down = ((x - cx) / half_wide) ** 2, ((y - middle) / half_high) ** 2
        return np.asarray(1 / (1 + (across[None] + down[:, None]) ** 4), np.float32)

    head = ellipse(cy - 0.15 * high, 1.05 * high, 0.85 * wide)
    person = np.maximum(head, ellipse(rows.stop + 1.8 * high, 1.9 * high, 1.4 * wide))
    light = srgb_to_linear(image) * np.exp2(-np.float32(stops) * person)[:, :, None]
    noise = np.random.default_rng(seed).normal(0, 1, light.shape) * np.sqrt(6e-4 * light + 2e-6)
    dark = linear_to_srgb(np.clip(light + noise, 0, 1).astype(np.float32))
    return np.rint(dark * 255).astype(np.float32) / np.float32(255)


def backlit(faces: Sequence[tuple[Image, tuple[slice, slice]]]) -> None:
    """Needs YuNet's weights."""
    print(
        f"faces against the light (n = {len(faces)}): stops from their level in the bright photo,"
    )
    print("mean and rms, and lit detail kept (median)")
    for stops in BACKLIT:
        row = f"  {stops:g} stops"
        for mode in ("scene", "faces"):
            rows = []
            for number, (image, box) in enumerate(faces):
                dark = against_the_light(image, box, stops, number)
                shown = relume.enhance(dark, expose_for=mode)
                error = 2.2 * np.log2(mean_level(shown[box]) / mean_level(image[box]))
                rows.append((error, lit_detail(dark, shown)))
            off, kept = np.array(rows).T
            row += f"   {mode}: {off.mean():+.2f}, {np.sqrt(np.mean(off**2)):.2f}; "
            row += f"{np.median(kept):.2f}"
        print(row, flush=True)


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
            backlit(faces)
            skin(faces, ["original", *methods])
            ladders(faces, methods)
    except RelumeError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
