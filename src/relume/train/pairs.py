"""Pairs of dark and bright photographs: read, split by scene, made by darkening, cut to patches.

Sampling keeps no state: which pairs an epoch's step sees, and where they are cut, is a function
of (seed, phase, epoch, position). So a resumed run is an unbroken one, and several processes
share a batch by taking every n-th of its places.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from relume.errors import InputError
from relume.image.darken import darken
from relume.io import READABLE_SUFFIXES, read
from relume.photo import quantise
from relume.train.recipe import Data

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Pair:
    """The same view dark and bright, ``uint8 (H, W, 3)`` each; ``scene`` groups views."""

    name: str
    scene: str
    low: Pixels
    high: Pixels


def find(folder: Path) -> list[tuple[str, Path, Path]]:
    """``(name, dark file, bright file)`` of the pairs in ``folder/low`` and ``folder/high``.

    Raises:
        InputError: a folder is missing or empty, or a photo has no partner.
    """
    sides = []
    for side in ("low", "high"):
        if not (folder / side).is_dir():
            raise InputError(f"expected pairs in {folder}/low and {folder}/high, got no {side}/")
        files = (folder / side).iterdir()
        sides.append({f.stem: f for f in files if f.suffix.lower() in READABLE_SUFFIXES})
    low, high = sides
    alone = sorted(low.keys() ^ high.keys())
    if alone or not low:
        what = f"{len(alone)} without a partner, {alone[0]} first" if alone else "none"
        raise InputError(f"expected pairs of photos of the same name in {folder}, got {what}")
    return [(name, low[name], high[name]) for name in sorted(low)]


def scenes(path: Path) -> dict[str, str]:
    """Scene of every photo (name without ending) from a CSV with columns name and scene.

    Raises:
        InputError: the file is missing or has other columns.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return {Path(row["name"]).stem: row["scene"] for row in csv.DictReader(file)}
    except OSError as error:
        raise InputError(f"cannot read the scenes file {path}: {error.strerror}") from error
    except KeyError as error:
        raise InputError(f"expected the columns name, scene in {path}, got no {error}") from error


def split(
    folder: Path, data: Data, seed: int, *, tick: Callable[[str], None] | None = None
) -> tuple[list[Pair], list[Pair]]:
    """Read all pairs; return those to train on and those of the validation scenes.

    Scenes are drawn by ``seed``; a scene is never on both sides. With ``scenes`` empty every pair
    is its own scene. ``tick`` is called with each name read.
    """
    found = [entry for entry in find(folder) if entry[0] not in data.exclude]
    scene_of = scenes(folder / data.scenes) if data.scenes else {}
    names = sorted({scene_of.get(name, name) for name, _, _ in found})
    order = np.random.default_rng(seed).permutation(len(names))
    held = {names[i] for i in order[: data.validation_scenes]}
    train: list[Pair] = []
    validation: list[Pair] = []
    for name, low, high in found:
        scene = scene_of.get(name, name)
        pair = Pair(name, scene, _pixels(low), _pixels(high))
        if pair.low.shape != pair.high.shape:
            raise InputError(
                f"expected the pair {name} in one size, got {pair.low.shape} and {pair.high.shape}"
            )
        (validation if scene in held else train).append(pair)
        if tick:
            tick(name)
    if not train:
        raise InputError(f"all {len(found)} pairs are kept for validation: lower validation_scenes")
    return train, validation


def split_all(folders: Sequence[Path], data: Data, seed: int) -> tuple[list[Pair], list[Pair]]:
    """:func:`split` of several folders; the scenes file is asked for in the first one only."""
    train: list[Pair] = []
    validation: list[Pair] = []
    for number, folder in enumerate(folders):
        own = data if number == 0 else replace(data, scenes="", exclude=())
        more, held = split(folder, own, seed)
        train, validation = train + more, validation + held
    return train, validation


