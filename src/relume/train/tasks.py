"""What is trained: a network with its data, batches, validation, panels and export."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from relume import weights
from relume.engine import load
from relume.errors import RecipeError
from relume.nets.detector import FaceNet
from relume.nets.fast import FastNet
from relume.nets.landmarks import LandmarkNet
from relume.nets.retinexnet import RetinexNet
from relume.nets.sizes import PICTURE_STRIDE_PX
from relume.train import validate, validate_faces, validate_points
from relume.train.data import BrightPhotos, Pair, darkened_pairs, read_bright, split
from relume.train.export import (
    export_detector,
    export_fast,
    export_landmarks,
    export_relume,
    export_retinexnet,
)
from relume.train.face_sampler import FaceSampler
from relume.train.faces import read_face_photos
from relume.train.phases import PHASES, RelumeNet
from relume.train.point_sampler import PointSampler
from relume.train.points import read_faces
from relume.train.recipe import Phase, Recipe, flatten
from relume.train.sampler import CAMERAS, BatchSource, PairPatches, PatchSampler, ThumbnailSampler
from relume.train.taught import TaughtPatches, make_examples

Note = Callable[[str], None]


@dataclass(frozen=True)
class Material:
    """The folders of a run: pairs, bright photographs to darken, and labelled ones that are held.

    Those ``held`` are only measured on, by tasks that find faces.
    """

    pairs: Sequence[Path] = ()
    bright: Sequence[Path] = ()
    held: Sequence[Path] = ()


@dataclass(frozen=True)
class Task:
    """A network and all that its training needs to know of it.

    ``training`` pairs are trained on, ``validation`` is of scenes that never are, and
    ``bright`` photographs are darkened during training. ``source`` makes a phase's batches.
    ``figures``, ``panels`` and ``export`` take the net of the moment: validation figures on whole
    photos, a picture of what it does with some of them, and the files that are shipped.
    """

    net: nn.Module
    training: Sequence[Pair]
    validation: Sequence[Any]
    bright: BrightPhotos
    epoch_steps: int
    source: Callable[[Phase], BatchSource]
    figures: Callable[[Any, Sequence[Any]], dict[str, float]]
    panels: Callable[[Any, Sequence[Any], Path], None]
    export: Callable[[Any, Path], list[Path]]


def _retinexnet(recipe: Recipe, material: Material, note: Note) -> Task:
    """Retinex-Net: Decom-Net, then Enhance-Net, on aligned patches of all pairs."""
    data, seed = recipe.data, recipe.seed
    training, validation = split(material.pairs, data, seed, note=note)
    if data.darkened:
        training += darkened_pairs(read_bright(material.bright, data, note=note), data, seed)
    patches = PairPatches(training, data, seed)
    return Task(
        RetinexNet(),
        training,
        validation,
        BrightPhotos([]),
        patches.steps_per_epoch,
        source=lambda _: patches,
        figures=validate.validate_retinexnet,
        panels=validate.write_retinexnet_panels,
        export=export_retinexnet,
    )


def _fast(recipe: Recipe, material: Material, note: Note) -> Task:
    """The fast network, taught by the shipped one; the bright side of pairs is darkened, too."""
    data, seed = recipe.data, recipe.seed
    sides = [data.examples_px, *(p.patch_px or data.patch_px for p in recipe.phases)]
    odd = [side for side in sides if side % PICTURE_STRIDE_PX]
    if odd:
        raise RecipeError(
            f"{recipe.name}: expected patches of multiples of {PICTURE_STRIDE_PX}, got {odd[0]}"
        )
    training, validation = split(material.pairs, data, seed, note=note)
    photos = read_bright(material.bright, data, note=note) + BrightPhotos.of(
        p.high for p in training
    )

    def source(phase: Phase) -> BatchSource:
        large = replace(phase, patch_px=data.examples_px, batch=data.batch)
        identity = {
            **{key: value for key, value in flatten(recipe).items() if key.startswith("data.")},
            "light": [getattr(phase, f"{of}_share") for of in ("aim", "map", "uneven", "lamp")],
            "seed": seed,
            "photographs": photos.digest,
            "teacher": weights.entries()["relume"].sha256,
        }
        examples = make_examples(
            PatchSampler(training, photos, replace(data, epoch_steps=1), large, seed),
            load(weights.path("relume")),
            data.examples,
            identity,
            weights.cache_folder(),
            note,
        )
        patch_px, batch = phase.patch_px or data.patch_px, phase.batch or data.batch
        return TaughtPatches(examples, patch_px, batch, data.epoch_steps, seed)

    return Task(
        FastNet(),
        training,
        validation,
        photos,
        data.epoch_steps,
        source=source,
        figures=validate.validate_fast,
        panels=validate.write_fast_panels,
        export=export_fast,
    )


def _relume(recipe: Recipe, material: Material, note: Note) -> Task:
    """relume's own network: the picture network on patches, the exposure estimator on thumbnails.

    Both are of pairs, and of photographs that are darkened anew every epoch.
    """
    training, validation = split(material.pairs, recipe.data, recipe.seed, note=note)
    photos = read_bright(material.bright, recipe.data, note=note)

    def source(phase: Phase) -> BatchSource:
        kind = ThumbnailSampler if phase.name == "exposure" else PatchSampler
        return kind(training, photos, recipe.data, phase, recipe.seed)

    return Task(
        RelumeNet(),
        training,
        validation,
        photos,
        recipe.data.epoch_steps,
        source=source,
        figures=validate.validate_relume,
        panels=validate.write_relume_panels,
        export=export_relume,
    )


def _detector(recipe: Recipe, material: Material, note: Note) -> Task:
    """relume's face detector: crops of bright photographs, darkened; a teacher, and labels."""
    data = recipe.data
    faces = read_face_photos(material.bright, data, note=note)
    held = validate_faces.read_held(material.held, data, note=note) if material.held else []

    def export(net: FaceNet, folder: Path) -> list[Path]:
        return export_detector(validate_faces.calibrated(net, held) if held else net, folder)

    return Task(
        FaceNet(),
        [],
        held,
        faces.photos,
        data.epoch_steps,
        source=lambda phase: FaceSampler(faces, data, phase, recipe.seed),
        figures=validate_faces.validate_detector,
        panels=validate_faces.write_detector_panels,
        export=export,
    )


