"""Batches: what a training step sees, by its number alone.

Sampling keeps no state that matters: a batch is a function of (seed, phase, step, position).
So a resumed run is an unbroken one, several processes share a batch by taking every n-th of its
positions, and batches can be made ahead by threads.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import OrderedDict, deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from relume.enhancers.relume import thumbnail
from relume.errors import InputError
from relume.executor import cores
from relume.image.color import GAMMA
from relume.image.darken import Camera, record, render, scene_light
from relume.image.exposure import mean_level
from relume.photo import as_float, quantise
from relume.train.data import BrightPhotos, Floats, Pair, Pixels
from relume.train.light import MOST_STOPS, add_lamps, exposure_map, merge_exposures, uneven_stops
from relume.train.recipe import Data, Phase

T = TypeVar("T")
GAIN_JITTER = 0.4
"""Inputs are made brighter or darker by up to exp(0.4): patches half of the time."""
SMALLEST_CROP = 0.85
"""Side of the smallest part of a thumbnail that the exposure estimator is given as a whole."""
DARKEST_AIM = 0.12
"""A reference that is asked for darker has at least this share of its light."""
CLIPPED, CLIPPED_SHARE = 240, 0.002
"""Levels of 255, and the share of pixels above them, from which a photo is said to clip."""
DARKENED_PX = 288
"""Side of the part of a bright photograph that is darkened, at least: the whole costs more."""


def _either(rng: np.random.Generator) -> Camera:
    return Camera.draw_phone(rng) if rng.random() < 0.5 else Camera.draw_real(rng)


CAMERAS: dict[str, Callable[[np.random.Generator], Camera]] = {
    "real": Camera.draw_real,
    "phone": Camera.draw_phone,
    "mixed": _either,
}
"""What darkens bright photographs, by the name that recipes give it."""
CAST_KEPT = 0.4
"""The share of a lamp's colour, of what the camera left of it, that the reference keeps, as a
photographer would: lamps are of the scene, and what the camera did to the blacks is its fault."""
CACHE_BYTES = 400_000_000
"""Darkened photographs kept until the next epoch."""


class BatchSource(Protocol):
    """Where batches come from. Called from several threads at once."""

    @property
    def steps_per_epoch(self) -> int:
        """Steps in an epoch."""

    def batch(self, phase: int, step: int, *, rank: int = 0, world: int = 1) -> tuple[Floats, ...]:
        """Process ``rank``'s part of the batch of a step, by its number alone."""


def prefetch(make: Callable[[int], T], steps: range, threads: int = 0) -> Generator[T, None, None]:
    """``make(step)`` of every step in order, a few made ahead in threads (0: two at most)."""
    threads = threads or min(2, cores())
    ahead: deque[Future[T]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="batches") as pool:
        try:
            for step in steps:
                ahead.append(pool.submit(make, step))
                if len(ahead) > 2 * threads:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


