"""Options that several commands share, and their reading."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relume.cli import console
from relume.cli.console import PIPE
from relume.enhancers.options import (
    BLACK,
    BRIGHTNESS,
    CAST,
    DEFAULT_METHOD,
    EXPOSE_FOR,
    FAST_METHOD,
    LOCAL,
    PROTECT_LIT,
    STRENGTH,
)
from relume.errors import InputError, ParameterError
from relume.io.formats import QUALITY, WRITABLE
from relume.io.places import is_address

if TYPE_CHECKING:
    from relume.catalog import Parameter, Value
    from relume.engine import Runtime
    from relume.executor import Executor
    from relume.photo import Image


class Device(StrEnum):
    """Where networks run."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


class Precision(StrEnum):
    """What networks compute in."""

    auto = "auto"
    f32 = "f32"
    bf16 = "bf16"


class DrawOn(StrEnum):
    """The picture that faces are drawn on."""

    original = "original"
    relit = "relit"


class ExposeFor(StrEnum):
    """What an exposure serves."""

    auto = "auto"
    scene = "scene"
    faces = "faces"


def _words(option: Parameter) -> str:
    """The option's summary and range, as help has it."""
    words = option.summary[:1].upper() + option.summary[1:]
    return f"{words}." if isinstance(option.default, bool) else f"{words}: {option.allowed()}."


def opt(
    *words: str,
    help: str = "",
    shown: str | bool = True,
    local: bool = False,
    names: str = "",
    **more: Any,
) -> Any:
    """An option: its names (none: the argument's own), and last what stands for its value.

    ``shown`` is its default in words, if it is not the argument's; ``local`` says that it is a path
    of this machine, ``names`` which names the Tab key completes: ``methods``, ``detectors``,
    ``landmarkers``, or with a comma behind it a list of them.
    """
    if names:
        more["autocompletion"] = _completing(names)
    own = [word for word in words if word.startswith("-")]
    metavar = next((word for word in words if not word.startswith("-") or word == PIPE), None)
    if local:
        more["parser"] = local_path
    return typer.Option(*own, metavar=metavar, help=help, show_default=shown, **more)


def _completing(names: str) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        """The names that begin with what is typed, or with what stands behind its last comma."""
        from relume import enhancers, faces

        if names.startswith("methods"):
            known = enhancers.methods().names()
        else:
            known = (faces.detectors if names.startswith("d") else faces.landmarkers)().names()
        before, comma, typed = incomplete.rpartition(",") if "," in names else ("", "", incomplete)
        return [before + comma + name for name in known if name.startswith(typed)]

    return complete


def local_path(name: str | Path) -> Path:
    """A path of this machine, where nothing else will do.

    Raises:
        ParameterError: an address of an object store.
    """
    if is_address(str(name)):
        raise ParameterError(f"{name} is in an object store; here expected a path of this machine")
    return Path(name)


DeviceOption = Annotated[Device, opt("--device", help="Where networks run; cuda, mps need torch.")]
PrecisionOption = Annotated[
    Precision,
    opt(
        "--precision",
        help="What networks compute in; auto: bf16 where it was measured to be clearly faster.",
    ),
]
MethodOption = Annotated[
    str | None,
    opt(
        *("--method", "-m", "NAME[:PARAMS]"),
        help="How to relight, as in 'gamma:0.4' or 'clahe:clip=2,grid=8'; 'relume methods' lists "
        "them.",
        shown=DEFAULT_METHOD,
        names="methods",
    ),
]
ParamOption = Annotated[
    list[str] | None,
    opt("--param", "-p", "NAME=VALUE", help="A parameter of the method; may be repeated."),
]

FastOption = Annotated[
    bool | None,
    opt(
        "--fast/--no-fast",
        help="The small network (relume-fast): six times as fast, a little softer.",
        shown="for long clips",
    ),
]


def _known_format(text: str) -> str:
    name = text.lower().removeprefix(".")
    for format in WRITABLE.values():
        if name == format.name or f".{name}" in format.suffixes:
            return format.name
    raise typer.BadParameter(f"{text!r} is not one of {', '.join(WRITABLE)}")


FormatOption = Annotated[
    str | None,
    opt(
        *("--format", "-f", "|".join(WRITABLE)),
        parser=_known_format,
        help="Write this format instead of the photo's own.",
    ),
]
StrengthOption = Annotated[float, opt("--strength", "-s", "SHARE", help=_words(STRENGTH))]


def _brightness(more: str = "") -> Any:
    words = _words(BRIGHTNESS) + more
    return opt("--brightness", "-b", "LEVEL", help=words, shown=str(BRIGHTNESS.default))


