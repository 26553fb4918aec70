"""TOML files as frozen dataclasses: training recipes and study plans.

An unknown key is an error that names the nearest known one: a misspelt setting must never be
ignored.
"""

from __future__ import annotations

import difflib
import tomllib
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from relume.errors import RecipeError

T = TypeVar("T")


def load(kind: type[T], path: Path, *, overrides: Mapping[str, object] | None = None) -> T:
    """The TOML file as a ``kind``, a frozen dataclass; its paths are relative to the file's folder.

    ``overrides`` (a command line's options, not checked here) win over the file; None values
    among them are passed over.

    Raises:
        RecipeError: the file cannot be read, is not TOML, or does not fit ``kind``.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"cannot read the recipe {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is not a TOML file: {error}") from error
    return build(kind, table, str(path), folder=path.parent, overrides=overrides)


def build(
    kind: type[T],
    table: Mapping[str, Any],
    where: str,
    *,
    folder: Path = Path(),
    overrides: Mapping[str, object] | None = None,
) -> T:
    """A ``kind`` from a mapping, recursively; ``where`` begins every error.

    Fields may be str, int, float, bool, Path (relative to ``folder``), a dataclass, a tuple or
    mapping of these, or one of these or None.

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
    values = {k: _value(hints[k], v, f"{where}: {k}", folder) for k, v in table.items()}
    values |= {k: v for k, v in (overrides or {}).items() if v is not None}
    for name, entry in known.items():
        required = entry.default is MISSING and entry.default_factory is MISSING
        if required and name not in values:
            beside = "" if overrides is None else ", and no option gives it"
            raise RecipeError(f"{where}: the key {name!r} is missing{beside}")
    return kind(**values)


def _value(hint: Any, value: Any, where: str, folder: Path) -> Any:
    if is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, Mapping):
            raise RecipeError(f"{where}: expected a table, got {value!r}")
        return build(hint, value, where, folder=folder)
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):  # TOML has no null: the other member is meant
        return _value(next(h for h in inner if h is not type(None)), value, where, folder)
    if origin is tuple:
        if not isinstance(value, list):
            raise RecipeError(f"{where}: expected a list, got {value!r}")
        return tuple(_value(inner[0], v, f"{where}[{i}]", folder) for i, v in enumerate(value))
    if origin is not None:
        if not isinstance(value, Mapping):
            raise RecipeError(f"{where}: expected a table, got {value!r}")
        items = {k: _value(inner[1], v, f"{where}.{k}", folder) for k, v in value.items()}
        return types.MappingProxyType(items)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    plain = str if hint is Path else hint
    if not isinstance(value, plain) or (isinstance(value, bool) and plain is not bool):
        raise RecipeError(f"{where}: expected {plain.__name__}, got {value!r}")
    return folder / value if hint is Path else value
