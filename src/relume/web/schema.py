"""What the service offers, as data: the menu for the page, the OpenAPI parts for programs."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from typing import Any

from relume import __version__
from relume.catalog import Info, Parameter
from relume.enhancers import DEFAULT_METHOD, methods, options
from relume.faces import DEFAULT_DETECTOR, DEFAULT_VIEWS, detectors, landmarkers
from relume.io.formats import WRITABLE
from relume.web import query
from relume.web.settings import Settings

PACKAGES = {"fan": "face_alignment", "train": "torch", "heif": "pillow_heif"}
"""The module whose presence tells that an extra is installed."""

MEDIA = {name: format.media_type for name, format in WRITABLE.items()}
SUFFIX = {name: format.suffixes[0] for name, format in WRITABLE.items()}

Json = dict[str, Any]


def menu(settings: Settings) -> Json:
    """Everything that can be asked for: entries, options, formats, limits."""
    return {
        "version": __version__,
        "default": DEFAULT_METHOD,
        "default_detector": DEFAULT_DETECTOR,
        "default_views": list(DEFAULT_VIEWS),
        "enhancers": [_entry(info) for info in methods()],
        "detectors": [_entry(info) for info in detectors()],
        "landmarkers": [_entry(info) for info in landmarkers()],
        "options": [_parameter(p) for p in query.ENHANCE],
        "formats": [
            {"name": name, "media_type": MEDIA[name], "suffix": SUFFIX[name]}
            for name, format in WRITABLE.items()
            if format.is_available
        ],
        "limits": {
            "workers": settings.workers,
            "queue": settings.queue,
            "upload_bytes": settings.max_upload_bytes,
            "megapixels": settings.max_megapixels,
            "time_s": settings.time_limit_s,
        },
    }


def _entry(info: Info) -> Json:
    return {
        "name": info.name,
        "summary": info.summary,
        "licence": info.licence,
        "source": info.source,
        "parameters": [_parameter(p) for p in query.offered(info)],
        "weights": list(info.weights),
        "extra": info.extra,
        "available": info.extra is None or _installed(info.extra),
        "takes_brightness": info.takes_brightness,
        "decomposes": info.name == "retinexnet",
    }


def _parameter(parameter: Parameter) -> Json:
    return {
        "name": parameter.name,
        "summary": parameter.summary,
        "default": parameter.default,
        "low": parameter.low,
        "high": parameter.high,
        "choices": list(parameter.choices),
        "also": list(parameter.also),
    }


@cache
def _installed(extra: str) -> bool:
    return find_spec(PACKAGES.get(extra, extra)) is not None


def query_parameter(parameter: Parameter, *, default: bool = True) -> Json:
    """An option as OpenAPI has it."""
    schema: Json
    if isinstance(parameter.default, bool):
        schema = {"type": "boolean"}
    elif isinstance(parameter.default, str) and not parameter.also:
        schema = {"type": "string"}
    else:
        schema = {"type": "integer" if isinstance(parameter.default, int) else "number"}
        schema |= {"minimum": parameter.low, "maximum": parameter.high}
    if parameter.choices:
        schema["enum"] = list(parameter.choices)
    if parameter.also:
        schema = {"anyOf": [schema, {"type": "string", "enum": list(parameter.also)}]}
    if default:
        schema["default"] = parameter.default
    return _query(parameter.name, parameter.summary, schema)


def operation(parameters: Iterable[Json], answer: Json) -> Json:
    """The OpenAPI parts of an operation that takes a picture."""
    form = {
        "type": "object",
        "properties": {"file": _PICTURE | {"description": "the picture"}},
        "required": ["file"],
        "additionalProperties": False,
    }
    return {
        "parameters": list(parameters),
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {"schema": form},
                **{kind: {"schema": _PICTURE} for kind in MEDIA.values()},
                "application/octet-stream": {"schema": _PICTURE},
            },
        },
        "responses": {"200": answer, **{code: _refusal(text) for code, text in REFUSALS.items()}},
    }


REFUSALS = {
    "400": "the form cannot be read",
    "401": "no token, or another one",
    "403": "called by another site's page",
    "406": "Accept names no type that the service writes",
    "408": "the upload took too long",
    "413": "too many bytes or pixels",
    "415": "not a picture, or not sent as one",
    "422": "an option or the picture cannot be used",
    "429": "too many requests at once from one address",
    "500": "an error of the service",
    "501": "an optional package is not installed",
    "503": "busy, too slow, or weights are missing; Retry-After says when to come again",
}


def _refusal(text: str) -> Json:
    schema = {
        "type": "object",
        "properties": {"error": {"type": "string"}, "detail": {"type": "string"}},
        "required": ["error", "detail"],
    }
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _query(name: str, summary: str, schema: Json) -> Json:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": summary,
        "schema": schema,
    }


def _spec(name: str, what: str, known: list[str], default: str | None) -> Json:
    """A catalogue's name, with parameters if wanted: ``gamma`` or ``gamma:0.4``."""
    schema: Json = {"type": "string", "enum": known}
    if default is not None:
        schema["default"] = default
    return _query(name, f"{what}; with parameters as in NAME:KEY=VALUE", schema)


