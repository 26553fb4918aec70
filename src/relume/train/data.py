"""What is trained on: pairs of dark and bright photographs, and bright ones to be darkened."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from relume.errors import InputError
from relume.executor import cores
from relume.image.darken import darken
from relume.image.filters import size_within
from relume.io import READABLE_SUFFIXES, read
from relume.photo import as_float, quantise
from relume.train.recipe import Data

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

HASH_SIDE = 16
NEAR_BITS = 10
"""Of the 256 bits of an average hash: copies saved again or made smaller differ in fewer."""
STORED = (cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
          cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """The same view dark and bright, ``uint8 (H, W, 3)`` each; ``scene`` groups views."""

    name: str
    scene: str
    low: Pixels
    high: Pixels


class BrightPhotos:
    """Bright photographs, kept in memory as JPEG: a seventh of their pixels' size, 2 ms to decode.

    Compression costs 52 dB of PSNR on photographs of 450 px, far below the noise that is added.
    """

    def __init__(self, encoded: Iterable[tuple[bytes, tuple[int, int]]]) -> None:
        self._encoded = list(encoded)

    def at_least(self, side_px: int) -> BrightPhotos:
        """Those whose shorter side has ``side_px`` pixels or more."""
        return BrightPhotos(e for e in self._encoded if min(e[1]) >= side_px)

    def __len__(self) -> int:
        return len(self._encoded)

    def __getitem__(self, index: int) -> Pixels:
        data = np.frombuffer(self._encoded[index][0], np.uint8)
        return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[:, :, ::-1]

    def __add__(self, others: BrightPhotos) -> BrightPhotos:
        return BrightPhotos(self._encoded + others._encoded)

    @property
    def digest(self) -> str:
        """The sha256 of all of them."""
        return hashlib.sha256(b"".join(data for data, _ in self._encoded)).hexdigest()

    @classmethod
    def of(cls, photos: Iterable[Pixels]) -> BrightPhotos:
        """``photos`` ``uint8 (H, W, 3)``, compressed."""
        return cls(map(_encode, photos))


def _encode(photo: Pixels) -> tuple[bytes, tuple[int, int]]:
    return cv2.imencode(".jpg", photo[:, :, ::-1], STORED)[1].tobytes(), photo.shape[:2]


class ExcludedHashes:
    """Files that must not be trained on, by a list of hashes: one a line, in hexadecimal.

    A line is the sha256 of a file (as ``sha256sum`` writes it: the name after it is ignored) or
    the :func:`average_hash` of a picture, which also finds copies of another size or quality.
    Both have 64 digits; each line is compared as either.

    Raises:
        InputError: the list cannot be read, or a line is not a hash.
    """

    def __init__(self, path: Path | None) -> None:
        try:
            lines = path.read_text("utf-8").splitlines() if path else []
            words = [line.split()[0].lower() for line in lines if line.strip()]
            hashes = [bytes.fromhex(word) for word in words if not word.startswith("#")]
        except OSError as error:
            raise InputError(f"cannot read exclude_hashes {path}: {error.strerror}") from error
        except ValueError:
            raise InputError(f"expected a hash of 64 hexadecimal digits a line in {path}") from None
        if any(len(h) != HASH_SIDE**2 // 8 for h in hashes):
            raise InputError(f"expected a hash of 64 hexadecimal digits a line in {path}")
        self._exact = set(hashes)
        self._bits = np.array([list(h) for h in hashes], np.uint8).reshape(-1, HASH_SIDE**2 // 8)

    def match(self, path: Path, photo: Pixels) -> bool:
        """Whether the file, or a picture nearly the same as ``photo``, is on the list."""
        if not self._exact:
            return False
        if hashlib.sha256(path.read_bytes()).digest() in self._exact:
            return True
        own = np.frombuffer(bytes.fromhex(average_hash(photo)), np.uint8)
        return bool(np.unpackbits(self._bits ^ own, axis=1).sum(axis=1).min() <= NEAR_BITS)


def average_hash(photo: Pixels) -> str:
    """64 hexadecimal digits: which of 16 x 16 cells of a photo are brighter than their mean."""
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32)
    cells = cv2.resize(grey, (HASH_SIDE, HASH_SIDE), interpolation=cv2.INTER_AREA)
    return np.packbits(cells > cells.mean()).tobytes().hex()


def find_pairs(folder: Path) -> list[tuple[str, Path, Path]]:
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


def read_scenes(path: Path) -> dict[str, str]:
    """Scene of every photo (name without ending) from a CSV with columns name and scene.

    Raises:
        InputError: the file cannot be read or has other columns.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return {Path(row["name"]).stem: row["scene"] for row in csv.DictReader(file)}
    except OSError as error:
        raise InputError(f"cannot read the scenes file {path}: {error.strerror}") from error
    except KeyError as error:
        raise InputError(f"expected the columns name, scene in {path}, got no {error}") from error