class PairPatches:
    """Aligned random patches of pairs, flipped and turned: dark and bright, (B, 3, P, P) each."""

    def __init__(self, pairs: Sequence[Pair], data: Data, seed: int) -> None:
        self.pairs, self.data, self.seed = pairs, data, seed
        _refuse_small(pairs, data.patch_px)

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one pass over the pairs; the last one is filled up from the start."""
        return -(-len(self.pairs) // self.data.batch)

    def batch(self, phase: int, step: int, *, rank: int = 0, world: int = 1) -> tuple[Floats, ...]:
        """Dark and bright patches of a step; see :class:`BatchSource`."""
        epoch, position = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng([self.seed, phase, epoch]).permutation(len(self.pairs))
        size = self.data.batch
        positions = range(position * size + rank, (position + 1) * size, world)
        cut = [self._patch(int(order[p % len(order)]), (phase, epoch, p)) for p in positions]
        return tuple(np.stack(side) for side in zip(*cut, strict=True))

    def _patch(self, index: int, key: tuple[int, int, int]) -> tuple[Floats, Floats]:
        rng = np.random.default_rng([self.seed, *key])
        pair = self.pairs[index]
        window = _random_window(rng, pair.low, self.data.patch_px)
        turn, flip = int(rng.integers(4)), bool(rng.integers(2))
        return _turned(pair.low[window], turn, flip), _turned(pair.high[window], turn, flip)


@dataclass(frozen=True)
class Sample:
    """A pair with what the networks get of the whole: its thumbnail and its target brightness.

    The target is ``high``, or ``light`` where that is known beyond white: linear, float16
    (H, W, 3). ``stops`` (H, W) is the exposure map that comes with the sample, if any.
    ``brightness`` is the target's mean grey level before any map.
    """

    low: Pixels
    high: Pixels
    thumbnail: Floats
    brightness: float
    light: npt.NDArray[np.float16] | None = None
    stops: Floats | None = None

    @classmethod
    def of(cls, low: Pixels, high: Pixels) -> Sample:
        """A pair of photographs; what the bright one clips is taken from the dark one."""
        light = None
        if (high.max(axis=2) > CLIPPED).mean() > CLIPPED_SHARE:
            light = merge_exposures(scene_light(as_float(low)), scene_light(as_float(high)))
        half = None if light is None else light.astype(np.float16)
        return cls(low, high, thumbnail(as_float(low)), _mean_grey(as_float(high)), half)

    def light_in(self, window: tuple[slice, slice]) -> Floats:
        """Linear light of a window of the target."""
        if self.light is not None:
            return self.light[window].astype(np.float32)
        return scene_light(as_float(self.high[window]))

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        parts = (self.low, self.high, self.thumbnail, self.light, self.stops)
        return sum(part.nbytes for part in parts if part is not None)


class PhotoSampler(ABC):
    """Samples from real pairs, and from bright photographs that are darkened when drawn.

    A photograph is darkened once an epoch, as a function of (seed, phase, epoch, index).
    """

    keeps_pixels = True

    def __init__(
        self, pairs: Sequence[Pair], bright: BrightPhotos, data: Data, phase: Phase, seed: int
    ) -> None:
        self.data, self.phase, self.seed = data, phase, seed
        self.patch_px = phase.patch_px or data.patch_px
        self.size = phase.batch or data.batch
        self.pairs = pairs
        self.bright = bright.at_least(self.patch_px) if self.keeps_pixels else bright
        if not pairs and not len(self.bright):
            raise InputError("expected pairs or bright photographs to train on, got none")
        if self.keeps_pixels:
            _refuse_small(pairs, self.patch_px)
        share = data.darkened_share if len(self.bright) else 0.0
        self.darkened_count = round(share * self.size) if pairs else self.size
        self._real: dict[int, Sample] = {}
        self._darkened: OrderedDict[tuple[int, int, int], Sample] = OrderedDict()
        self._darkened_bytes = 0
        self._lock = threading.Lock()

    @property
    def steps_per_epoch(self) -> int:
        """Steps after which photographs are darkened anew."""
        return self.data.epoch_steps

    def batch(self, phase: int, step: int, *, rank: int = 0, world: int = 1) -> tuple[Floats, ...]:
        """What is drawn for a step, stacked part by part; see :class:`BatchSource`."""
        drawn = []
        for position in range(rank, self.size, world):
            rng = np.random.default_rng([self.seed, phase, step, position])
            if position < self.darkened_count:
                index = int(rng.integers(len(self.bright)))
                sample = self.darkened_sample(phase, step // self.data.epoch_steps, index)
                drawn.append(self._draw(rng, sample, True))
            else:
                sample = self._real_sample(int(rng.integers(len(self.pairs))))
                drawn.append(self._draw(rng, sample, False))
        return tuple(np.stack(part) for part in zip(*drawn, strict=True))

    @abstractmethod
    def _draw(self, rng: np.random.Generator, sample: Sample, dark: bool) -> tuple[Floats, ...]:
        """One sample of a batch; ``dark`` says that it was darkened by us."""

    def _real_sample(self, index: int) -> Sample:
        if index not in self._real:
            self._real[index] = Sample.of(self.pairs[index].low, self.pairs[index].high)
        return self._real[index]

    def darkened_sample(self, phase: int, epoch: int, index: int) -> Sample:
        """Bright photograph ``index`` as it is darkened in an epoch."""
        key = (phase, epoch, index)
        with self._lock:
            if key in self._darkened:
                return self._darkened[key]
        sample = self._darken(self.bright[index], np.random.default_rng([self.seed, *key, 9]))
        with self._lock:
            if key not in self._darkened:  # another thread may have been as fast
                self._darkened[key] = sample
                self._darkened_bytes += sample.nbytes
            while self._darkened_bytes > CACHE_BYTES:
                self._darkened_bytes -= self._darkened.popitem(last=False)[1].nbytes
        return sample

    def _darken(self, photo: Pixels, rng: np.random.Generator) -> Sample:
        """One photograph darkened; the part of it that is used is cut out first, to save time."""
        part = photo[_random_window(rng, photo, max(self.patch_px, DARKENED_PX))]
        k = float(np.exp(rng.uniform(np.log(self.data.k_low), np.log(self.data.k_high))))
        light, stops = scene_light(as_float(part)), None
        if rng.random() < self.phase.uneven_share:
            # lit up to 50 times more in some parts; all or part of that is to be undone
            most = rng.uniform(1, np.clip(np.log2(1.5 / k), 1, MOST_STOPS))
            uneven = uneven_stops(part.shape[0], part.shape[1], most, rng)
            light = light * np.exp2(uneven)[:, :, None]
            undone = rng.choice([0, 0.5, 0.8, 1], p=[0.15, 0.2, 0.25, 0.4])
            stops = uneven * np.float32(-undone)
        if rng.random() < self.phase.lamp_share:
            light = add_lamps(light, k, rng)
        camera = CAMERAS[self.data.camera](rng)
        low = np.asarray(quantise(record(light, k, rng, camera), np.uint8))
        if camera.lamp != (1.0, 1.0):
            light = light * camera.cast ** np.float32(CAST_KEPT)
        small = thumbnail(as_float(low))
        brightness = _mean_grey(render(light[::3, ::3]))
        if not self.keeps_pixels:
            none = np.empty((0, 0, 3), np.uint8)
            return Sample(none, none, small, _mean_grey(as_float(part)))
        return Sample(low, part, small, brightness, light.astype(np.float16), stops)


class PatchSampler(PhotoSampler):
    """Patches for the picture network, with what it gets of the whole photo.

    Dark and bright patches (B, 3, P, P), thumbnails (B, 3, 96, 96), brightness (B, 1) and the
    exposure map as a gain of encoded values (B, 1, P, P). The bright patch is the reference with
    the map applied in linear light; the brightness is the mean grey level that the whole then
    has, and the map is relative to it: gain * brightness / level leads from the dark photo to
    the target.
    """

    def _draw(self, rng: np.random.Generator, sample: Sample, dark: bool) -> tuple[Floats, ...]:
        window = _random_window(rng, sample.low, self.patch_px)
        turn, flip = int(rng.integers(4)), bool(rng.integers(2))
        low, small = (_turned(x, turn, flip) for x in (sample.low[window], sample.thumbnail))
        if not dark and rng.random() < 0.5:
            gain = _jitter(rng)
            low, small = np.minimum(low * gain, 1), np.minimum(small * gain, 1)
        stops = np.zeros(sample.low.shape[:2], np.float32)
        if sample.stops is not None:
            stops = stops + sample.stops
        if rng.random() < self.phase.map_share:
            stops = stops + exposure_map(as_float(sample.low), rng)
        if rng.random() < self.phase.aim_share:
            stops = stops + np.float32(np.log2(DARKEST_AIM) * rng.random())
        brightness, relative = self._relative(sample, stops, rng)
        high = render(sample.light_in(window), stops[window])
        return (
            low,
            _turned(high, turn, flip),
            small,
            np.array([brightness], np.float32),
            _turned(np.exp2(relative[window] / GAMMA)[:, :, None], turn, flip),
        )

    def _relative(
        self, sample: Sample, stops: Floats, rng: np.random.Generator
    ) -> tuple[float, Floats]:
        """The brightness of the target with the map, and the map relative to it."""
        if not stops.any():
            return sample.brightness, stops
        coarse = (slice(None, None, 4), slice(None, None, 4))  # a sixteenth is plenty for a mean
        brightness = _mean_grey(render(sample.light_in(coarse), stops[coarse]))
        if np.ptp(stops) < 1e-6:
            return brightness, np.zeros_like(stops)
        relative = stops + np.float32(GAMMA * np.log2(sample.brightness / brightness))
        if rng.random() < 0.5:  # only their product counts, and the network has to know it
            shift = rng.uniform(-0.8, 0.8)
            relative = relative - np.float32(shift)
            brightness = float(np.clip(brightness * 2 ** (shift / GAMMA), 0.01, 0.95))
        return brightness, np.asarray(relative, np.float32)


class ThumbnailSampler(PhotoSampler):
    """Thumbnails (B, 3, 96, 96) with the target brightness (B, 1) of each.

    Upright or not: the same scene has the same exposure however the camera was held.
    """

    keeps_pixels = False

    def _draw(self, rng: np.random.Generator, sample: Sample, dark: bool) -> tuple[Floats, ...]:
        side_px = sample.thumbnail.shape[0]
        crop_px = int(rng.integers(round(SMALLEST_CROP * side_px), side_px + 1))
        crop = sample.thumbnail[_random_window(rng, sample.thumbnail, crop_px)]
        turn, flip = int(rng.integers(4)), bool(rng.integers(2))
        small = _turned(np.asarray(cv2.resize(crop, (side_px, side_px))), turn, flip)
        if not dark:
            small = np.minimum(small * _jitter(rng), 1)
        return small, np.array([sample.brightness], np.float32)


def _refuse_small(pairs: Sequence[Pair], side_px: int) -> None:
    small = [p.name for p in pairs if min(p.low.shape[:2]) < side_px]
    if small:
        raise InputError(f"expected pairs of at least {side_px} px, {small[0]} is smaller")


def _random_window(
    rng: np.random.Generator, photo: Pixels | Floats, side_px: int
) -> tuple[slice, slice]:
    """A square window of a photo, or its whole height or width where that is smaller."""
    y, x = (int(rng.integers(0, max(1, n - side_px + 1))) for n in photo.shape[:2])
    return slice(y, y + side_px), slice(x, x + side_px)


def _mean_grey(photo: Floats) -> float:
    """The mean grey level of a photo in [0, 1], at least one step of 8 bit."""
    return max(mean_level(photo), 1 / 255)


def _jitter(rng: np.random.Generator) -> np.float32:
    return np.float32(np.exp(rng.uniform(-GAIN_JITTER, GAIN_JITTER)))


def _turned(part: Pixels | Floats, quarter_turns: int, flip: bool) -> Floats:
    """``(P, P, 3)`` turned and flipped, as ``(3, P, P)`` in [0, 1]."""
    turned = np.rot90(part, quarter_turns)
    if flip:
        turned = turned[:, ::-1]
    scale = np.float32(255 if part.dtype == np.uint8 else 1)
    return np.ascontiguousarray(turned.transpose(2, 0, 1), np.float32) / scale
