"""Batches for the face detector: bright photographs' crops, darkened, and what is asked of them."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from relume.engine import Runtime
from relume.errors import InputError, RecipeError
from relume.faces.cells import POINTS, decode
from relume.faces.search import RawDetections
from relume.faces.yunet import YuNet
from relume.image.darken import record, scene_light
from relume.image.opening import Opening
from relume.photo import Image, as_float
from relume.train.data import Floats, Pixels
from relume.train.faces import FacePhotos, Labels, strides, targets
from relume.train.light import MOST_STOPS, add_lamps, uneven_stops
from relume.train.recipe import Data, Phase
from relume.train.sampler import CAMERAS

LIGHT = scene_light(np.linspace(0, 1, 256, dtype=np.float32).reshape(1, -1, 1)).ravel()
"""Linear light of each of 256 levels."""
OCTAVES = (-1.8, 0.7)
"""A window's side over the photograph's shorter one, as powers of two."""
MOST_ENLARGED = 1.6
MOSAIC_SHARE = 0.25
"""The share of crops that are four windows of half the size: small faces, and more edges."""
GAIN_JITTER, BLACK_JITTER = 0.4, (0.6, 1.1)
"""A crop is opened up as its whole photograph might be: gain times exp(+-0.4), black level."""
CROPS_A_PHOTO = 2


class FaceSampler:
    """Crops (B, 3, P, P), their opening (B, 3) and (B, 1), and targets (B, cells, 17).

    A crop is a function of (seed, phase, step, position); two neighbours in a batch are of one
    photograph, which is decoded once. The teacher, frozen, looks at the crop while it is bright.
    """

    def __init__(self, faces: FacePhotos, data: Data, phase: Phase, seed: int) -> None:
        self.faces, self.data, self.phase, self.seed = faces, data, phase, seed
        self.side_px = phase.patch_px or data.patch_px
        self.size = phase.batch or data.batch
        self.teacher = _teacher(data.teacher)
        if not len(faces.photos):
            raise InputError("expected bright photographs to train on, got none")
        known = [labels is not None for labels in faces.labels]
        self.labelled, self.unlabelled = np.flatnonzero(known), np.flatnonzero(~np.array(known))

    @property
    def steps_per_epoch(self) -> int:
        """Steps between two looks at the validation photographs."""
        return self.data.epoch_steps

    def batch(self, phase: int, step: int, *, rank: int = 0, world: int = 1) -> tuple[Floats, ...]:
        """What is drawn for a step, stacked part by part; see ``sampler.BatchSource``."""
        drawn, opened, photo = [], -1, None
        for position in range(rank, self.size, world):
            key = [self.seed, phase, step]
            index = self._index(np.random.default_rng([*key, position // CROPS_A_PHOTO]))
            if index != opened or photo is None:
                opened, photo = index, self.faces.photos[index]
            rng = np.random.default_rng([*key, position, 1])
            drawn.append(self._draw(rng, photo, self.faces.labels[index]))
        return tuple(np.stack(part) for part in zip(*drawn, strict=True))

    def _index(self, rng: np.random.Generator) -> int:
        """A photograph: ``labelled_share`` of them from labelled folders, if there are both."""
        share = self.data.labelled_share if len(self.unlabelled) else 1.0
        labelled = len(self.labelled) > 0 and rng.random() < share
        return int(rng.choice(self.labelled if labelled else self.unlabelled))

    def _draw(
        self, rng: np.random.Generator, photo: Pixels, labels: Labels | None
    ) -> tuple[Floats, ...]:
        bright, labels = self._crop(rng, photo, labels)
        wanted = targets(self.teacher(as_float(bright)), labels, self.side_px)
        image = as_float(bright)
        if rng.random() < self.data.darkened_share:
            image = darkened(rng, bright, self.data, self.phase)
        opening = Opening.of(image)
        black = opening.black * np.float32(rng.uniform(*BLACK_JITTER))
        gain = opening.gain
        if gain > 1:
            gain = max(1.0, gain * float(np.exp(rng.uniform(-GAIN_JITTER, GAIN_JITTER))))
        return (
            np.ascontiguousarray(image.transpose(2, 0, 1)),
            black,
            np.array([gain], np.float32),
            wanted,
        )

    def _crop(
        self, rng: np.random.Generator, photo: Pixels, labels: Labels | None
    ) -> tuple[Pixels, Labels | None]:
        """A window of the photograph, or four of half the size; mirrored half of the time."""
        if rng.random() < MOSAIC_SHARE:
            half = self.side_px // 2
            parts = [_window(rng, photo, labels, half) for _ in range(4)]
            rows = [np.concatenate([p for p, _ in parts[i : i + 2]], axis=1) for i in (0, 2)]
            crop = np.concatenate(rows)
            if labels is not None:
                places = [(0, 0), (half, 0), (0, half), (half, half)]
                labels = Labels.joined(
                    [own.moved(*p, 1) for (_, own), p in zip(parts, places, strict=True) if own]
                )
        else:
            crop, labels = _window(rng, photo, labels, self.side_px)
        if rng.random() < 0.5:
            crop = np.ascontiguousarray(crop[:, ::-1])
            labels = None if labels is None else labels.mirrored(self.side_px)
        return crop, labels


def darkened(rng: np.random.Generator, bright: Pixels, data: Data, phase: Phase) -> Floats:
    """A bright crop as the recipe's camera records it with less light, lit unevenly or not."""
    k = float(np.exp(rng.uniform(np.log(data.k_low), np.log(data.k_high))))
    height, width = bright.shape[:2]
    light = LIGHT[bright]
    if rng.random() < phase.uneven_share:
        most = rng.uniform(1, np.clip(np.log2(1.5 / k), 1, MOST_STOPS))
        light = light * np.exp2(uneven_stops(height, width, most, rng))[:, :, None]
    if rng.random() < phase.lamp_share:
        light = add_lamps(light, k, rng)
    return record(light, k, rng, CAMERAS[data.camera](rng))