BrightnessOption = Annotated[str | None, _brightness()]
BrightnessesOption = Annotated[
    str | None, _brightness(" Several (0.2,0.35,0.5) make a strip to choose from.")
]
LocalOption = Annotated[
    float | None, opt("--local", "SHARE", help=_words(LOCAL), shown="the method's own")
]
ExposeForOption = Annotated[
    ExposeFor | None,
    opt("--expose-for", help=_words(EXPOSE_FOR), shown=str(EXPOSE_FOR.default)),
]
BlackOption = Annotated[
    str | None, opt("--black", "R,G,B", help=_words(BLACK), shown=str(BLACK.default))
]
CastOption = Annotated[
    float | None, opt("--cast", "SHARE", help=_words(CAST), shown=str(CAST.default))
]
ExposureOption = Annotated[
    Path | None,
    opt(
        *("--exposure", "MAP.npy"),
        help="More or less light from place to place: a NumPy file of stops (h, w) of any size, "
        "+1 is twice the light.",
        shown=False,
        local=True,
    ),
]
ProtectLitOption = Annotated[bool, opt(help=_words(PROTECT_LIT))]
QualityOption = Annotated[
    int | None,
    opt(
        *("--quality", "N"),
        help=f"Of JPEG, WebP and other lossy formats: {QUALITY.allowed()}.",
        shown="like the photo's",
    ),
]
MegapixelsOption = Annotated[
    float, opt("--max-megapixels", "N", help="Refuse pictures of more than N megapixels.")
]
SkipExistingOption = Annotated[
    bool,
    opt("--skip-existing", help="Leave out photos that are done already: goes on after a break."),
]
OverwriteOption = Annotated[bool, opt("--overwrite", help="Replace files that exist already.")]
QuietOption = Annotated[bool, opt("--quiet", "-q", help="Say nothing but errors.")]
VerboseOption = Annotated[
    bool, opt("--verbose", "-v", help="Say what runs where, and where errors come from.")
]
OnOption = Annotated[
    str,
    opt(
        *("--on", "local|ray|ray://HOST:PORT"),
        help="Where it is done: here, on a Ray of this machine's cores, or on that cluster.",
    ),
]


def _processes(default: str) -> Any:
    words = "How many processes do it (on Ray: actors)."
    return opt("--jobs", "-j", "N", min=1, help=words, shown=default)


ProcessesOption = Annotated[int | None, _processes("1; on Ray, one a core")]
StudyProcessesOption = Annotated[int | None, _processes("one a core")]


def fast_method(method: str | None) -> str:
    """The method of ``--fast``.

    Raises:
        ParameterError: another one is asked for as well.
    """
    if method not in (None, DEFAULT_METHOD, FAST_METHOD):
        raise ParameterError(f"--fast is the method {FAST_METHOD}: leave out --method {method}")
    return FAST_METHOD


def parse_method(
    method: str | None, params: Sequence[str] | None
) -> tuple[str, dict[str, Value], dict[str, Any]]:
    """The method's name, all its parameters, and the options of ``enhance`` that are among them.

    Raises:
        UnknownName: no such method.
        ParameterError: a parameter that the method does not have, or a value outside its range.
    """
    from relume.enhancers.options import parse_spec

    info, given, asked = parse_spec(method or DEFAULT_METHOD, params or ())
    return info.name, info.check_parameters(given), asked


def with_detector(given: Mapping[str, Any]) -> dict[str, Any]:
    """``given``, with the shipped detector where none is named and YuNet is not here."""
    from relume.faces import usual_detector

    if "detector" in given or (usual := usual_detector()) == "yunet":
        return dict(given)
    console.say(f"note: faces are looked for with {usual}; --detector yunet fetches YuNet")
    return {"detector": usual, **given}


def read_exposure(path: Path) -> Image:
    """The exposure map in a .npy file: (h, w) stops.

    Raises:
        InputError: a file that cannot be read, or that holds no array.
        ParameterError: an array that is no map of stops.
    """
    import numpy as np

    from relume.exposure.maps import check_stops
    from relume.io import special_file

    expected = "expected a NumPy file of stops, as numpy.save writes it"
    try:
        if (special := special_file(path)) is not None:
            raise ValueError(f"it is {special}")
        # mapped: a header that claims more than the file holds is refused, not allocated
        stops = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(stops, np.ndarray):
            stops.close()
            raise ValueError("it is an archive")
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"cannot read the exposure map {path}: {reason}; {expected}") from error
    except (ValueError, EOFError, OverflowError, SyntaxError) as error:
        raise InputError(f"{path} is no exposure map; {expected}") from error
    try:
        return check_stops(stops)
    except ParameterError as error:
        raise ParameterError(f"{path}: {error}") from error


def parse_runtime(device: Device, precision: Precision) -> Runtime | None:
    """The runtime asked for, or None if the method may choose."""
    if device is Device.auto and precision is Precision.auto:
        return None
    from relume.engine import Runtime

    return Runtime(device=device.value, precision=precision.value)


def parse_on(on: str, processes: int | None, *, remote: bool = False) -> Executor | None:
    """Where a command's work is done; None is here, in as many processes as it sees fit.

    ``remote`` says that nothing is read or written but in object stores.

    Raises:
        ParameterError: neither local, ray nor the address of a cluster.
        MissingExtra: Ray is not installed.
    """
    if on == "local":
        from relume.executor import Local

        return None if processes is None else Local(processes)
    from relume.cluster import connect

    return connect(on, workers=processes, shares_folder=not remote)


def refuse(given: Mapping[str, object], why: str) -> None:
    """Raise ParameterError if an option that has no effect here was given: ``why`` says why."""
    for option, value in given.items():
        if value not in (None, False):
            raise ParameterError(f"{option} {why}")


def check_range(option: str, value: float | None, low: float, high: float) -> None:
    """Raise ParameterError unless ``value`` is None or within [``low``, ``high``]."""
    if value is not None and not low <= value <= high:
        raise ParameterError(f"{option} must be {low:g} to {high:g}, got {value:g}")
