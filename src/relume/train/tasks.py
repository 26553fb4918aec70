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
from relume.train import picture, retinex, validate
from relume.train.export import export_relume, export_retinexnet
from relume.train.loop import BatchSource
from relume.train.pairs import Pair, Patches, Pixels, darkened, read_bright, split_all
from relume.train.picture import RelumeNet
from relume.train.recipe import Phase, Recipe
from relume.train.sampler import ExposureSupply, PictureSupply


class Task(Protocol):
    """A network and all that its training needs to know of it."""

    @property
    def net(self) -> nn.Module:
        """What is trained."""

    @property
    def training(self) -> Sequence[Pair]:
        """The pairs trained on."""

    @property
    def validation(self) -> Sequence[Pair]:
        """The pairs of scenes that are never trained on."""

    def module(self, phase: Phase, *, bf16: bool) -> nn.Module:
        """What maps a batch of the phase to loss terms."""

    def supply(self, phase: Phase) -> BatchSource:
        """Where the phase's batches come from."""

    def figures(self, net: nn.Module) -> dict[str, float]:
        """Validation figures of ``net``."""

    def panels(self, net: nn.Module, pairs: Sequence[Pair], path: Path) -> None:
        """A picture of what ``net`` does with some validation photos."""

    def export(self, net: nn.Module, folder: Path) -> list[Path]:
        """Write what is shipped; returns the files."""


class RetinexTask:
    """Retinex-Net: Decom-Net, then Enhance-Net, on patches of pairs."""

    phases = retinex.PHASES

    def __init__(self, recipe: Recipe, pairs: Sequence[Path], bright: Sequence[Path]) -> None:
        self.recipe = recipe
        training, self.validation = split_all(pairs, recipe.data, recipe.seed)
        made = darkened(bright, recipe.data, recipe.seed) if recipe.data.darkened else []
        self.training = training + made
        self.net = RetinexNet()

    def module(self, phase: Phase, *, bf16: bool) -> nn.Module:
        """The loss module of "decom" or "enhance"."""
        return self.phases[phase.name](self.net, phase.weights, bf16=bf16)

    def supply(self, phase: Phase) -> BatchSource:
        """Aligned patches of all pairs."""
        del phase
        return Patches(self.training, self.recipe.data, self.recipe.seed)

    def figures(self, net: nn.Module) -> dict[str, float]:
        """PSNR and SSIM of the results, and how good the decomposition is."""
        return validate.validate(cast(RetinexNet, net), self.validation)

    def panels(self, net: nn.Module, pairs: Sequence[Pair], path: Path) -> None:
        """input | R | I | relit I | result | reference, a row a photo."""
        validate.write_panels(cast(RetinexNet, net), pairs, path)

    def export(self, net: nn.Module, folder: Path) -> list[Path]:
        """retinexnet.safetensors and retinexnet.onnx."""
        return export_retinexnet(cast(RetinexNet, net), folder)


class PictureTask:
    """relume's own network: the picture network, then the exposure estimator."""

    phases = picture.PHASES

    def __init__(self, recipe: Recipe, pairs: Sequence[Path], bright: Sequence[Path]) -> None:
        self.recipe = recipe
        self.training, self.validation = split_all(pairs, recipe.data, recipe.seed)
        self.bright: list[Pixels] = read_bright(bright, recipe.data) if bright else []
        self.net = RelumeNet()

    def module(self, phase: Phase, *, bf16: bool) -> nn.Module:
        """The loss module of "picture" or "exposure"."""
        return self.phases[phase.name](self.net, phase.weights, bf16=bf16)

    def supply(self, phase: Phase) -> BatchSource:
        """Patches, or thumbnails, of pairs and of photographs darkened anew every epoch."""
        data, seed = self.recipe.data, self.recipe.seed
        if phase.name == "exposure":
            return ExposureSupply(self.training, self.bright, data, phase, seed)
        side = phase.patch_px or data.patch_px
        bright = [p for p in self.bright if min(p.shape[:2]) >= side]
        return PictureSupply(self.training, bright, data, phase, seed)

    def figures(self, net: nn.Module) -> dict[str, float]:
        """PSNR and SSIM told the reference's brightness, and with the estimated one."""
        return validate.validate_relume(cast(RelumeNet, net), self.validation)

    def panels(self, net: nn.Module, pairs: Sequence[Pair], path: Path) -> None:
        """input | result at the reference's brightness | at the estimated one | reference."""
        validate.write_relume_panels(cast(RelumeNet, net), pairs, path)

    def export(self, net: nn.Module, folder: Path) -> list[Path]:
        """relume.safetensors, relume.onnx and relume-exposure.onnx."""
        return export_relume(cast(RelumeNet, net), folder)


_TASKS: dict[str, Callable[[Recipe, Sequence[Path], Sequence[Path]], Task]] = {
    "retinexnet": RetinexTask,
    "relume": PictureTask,
}
_PHASES = {"retinexnet": retinex.PHASES, "relume": picture.PHASES}


def check(recipe: Recipe, bright: Sequence[Path]) -> None:
    """Hold the recipe's network, phases and data against each other, before anything is read.

    Raises:
        RecipeError: they do not fit.
    """
    if recipe.network not in _TASKS:
        known = ", ".join(_TASKS)
        raise RecipeError(f"{recipe.name}: expected network among {known}, got {recipe.network!r}")
    known_phases = _PHASES[recipe.network]
    unknown = [p.name for p in recipe.phases if p.name not in known_phases]
    if unknown or not recipe.phases:
        known = ", ".join(known_phases)
        raise RecipeError(f"{recipe.name}: expected phases among {known}, got {unknown or 'none'}")
    if recipe.data.darkened and not bright:
        raise RecipeError(
            f"{recipe.name} darkens bright photographs: name their folders with --bright DIR, "
            "or set darkened = 0"
        )


def create(recipe: Recipe, pairs: Sequence[Path], bright: Sequence[Path]) -> Task:
    """The task of a recipe, with its data read."""
    return _TASKS[recipe.network](recipe, pairs, bright)
