"""Tables as frozen dataclasses: training recipes and study plans (TOML), edits (JSON).

An unknown key is an error that names the nearest known one: a misspelt setting must never be
ignored.
"""

from __future__ import annotations

import difflib
import tomllib
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from relume.errors import RecipeError, RelumeError

T = TypeVar("T")
WORDS: dict[Any, str] = {
    **{Mapping: "a table", list: "a list", str: "text", bool: "true or false"},
    **{float: "a number", int: "a whole number"},
}


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
    return Reader(path.parent).build(kind, table, str(path), overrides=overrides)


@dataclass(frozen=True)
class Reader:
    """Makes dataclasses of plain tables and lists.

    Paths are relative to ``folder``; ``special`` makes values of types of its own, each from the
    plain value and where it stands; what does not fit is an ``error``.
    """

    folder: Path = Path()
    error: type[RelumeError] = RecipeError
    special: Mapping[Any, Callable[[Any, str], Any]] = field(default_factory=dict)

    def build(
        self,
        kind: type[T],
        table: Any,
        where: str,
        *,
        overrides: Mapping[str, object] | None = None,
    ) -> T:
        """A ``kind`` from a mapping, recursively; ``where`` begins every error.

        Fields may be str, int, float, bool, Path, a literal, a special type, a dataclass, a tuple
        or mapping of these, or one of these or None.

        Raises:
            RelumeError: an unknown key, a missing key, or a value of the wrong type.
        """
        assert is_dataclass(kind)
        table = self._of(Mapping, table, where)
        hints, known = get_type_hints(kind), {entry.name: entry for entry in fields(kind)}
        for key in table:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
                raise self.error(f"{where}: unknown key {key!r}; {hint}")
        values = {k: self._value(hints[k], v, f"{where}: {k}") for k, v in table.items()}
        values |= {k: v for k, v in (overrides or {}).items() if v is not None}
        for name, entry in known.items():
            required = entry.default is MISSING and entry.default_factory is MISSING
            if required and name not in values:
                beside = "" if overrides is None else ", and no option gives it"
                raise self.error(f"{where}: the key {name!r} is missing{beside}")
        return kind(**values)

    def _value(self, hint: Any, value: Any, where: str) -> Any:
        origin, inner = get_origin(hint), get_args(hint)
        if hint in self.special:
            return self.special[hint](value, where)
        if is_dataclass(hint) and isinstance(hint, type):
            return self.build(hint, value, where)
        if origin in (Union, types.UnionType):
            if value is None and type(None) in inner:
                return None
            kinds = [kind for kind in inner if kind is not type(None)]
            return self._value(next((k for k in kinds if k is type(value)), kinds[0]), value, where)
        if origin is Literal:
            if value not in inner:
                raise self.error(f"{where}: expected one of {', '.join(inner)}, got {value!r}")
            return value
        if origin is tuple:
            items = self._of(list, value, where)
            hints = (inner[0],) * len(items) if inner[-1] is Ellipsis else inner
            if len(items) != len(hints):
                raise self.error(f"{where}: expected {len(hints)} values, got {len(items)}")
            both = zip(hints, items, strict=True)
            return tuple(self._value(h, v, f"{where}[{i}]") for i, (h, v) in enumerate(both))
        if origin is not None:
            table = self._of(Mapping, value, where)
            items = {k: self._value(inner[1], v, f"{where}.{k}") for k, v in table.items()}
            return types.MappingProxyType(items)
        if hint is float and type(value) is int:
            return float(value)
        return (
            self.folder / self._of(str, value, where)
            if hint is Path
            else self._of(hint, value, where)
        )

    def _of(self, kind: Any, value: Any, where: str) -> Any:
        if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
            return value
        raise self.error(f"{where}: expected {WORDS.get(kind, kind)}, got {value!r:.60}")
