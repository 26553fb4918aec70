"""Catalogues: named things with data beside the code.

An :class:`Info` is what the CLI help, the docs, the web menu and a study's columns read; a
:class:`Catalog` maps names to factories. Adding an enhancer, a detector or a metric is one class
and one line in its catalogue.
"""

from __future__ import annotations

import difflib
import logging
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

from relume.errors import ParameterError, UnknownName

Value = float | int | bool | str
T = TypeVar("T")
LOG = logging.getLogger(__name__)


def split_specs(
    text: str | None, is_option: Callable[[str], bool] = lambda part: "=" in part
) -> tuple[str, ...]:
    """A list of specs, where commas divide specs, the options within one, and numbers of a value.

    A number, or a part for which ``is_option`` holds, belongs to the spec with a colon before it.

    >>> split_specs("original, machine:brightness=.4,local=1@mirrored, haar")
    ('original', 'machine:brightness=.4,local=1@mirrored', 'haar')
    """
    specs: list[str] = []
    for part in filter(None, (piece.strip() for piece in (text or "").split(","))):
        goes_on = is_option(part) or re.fullmatch(r"[\d.]+", part)
        if specs and ":" in specs[-1] and goes_on:
            specs[-1] += f",{part}"
        else:
            specs.append(part)
    return tuple(specs)


@dataclass(frozen=True)
class Parameter:
    """One option of a catalogue entry: its type is the type of its default.

    Numbers are held to [``low``, ``high``], or (``low``, ``high``] with ``exclusive_low``, strings
    to ``choices``. ``also`` names words that are taken beside numbers (``"auto"``). ``several`` is
    how many numbers are taken at once, as text with commas (or slashes, inside a spec).
    """

    name: str
    summary: str
    default: Value
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    exclusive_low: bool = False
    several: int = 1

    def check(self, value: Value) -> Value:
        """``value`` as this parameter's type (strings are parsed), if it is allowed.

        Raises:
            ParameterError: wrong type, outside the range, or not one of the choices.
        """
        if isinstance(value, str) and value in self.also:
            return value
        if isinstance(self.default, bool):
            return self._boolean(value)
        if isinstance(self.default, str) and not self.also:
            if self.choices and str(value) not in self.choices:
                raise ParameterError(
                    f"{self.name} must be one of {', '.join(self.choices)}, got {value!r}"
                )
            return str(value)
        return self._number(value) if self.several == 1 else self._numbers(value)

    def allowed(self) -> str:
        """The allowed values in words, for help texts and errors."""
        if isinstance(self.default, bool):
            return "true or false"
        if self.choices:
            return " | ".join(self.choices)
        if isinstance(self.default, str) and not self.also:
            return "text"
        span = "a number"
        if self.low is not None and self.high is not None:
            between = ("above {:g} and at most {:g}", "{:g} to {:g}")[not self.exclusive_low]
            span = between.format(self.low, self.high)
        if self.several > 1:
            span += f" (one, or {self.several} with commas)"
        return span + "".join(f", or {word!r}" for word in self.also)

    def as_json(self) -> dict[str, Any]:
        """The parameter's data, ready for JSON; the same in the command line and the service."""
        return asdict(self) | {"choices": list(self.choices), "also": list(self.also)}

    def _boolean(self, value: Value) -> bool:
        words = {"true": True, "yes": True, "on": True, "1": True}
        words |= {"false": False, "no": False, "off": False, "0": False}
        key = str(value).lower()
        if key not in words:
            raise ParameterError(f"{self.name} must be true or false, got {value!r}")
        return words[key]

    def _numbers(self, value: Value) -> str:
        parts = str(value).replace("/", ",").split(",")
        if isinstance(value, bool) or len(parts) not in (1, self.several):
            raise ParameterError(f"{self.name} must be {self.allowed()}, got {value!r}")
        return ",".join(f"{self._number(part):g}" for part in parts)

    def _number(self, value: Value) -> Value:
        whole = isinstance(self.default, int)
        try:
            number = float(value)
        except (ValueError, TypeError):
            raise ParameterError(f"{self.name} must be {self.allowed()}, got {value!r}") from None
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        outside = not low <= number <= high or (self.exclusive_low and number == low)
        if isinstance(value, bool) or outside:
            raise ParameterError(f"{self.name} must be {self.allowed()}, got {number:g}")
        if whole and number != int(number):
            raise ParameterError(f"{self.name} must be a whole number, got {value}")
        return int(number) if whole else number


@dataclass(frozen=True)
class Info:
    """What there is to know about a catalogue entry without running it.

    ``weights`` names entries of the weights manifest; ``extra`` the pip extra it needs;
    ``takes_brightness`` says whether ``enhance(..., brightness=)`` may be asked of it,
    ``takes_local`` whether ``local=``, ``exposure=`` and ``expose_for=`` may, ``takes_black``
    whether ``black=`` may, ``takes_cast`` whether ``cast=`` may; ``needs_file`` that it
    does nothing without a file that the user names, so that the service does not offer it.
    """

    name: str
    summary: str
    licence: str
    source: str
    parameters: tuple[Parameter, ...] = ()
    weights: tuple[str, ...] = ()
    extra: str | None = None
    takes_brightness: bool = False
    takes_local: bool = False
    takes_black: bool = False
    takes_cast: bool = False
    needs_file: bool = False

    @property
    def takes_expose_for(self) -> bool:
        """Whether ``expose_for=`` may be asked of it: faces are lifted locally."""
        return self.takes_local

    def check_given(self, given: Mapping[str, Value]) -> dict[str, Value]:
        """The parameters in ``given``, checked; those not given are left out.

        Raises:
            ParameterError: a name that is not one of this entry's, or a value not allowed.
        """
        known = {p.name: p for p in self.parameters}
        for name in given:
            if name not in known:
                has = ", ".join(known) or "none"
                raise ParameterError(f"{self.name} has no parameter {name!r}; it has: {has}")
        return {name: known[name].check(value) for name, value in given.items()}

    def check_parameters(self, given: Mapping[str, Value]) -> dict[str, Value]:
        """All parameters by name: those given, checked, and the defaults of the rest.

        Raises:
            ParameterError: as :meth:`check_given`.
        """
        return {p.name: p.default for p in self.parameters} | self.check_given(given)

    def as_json(self) -> dict[str, Any]:
        """The entry's data, ready for JSON; the same in the command line and the service."""
        parameters = [parameter.as_json() for parameter in self.parameters]
        return asdict(self) | {"parameters": parameters, "weights": list(self.weights)}


