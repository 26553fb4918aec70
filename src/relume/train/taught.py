"""What the fast network learns from: patches with the large network's answer beside the reference.

The answers cost more than the lessons: they are made once, kept in the cache folder, and patches
are cut from them anew in every epoch.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from relume.engine import Inference
from relume.train.data import Floats
from relume.train.sampler import PatchSampler

Stored = npt.NDArray[np.uint8] | npt.NDArray[np.float16] | npt.NDArray[np.float32]
PARTS = ("low", "high", "thumbnail", "brightness", "gain", "taught")


class TaughtPatches:
    """Patches cut from ``examples``: what :class:`PatchSampler` gives, and ``taught`` (B, 3, P, P).

    ``examples`` are arrays of N samples by the names of ``PARTS``, pictures in 8 bit.
    """

    def __init__(
        self, examples: Mapping[str, Stored], patch_px: int, batch: int, epoch_steps: int, seed: int
    ) -> None:
        self.examples, self.patch_px, self.size, self.seed = examples, patch_px, batch, seed
        self.steps_per_epoch = epoch_steps

    def batch(self, phase: int, step: int, *, rank: int = 0, world: int = 1) -> tuple[Floats, ...]:
        """The patches of a step; see :class:`relume.train.sampler.BatchSource`."""
        cut = [self._cut((phase, step, p)) for p in range(rank, self.size, world)]
        return tuple(np.stack(part) for part in zip(*cut, strict=True))

    def _cut(self, key: tuple[int, int, int]) -> list[Floats]:
        rng = np.random.default_rng([self.seed, *key])
        index = int(rng.integers(len(self.examples["low"])))
        room = self.examples["low"].shape[2] - self.patch_px
        y, x = (int(n) for n in rng.integers(0, room + 1, 2))
        turn, flip = int(rng.integers(4)), bool(rng.integers(2))
        window = np.s_[:, y : y + self.patch_px, x : x + self.patch_px]
        parts = []
        for name in PARTS:
            part = np.asarray(self.examples[name][index])
            if part.ndim == 3:
                part = part if name == "thumbnail" else part[window]
                part = np.rot90(part, turn, axes=(1, 2))
                part = part[:, :, ::-1] if flip else part
            scale = np.float32(255 if part.dtype == np.uint8 else 1)
            parts.append(np.ascontiguousarray(part, np.float32) / scale)
        return parts


def make_examples(
    sampler: PatchSampler,
    teacher: Inference,
    count: int,
    identity: Mapping[str, object],
    cache: Path,
    note: Callable[[str], None],
) -> dict[str, Stored]:
    """``count`` samples with the answers of ``teacher``, made once and kept in the ``cache``.

    ``identity`` is all that decides what they are.
    """
    key = hashlib.sha256(json.dumps([count, identity], sort_keys=True).encode()).hexdigest()[:16]
    folder = cache / "examples" / key
    if not folder.exists():
        note(f"{count} examples are made for the fast network, once: {folder}")
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f"{key}.", dir=folder.parent))
        try:
            _write_examples(sampler, teacher, count, partial)
            partial.replace(folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    return {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in PARTS}


def _write_examples(sampler: PatchSampler, teacher: Inference, count: int, folder: Path) -> None:
    files: dict[str, Stored] = {}
    for number in range(count):
        step, position = divmod(number, sampler.size)
        drawn = sampler.batch(0, step, rank=position, world=sampler.size)
        inputs = dict(zip(("image", "high", *PARTS[2:5]), drawn, strict=True))
        del inputs["high"]
        answer = teacher(inputs)["photo"]
        for name, part in zip(PARTS, (*drawn, answer), strict=True):
            picture = name in ("low", "high", "thumbnail", "taught")
            kind = np.uint8 if picture else np.float16 if name == "gain" else np.float32
            if name not in files:
                files[name] = np.lib.format.open_memmap(
                    folder / f"{name}.npy", "w+", kind, (count, *part.shape[1:])
                )
            levels = np.rint(np.clip(part[0], 0, 1) * 255) if picture else part[0]
            files[name][number] = levels.astype(kind)
