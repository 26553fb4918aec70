"""The options that :func:`relume.enhance` takes beside a method's own parameters, as data.

Ranges, defaults and words stand here only: the command line, the service, the page and a study's
arms read them. A new option is one more :class:`~relume.catalog.Parameter` in :data:`OPTIONS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from relume.catalog import Info, Parameter, Value
from relume.errors import ParameterError

DEFAULT_METHOD = "relume"
FAST_METHOD = "relume-fast"
"""What clips and cameras take where time counts."""

STRENGTH = Parameter("strength", "how much of the result is blended in", 1.0, 0.0, 1.0)
BRIGHTNESS = Parameter(
    "brightness",
    "wanted mean grey level, for methods that take one",
    "auto",
    0.0,
    1.0,
    exclusive_low=True,
    also=("auto",),
)
LOCAL = Parameter(
    "local",
    "how much the exposure follows the light from place to place; 0 is one for the whole photo",
    1.0,
    0.0,
    1.0,
)
EXPOSE_FOR = Parameter(
    "expose_for",
    "faces that would stay dark are lifted (auto, faces), or not (scene)",
    "auto",
    choices=("auto", "scene", "faces"),
)
BLACK = Parameter(
    "black",
    "what the camera recorded where there is no light, of 255: red, green and blue, or one for all",
    "auto",
    0.0,
    128.0,
    also=("auto",),
    several=3,
)
CAST = Parameter(
    "cast",
    "how much of a lamp's colour goes where it can be read and the photo is lifted",
    0.5,
    0.0,
    1.0,
)
PROTECT_LIT = Parameter("protect_lit", "keep what is well lit already", True)

OPTIONS = (STRENGTH, BRIGHTNESS, LOCAL, EXPOSE_FOR, BLACK, CAST, PROTECT_LIT)
ALWAYS = {option.name: option.default for option in (STRENGTH, PROTECT_LIT)}
"""Options that are there whether somebody asks for them or not."""


def takes(info: Info, option: Parameter) -> bool:
    """Whether the method takes the option: all do, unless its ``Info.takes_<name>`` says no."""
    return bool(getattr(info, f"takes_{option.name}", True))


def check_options(info: Info, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options in ``given`` that are not None, as the method ``info`` takes them.

    Text is parsed, as from a command line or a query.

    Raises:
        ParameterError: a name that is not an option, a value outside its range, or an option
            that this method does not take.
    """
    known = {option.name: option for option in OPTIONS}
    checked: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            raise ParameterError(f"unknown option {name!r}; expected one of {', '.join(known)}")
        if value is None:
            continue
        if not takes(info, known[name]):
            from relume.enhancers.registry import methods

            takers = [other.name for other in methods() if takes(other, known[name])]
            raise ParameterError(f"{info.name} takes no {name}; these do: {', '.join(takers)}")
        checked[name] = known[name].check(value)
    return checked


def parse_spec(
    spec: str, more: Iterable[str] = ()
) -> tuple[Info, dict[str, Value], dict[str, Any]]:
    """A method, its own parameters and the options of ``enhance`` in NAME:KEY=VALUE,...; checked.

    The one reading of what the command line's ``-m``, views, arms, recipes, HTTP and
    :func:`relume.enhance` are given; ``more`` adds parameters or options, each ``"KEY=VALUE"``.

    >>> info, parameters, options = parse_spec("relume:brightness=0.4,tile_px=512")
    >>> info.name, parameters, options
    ('relume', {'tile_px': 512}, {'brightness': 0.4})

    Raises:
        UnknownName: no such method.
        ParameterError: what it does not take, or a value outside its range.
    """
    from relume.enhancers.registry import methods

    name, parameters, options = methods().parse_with(OPTIONS, spec, more)
    info = methods().info(name)
    return info, parameters, check_options(info, options)


def given_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of ``options`` that are neither None nor their default: what somebody asked for."""
    return {
        name: value
        for name, value in options.items()
        if value is not None and (name not in ALWAYS or value != ALWAYS[name])
    }
