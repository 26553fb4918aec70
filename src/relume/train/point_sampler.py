"""Batches for the landmarker: faces turned, mirrored, shrunk, darkened, and their 68 points."""

from __future__ import annotations

import cv2
import numpy as np

from relume.errors import InputError
from relume.faces.base import MIRRORED, Box
from relume.faces.landmarks import opening, square, to_input
from relume.faces.search import box_around
from relume.metrics.landmarks import POINTS
from relume.nets.sizes import LANDMARKS_PX
from relume.photo import as_float
from relume.train.data import Floats, Pixels
from relume.train.face_sampler import darkened
from relume.train.points import LabelledFaces
from relume.train.recipe import Data, Phase

OFF = 0.06
"""A detector's box is off by this (standard deviation), each side, as a share of its size."""
HALVED = 0.6
TURNED = 15.0
"""Degrees that faces are turned by (standard deviation)."""
SMALLEST_PX = 48
"""The smallest square that a face is shown in before it is brought to the network's size."""


class PointSampler:
    """Squares (B, 3, 96, 96), their opening (B, 3) and (B, 1), and points (B, 68, 3).

    Points are in pixels of the square, with what each weighs. A square is a function of (seed,
    phase, step, position); half of them are mirrored.
    """

    def __init__(self, faces: LabelledFaces, data: Data, phase: Phase, seed: int) -> None:
        self.faces, self.data, self.phase, self.seed = faces, data, phase, seed
        self.size = phase.batch or data.batch
        if not len(faces.photos):
            raise InputError("expected faces to train on, got none")
        self.labelled, self.taught = np.flatnonzero(faces.labelled), np.flatnonzero(~faces.labelled)

    @property
    def steps_per_epoch(self) -> int:
        """Steps between two looks at the validation faces."""
        return self.data.epoch_steps

    def batch(self, phase: int, step: int, *, rank: int = 0, world: int = 1) -> tuple[Floats, ...]:
        """What is drawn for a step, stacked part by part; see ``sampler.BatchSource``."""
        drawn = [
            self._draw(np.random.default_rng([self.seed, phase, step, position]))
            for position in range(rank, self.size, world)
        ]
        return tuple(np.stack(part) for part in zip(*drawn, strict=True))

    def _draw(self, rng: np.random.Generator) -> tuple[Floats, ...]:
        share = self.data.labelled_share if len(self.taught) else 1.0
        labelled = len(self.labelled) > 0 and rng.random() < share
        index = int(rng.choice(self.labelled if labelled else self.taught))
        part, points = turned(rng, self.faces.photos[index], self.faces.points[index])
        image = as_float(part)
        if rng.random() < self.data.darkened_share:
            image = darkened(rng, part, self.data, self.phase)
        points[:, :2] *= np.float32(LANDMARKS_PX / len(part))
        image = to_input(image)
        opened = opening(image)
        return (
            np.ascontiguousarray(image.transpose(2, 0, 1)),
            opened.black,
            np.array([opened.gain], np.float32),
            points,
        )


def turned(rng: np.random.Generator, photo: Pixels, points: Floats) -> tuple[Pixels, Floats]:
    """A face in a square (S, S, 3) as a detector's box would cut it out, and its points (68, 3).

    The square is of a random size, so that noise of every size is seen.
    """
    side = photo.shape[0]
    points = points.copy()
    if rng.random() < 0.5:
        photo = photo[:, ::-1]
        points = points[list(MIRRORED[POINTS])]
        points[:, 0] = side - points[:, 0]
    angle = np.deg2rad(np.clip(rng.normal(0, TURNED), -60, 60))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    around = points[:, :2] @ turn.T  # in a frame that is turned about the corner of the photo
    box = off(rng, box_around(around))
    corner, whole = square(box)
    kept = round(np.exp(rng.uniform(np.log(min(SMALLEST_PX, whole)), np.log(whole))))
    if kept < HALVED * whole:  # what warpAffine would only sample is averaged first
        half = (max(1, side // 2),) * 2
        photo = np.asarray(cv2.resize(photo, half, interpolation=cv2.INTER_AREA))
    shrunk, scale = photo.shape[0] / side, kept / whole
    shift = np.array(corner, np.float64) * -scale
    matrix = np.concatenate([turn * (scale / shrunk), shift[:, None]], axis=1)
    # warpAffine maps pixel centres: half a pixel in the square and half in the photo
    matrix[:, 2] += matrix[:, :2] @ np.full(2, 0.5) - 0.5
    part = cv2.warpAffine(
        np.ascontiguousarray(photo),
        matrix,
        (kept, kept),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    points[:, :2] = around * np.float32(scale) + shift.astype(np.float32)
    return np.asarray(part, np.uint8), points


def off(rng: np.random.Generator, box: Box, by: float = OFF) -> Box:
    """A box with every side off, by at most three standard deviations."""
    x0, y0, x1, y1 = box
    left, top, right, bottom = np.clip(rng.normal(0, by, 4), -3 * by, 3 * by)
    width, height = x1 - x0, y1 - y0
    return (
        x0 + left * width,
        y0 + top * height,
        x1 + right * width,
        y1 + bottom * height,
    )
