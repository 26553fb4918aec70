"""Recipes: a training run as a TOML file, read into frozen settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from relume import settings


@dataclass(frozen=True)
class Data:
    """Which pairs are trained on, and how they are cut.

    ``scenes`` is a CSV (``name,scene``), its path relative to the pairs' folder, or empty;
    ``validation_scenes`` whole scenes are kept for validation, drawn by ``validation_seed`` (-1:
    the recipe's seed), so that runs of several seeds can share them. ``exclude`` names pairs
    (without ending) that are wrong; ``exclude_hashes`` is a file, beside the recipe, of hashes of
    pictures that must not be trained on (:class:`relume.train.data.ExcludedHashes`). Besides,
    ``darkened`` bright photographs (-1: all), at most ``longest_px`` long, are darkened, with k
    log-uniform in [``k_low``, ``k_high``]; the network relume has them darkened anew every epoch
    of ``epoch_steps`` steps, as ``darkened_share`` of its batches. The network relume-fast learns
    from ``examples`` of ``examples_px``, which are made once. Of the detector's crops,
    ``labelled_share`` is of photographs whose faces are labelled (:mod:`relume.train.faces`); its
    ``teacher`` is a detector that is shown the crops while they are bright, or none.
    """

    patch_px: int = 48
    batch: int = 16
    scenes: str = ""
    validation_scenes: int = 14
    validation_seed: int = -1
    exclude: tuple[str, ...] = ()
    exclude_hashes: Path | None = None
    darkened: int = 0
    k_low: float = 0.02
    k_high: float = 0.3
    longest_px: int = 640
    darkened_share: float = 0.5
    labelled_share: float = 0.5
    teacher: str = ""
    epoch_steps: int = 500
    camera: str = "real"
    examples: int = 3000
    examples_px: int = 192


@dataclass(frozen=True)
class Phase:
    """One phase of training: ``epochs`` passes, Adam, cosine from ``rate`` to ``last_rate``.

    ``weights`` are those of the loss terms, by name. ``patch_px`` and ``batch`` stand for the
    data's where they are not 0. ``decay`` is AdamW's weight decay, ``clip`` bounds the norm of
    the gradient, ``ema`` keeps a moving average of the weights; 0 leaves each out. Of the network
    relume's patches, ``aim_share`` is asked for darker than its reference and ``map_share`` with
    a random exposure map; ``uneven_share`` of the darkened ones is lit unevenly, with a map that
    undoes it, and ``lamp_share`` of them has lamps in it.
    """

    name: str
    epochs: int
    rate: float = 1e-3
    last_rate: float = 1e-5
    weights: Mapping[str, float] = field(default_factory=dict)
    patch_px: int = 0
    batch: int = 0
    decay: float = 0.0
    clip: float = 0.0
    ema: float = 0.0
    aim_share: float = 0.0
    uneven_share: float = 0.0
    map_share: float = 0.0
    lamp_share: float = 0.0


@dataclass(frozen=True)
class Schedule:
    """Epochs between validations and between panels; seconds between checkpoints."""

    validate_epochs: int = 20
    panels_epochs: int = 20
    panels: int = 3
    checkpoint_s: float = 120.0


@dataclass(frozen=True)
class Recipe:
    """A whole training run."""

    name: str
    network: str
    seed: int
    data: Data
    phases: tuple[Phase, ...]
    precision: str = "f32"
    watch: Schedule = Schedule()


def load(path: Path) -> Recipe:
    """Read a recipe file.

    Raises:
        RecipeError: the file cannot be read, is not TOML, or does not fit :class:`Recipe`.
    """
    return settings.load(Recipe, path)


def flatten(recipe: Recipe) -> dict[str, Any]:
    """What decides the result of a run, as plain values: ``{"phases[0].epochs": 3, ...}``.

    How often a run is looked at, and where the hashes are kept, is left out.
    """
    flat: dict[str, Any] = {}

    def add(key: str, value: Any) -> None:
        if is_dataclass(value):
            for entry in fields(value):
                if entry.name not in ("watch", "exclude_hashes"):
                    add(f"{key}.{entry.name}".lstrip("."), getattr(value, entry.name))
        elif isinstance(value, Mapping):
            for name, inner in value.items():
                add(f"{key}.{name}", inner)
        elif isinstance(value, tuple) and value and is_dataclass(value[0]):
            for number, inner in enumerate(value):
                add(f"{key}[{number}]", inner)
        else:
            flat[key] = list(value) if isinstance(value, tuple) else value

    add("", recipe)
    return flat
