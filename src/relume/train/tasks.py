"""What is trained: a network with its data, phases, validation, panels and export.

:class:`RetinexTask` and :class:`PictureTask` answer the same questions for the training run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, cast

from torch import nn

from relume.errors import RecipeError
from relume.nets.retinexnet import RetinexNet
from relume.train import validate
from relume.train.data import BrightPhotos, Pair, darkened_pairs, read_bright, split
from relume.train.export import export_relume, export_retinexnet
from relume.train.phases import PHASES, RelumeNet, with_defaults
from relume.train.recipe import Phase, Recipe
from relume.train.sampler import BatchSource, PairPatches, PatchSampler, ThumbnailSampler

Note = Callable[[str], None]


class Task(Protocol):
    """A network and all that its training needs to know of it."""

    net: nn.Module
    """What is trained."""

    training: Sequence[Pair]
    """The pairs trained on."""

    validation: Sequence[Pair]
    """The pairs of scenes that are never trained on."""

    bright: BrightPhotos
    """The bright photographs that are darkened during training."""

    def epoch_steps(self, phase: Phase) -> int:
        """Steps in an epoch of the phase."""

    def source(self, phase: Phase) -> BatchSource:
        """Where the phase's batches come from."""

    def figures(self, net: nn.Module) -> dict[str, float]:
        """Validation figures of ``net``, on whole photos."""

    def panels(self, net: nn.Module, pairs: Sequence[Pair], path: Path) -> None:
        """A picture of what ``net`` does with some validation photos."""

    def export(self, net: nn.Module, folder: Path) -> list[Path]:
        """Write what is shipped; returns the files."""


class RetinexTask:
    """Retinex-Net: Decom-Net, then Enhance-Net, on patches of pairs."""

    def __init__(
        self, recipe: Recipe, pairs: Sequence[Path], bright: Sequence[Path], note: Note
    ) -> None:
        data, seed = recipe.data, recipe.seed
        training, validation = split(pairs, data, seed, note=note)
        if data.darkened:
            training += darkened_pairs(read_bright(bright, data, note=note), data, seed)
        self.training: Sequence[Pair] = training
        self.validation: Sequence[Pair] = validation
        self.bright = BrightPhotos([])
        self.net: nn.Module = RetinexNet()
        self.patches = PairPatches(training, data, seed)

    def epoch_steps(self, phase: Phase) -> int:
        """One pass over the pairs."""
        del phase
        return self.patches.steps_per_epoch

    def source(self, phase: Phase) -> BatchSource:
        """Aligned patches of all pairs."""
        del phase
        return self.patches

    def figures(self, net: nn.Module) -> dict[str, float]:
        """PSNR and SSIM of the results, and how good the decomposition is."""
        return validate.validate_retinexnet(cast(RetinexNet, net), self.validation)

    def panels(self, net: nn.Module, pairs: Sequence[Pair], path: Path) -> None:
        """Input | R | I | relit I | result | reference, a row a photo."""
        validate.write_retinexnet_panels(cast(RetinexNet, net), pairs, path)

    def export(self, net: nn.Module, folder: Path) -> list[Path]:
        """retinexnet.safetensors and retinexnet.onnx."""
        return export_retinexnet(cast(RetinexNet, net), folder)


class PictureTask:
    """relume's own network: the picture network, then the exposure estimator."""

    def __init__(
        self, recipe: Recipe, pairs: Sequence[Path], bright: Sequence[Path], note: Note
    ) -> None:
        self.recipe = recipe
        training, validation = split(pairs, recipe.data, recipe.seed, note=note)
        self.training: Sequence[Pair] = training
        self.validation: Sequence[Pair] = validation
        self.bright = read_bright(bright, recipe.data, note=note)
        self.net: nn.Module = RelumeNet()

    def epoch_steps(self, phase: Phase) -> int:
        """As the recipe says."""
        del phase
        return self.recipe.data.epoch_steps

    def source(self, phase: Phase) -> BatchSource:
        """Patches, or thumbnails, of pairs and of photographs darkened anew every epoch."""
        kind = ThumbnailSampler if phase.name == "exposure" else PatchSampler
        return kind(self.training, self.bright, self.recipe.data, phase, self.recipe.seed)

    def figures(self, net: nn.Module) -> dict[str, float]:
        """PSNR and SSIM with the reference's brightness given, and with the estimated one."""
        return validate.validate_relume(cast(RelumeNet, net), self.validation)

    def panels(self, net: nn.Module, pairs: Sequence[Pair], path: Path) -> None:
        """Input | result at the reference's brightness | at the estimated one | reference."""
        validate.write_relume_panels(cast(RelumeNet, net), pairs, path)

    def export(self, net: nn.Module, folder: Path) -> list[Path]:
        """relume.safetensors, relume.onnx and relume-exposure.onnx."""
        return export_relume(cast(RelumeNet, net), folder)


_TASKS: dict[str, Callable[[Recipe, Sequence[Path], Sequence[Path], Note], Task]] = {
    "retinexnet": RetinexTask,
    "relume": PictureTask,
}


def check(recipe: Recipe, bright: Sequence[Path]) -> None:
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
        with_defaults(phases[phase.name].defaults, phase.weights, phase.name)
    if recipe.data.darkened and not bright:
        raise RecipeError(
            f"{recipe.name} darkens bright photographs: name their folders with --bright DIR, "
            "or set darkened = 0"
        )


def create(recipe: Recipe, pairs: Sequence[Path], bright: Sequence[Path], note: Note) -> Task:
    """The task of a recipe, with its data read."""
    return _TASKS[recipe.network](recipe, pairs, bright, note)
