"""Batches for relume's networks: patches with the thumbnail and brightness of the whole photo.

The exposure estimator gets the thumbnails only. Two sources share a batch: real pairs, and bright
photographs darkened anew every epoch. As with :class:`relume.train.pairs.Patches`, a batch is a
function of its number alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from relume.enhancers.relume import thumbnail
from relume.errors import InputError
from relume.image.color import REC601
from relume.image.darken import Camera, darken, reexposed, uneven_light
from relume.photo import quantise
from relume.train.pairs import Pair, Pixels
from relume.train.recipe import Data, Phase

Floats = npt.NDArray[np.float32]
GAIN_JITTER = 0.4
"""Inputs are made brighter or darker by up to exp(0.4): patches half of the time."""
SMALLEST_CROP = 0.85
"""Side of the smallest part of a thumbnail that the exposure estimator is shown in its place."""
DARKEST_AIM = 0.12
"""A reference that is asked for darker has at least this share of its light."""


@dataclass(frozen=True)
class Sample:
    """A pair with what the network is told of the whole: thumbnail and wanted brightness."""

    low: Pixels
    high: Pixels
    thumbnail: Floats
    brightness: float


def sample_of(low: Pixels, high: Pixels) -> Sample:
    """A pair as a :class:`Sample`; the wanted brightness is the bright photo's mean grey level."""
    return Sample(low, high, thumbnail(_floats(low)), _level(_floats(high)))


