"""Options that several commands share, and their reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from relume.cli import console
from relume.cli.command import info
from relume.enhancers.options import DEFAULT_METHOD, OPTIONS, parse_spec
from relume.errors import InputError, ParameterError
from relume.io.formats import QUALITY, WRITABLE

if TYPE_CHECKING:
    from relume.engine import Runtime
    from relume.executor import Executor
    from relume.photo import Image


def _known_format(text: str) -> str:
    name = text.lower().removeprefix(".")
    for format in WRITABLE.values():
        if name == format.name or f".{name}" in format.suffixes:
            return format.name
    raise typer.BadParameter(f"{text!r} is not one of {', '.join(WRITABLE)}")


def _quality(value: int | None) -> int | None:
    if value is not None:
        QUALITY.check(value)
    return value


Device = Annotated[
    Literal["auto", "cpu", "cuda", "mps"],
    info("--device", "Where networks run; cuda, mps need torch."),
]
Precision = Literal["auto", "f32", "bf16"]
PrecisionOption = Annotated[
    Precision,
    info(
        "--precision",
        "What networks compute in; auto: bf16 where it was measured to be clearly faster.",
    ),
]
Method = Annotated[
    str | None,
    info(
        "--method -m NAME[:PARAMS]",
        "How to relight, as in 'gamma:0.4' or 'clahe:clip=2,grid=8'; 'relume methods' lists them.",
        shown=DEFAULT_METHOD,
        names="methods",
    ),
]
Param = Annotated[
    list[str] | None,
    info("--param -p NAME=VALUE", "A parameter of the method; may be repeated."),
]
Format = Annotated[
    str | None,
    info(
        f"--format -f {'|'.join(WRITABLE)}",
        "Write this format instead of the photo's own.",
        parser=_known_format,
    ),
]
Quality = Annotated[
    int | None,
    info(
        "--quality N",
        f"Of JPEG, WebP and other lossy formats: {QUALITY.allowed()}.",
        shown="like the photo's",
        callback=_quality,
    ),
]
Megapixels = Annotated[
    float, info("--max-megapixels N", "Refuse pictures of more than N megapixels.")
]
SkipExisting = Annotated[
    bool,
    info("--skip-existing", "Leave out photos that are done already: goes on after a break."),
]
Overwrite = Annotated[bool, info("--overwrite", "Replace files that exist already.")]
Quiet = Annotated[bool, info("--quiet -q", "Say nothing but errors.")]
Verbose = Annotated[bool, info("--verbose -v", "Say what runs where, and where errors come from.")]
On = Annotated[
    str,
    info(
        "--on local|ray|ray://HOST:PORT",
        "Where it is done: here, on a Ray of this machine's cores, or on that cluster.",
    ),
]


def _processes(default: str) -> Any:
    words = "How many processes do it (on Ray: actors)."
    return info("--jobs -j N", words, min=1, shown=default)


Processes = Annotated[int | None, _processes("1; on Ray, one a core")]
StudyProcesses = Annotated[int | None, _processes("one a core")]


def for_enhance(
    method: str | None,
    params: Sequence[str] | None,
    given: Mapping[str, Any] | None = None,
    runtime: Runtime | None = None,
) -> dict[str, Any]:
    """The keywords of :func:`relume.enhance` that a command line asks for.

    Raises:
        UnknownName: no such method.
        ParameterError: a parameter that the method does not have, or a value outside its range.
    """
    info, parameters, in_spec = parse_spec(method or DEFAULT_METHOD, params or ())
    known = {option.name: option for option in OPTIONS}
    said = {name: v for name, v in (given or {}).items() if v is not None}
    return {
        "method": info.name,
        "parameters": info.check_parameters(parameters),
        "runtime": runtime,
        **in_spec,
        **{name: known[name].check(value) for name, value in said.items()},
    }


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


def parse_runtime(device: str, precision: str) -> Runtime | None:
    """The runtime asked for, or None if the method may choose."""
    if device == precision == "auto":
        return None
    from relume.engine import Runtime

    return Runtime(device=device, precision=precision)


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
