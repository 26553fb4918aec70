"""What a request asks for: its query, checked against the one definition of every option.

Methods, detectors and landmarkers bring their :class:`~relume.catalog.Info`; the options that all
methods share are read off the core's doors, so that names, ranges, defaults and error texts are
those of the command line.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from relume.catalog import Catalog, Info, Parameter, Value
from relume.enhancers import DEFAULT_METHOD, Brightness, methods
from relume.enhancers.options import BRIGHTNESS, PROTECT_LIT, STRENGTH, check_options
from relume.errors import ParameterError
from relume.faces import DEFAULT_DETECTOR, DEFAULT_VIEWS, detectors, landmarkers
from relume.io.formats import WRITABLE

Entry = TypeVar("Entry")
Pairs = Sequence[tuple[str, str]]

MOST_VIEWS = 8
OPERATORS = frozenset({"tile_px", "upsample"})
"""Parameters that decide how much memory one request takes: not a stranger's choice."""


FORMAT = Parameter(
    "format", "file type of the answer; else by Accept, else the upload's", "", choices=(*WRITABLE,)
)
QUALITY = Parameter("quality", "of lossy formats; else as good as the upload", 92, 1, 100)
HEIGHT = Parameter("height", "of the panels, pixels", 400, 32, 1200)
THRESHOLD = next(p for p in detectors().info(DEFAULT_DETECTOR).parameters if p.name == "threshold")

ENHANCE = (STRENGTH, BRIGHTNESS, PROTECT_LIT, FORMAT, QUALITY)
DECOMPOSE = (HEIGHT, FORMAT)


@dataclass(frozen=True)
class EnhanceOptions:
    """A checked request to enhance; None leaves the choice to the core or to Accept."""

    method: str
    parameters: Mapping[str, Value]
    strength: float
    brightness: Brightness | None
    protect_lit: bool
    format: str | None
    quality: int | None


@dataclass(frozen=True)
class DetectOptions:
    """A checked request to find faces."""

    detector: str
    landmarks: str | None
    threshold: float | None
    views: tuple[str, ...]


@dataclass(frozen=True)
class DecomposeOptions:
    """A checked request to take a picture apart."""

    parameters: Mapping[str, Value]
    height_px: int
    format: str | None


def enhance_options(query: Pairs) -> EnhanceOptions:
    """What a query to ``/v1/enhance`` asks for.

    Raises:
        ParameterError: an unknown option, or a value outside its range.
        UnknownName: no such method.
    """
    names = {"method", *(p.name for p in ENHANCE)}
    single, params = _sorted(query, names, params=True)
    method, parameters = _entry(methods(), single.get("method", DEFAULT_METHOD), params)
    given = {p.name: single.get(p.name) for p in (STRENGTH, BRIGHTNESS, PROTECT_LIT)}
    options = check_options(methods().info(method), given)
    return EnhanceOptions(
        method=method,
        parameters=parameters,
        strength=options.get("strength", STRENGTH.default),
        brightness=options.get("brightness"),
        protect_lit=options.get("protect_lit", PROTECT_LIT.default),
        format=_format(single),
        quality=int(_value(QUALITY, single)) if "quality" in single else None,
    )


def detect_options(query: Pairs) -> DetectOptions:
    """What a query to ``/v1/detect`` asks for.

    Raises:
        ParameterError: an unknown option, or a value outside its range.
        UnknownName: no such detector, landmarker or view.
    """
    from relume.faces.views import parse_views

    single, _ = _sorted(query, {"detector", "landmarks", "threshold", "views"}, params=False)
    detector = single.get("detector", DEFAULT_DETECTOR)
    _entry(detectors(), detector, ())
    landmarks = single.get("landmarks") or None
    if landmarks is not None:
        _entry(landmarkers(), landmarks, ())
    asked = single.get("views", ",".join(DEFAULT_VIEWS)).split(",")
    views = tuple(name.strip() for name in asked if name.strip())
    if len(views) > MOST_VIEWS:
        raise ParameterError(f"views must be at most {MOST_VIEWS}, got {len(views)}")
    for spec in parse_views(views):
        _entry(methods(), spec.method, ())
    threshold = float(_value(THRESHOLD, single)) if "threshold" in single else None
    return DetectOptions(detector, landmarks, threshold, views)


def decompose_options(query: Pairs) -> DecomposeOptions:
    """What a query to ``/v1/decompose`` asks for.

    Raises:
        ParameterError: an unknown option, or a value outside its range.
    """
    single, params = _sorted(query, {p.name for p in DECOMPOSE}, params=True)
    _, parameters = _entry(methods(), "retinexnet", params)
    return DecomposeOptions(parameters, int(_value(HEIGHT, single)), _format(single))


def offered(info: Info) -> tuple[Parameter, ...]:
    """The entry's parameters that a request may set.

    Free text could name a file of the server's, and how much memory a request takes is for the
    one who runs the server to say; both are left to the command line.
    """
    return tuple(p for p in info.parameters if p.name not in OPERATORS and not _is_free_text(p))


def _is_free_text(parameter: Parameter) -> bool:
    return isinstance(parameter.default, str) and not parameter.choices and not parameter.also


def _entry(
    catalogue: Catalog[Entry], spec: str, params: Iterable[str]
) -> tuple[str, dict[str, Value]]:
    """Name and checked parameters of ``gamma:0.4`` and its ``param``s, if they may be set here."""
    name, given = catalogue.parse(spec)
    info = catalogue.info(name)
    asked = dict(given)
    for text in params:
        key, equals, value = text.partition("=")
        if not equals:
            raise ParameterError(f"param takes NAME=VALUE, got {text!r}")
        asked[key.strip()] = value.strip()
    may = {p.name for p in offered(info)}
    for key in asked:
        if key in _by_name(info) and key not in may:
            raise ParameterError(f"{name}: the parameter {key!r} cannot be set over HTTP")
    return name, info.check_parameters(asked)


def _by_name(info: Info) -> dict[str, Parameter]:
    return {p.name: p for p in info.parameters}


def _sorted(query: Pairs, names: set[str], *, params: bool) -> tuple[dict[str, str], list[str]]:
    """The query's options by name, and its repeated ``param``s apart."""
    known = names | {"param"} if params else names
    single: dict[str, str] = {}
    repeated: list[str] = []
    for name, value in query:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"
            raise ParameterError(f"unknown option {name!r}; {hint}")
        if name == "param":
            repeated.append(value)
        elif name in single:
            raise ParameterError(f"{name} was given twice")
        else:
            single[name] = value
    return single, repeated


def _value(parameter: Parameter, single: Mapping[str, str]) -> Value:
    if parameter.name not in single:
        return parameter.default
    return parameter.check(single[parameter.name])


def _format(single: Mapping[str, str]) -> str | None:
    return str(FORMAT.check(single["format"])) if "format" in single else None