def _params(summary: str) -> Json:
    schema = {"type": "array", "items": {"type": "string", "pattern": "^[a-z_]+=.+$"}}
    return _query("param", summary, schema) | {"style": "form", "explode": True}


_PICTURE: Json = {"type": "string", "format": "binary"}
PICTURE_ANSWER: Json = {
    "description": "the picture",
    "content": {kind: {"schema": _PICTURE} for kind in MEDIA.values()},
    "headers": {
        "Server-Timing": {
            "description": "queue, decode, work and encode, milliseconds",
            "schema": {"type": "string"},
        }
    },
}
_NUMBERS: Json = {"type": "array", "items": {"type": "number"}}
_CORNERS = ["x0", "y0", "x1", "y1"]
_FACE: Json = {
    "type": "object",
    "properties": {
        "box": {
            "type": "object",
            "properties": {corner: {"type": "number"} for corner in _CORNERS},
            "required": _CORNERS,
            "description": "pixels, half open, cut to the picture",
        },
        "score": {"type": "number", "minimum": 0, "maximum": 1},
        "view": {"type": "string", "description": "the views that showed it, joined by +"},
        "landmarks": {"anyOf": [{"type": "array", "items": _NUMBERS}, {"type": "null"}]},
    },
    "required": ["box", "score", "view", "landmarks"],
}
FACES_ANSWER: Json = {
    "description": "the faces, best score first",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {
                    "photo": {"type": "string"},
                    "width": {"type": "integer"},
                    "height": {"type": "integer"},
                    "detector": {"type": "string"},
                    "threshold": {"type": "number"},
                    "views": {"type": "array", "items": {"type": "string"}},
                    "version": {"type": "string"},
                    "faces": {"type": "array", "items": _FACE},
                },
                "required": [
                    *("photo", "width", "height", "detector", "threshold"),
                    *("views", "version", "faces"),
                ],
            }
        }
    },
}
_PANEL: Json = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("name", "caption", "data")},
    "required": ["name", "caption", "data"],
}
PANELS_ANSWER: Json = {
    "description": "one captioned strip; as JSON, the panels one by one, as data: addresses",
    "content": {
        **PICTURE_ANSWER["content"],
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {"panels": {"type": "array", "items": _PANEL}},
                "required": ["panels"],
            }
        },
    },
}


def enhance_operation() -> Json:
    """``/v1/enhance`` in OpenAPI."""
    return operation(
        [
            _spec("method", "how to relight", methods().names(), DEFAULT_METHOD),
            _params("a parameter of the method, NAME=VALUE; may be repeated"),
            query_parameter(options.STRENGTH),
            query_parameter(options.BRIGHTNESS, default=False),
            query_parameter(options.PROTECT_LIT),
            query_parameter(query.FORMAT, default=False),
            query_parameter(query.QUALITY, default=False),
        ],
        PICTURE_ANSWER,
    )


def detect_operation() -> Json:
    """``/v1/detect`` in OpenAPI."""
    views = {"type": "string", "default": ",".join(DEFAULT_VIEWS), "example": "original,machine"}
    return operation(
        [
            _spec("detector", "what looks for faces", detectors().names(), DEFAULT_DETECTOR),
            _spec("landmarks", "what places 68 points", landmarkers().names(), None),
            query_parameter(query.THRESHOLD),
            _query("views", "what is looked at, joined by commas; NAME@2 is twice the size", views),
        ],
        FACES_ANSWER,
    )


def decompose_operation() -> Json:
    """``/v1/decompose`` in OpenAPI."""
    return operation(
        [
            _params("a parameter of retinexnet, NAME=VALUE; may be repeated"),
            query_parameter(query.HEIGHT),
            query_parameter(query.FORMAT, default=False),
        ],
        PANELS_ANSWER,
    )
