"""Anybody's networks beside relume: PSNR, SSIM, time and faces found, all through ``onnx:FILE``.

    python benchmarks/peers.py zerodce.onnx iat.onnx [-n 56] \
        --lol LOL/train --recipe recipes/relume-4.toml --stacks STACKS --portraits LFPW/test

``benchmarks/export_peers.py`` makes such. ``--lol`` holds ``low/`` and ``high/``: measured are
the recipe's unseen scenes: unseen by relume, perhaps not by the others, for they are of LOL's
training half. ``--stacks`` holds a folder a scene with its exposures in order of brightness: the
darkest is relit, and the exposure fusion (Mertens) of first and last is the reference.
``--portraits`` are photographs with one labelled face, darkened to ``-k``: the share found by YuNet
(score 0.6, IoU 0.5) on the result alone. Lit areas are not protected. Times are medians over that
of ``relume``, taken in turns, 600x400, from array to array.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from local import floats, fused, levels
from quality import pairs_of
from skimage import data
from timing import ratio

import relume
from faces import OVERLAP, THRESHOLD, portraits
from relume.faces import detectors
from relume.faces.search import iou
from relume.image.darken import darken
from relume.metrics.quality import psnr, psnr_gt_mean, ssim
from relume.photo import Image, to_image
from relume.train.data import Pair

OURS = "original", "gamma:0.5", "relume", "machine"
LONGEST_PX = 640


def relit(image: Any, method: str) -> Any:
    return relume.enhance(image, method=method, protect_lit=False)


def stacks(folder: Path) -> list[tuple[Any, Image]]:
    """The darkest exposure of each scene, and its reference, at most 640 px long."""
    found = []
    for scene in sorted(path for path in folder.iterdir() if path.is_dir()):
        dark, *_, bright = (_smaller(levels(path)) for path in sorted(scene.glob("*.png")))
        if dark.shape == bright.shape:
            found.append((dark, fused(Pair(scene.name, scene.name, dark, bright))))
    return found


def _smaller(picture: Any) -> Any:
    factor = LONGEST_PX / max(picture.shape[:2])
    if factor >= 1:
        return picture
    return cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def quality(pairs: Iterable[tuple[Any, Image]], method: str) -> str:
    rows = []
    for low, reference in pairs:
        result = floats(relit(low, method))
        forgiving = psnr_gt_mean(result, reference)
        rows.append((psnr(result, reference), ssim(result, reference), forgiving))
    mean = np.mean(rows, axis=0)
    return f"{mean[0]:7.2f} {mean[1]:6.3f} {mean[2]:6.2f}"


def recall(faces: list[tuple[Image, Any]], method: str) -> str:
    detector = detectors().create("yunet", {"threshold": THRESHOLD})
    hits = 0
    for image, box in faces:
        found = detector(image if method == "original" else relit(image, method))
        hits += any(iou(box, face.box) >= OVERLAP for face in found)
    return f"{hits / len(faces):6.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", type=Path, help="ONNX files")
    parser.add_argument("--lol", type=Path)
    parser.add_argument("--recipe", type=Path)
    parser.add_argument("--stacks", type=Path)
    parser.add_argument("--portraits", type=Path)
    parser.add_argument("-n", type=int, default=56, help="portraits")
    parser.add_argument("-k", type=float, default=0.03, help="their exposure")
    parser.add_argument("--runs", type=int, default=7, help="of each timing; 0: none")
    options = parser.parse_args()
    pictures = {}
    if options.lol:
        pairs = [(pair.low, floats(pair.high)) for pair in pairs_of(options.lol, options.recipe)]
        pictures[f"LOL, {len(pairs)}"] = pairs
    if options.stacks:
        scenes = stacks(options.stacks)
        pictures[f"stacks, {len(scenes)}"] = scenes
    dark = []
    if options.portraits:
        for number, (image, box) in enumerate(portraits(options.portraits, options.n, 2)):
            dark.append((darken(image, options.k, np.random.default_rng((7, number))), box))
    bright = cv2.resize(to_image(data.astronaut()), (600, 400), interpolation=cv2.INTER_AREA)
    photo = darken(bright, 0.05, np.random.default_rng(0))
    heads = "".join(f" | {head}: PSNR   SSIM  at mean" for head in pictures)
    print(f"{'method':14} {'time':>6}{heads} | faces of {len(dark)} at k = {options.k:g}")
    for method in (*OURS, *(f"onnx:{path}" for path in options.networks)):
        name = Path(method).stem if method.startswith("onnx:") else method
        time = "     -"
        if options.runs and method != "original":
            times = ratio(
                partial(relit, photo, method), partial(relit, photo, "relume"), options.runs
            )
            time = f"{times:6.2f}"
        cells = "".join(f" | {quality(pairs, method)}" for pairs in pictures.values())
        print(f"{name:14} {time}{cells} | {recall(dark, method) if dark else ''}", flush=True)


if __name__ == "__main__":
    main()