class _Photographs(ABC):
    """Real pairs, and bright photographs darkened anew every epoch, to draw samples from."""

    def __init__(
        self,
        pairs: Sequence[Pair],
        bright: Sequence[Pixels],
        data: Data,
        phase: Phase,
        seed: int,
    ) -> None:
        self.data, self.phase, self.seed = data, phase, seed
        self.patch_px = phase.patch_px or data.patch_px
        self.size = phase.batch or data.batch
        self.real = [sample_of(p.low, p.high) for p in pairs]
        self.bright = list(bright)
        self.share = data.darkened_share if self.bright else 0.0
        if not self.real and not self.bright:
            raise InputError("expected pairs or bright photographs to train on, got none")
        self._made: tuple[tuple[int, int], list[Sample]] | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Steps after which all photographs are darkened anew."""
        return self.data.epoch_steps

    def batch(self, phase: int, step: int, *, rank: int = 0, world: int = 1) -> tuple[Floats, ...]:
        """Process ``rank``'s part of the batch of a step: what is drawn, stacked part by part."""
        drawn = [self._draw(phase, step, place) for place in range(rank, self.size, world)]
        return tuple(np.stack(part) for part in zip(*drawn, strict=True))

    @abstractmethod
    def _draw(self, phase: int, step: int, place: int) -> tuple[Floats, ...]:
        """The parts of the example at a place of a batch."""

    def _sample(
        self, phase: int, step: int, place: int
    ) -> tuple[np.random.Generator, Sample, bool]:
        """The sample at a place of a batch, whether it is a darkened one, and how to go on."""
        rng = np.random.default_rng([self.seed, phase, step, place])
        dark = place < round(self.share * self.size) or not self.real
        pool = self._darkened(phase, step // self.data.epoch_steps) if dark else self.real
        return rng, pool[int(rng.integers(len(pool)))], dark

    def _darkened(self, phase: int, epoch: int) -> list[Sample]:
        """All bright photographs, darkened for this epoch (kept until the next)."""
        if self._made is None or self._made[0] != (phase, epoch):
            samples = []
            for index, photo in enumerate(self.bright):
                rng = np.random.default_rng([self.seed, phase, epoch, index, 9])
                samples.append(self._dark_sample(photo, rng))
            self._made = ((phase, epoch), samples)
        return self._made[1]

    def _dark_sample(self, photo: Pixels, rng: np.random.Generator) -> Sample:
        """One photograph darkened; the part of it that is used is cut out first, to save time."""
        limit = max(self.patch_px, 288)
        height, width = photo.shape[:2]
        y = int(rng.integers(0, max(1, height - limit + 1)))
        x = int(rng.integers(0, max(1, width - limit + 1)))
        part = photo[y : y + limit, x : x + limit]
        k = float(np.exp(rng.uniform(np.log(self.data.k_low), np.log(self.data.k_high))))
        clean = _floats(part)
        light = None
        if rng.random() < self.phase.uneven_share:
            # nowhere more light than in the photograph; half of the unevenness is wanted back
            light = np.minimum(uneven_light(part.shape[0], part.shape[1], rng), np.float32(1 / k))
            wanted = np.sqrt(light / light.max())
            part = np.asarray(quantise(reexposed(clean, 1.0, light=wanted), np.uint8))
        dark = darken(clean, k, rng, camera=Camera.draw_real(rng), light=light)
        return sample_of(np.asarray(quantise(dark, np.uint8)), part)


class PictureSupply(_Photographs):
    """Batches of dark and bright patches (B, 3, P, P), with thumbnail and brightness of the whole.

    These are (B, 3, 96, 96) and (B, 1).
    """

    def _draw(self, phase: int, step: int, place: int) -> tuple[Floats, ...]:
        rng, sample, dark = self._sample(phase, step, place)
        side = self.patch_px
        y, x = (int(rng.integers(0, n - side + 1)) for n in sample.low.shape[:2])
        parts = [s[y : y + side, x : x + side] for s in (sample.low, sample.high)]
        turn, flip = int(rng.integers(4)), bool(rng.integers(2))
        low, high = (_turned(p, turn, flip) for p in parts)
        small = _turned(sample.thumbnail, turn, flip)
        if not dark and rng.random() < 0.5:
            gain = _jitter(rng)
            low, small = np.minimum(low * gain, 1), np.minimum(small * gain, 1)
        level = sample.brightness
        if rng.random() < self.phase.aim_share:
            aim = float(np.exp(rng.uniform(np.log(DARKEST_AIM), 0)))
            high = np.ascontiguousarray(reexposed(high.transpose(1, 2, 0), aim).transpose(2, 0, 1))
            # a sixteenth of the pixels is plenty for a mean
            level = _level(reexposed(_floats(sample.high[::4, ::4]), aim))
        return low, high, small, np.array([level], np.float32)


class ExposureSupply(_Photographs):
    """Batches of thumbnails (B, 3, 96, 96) with the brightness (B, 1) wanted for each.

    They stay upright, as where the light comes from tells a scene.
    """

    def _draw(self, phase: int, step: int, place: int) -> tuple[Floats, ...]:
        rng, sample, dark = self._sample(phase, step, place)
        whole = sample.thumbnail.shape[0]
        side = int(rng.integers(round(SMALLEST_CROP * whole), whole + 1))
        y, x = (int(rng.integers(0, whole - side + 1)) for _ in range(2))
        small = np.asarray(
            cv2.resize(sample.thumbnail[y : y + side, x : x + side], (whole, whole)), np.float32
        )
        small = _turned(small, 0, bool(rng.integers(2)))
        if not dark:
            small = np.minimum(small * _jitter(rng), 1)
        return small, np.array([sample.brightness], np.float32)


def _floats(photo: Pixels | Floats) -> Floats:
    return np.asarray(photo, np.float32) / np.float32(255)


def _level(photo: Floats) -> float:
    """The mean grey level of a photo in [0, 1], at least one step of 8 bit."""
    return max(float(np.dot(REC601, photo.mean(axis=(0, 1), dtype=np.float64))), 1 / 255)


def _jitter(rng: np.random.Generator) -> np.float32:
    return np.float32(np.exp(rng.uniform(-GAIN_JITTER, GAIN_JITTER)))


def _turned(part: Pixels | Floats, quarter_turns: int, flip: bool) -> Floats:
    turned = np.rot90(part, quarter_turns)
    if flip:
        turned = turned[:, ::-1]
    scale = np.float32(255 if part.dtype == np.uint8 else 1)
    return np.ascontiguousarray(turned.transpose(2, 0, 1), np.float32) / scale