def split(
    folders: Sequence[Path], data: Data, seed: int, *, note: Callable[[str], None] | None = None
) -> tuple[list[Pair], list[Pair]]:
    """Read the pairs of all folders; those to train on, and those of the validation scenes.

    ``data.scenes`` and ``data.exclude`` are about the first folder only. ``note`` is called with
    what the user should know: a missing scenes file, pairs that were left out.

    Raises:
        InputError: a folder does not hold pairs, or no pair is left to train on.
    """
    train: list[Pair] = []
    validation: list[Pair] = []
    for number, folder in enumerate(folders):
        own = data if number == 0 else replace(data, scenes="", exclude=())
        more, held = _split_folder(folder, own, seed, note or (lambda _: None))
        train, validation = train + more, validation + held
    return train, validation


def _split_folder(
    folder: Path, data: Data, seed: int, note: Callable[[str], None]
) -> tuple[list[Pair], list[Pair]]:
    """A scene is never on both sides; ``data.validation_seed`` goes before ``seed``."""
    found = [entry for entry in find_pairs(folder) if entry[0] not in data.exclude]
    scene_of: dict[str, str] = {}
    if data.scenes and (folder / data.scenes).exists():
        scene_of = read_scenes(folder / data.scenes)
    elif data.scenes:
        note(
            f"there is no {folder / data.scenes}, a CSV (name,scene) that says which pairs show "
            'one scene: every pair counts as a scene of its own (scenes = "" in the recipe says '
            "so, too)"
        )
    names = sorted({scene_of.get(name, name) for name, _, _ in found})
    drawn_by = seed if data.validation_seed < 0 else data.validation_seed
    order = np.random.default_rng(drawn_by).permutation(len(names))
    held = {names[i] for i in order[: data.validation_scenes]}
    excluded = ExcludedHashes(data.exclude_hashes)
    train: list[Pair] = []
    validation: list[Pair] = []
    for name, low_file, high_file in found:
        scene = scene_of.get(name, name)
        pair = Pair(name, scene, _pixels(low_file), _pixels(high_file))
        if pair.low.shape != pair.high.shape:
            raise InputError(
                f"expected the pair {name} in one size, got {pair.low.shape} and {pair.high.shape}"
            )
        if excluded.match(low_file, pair.low) or excluded.match(high_file, pair.high):
            note(f"the pair {name} in {folder} is left out: it is in exclude_hashes")
            continue
        (validation if scene in held else train).append(pair)
    if not train:
        raise InputError(f"all {len(found)} pairs are kept for validation: lower validation_scenes")
    return train, validation


def read_bright(
    folders: Sequence[Path], data: Data, *, note: Callable[[str], None] | None = None
) -> BrightPhotos:
    """The bright photographs in the folders, in order, at most ``data.longest_px`` long.

    Raises:
        InputError: a folder holds no photograph.
    """
    return read_photos(folders, data, note=note)[1]


def read_photos(
    folders: Sequence[Path], data: Data, *, note: Callable[[str], None] | None = None
) -> tuple[list[tuple[Path, Path, float]], BrightPhotos]:
    """:func:`read_bright`, and of each its folder, its file and by how much it was shrunk.

    Raises:
        InputError: a folder holds no photograph.
    """
    files: list[tuple[Path, Path]] = []
    for folder in folders:
        own = sorted(f for f in folder.rglob("*") if f.suffix.lower() in READABLE_SUFFIXES)
        if not own:
            raise InputError(f"expected bright photographs in {folder}, got none")
        files += [(folder, file) for file in own]
    excluded = ExcludedHashes(data.exclude_hashes)

    def encode(file: Path) -> tuple[float, tuple[bytes, tuple[int, int]]] | None:
        photo = _pixels(file)
        if excluded.match(file, photo):
            return None
        small = _shrunk(photo, data.longest_px)
        return small.shape[1] / photo.shape[1], _encode(small)

    with ThreadPoolExecutor(cores()) as pool:
        encoded = list(pool.map(lambda entry: encode(entry[1]), files))
    kept = [
        (*entry, result[0])
        for entry, result in zip(files, encoded, strict=True)
        if result is not None
    ]
    if len(kept) < len(files) and note:
        note(f"{len(files) - len(kept)} bright photographs are left out: in exclude_hashes")
    return kept, BrightPhotos(result[1] for result in encoded if result is not None)


def darkened_pairs(photos: BrightPhotos, data: Data, seed: int) -> list[Pair]:
    """``data.darkened`` pairs (-1: all), darkened once, from photos of ``data.patch_px`` or more.

    k is log-uniform in [``data.k_low``, ``data.k_high``].
    """
    photos = photos.at_least(data.patch_px)
    count = len(photos) if data.darkened < 0 else min(data.darkened, len(photos))
    chosen = np.random.default_rng([seed, 1]).choice(len(photos), size=count, replace=False)
    pairs = []
    for index in sorted(int(i) for i in chosen):
        rng = np.random.default_rng([seed, 2, index])
        k = float(np.exp(rng.uniform(np.log(data.k_low), np.log(data.k_high))))
        photo = photos[index]
        dark = quantise(darken(as_float(photo), k, rng), np.uint8)
        name = f"darkened-{index}"
        pairs.append(Pair(name, name, np.asarray(dark), photo))
    return pairs


def _pixels(path: Path) -> Pixels:
    return np.asarray(quantise(read(path).pixels, np.uint8))


def _shrunk(photo: Pixels, longest_px: int) -> Pixels:
    size = size_within(photo, longest_px)
    if size == photo.shape[1::-1]:
        return photo
    return np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA))