def _landmarks(recipe: Recipe, material: Material, note: Note) -> Task:
    """relume's 68 points: labelled faces, and those that a teacher placed points on, darkened."""
    data = recipe.data
    faces = read_faces(material.bright, data, note=note)
    held = validate_points.read_held(material.held, data) if material.held else []

    def export(net: LandmarkNet, folder: Path) -> list[Path]:
        return export_landmarks(validate_points.calibrated(net, held) if held else net, folder)

    return Task(
        LandmarkNet(),
        [],
        held,
        faces.photos,
        data.epoch_steps,
        source=lambda phase: PointSampler(faces, data, phase, recipe.seed),
        figures=validate_points.validate_landmarks,
        panels=validate_points.write_landmark_panels,
        export=export,
    )


_TASKS = {
    "retinexnet": _retinexnet,
    "relume": _relume,
    "relume-fast": _fast,
    "detector": _detector,
    "landmarks": _landmarks,
}


FACES = ("detector", "landmarks")
"""The networks that learn from faces in bright photographs, not from pairs."""


def check(recipe: Recipe, material: Material) -> None:
    """Hold the recipe's network, phases and data against each other, before anything is read.

    Raises:
        RecipeError: they do not fit.
    """
    if recipe.network not in PHASES:
        known = ", ".join(PHASES)
        raise RecipeError(f"{recipe.name}: expected network among {known}, got {recipe.network!r}")
    phases = PHASES[recipe.network]
    unknown = [p.name for p in recipe.phases if p.name not in phases]
    if unknown or not recipe.phases:
        known = ", ".join(phases)
        raise RecipeError(f"{recipe.name}: expected phases among {known}, got {unknown or 'none'}")
    for phase in recipe.phases:
        terms = phases[phase.name].defaults
        for term in sorted(phase.weights.keys() - terms.keys()):
            known = ", ".join(terms)
            raise RecipeError(f"phase {phase.name}: unknown loss weight {term!r}; known: {known}")
    if recipe.data.camera not in CAMERAS:
        known = ", ".join(CAMERAS)
        raise RecipeError(
            f"{recipe.name}: expected camera among {known}, got {recipe.data.camera!r}"
        )
    finds_faces = recipe.network in FACES
    if not finds_faces and not material.pairs:
        raise RecipeError(
            f"{recipe.name} needs pairs: name a folder with low/ and high/: --pairs DIR"
        )
    if (material.pairs and finds_faces) or (material.held and not finds_faces):
        option, use = ("--pairs", "--bright") if finds_faces else ("--held", "--pairs")
        raise RecipeError(f"the network {recipe.network} has no use for {option}; use {use}")
    if (finds_faces or recipe.data.darkened) and not material.bright:
        instead = "" if finds_faces else ", or set darkened = 0"
        raise RecipeError(
            f"{recipe.name} darkens bright photographs: name their folders with --bright DIR"
            + instead
        )


def create(recipe: Recipe, material: Material, note: Note) -> Task:
    """The task of a recipe, with its data read."""
    return _TASKS[recipe.network](recipe, material, note)