def read_bright(folders: Sequence[Path], data: Data) -> list[Pixels]:
    """The bright photographs in the folders, in order, at most ``data.longest_px`` long.

    Raises:
        InputError: a folder holds no photograph.
    """
    photos = []
    for folder in folders:
        files = sorted(f for f in folder.rglob("*") if f.suffix.lower() in READABLE_SUFFIXES)
        if not files:
            raise InputError(f"expected bright photographs in {folder}, got none")
        photos += [_shrunk(_pixels(f), data.longest_px) for f in files]
    return photos


def darkened(folders: Sequence[Path], data: Data, seed: int) -> list[Pair]:
    """``data.darkened`` pairs (-1: all) from bright photographs, drawn from all the folders.

    Raises:
        InputError: a folder holds no photograph.
    """
    photos = [p for p in read_bright(folders, data) if min(p.shape[:2]) >= data.patch_px]
    count = len(photos) if data.darkened < 0 else min(data.darkened, len(photos))
    chosen = np.random.default_rng([seed, 1]).choice(len(photos), size=count, replace=False)
    pairs = []
    for index in sorted(int(i) for i in chosen):
        rng = np.random.default_rng([seed, 2, index])
        k = float(np.exp(rng.uniform(np.log(data.k_low), np.log(data.k_high))))
        bright = photos[index].astype(np.float32) / np.float32(255)
        dark = np.asarray(quantise(darken(bright, k, rng), np.uint8))
        pairs.append(Pair(f"darkened-{index}", f"darkened-{index}", dark, photos[index]))
    return pairs


class Patches:
    """Aligned random patches of pairs, flipped and turned; see :meth:`batch`."""

    def __init__(self, pairs: Sequence[Pair], data: Data, seed: int) -> None:
        self.pairs, self.data, self.seed = pairs, data, seed
        small = [p.name for p in pairs if min(p.low.shape[:2]) < data.patch_px]
        if small:
            raise InputError(
                f"expected pairs of at least {data.patch_px} px, {small[0]} is smaller"
            )

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one pass over the pairs; the last one is filled up from the start."""
        return -(-len(self.pairs) // self.data.batch)

    def batch(
        self, phase: int, step: int, *, rank: int = 0, world: int = 1
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Dark and bright patches ``float32 (B, 3, P, P)`` of a step, by its number alone.

        With ``world`` processes, process ``rank`` gets every ``world``-th of the batch's places.
        """
        epoch, position = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng([self.seed, phase, epoch]).permutation(len(self.pairs))
        size = self.data.batch
        places = range(position * size + rank, (position + 1) * size, world)
        cut = [self._patch(int(order[p % len(order)]), (phase, epoch, p)) for p in places]
        low, high = (np.stack([c[side] for c in cut]) for side in (0, 1))
        return low, high

    def _patch(self, index: int, key: tuple[int, int, int]) -> npt.NDArray[np.float32]:
        rng = np.random.default_rng([self.seed, *key])
        pair, side = self.pairs[index], self.data.patch_px
        y = int(rng.integers(0, pair.low.shape[0] - side + 1))
        x = int(rng.integers(0, pair.low.shape[1] - side + 1))
        both = np.stack([s[y : y + side, x : x + side] for s in (pair.low, pair.high)])
        both = np.rot90(both, int(rng.integers(4)), axes=(1, 2))
        if rng.integers(2):
            both = both[:, :, ::-1]
        return np.ascontiguousarray(both.transpose(0, 3, 1, 2), np.float32) / np.float32(255)


def _pixels(path: Path) -> Pixels:
    return np.asarray(quantise(read(path).pixels, np.uint8))


def _shrunk(photo: Pixels, longest_px: int) -> Pixels:
    scale = longest_px / max(photo.shape[:2])
    if scale >= 1:
        return photo
    size = (max(1, round(photo.shape[1] * scale)), max(1, round(photo.shape[0] * scale)))
    return np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA))