def _teacher(name: str) -> Callable[[Image], RawDetections]:
    """What a teacher says of every cell of a crop; one without a name sees nothing.

    Raises:
        RecipeError: a detector that does not speak of cells.
    """
    if name == "yunet":
        yunet = YuNet(runtime=Runtime(precision="f32", threads=1))
        return lambda image: decode(*yunet.outputs(image), 0.0)
    if name:
        raise RecipeError(f'expected teacher yunet or none at all (""), got {name!r}')

    def blind(image: Image) -> RawDetections:
        cells = len(strides(image.shape[0]))
        zeros = np.zeros((cells, 4), np.float32)
        return RawDetections(zeros, zeros[:, 0], np.zeros((cells, POINTS, 2), np.float32))

    return blind


def _window(
    rng: np.random.Generator, photo: Pixels, labels: Labels | None, side_px: int
) -> tuple[Pixels, Labels | None]:
    """A random square window at ``side_px``; what lies outside of the photograph is black."""
    height, width = photo.shape[:2]
    own_px = round(min(height, width) * 2 ** rng.uniform(*OCTAVES))
    own_px = min(max(own_px, round(side_px / MOST_ENLARGED), 1), max(height, width))
    x, y = (int(rng.integers(0, max(1, n - own_px + 1))) for n in (width, height))
    part = photo[y : y + own_px, x : x + own_px]
    scale = side_px / own_px
    size = tuple(max(1, min(side_px, round(n * scale))) for n in part.shape[1::-1])
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    crop = np.zeros((side_px, side_px, 3), np.uint8)
    crop[: size[1], : size[0]] = cv2.resize(part, size, interpolation=kind)
    if labels is not None:
        labels = labels.moved(-x, -y, scale).inside(side_px)
    return crop, labels
