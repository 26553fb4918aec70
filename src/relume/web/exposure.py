"""The exposure map beside a picture: a small grid of stops as JSON, read from a stranger."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import numpy as np

from relume.errors import ParameterError
from relume.exposure.constants import MOST_STOPS
from relume.photo import Image
from relume.web.errors import HttpError

FIELD = "exposure"
MOST_CELLS = 64
"""Along each side; light is of low frequency, and the map follows the photo's edges anyway."""

MAX_BYTES = 128 * 1024
"""More than the largest map needs with all the digits of a float."""

SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "light to add or to take from place to place, in stops: +1 is twice the light. "
    "A grid over the whole photo, row by row from its upper left corner; it is fitted to the "
    "photo's edges. For methods whose takes_local is true",
    "properties": {
        "width": {"type": "integer", "minimum": 1, "maximum": MOST_CELLS},
        "height": {"type": "integer", "minimum": 1, "maximum": MOST_CELLS},
        "stops": {
            "type": "array",
            "description": "width x height numbers",
            "items": {"type": "number", "minimum": -MOST_STOPS, "maximum": MOST_STOPS},
            "maxItems": MOST_CELLS**2,
        },
    },
    "required": ["width", "height", "stops"],
    "additionalProperties": False,
    "example": {"width": 3, "height": 2, "stops": [0, 0, 0.5, 0, 0.5, 1]},
}


def parse_exposure(text: bytes) -> Image:
    """The map (h, w) of stops in a form's field.

    Raises:
        HttpError: 413 too long, 400 not JSON.
        ParameterError: JSON that is no map of stops.
    """
    if len(text) > MAX_BYTES:
        raise HttpError(
            413, "TooManyBytes", f"the exposure map is larger than {MAX_BYTES // 1024} KiB"
        )
    try:
        data = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise HttpError(400, "BrokenForm", "the field 'exposure' is not JSON") from error
    if not isinstance(data, dict) or set(data) != set(SCHEMA["required"]):
        raise ParameterError('exposure must be {"width": w, "height": h, "stops": [...]}')
    width, height, stops = data["width"], data["height"], data["stops"]
    for name, cells in (("width", width), ("height", height)):
        if type(cells) is not int or not 1 <= cells <= MOST_CELLS:
            raise ParameterError(f"exposure: {name} must be a whole number from 1 to {MOST_CELLS}")
    if not isinstance(stops, list) or len(stops) != width * height:
        got = f"{len(stops)}" if isinstance(stops, list) else "no list"
        raise ParameterError(f"exposure: stops must be {width * height} numbers, got {got}")
    if not all(map(_is_stop, stops)):
        raise ParameterError(
            f"exposure: stops must be numbers from -{MOST_STOPS:g} to {MOST_STOPS:g}"
        )
    return np.array(stops, np.float32).reshape(height, width)


def _is_stop(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -MOST_STOPS <= value <= MOST_STOPS


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
