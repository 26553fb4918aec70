"""What a request asks for, as pydantic models made from the core's own option data.

Names, ranges and defaults are those of :mod:`relume.enhancers.options` and of the catalogues, so
``/openapi.json`` is generated and an error says what the command line says.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model, model_validator
from pydantic.json_schema import SkipJsonSchema

from relume.catalog import Catalog, Info, Parameter, Value, split_specs
from relume.enhancers import DEFAULT_METHOD, methods
from relume.enhancers.options import EXPOSE_FOR, OPTIONS, check_options, parse_spec
from relume.errors import ParameterError, RelumeError
from relume.faces import detectors, landmarkers
from relume.faces.views import parse_views
from relume.io.formats import QUALITY, WRITABLE

Entry = TypeVar("Entry")

MOST_VIEWS = 8
OPERATORS = frozenset({"tile_px", "ensemble"})
"""Parameters that decide how much memory and time one request takes: not a stranger's choice."""
AT_MOST_USUAL = frozenset({"half_above_mp"})
"""Parameters that take more memory and time above their default, and less below it."""

FORMAT = Parameter("format", "file type; else the upload's own", "", choices=(*WRITABLE,))
METHODS = [info.name for info in methods() if not info.needs_file]
DETECTORS = [info.name for info in detectors() if not info.needs_file]
THRESHOLD = next(p for p in detectors().info(DETECTORS[0]).parameters if p.name == "threshold")


def offered(info: Info) -> tuple[Parameter, ...]:
    """The entry's parameters that a request may set.

    Free text could name a file of the server's, and how much memory and time a request takes is
    for the one who runs the server to say; both are left to the command line.
    """
    return tuple(
        replace(p, high=float(p.default)) if p.name in AT_MOST_USUAL else p
        for p in info.parameters
        if p.name not in OPERATORS and not _is_free_text(p)
    )


class _Query(BaseModel):
    """Options by name; an unknown one is an error that names the nearest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown(cls, given: dict[str, Any]) -> dict[str, Any]:
        for name in given:
            if name not in cls.model_fields:
                near = difflib.get_close_matches(name, cls.model_fields, n=1, cutoff=0.6)
                known = ", ".join(sorted(cls.model_fields))
                hint = f"did you mean {near[0]!r}?" if near else f"known: {known}"
                raise ParameterError(f"unknown option {name!r}; {hint}")
        return given

    @model_validator(mode="after")
    def _check(self) -> _Query:
        _ = self.call
        return self

    @cached_property
    def call(self) -> dict[str, Any]:
        """The keywords of the core's function, checked.

        Raises:
            ParameterError: a value outside its range, or options that do not go together.
            UnknownName: no such method, detector, landmarker or view.
        """
        raise NotImplementedError


def _field(parameter: Parameter) -> Any:
    """A catalogue's parameter as pydantic has it: the schema from its data, the check its own."""
    kind: Any
    if parameter.choices:
        kind = Literal[parameter.choices]
    elif isinstance(parameter.default, bool):
        kind = bool
    else:
        low: dict[str, Any] = {"gt" if parameter.exclusive_low else "ge": parameter.low}
        number: Any = int if isinstance(parameter.default, int) else float
        kind = Annotated[number, Field(**low, le=parameter.high)]
    if parameter.several > 1:
        kind = str
    elif parameter.also:
        kind = kind | Literal[parameter.also]
    return Annotated[kind, Field(description=parameter.summary), BeforeValidator(parameter.check)]


def _optional(parameter: Parameter) -> Any:
    """The same, but None if it is not given; the description does not promise a default."""

    def drop_default(schema: dict[str, Any]) -> None:
        schema.pop("default", None)

    absent: Any = SkipJsonSchema[None]  # type: ignore[misc]
    extra = Field(description=parameter.summary, json_schema_extra=drop_default)
    return Annotated[_field(parameter) | absent, extra]


def _name(what: str, names: list[str]) -> Any:
    """A catalogue's name, with parameters if wanted: ``gamma`` or ``gamma:0.4``."""
    extra: dict[str, Any] = {"pattern": f"^({'|'.join(names)})(:.*)?$"}
    text = f"{what}; with parameters as in NAME:KEY=VALUE"
    return Annotated[str, Field(description=text, json_schema_extra=extra)]


