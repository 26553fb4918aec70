"""Validation of a landmarker under training: its error at several lights, and what it expects."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from relume.errors import InputError
from relume.faces.base import Box, Face
from relume.faces.landmarks import RelumeLandmarker
from relume.faces.quality import MEAN_DISTANCE
from relume.faces.search import box_around
from relume.metrics.landmarks import POINTS, nme
from relume.nets.landmarks import LANDMARK_OUTPUTS, LandmarkNet, LandmarkOutputs
from relume.photo import Image
from relume.train.data import Floats, Pixels
from relume.train.point_sampler import off
from relume.train.points import read_faces
from relume.train.recipe import Data
from relume.train.validate import darkened, inference, write_ladder

LADDER = (1.0, 0.1, 0.03, 0.01, 0.005)
"""The light that a validation face is left with; 1 leaves it as it is."""
OFF = 0.03
"""Validation boxes are off by this, as a share of their size, each side."""


@dataclass(frozen=True)
class HeldFace:
    """A labelled face that is never trained on: its surroundings, points (68, 2) and a box."""

    name: str
    photo: Pixels
    points: Floats
    box: Box


def read_held(folders: Sequence[Path], data: Data) -> list[HeldFace]:
    """The labelled faces of the folders.

    Raises:
        InputError: they cannot be read, or there is none.
    """
    faces = read_faces(folders, replace(data, teacher=""))
    held = []
    for number, points in enumerate(faces.points[:, :, :2]):
        box = off(np.random.default_rng([4, number]), box_around(points), OFF)
        held.append(HeldFace(f"held-{number}", faces.photos[number], points, box))
    if not held:
        raise InputError(f"expected labelled faces in {folders[0]}, got none")
    return held


def landmarker_of(net: LandmarkNet) -> RelumeLandmarker:
    """The net of the moment, one look at each face."""
    return RelumeLandmarker(
        mirror=False, inference=inference(LandmarkOutputs(net), *LANDMARK_OUTPUTS)
    )


def validate_landmarks(net: LandmarkNet, held: Sequence[HeldFace]) -> dict[str, float]:
    """The mean error (NME) at each light, the mean of all first; and the error over the expected.

    The last is 1 where sigma, as a density exp(-r / s) of distances has it, tells the truth.
    """
    place = landmarker_of(net)
    figures = {}
    expected: list[float] = []
    found: list[float] = []
    for k in LADDER:
        errors = []
        for number, face in enumerate(held):
            placed = place.place(darkened(face.photo, k, number), [face.box])
            errors.append(nme(placed.points[0], face.points))
            found.append(float(np.linalg.norm(placed.points[0] - face.points, axis=1).mean()))
            assert placed.sigma is not None
            expected.append(float(placed.sigma.mean()) * MEAN_DISTANCE)
        figures[f"nme_{k:g}"] = round(float(np.mean(errors)), 4)
    mean = round(float(np.mean(list(figures.values()))), 4)
    return {"nme": mean, **figures, "over_expected": round(sum(found) / sum(expected), 3)}


def calibrated(net: LandmarkNet, held: Sequence[HeldFace]) -> LandmarkNet:
    """A copy whose sigma is as large as its errors on the held faces are; the points stay."""
    moved = copy.deepcopy(net)
    with torch.no_grad():
        over = validate_landmarks(net, held)["over_expected"]
        moved.out.bias[POINTS:] += float(np.log(over))
    return moved


def write_landmark_panels(net: LandmarkNet, held: Sequence[HeldFace], path: Path) -> None:
    """One row a face: bright, then darker and opened up as the net sees it, with its points."""
    place = landmarker_of(net)

    def find(number: int, image: Image) -> list[Face]:
        box = held[number].box
        return [Face(box, 1.0, place(image, box))]

    write_ladder((face.photo for face in held), find, LADDER, path)
