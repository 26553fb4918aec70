"""Recipes: a training run as a TOML file, read into frozen settings.

An unknown key is an error that names the nearest known one: a misspelt setting must never be
ignored.
"""

from __future__ import annotations

import difflib
import tomllib
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from relume.errors import RecipeError

T = TypeVar("T")


@dataclass(frozen=True)
class Data:
    """Which pairs are trained on, and how they are cut.

    ``scenes`` is a CSV (``name,scene``), its path relative to the pairs' folder, or empty;
    ``validation_scenes`` whole scenes are kept for validation. ``exclude`` names pairs (without
    ending) that are wrong. Besides, ``darkened`` bright photographs (-1: all) are darkened, with
    k log-uniform in [``k_low``, ``k_high``]; the network relume has them darkened anew every
    epoch of ``epoch_steps`` steps, as ``darkened_share`` of its batches.
    """

    patch_px: int = 48
    batch: int = 16
    scenes: str = ""
    validation_scenes: int = 14
    exclude: tuple[str, ...] = ()
    darkened: int = 0
    k_low: float = 0.02
    k_high: float = 0.3
    longest_px: int = 640
    darkened_share: float = 0.5
    epoch_steps: int = 500


@dataclass(frozen=True)
class Phase:
    """One phase of training: ``epochs`` passes, Adam, cosine from ``rate`` to ``last_rate``.

    ``weights`` are those of the loss terms, by name. ``patch_px`` and ``batch`` stand for the
    data's where they are not 0. ``decay`` is AdamW's weight decay, ``clip`` bounds the norm of
    the gradient, ``ema`` keeps a moving average of the weights; 0 leaves each out. Of the network
    relume's patches, ``aim_share`` is asked for darker than its reference, and ``uneven_share``
    of the darkened ones is lit unevenly.
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


@dataclass(frozen=True)
class Watch:
    """How often (in epochs) validation figures, panels are made; checkpoints in seconds."""

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
    watch: Watch = Watch()


def load(path: Path) -> Recipe:
    """Read a recipe file.

    Raises:
        RecipeError: the file cannot be read, is not TOML, or does not fit :class:`Recipe`.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"cannot read the recipe {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is not a TOML file: {error}") from error
    return build(Recipe, table, str(path))


def build(kind: type[T], table: Mapping[str, Any], where: str) -> T:
    """A frozen dataclass from a mapping, recursively; every key must be known, every value fit.

    Raises:
        RecipeError: an unknown key, a missing key, or a value of the wrong type.
    """
    assert is_dataclass(kind)
    hints = get_type_hints(kind)
    known = {f.name: f for f in fields(kind)}
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
            raise RecipeError(f"{where}: unknown key {key!r}; {hint}")
    for name, entry in known.items():
        required = entry.default is MISSING and entry.default_factory is MISSING
        if required and name not in table:
            raise RecipeError(f"{where}: the key {name!r} is missing")
    values = {k: _value(hints[k], v, f"{where}: {k}") for k, v in table.items()}
    return kind(**values)


def _value(hint: Any, value: Any, where: str) -> Any:
    if is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, Mapping):
            raise RecipeError(f"{where}: expected a table, got {value!r}")
        return build(hint, value, where)
    origin = get_origin(hint)
    if origin is tuple:
        if not isinstance(value, list):
            raise RecipeError(f"{where}: expected a list, got {value!r}")
        return tuple(_value(get_args(hint)[0], v, f"{where}[{i}]") for i, v in enumerate(value))
    if origin is not None and isinstance(value, Mapping):
        return types.MappingProxyType(
            {k: _value(get_args(hint)[1], v, f"{where}.{k}") for k, v in value.items()}
        )
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise RecipeError(f"{where}: expected {hint.__name__}, got {value!r}")
    return value
