"""Plans and other frozen dataclasses of numbers and small arrays as JSON values, and back.

A number is written with all of its digits and an array as its bytes, so that what comes back is
equal to the last bit. What does not fit is told by its place.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import numpy as np

from relume.errors import InputError
from relume.photo import Image
from relume.settings import Reader

T = TypeVar("T")

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
    return Reader(error=InputError, special={Image: _array}).build(kind, value, where)


def _array(value: Any, where: str) -> Image:
    try:
        shape = tuple(int(side) for side in value["shape"])
        size = int(np.prod(shape, dtype=np.int64))
        if not 0 < size <= MOST_VALUES or min(shape) < 1:
            raise ValueError(f"an array of {shape}")
        # no more is unpacked than the shape holds
        data = zlib.decompressobj().decompress(base64.b64decode(value["float32"]), 4 * size)
        array = np.frombuffer(data, "<f4").reshape(shape).astype(np.float32)
        if not np.isfinite(array).all():
            raise ValueError("it holds values that are no numbers")
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        raise InputError(
            f"{where}: expected an array of float32, got a damaged one: {error}"
        ) from None
    return array
