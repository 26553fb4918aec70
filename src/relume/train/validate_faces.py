"""Validation of a face detector under training: recall at equal false alarms, bright and dark."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from relume.errors import InputError
from relume.faces.base import Face
from relume.faces.relume import THRESHOLD, RelumeDetector
from relume.metrics.detection import (
    LEAST_SCORE,
    Scored,
    found_at_false_alarms,
    score_at_false_alarms,
)
from relume.nets.detector import DETECTOR_OUTPUTS, DetectorOutputs, FaceNet
from relume.train.data import Pixels
from relume.train.faces import LABELS, Labels, read_face_photos
from relume.train.recipe import Data
from relume.train.validate import darkened, inference, write_ladder

LADDER = (1.0, 0.03, 0.01, 0.005)
"""The light that a validation photograph is left with; 1 leaves it as it is."""
FALSE_ALARMS = 0.25
"""False alarms a photograph at which the recall is given."""
USUAL_FALSE_ALARMS = 0.125
"""False alarms a photograph that the default threshold leaves."""
HELD_PX = 768
REQUIRED_PX = 16.0
"""Faces with a shorter side from this on have to be found."""


@dataclass(frozen=True)
class Held:
    """A labelled photograph that is never trained on."""

    name: str
    photo: Pixels
    labels: Labels


def read_held(
    folders: Sequence[Path], data: Data, *, note: Callable[[str], None] | None = None
) -> list[Held]:
    """The labelled photographs of the folders, up to HELD_PX long: larger than crops are taught.

    Raises:
        InputError: they cannot be read, or none is labelled.
    """
    faces = read_face_photos(folders, replace(data, longest_px=HELD_PX), note=note)
    held = [
        Held(f"held-{index}", faces.photos[index], labels)
        for index, labels in enumerate(faces.labels)
        if labels is not None
    ]
    if not held:
        raise InputError(f"expected labels in {folders[0] / LABELS}: no photograph there has any")
    return held


def detector_of(net: FaceNet) -> RelumeDetector:
    """The net of the moment as users will have it."""
    call = inference(DetectorOutputs(net), *DETECTOR_OUTPUTS)
    return RelumeDetector(threshold=LEAST_SCORE, inference=call)


def validate_detector(net: FaceNet, held: Sequence[Held]) -> dict[str, float]:
    """Share of the faces found at 0.25 false alarms a photograph; the mean of all light first."""
    find = detector_of(net)
    figures = {}
    for k in LADDER:
        scored = [_scored(find(darkened(h.photo, k, n)), h.labels) for n, h in enumerate(held)]
        figures[f"found_{k:g}"] = round(found_at_false_alarms(scored, FALSE_ALARMS), 4)
    return {"found": round(float(np.mean(list(figures.values()))), 4), **figures}


def calibrated(net: FaceNet, held: Sequence[Held]) -> FaceNet:
    """A copy whose scores are moved: from the default threshold on, 1/8 false alarm a photograph.

    Bright and dark photographs together. The order of the scores stays.
    """
    find = detector_of(net)
    scored = [
        _scored(find(darkened(h.photo, k, n)), h.labels) for n, h in enumerate(held) for k in LADDER
    ]
    score = score_at_false_alarms(scored, USUAL_FALSE_ALARMS)
    shift = np.log(THRESHOLD / (1 - THRESHOLD)) - np.log(score / (1 - score))
    moved = copy.deepcopy(net)
    with torch.no_grad():
        for head in moved.heads:
            head.score[-1].bias += float(shift)
    return moved


def write_detector_panels(net: FaceNet, held: Sequence[Held], path: Path) -> None:
    """One row a photograph: bright, then opened up as the net sees it, with what it finds."""
    find = detector_of(net)
    write_ladder((h.photo for h in held), lambda _, image: find(image), LADDER, path)


def _scored(faces: Sequence[Face], labels: Labels) -> Scored:
    sides = (labels.boxes[:, 2:] - labels.boxes[:, :2]).min(axis=1, initial=np.inf)
    required = ~labels.ignore & (sides >= REQUIRED_PX)
    return Scored.of(
        [face.box for face in faces],
        [face.score for face in faces],
        labels.boxes[required],
        labels.boxes[~required],
    )