class Catalog(Generic[T]):
    """Named factories with their :class:`Info`, in the order they were added."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, tuple[Info, Callable[..., T]]] = {}
        self._packages: dict[str, tuple[str, str]] = {}

    def add(self, info: Info, factory: Callable[..., T]) -> None:
        """Enter a factory; it is called with the checked parameters as keywords."""
        if info.name in self._entries:
            raise ValueError(f"{self.kind} {info.name!r} is already in the catalogue")
        self._entries[info.name] = (info, factory)

    def add_installed(self, group: str) -> None:
        """Enter what other packages offer as the entry points ``group``: classes with an ``info``.

        One that cannot be used is named in a line of the log, and the others are entered.
        """
        from importlib.metadata import entry_points

        for point in sorted(entry_points(group=group), key=lambda point: point.name):
            try:
                factory = point.load()
                info = getattr(factory, "info", None)
                if not isinstance(info, Info):
                    raise TypeError(f"expected a class with an 'info', got {point.value}")
                self.add(info, factory)
                if point.dist is not None:
                    self._packages[info.name] = (point.dist.name, point.dist.version)
            except Exception as error:  # whatever somebody else's module does when imported
                package = point.dist.name if point.dist else "an unknown package"
                LOG.warning(
                    "the %s %r of %s is left out: %s: %s",
                    self.kind,
                    point.name,
                    package,
                    type(error).__name__,
                    " ".join(str(error).split()),
                )

    def __iter__(self) -> Iterator[Info]:
        return (info for info, _ in self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<Catalog of {self.kind}s: {', '.join(self._entries)}>"

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def names(self) -> list[str]:
        """All names, in catalogue order."""
        return list(self._entries)

    def package(self, name: str) -> tuple[str, str] | None:
        """The other package that an entry is of, and its version; None for an entry of relume."""
        return self._packages.get(name)

    def info(self, name: str) -> Info:
        """The entry's data.

        Raises:
            UnknownName: no such entry; the message suggests the nearest name.
        """
        return self._entry(name)[0]

    def create(self, spec: str, parameters: Mapping[str, Value] | None = None) -> T:
        """Build an entry from a name or a spec (``"gamma:0.4"``), to which ``parameters`` add.

        Raises:
            UnknownName: no such entry.
            ParameterError: an unknown parameter or a value outside its range.
        """
        name, given = self._split(spec)
        info, factory = self._entry(name)
        return factory(**info.check_parameters({**given, **(parameters or {})}))

    def parse(self, spec: str, more: Iterable[str] = ()) -> tuple[str, dict[str, Value]]:
        """Split ``"gamma:0.4"`` or ``"clahe:clip=2,grid=8"`` into a name and its parameters.

        Only those given, checked; a value without a name is the entry's first parameter. ``more``
        adds to them, each ``"KEY=VALUE"``.

        Raises:
            UnknownName: no such entry.
            ParameterError: an unknown parameter or a value outside its range.
        """
        name, given = self._split(spec, more)
        return name, self.info(name).check_given(given)

    def parse_with(
        self, options: Iterable[Parameter], spec: str, more: Iterable[str] = ()
    ) -> tuple[str, dict[str, Value], dict[str, Value]]:
        """As :meth:`parse`, where the spec may also hold ``options`` that are not the entry's own.

        These come third, as text: whether this entry takes them is for whoever knows to say.
        """
        name, given = self._split(spec, more)
        own = {parameter.name for parameter in self.info(name).parameters}
        names = [option.name for option in options if option.name not in own]
        asked = {option: given.pop(option) for option in names if option in given}
        return name, self.info(name).check_given(given), asked

    def _split(self, spec: str, more: Iterable[str] = ()) -> tuple[str, dict[str, Value]]:
        if not isinstance(spec, str):
            raise ParameterError(f"expected the name of a {self.kind}, got {spec!r}")
        name, _, rest = spec.partition(":")
        info = self.info(name)
        given: dict[str, Value] = {}
        last = ""
        for part in filter(None, rest.split(",")):
            key, equals, value = part.partition("=")
            if equals:
                last = key.strip()
                given[last] = value.strip()
            elif last:  # a value of several numbers: black=4,4,6
                given[last] = f"{given[last]},{part.strip()}"
            elif info.parameters:
                given[info.parameters[0].name] = key.strip()
            else:
                raise ParameterError(f"{name} takes no parameters, got {part!r}")
        for text in more:
            key, equals, value = text.partition("=")
            if not equals:
                raise ParameterError(f"param takes NAME=VALUE, got {text!r}")
            given[key.strip()] = value.strip()
        return name, given

    def _entry(self, name: str) -> tuple[Info, Callable[..., T]]:
        if name in self._entries:
            return self._entries[name]
        near = difflib.get_close_matches(name, self._entries, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(self._entries)}"
        raise UnknownName(f"unknown {self.kind} {name!r}; {hint}")
