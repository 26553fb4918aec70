"""Batches for the face detector: bright photographs' crops, darkened, and what is asked of them."""

from __future__ import annotations

import cv2
import numpy as np

from relume.errors import InputError
from relume.image.darken import record, scene_light
from relume.image.opening import Opening
from relume.photo import as_float
from relume.train import teacher
from relume.train.data import Floats, Pixels
from relume.train.faces import SMALLEST_PX, FacePhotos, Labels, targets
from relume.train.light import MOST_STOPS, add_lamps, uneven_stops
from relume.train.recipe import Data, Phase
from relume.train.sampler import CAMERAS

LIGHT = scene_light(np.linspace(0, 1, 256, dtype=np.float32).reshape(1, -1, 1)).ravel()
"""Linear light of each of 256 levels."""
OCTAVES = (-1.8, 0.7)
"""A window's side over the photograph's shorter one, as powers of two."""
MOST_ENLARGED = 1.6
MOSAIC_SHARE = 0.3
"""The share of crops that are 4 windows of half the size or 16 of a quarter: small faces."""
AIMED_SHARE = 0.6
"""The share of windows of labelled photographs that are laid around a face."""
AIMED_PX, AIMED_MOST = 10.0, 0.8
"""The least size of that face, and its most as a share of the window; in between log-uniform."""
GAIN_JITTER, BLACK_JITTER = 0.4, (0.6, 1.1)
"""A crop is opened up as its whole photograph might be: gain times exp(+-0.4), black level."""
CROPS_A_PHOTO = 2


class FaceSampler:
    """Crops (B, 3, P, P), their opening (B, 3) and (B, 1), and targets (B, cells, 17).

    And last the teacher's features (B, cells, 64), none of them without a teacher.

    A crop is a function of (seed, phase, step, position); two neighbours in a batch are of one
    photograph, which is decoded once. The teacher, frozen, looks at the crop while it is bright.
    """

    def __init__(self, faces: FacePhotos, data: Data, phase: Phase, seed: int) -> None:
        self.faces, self.data, self.phase, self.seed = faces, data, phase, seed
        self.side_px = phase.patch_px or data.patch_px
        self.size = phase.batch or data.batch
        self.teacher = teacher.named(data.teacher)
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
        seen, features = self.teacher(as_float(bright))
        wanted = targets(seen, labels, self.side_px)
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
            features,
        )

    def _crop(
        self, rng: np.random.Generator, photo: Pixels, labels: Labels | None
    ) -> tuple[Pixels, Labels | None]:
        """A window of the photograph, or a mosaic of smaller ones; mirrored half of the time."""
        if rng.random() < MOSAIC_SHARE:
            a_side = int(rng.choice([2, 4], p=[2 / 3, 1 / 3]))
            own_px = self.side_px // a_side
            parts = [_window(rng, photo, labels, own_px) for _ in range(a_side**2)]
            pictures = np.stack([part for part, _ in parts]).reshape(a_side, a_side, own_px, -1, 3)
            crop = np.concatenate(np.concatenate(pictures, axis=1), axis=1)
            if labels is not None:
                places = [(x * own_px, y * own_px) for y in range(a_side) for x in range(a_side)]
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


def _aimed(rng: np.random.Generator, labels: Labels | None) -> Floats | None:
    """The box of the face that a window is laid around, None for a window anywhere."""
    if labels is None or rng.random() >= AIMED_SHARE:
        return None
    boxes = labels.boxes[~labels.ignore]
    boxes = boxes[(boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=np.inf) >= SMALLEST_PX]
    return boxes[int(rng.integers(len(boxes)))] if len(boxes) else None


def _window(
    rng: np.random.Generator, photo: Pixels, labels: Labels | None, side_px: int
) -> tuple[Pixels, Labels | None]:
    """A square window at ``side_px``; what lies outside of the photograph is black.

    Anywhere, or around one of the labelled faces.
    """
    height, width = photo.shape[:2]
    face = _aimed(rng, labels)
    if face is None:
        own_px = round(min(height, width) * 2 ** rng.uniform(*OCTAVES))
    else:
        face_px = float(np.sqrt((face[2:] - face[:2]).prod()))
        wanted_px = float(np.exp(rng.uniform(np.log(AIMED_PX), np.log(AIMED_MOST * side_px))))
        own_px = round(face_px * side_px / wanted_px)
    own_px = min(max(own_px, round(side_px / MOST_ENLARGED), 1), max(height, width))
    low, room = np.zeros(2), np.array([width, height], float) - own_px
    if face is not None:  # its middle is inside, and not at the edge
        middle = (face[:2] + face[2:]) / 2
        low, room = (np.minimum(middle - share * own_px, room) for share in (0.85, 0.15))
    ends = zip(low.clip(0), room.clip(0), strict=True)
    x, y = (int(rng.integers(int(first), int(last) + 1)) for first, last in ends)
    part = photo[y : y + own_px, x : x + own_px]
    scale = side_px / own_px
    size = tuple(max(1, min(side_px, round(n * scale))) for n in part.shape[1::-1])
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    crop = np.zeros((side_px, side_px, 3), np.uint8)
    crop[: size[1], : size[0]] = cv2.resize(part, size, interpolation=kind)
    if labels is not None:
        labels = labels.moved(-x, -y, scale).inside(side_px)
    return crop, labels