class EnhanceOptions(_Query):
    """The query of ``/v1/enhance`` but for the options that all methods share."""

    method: _name("how to relight", METHODS) = DEFAULT_METHOD  # type: ignore[valid-type]
    param: Annotated[
        list[str], Field(description="a parameter of the method, NAME=VALUE; may be repeated")
    ] = []
    format: _optional(FORMAT) = None  # type: ignore[valid-type]
    quality: _optional(QUALITY) = None  # type: ignore[valid-type]

    @cached_property
    def call(self) -> dict[str, Any]:
        """The keywords of :func:`relume.enhance`."""
        info, parameters, asked = parse_spec(self.method, self.param)
        given = {o.name: getattr(self, o.name) for o in OPTIONS if o.name in self.model_fields_set}
        options = check_options(info, asked | given)
        return {"method": info.name, "parameters": _allowed(info, parameters), **options}

    @property
    def call_of_frames(self) -> dict[str, Any]:
        """The same for bursts and clips, whose frames are exposed as scenes.

        Raises:
            ParameterError: faces were to come first.
        """
        call = dict(self.call)
        if call.pop(EXPOSE_FOR.name, None) == "faces":
            raise ParameterError("expose_for=faces is for photos: frames are exposed as scenes")
        return call


if TYPE_CHECKING:
    EnhanceQuery = EnhanceOptions
else:
    EnhanceQuery = create_model(
        "EnhanceQuery",
        __base__=EnhanceOptions,
        **{option.name: (_field(option), option.default) for option in OPTIONS},
    )


class DetectQuery(_Query):
    """The query of ``/v1/detect``."""

    detector: _name("what looks for faces; yunet if it is here, else relume", DETECTORS) = ""  # type: ignore[valid-type]
    landmarks: Annotated[str, Field(description="what places 68 points, if any")] = ""
    threshold: _optional(THRESHOLD) = None  # type: ignore[valid-type]
    views: Annotated[
        str,
        Field(
            description="what is searched, joined by commas; NAME@2 is twice the size; else what "
            "the detector needs"
        ),
    ] = ""

    @cached_property
    def call(self) -> dict[str, Any]:
        """The keywords of :func:`relume.faces.detect`."""
        if self.detector:
            _entry(detectors(), self.detector)
        if self.landmarks:
            _entry(landmarkers(), self.landmarks)
        views = split_specs(self.views)
        if len(views) > MOST_VIEWS:
            raise ParameterError(f"views must be at most {MOST_VIEWS}, got {len(views)}")
        for spec in parse_views(views) if views else ():
            _entry(methods(), spec.method)
        return {
            "detector": self.detector or None,
            "landmarks": self.landmarks or None,
            "threshold": self.threshold,
            "views": views or None,
        }


def refuse_repeats(request: Request) -> None:
    """Only ``param`` may come more than once.

    Raises:
        ParameterError: another option was given twice.
    """
    counts = Counter(name for name, _ in request.query_params.multi_items())
    for name, count in counts.items():
        if count > 1 and name != "param":
            raise ParameterError(f"{name} was given twice")


def query_error(error: RequestValidationError) -> RelumeError:
    """Our own error behind a validation error, in its own words."""
    first = error.errors()[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, RelumeError):
        return cause
    return ParameterError(f"{first['loc'][-1]}: {first['msg']}")


def _is_free_text(parameter: Parameter) -> bool:
    return isinstance(parameter.default, str) and not parameter.choices and not parameter.also


def _entry(catalogue: Catalog[Entry], spec: str) -> tuple[str, dict[str, Value]]:
    """Name and given parameters of ``gamma:0.4``, if they may be set here."""
    name, given = catalogue.parse(spec)
    return name, _allowed(catalogue.info(name), given)


def _allowed(info: Info, given: Mapping[str, Value]) -> dict[str, Value]:
    """The parameters, if a stranger may set them."""
    if info.needs_file:
        raise ParameterError(f"{info.name} needs a file, which cannot be named over HTTP")
    here = replace(info, parameters=offered(info))
    for key in {p.name for p in info.parameters} - {p.name for p in here.parameters}:
        if key in given:
            raise ParameterError(f"{info.name}: the parameter {key!r} cannot be set over HTTP")
    return here.check_given(given)
