"""Plans and other frozen dataclasses of numbers and small arrays as JSON values, and back.

A number is written with all of its digits and an array as its bytes, so that what comes back is
equal to the last bit. What does not fit is told by its place.
"""

from __future__ import annotations

import base64
import types
import zlib
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from relume.errors import InputError
from relume.photo import Image

T = TypeVar("T")

WORDS = {
    Mapping: "a table", list: "a list", str: "text", bool: "true or false",
    float: "a number", int: "a whole number",
}  # fmt: skip
MOST_VALUES = 16_000_000
"""Of one array: a map of the largest photo that is read at a quarter of its size."""


def as_json(value: Any) -> Any:
    """``value``, a dataclass of dataclasses, plain values, tuples and float arrays, for JSON."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, np.ndarray):
        packed = zlib.compress(np.ascontiguousarray(value, "<f4").tobytes())
        return {"shape": list(value.shape), "float32": base64.b64encode(packed).decode()}
    if isinstance(value, tuple | list):
        return [as_json(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    return value


def from_json(kind: type[T], value: Any, where: str) -> T:
    """A ``kind`` from what :func:`as_json` made of one; ``where`` begins every error.

    Raises:
        InputError: a key that is missing or not known, or a value of another type.
    """
    assert is_dataclass(kind)
    hints, known = get_type_hints(kind), {field.name: field for field in fields(kind)}
    given = _of_type(Mapping, value, where)
    for name in given:
        if name not in known:
            raise InputError(f"{where}: unknown key {name!r}; known: {', '.join(known)}")
    for name, field in known.items():
        if name not in given and field.default is MISSING and field.default_factory is MISSING:
            raise InputError(f"{where}: the key {name!r} is missing")
    return kind(**{n: _value(hints[n], v, f"{where}: {n}") for n, v in given.items()})


def _value(hint: Any, value: Any, where: str) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if hint == Image:
        return _array(value, where)
    if is_dataclass(hint) and isinstance(hint, type):
        return from_json(hint, value, where)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in inner:
            return None
        kinds = [kind for kind in inner if kind is not type(None)]
        fitting = [kind for kind in kinds if isinstance(kind, type) and type(value) is kind]
        return _value((fitting or kinds)[0], value, where)
    if origin is Literal:
        if value not in inner:
            raise InputError(f"{where}: expected one of {', '.join(inner)}, got {value!r}")
        return value
    if origin is tuple:
        items = _of_type(list, value, where)
        hints = (inner[0],) * len(items) if inner[-1] is Ellipsis else inner
        if len(items) != len(hints):
            raise InputError(f"{where}: expected {len(hints)} values, got {len(items)}")
        return tuple(_value(h, item, where) for h, item in zip(hints, items, strict=True))
    if origin is not None:
        table = _of_type(Mapping, value, where)
        return {key: _value(inner[1], item, f"{where}: {key}") for key, item in table.items()}
    if hint is float and type(value) is int:
        return float(value)
    return _of_type(hint, value, where)


def _of_type(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        named = {Mapping: "a table", list: "a list", str: "text", float: "a number"}.get(kind, kind)
        raise InputError(
            f"{where}: expected {getattr(named, '__name__', named)}, got {value!r:.60}"
        )
    return value


def _array(value: Any, where: str) -> Image:
    table = _of_type(Mapping, value, where)
    try:
        shape = tuple(int(side) for side in table["shape"])
        size = int(np.prod(shape, dtype=np.int64))
        if not 0 < size <= MOST_VALUES or min(shape) < 1:
            raise ValueError(f"an array of {shape}")
        # no more is unpacked than the shape holds
        data = zlib.decompressobj().decompress(base64.b64decode(table["float32"]), 4 * size)
        array = np.frombuffer(data, "<f4").reshape(shape).astype(np.float32)
        if not np.isfinite(array).all():
            raise ValueError("it holds values that are no numbers")
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        raise InputError(
            f"{where}: expected an array of float32, got a damaged one: {error}"
        ) from None
    return array
