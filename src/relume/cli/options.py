"""Options that several commands share, and their reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relume.enhancers.options import (
    BRIGHTNESS,
    DEFAULT_METHOD,
    EXPOSE_FOR,
    LOCAL,
    PROTECT_LIT,
    STRENGTH,
)
from relume.errors import InputError, ParameterError
from relume.io.formats import QUALITY, WRITABLE

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


class ExposeFor(StrEnum):
    """What an exposure serves."""

    auto = "auto"
    scene = "scene"
    faces = "faces"


def _words(option: Parameter) -> str:
    """The option's summary and range, as help has it."""
    words = option.summary[:1].upper() + option.summary[1:]
    return f"{words}." if isinstance(option.default, bool) else f"{words}: {option.allowed()}."


DeviceOption = Annotated[
    Device, typer.Option("--device", help="Where networks run; cuda and mps need torch.")
]
PrecisionOption = Annotated[
    Precision,
    typer.Option(
        "--precision",
        help="What networks compute in; auto: bf16 where it was measured to be clearly faster.",
    ),
]
MethodOption = Annotated[
    str | None,
    typer.Option(
        "--method",
        "-m",
        metavar="NAME[:PARAMS]",
        help="How to relight, as in 'gamma:0.4' or 'clahe:clip=2,grid=8'; "
        "'relume methods' lists them.",
        show_default=DEFAULT_METHOD,
    ),
]
ParamOption = Annotated[
    list[str] | None,
    typer.Option(
        "--param", "-p", metavar="NAME=VALUE", help="A parameter of the method; may be repeated."
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
    typer.Option(
        "--format",
        "-f",
        metavar="|".join(WRITABLE),
        parser=_known_format,
        help="Write this format instead of the photo's own.",
    ),
]
StrengthOption = Annotated[
    float, typer.Option("--strength", "-s", metavar="SHARE", help=_words(STRENGTH))
]


def _brightness(more: str = "") -> Any:
    return typer.Option(
        "--brightness",
        "-b",
        metavar="LEVEL",
        help=_words(BRIGHTNESS) + more,
        show_default=str(BRIGHTNESS.default),
    )


BrightnessOption = Annotated[str | None, _brightness()]
BrightnessesOption = Annotated[
    str | None, _brightness(" Several (0.2,0.35,0.5) make a strip to choose from.")
]
LocalOption = Annotated[
    float | None,
    typer.Option("--local", metavar="SHARE", help=_words(LOCAL), show_default="the method's own"),
]
ExposeForOption = Annotated[
    ExposeFor | None,
    typer.Option("--expose-for", help=_words(EXPOSE_FOR), show_default=str(EXPOSE_FOR.default)),
]
ExposureOption = Annotated[
    Path | None,
    typer.Option(
        "--exposure",
        metavar="MAP.npy",
        help="More or less light from place to place: a NumPy file of stops (h, w) of any size, "
        "+1 is twice the light.",
        show_default=False,
    ),
]
ProtectLitOption = Annotated[bool, typer.Option(help=_words(PROTECT_LIT))]
QualityOption = Annotated[
    int | None,
    typer.Option(
        "--quality",
        metavar="N",
        help=f"Of JPEG, WebP and other lossy formats: {QUALITY.allowed()}.",
        show_default="like the photo's",
    ),
]
MegapixelsOption = Annotated[
    float,
    typer.Option(
        "--max-megapixels", metavar="N", help="Refuse pictures of more than N megapixels."
    ),
]
SkipExistingOption = Annotated[
    bool,
    typer.Option(
        "--skip-existing", help="Leave out photos that are done already: goes on after a break."
    ),
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace files that exist already.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="Say what runs where, and where errors come from.")
]
OnOption = Annotated[
    str,
    typer.Option(
        "--on",
        metavar="local|ray|ray://HOST:PORT",
        help="Where it is done: here, on a Ray of this machine's cores, or on that cluster.",
    ),
]


def _processes(default: str) -> Any:
    return typer.Option(
        "--jobs",
        "-j",
        min=1,
        metavar="N",
        help="How many processes do it (on Ray: actors).",
        show_default=default,
    )


ProcessesOption = Annotated[int | None, _processes("1; on Ray, one a core")]
StudyProcessesOption = Annotated[int | None, _processes("one a core")]
ThresholdOption = Annotated[
    float | None,
    typer.Option(
        "--threshold",
        metavar="SCORE",
        help="Lowest score of a face that is reported: 0 to 1.",
        show_default="the detector's own, 0.6",
    ),
]


def parse_method(method: str | None, params: Sequence[str] | None) -> tuple[str, dict[str, Value]]:
    """The method's name and all its parameters, checked against the catalogue.

    Raises:
        UnknownName: no such method.
        ParameterError: a parameter that the method does not have, or a value outside its range.
    """
    from relume.enhancers import methods

    catalogue = methods()
    name, given = catalogue.parse(method or DEFAULT_METHOD)
    for text in params or ():
        key, equals, value = text.partition("=")
        if not equals:
            raise ParameterError(f"--param takes NAME=VALUE, got {text!r}")
        given[key.strip()] = value.strip()
    return name, catalogue.info(name).check_parameters(given)


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


def parse_on(on: str, processes: int | None, *, far: bool = False) -> Executor | None:
    """Where a command's work is done; None is here, in as many processes as it sees fit.

    ``far`` says that nothing is read or written but in object stores.

    Raises:
        ParameterError: neither local, ray nor the address of a cluster.
        MissingExtra: Ray is not installed.
    """
    if on == "local":
        from relume.executor import Local

        return None if processes is None else Local(processes)
    from relume.cluster import connect

    return connect(on, workers=processes, shares_folder=not far)


def parse_list(text: str | None) -> tuple[str, ...]:
    """``"a,b"`` as ``("a", "b")``."""
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def refuse(given: Mapping[str, object], why: str) -> None:
    """Raise ParameterError if an option that has no effect here was given: ``why`` says why."""
    for option, value in given.items():
        if value not in (None, False):
            raise ParameterError(f"{option} {why}")


def check_range(option: str, value: float | None, low: float, high: float) -> None:
    """Raise ParameterError unless ``value`` is None or within [``low``, ``high``]."""
    if value is not None and not low <= value <= high:
        raise ParameterError(f"{option} must be {low:g} to {high:g}, got {value:g}")
