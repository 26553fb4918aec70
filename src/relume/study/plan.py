"""The plan of a study: which pictures, arms, detectors and levels, from options or a TOML file.

A plan is frozen and checked when it is made; nothing is read from disk before
:func:`relume.study.run`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from relume import settings
from relume.catalog import split_specs
from relume.errors import ParameterError

ORIGINAL = "original"
"""The arm that changes nothing; every study has it, every comparison is against it."""

DEFAULT_ARMS = (ORIGINAL, "gamma", f"{ORIGINAL}+machine")
"""What the command line compares where nothing is said."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a study compares, on what, and how.

    ``pictures`` is a folder, ``report`` the folder that is written. ``arms`` are specs of
    :func:`relume.study.arms.parse`; ``original`` is added in front if it is not among them.
    ``detectors`` are catalogue specs, ``landmarks`` a landmarker's or None. ``labels`` is a CSV
    file (boxes or ellipses) or a folder of 68-point CSV files, ``reference`` a folder of
    normal-light photographs of the same names. ``darken`` are linear exposures in (0, 1], each
    of which every picture is darkened to once; empty leaves the pictures as they are.

    A face counts from the score ``threshold`` on; it is the labelled one from the overlap
    ``iou`` on. ``examples`` is how many photographs of won and lost faces each arm shows in the
    report (0: the report holds no photographs). ``gt_mean`` adds a PSNR after the picture's mean
    was set to the reference's, labelled as such.

    ``groups`` are the groupings by which every figure is also given: columns ``group:NAME`` of the
    labels, all of them if none is named, and ``skin``, which is measured (see
    :mod:`relume.study.groups`) where the labels have no such column.

    Raises:
        ParameterError: a value outside its range, or an arm, detector or level twice.
    """

    pictures: Path
    report: Path
    arms: tuple[str, ...] = (ORIGINAL,)
    detectors: tuple[str, ...] = ("haar",)
    landmarks: str | None = None
    labels: Path | None = None
    reference: Path | None = None
    darken: tuple[float, ...] = ()
    threshold: float = 0.6
    iou: float = 0.5
    seed: int = 0
    examples: int = 3
    gt_mean: bool = False
    title: str = ""
    groups: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("pictures", "report", "labels", "reference"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, Path(value))
        arms = tuple(self.arms)
        object.__setattr__(self, "arms", arms if ORIGINAL in arms else (ORIGINAL, *arms))
        object.__setattr__(self, "detectors", tuple(self.detectors))
        object.__setattr__(self, "groups", tuple(self.groups))
        # brightest first: the order of every table and plot; floats: 1 and 1.0 are one seed
        object.__setattr__(self, "darken", tuple(sorted(map(float, self.darken), reverse=True)))
        self._check()

    @property
    def levels(self) -> tuple[float | None, ...]:
        """The darkness levels, brightest first; (None,) where pictures stay as they are."""
        return self.darken or (None,)

    @classmethod
    def load(cls, path: str | Path, *, overrides: Mapping[str, object] | None = None) -> Plan:
        """Read a plan from a TOML file whose keys are this class's fields.

        Paths in the file are relative to the file's folder, those of networks in arms
        and detectors (``onnx:net.onnx``) too. ``overrides`` (a command line's
        options) win over the file; None values among them are passed over.

        Raises:
            RecipeError: the file cannot be read, an unknown or missing key, a wrong type.
            ParameterError: a value outside its range.
        """
        given = dict(overrides or {})
        plan = settings.load(cls, Path(path), overrides=given)
        here = Path(path).parent
        if given.get("arms") is None:
            plan = replace(plan, arms=tuple(_beside(arm, here) for arm in plan.arms))
        if given.get("detectors") is None:
            plan = replace(plan, detectors=tuple(_beside(spec, here) for spec in plan.detectors))
        return plan

    def _check(self) -> None:
        for kind in ("arms", "detectors", "darken", "groups"):
            values = getattr(self, kind)
            twice = sorted({str(v) for v in values if values.count(v) > 1})
            if twice:
                raise ParameterError(f"{kind}: {', '.join(twice)} is given twice")
        if not self.detectors:
            raise ParameterError("a study needs at least one detector, got none")
        for k in self.darken:
            if not 0 < k <= 1:
                raise ParameterError(f"a darkness level must be in (0, 1], got {k:g}")
        for name in ("threshold", "iou"):
            value = getattr(self, name)
            if not 0 < value <= 1:
                raise ParameterError(f"{name} must be in (0, 1], got {value:g}")
        if self.examples < 0 or self.seed < 0:
            raise ParameterError(
                f"examples and seed must be 0 or more, got {self.examples} and {self.seed}"
            )
        if self.groups and self.labels is None:
            raise ParameterError("groups are of labelled faces: give labels, too")
        if self.gt_mean and self.reference is None:
            raise ParameterError("gt_mean needs a reference folder to take the mean from")


def _beside(spec: str, folder: Path) -> str:
    """An arm NAME=DIR, or what names a network's file, with that path beside the recipe."""
    name, rest = named(spec)
    if rest is not None and not is_spec(rest):
        return f"{name}={folder / rest}"
    # a method's options: only a network's file looks like this
    return re.sub(r"(?<=[:,=])[^:,=]+\.onnx(?=,|$)", lambda path: str(folder / path[0]), spec)


def split_arms(text: str) -> tuple[str, ...]:
    """A command line's comma-separated arms, where an arm's own options hold commas too.

    A part ``key=value`` that follows an arm with a colon is that arm's option, unless it names
    a method or a folder that exists.

    >>> split_arms("original,clahe:clip=2,grid=8,soft=gamma:0.8")
    ('original', 'clahe:clip=2,grid=8', 'soft=gamma:0.8')
    """
    if any(not piece.strip() for piece in text.split(",")):
        raise ParameterError(f"empty name in the list of arms {text!r}")
    return split_specs(text, _is_option)


def _is_option(part: str) -> bool:
    _, value = named(part)
    return value is not None and not is_spec(value) and not Path(value).is_dir()


def arm_name(spec: str) -> str:
    """What an arm is called: NAME of ``NAME=DIR`` or ``NAME=SPEC``, else the spec itself."""
    return named(spec)[0]


def named(spec: str) -> tuple[str, str | None]:
    """An arm's name and what it names: the parts of ``NAME=REST``, or the spec and None."""
    name, equals, rest = spec.partition("=")
    return (name, rest) if equals and ":" not in name else (spec, None)


def is_spec(text: str) -> bool:
    """Whether ``text`` begins with a method's name, or several joined by ``+``."""
    from relume.enhancers import methods

    return all(part.strip() in methods() for part in text.partition(":")[0].split("+"))


def level_name(level: float | None) -> str:
    """A level as words for captions: ``k = 0.1``, or ``as they are``."""
    return "as they are" if level is None else f"k = {level:g}"


def level_folder(level: float) -> str:
    """The folder of a level in a NAME=DIR arm: ``k0.1``."""
    return f"k{level:g}"


def describe(values: Sequence[float | None]) -> str:
    """Levels in a row: ``k = 1, 0.3 and 0.1``."""
    numbers = [f"{v:g}" for v in values if v is not None]
    if not numbers:
        return ""
    head = ", ".join(numbers[:-1])
    return "k = " + (f"{head} and {numbers[-1]}" if head else numbers[-1])
