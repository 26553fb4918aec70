"""``relume enhance``: photos, folders or a pipe, relit."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relume.cli import console
from relume.cli.batch import Run
from relume.cli.options import (
    Device,
    DeviceOption,
    FormatOption,
    MegapixelsOption,
    MethodOption,
    OverwriteOption,
    ParamOption,
    Precision,
    PrecisionOption,
    QuietOption,
    VerboseOption,
    check_range,
    parse_method,
    parse_runtime,
)
from relume.errors import (
    InputError,
    OutputError,
    ParameterError,
)

if TYPE_CHECKING:
    from relume.catalog import Value
    from relume.cli.jobs import Job
    from relume.engine import Runtime
    from relume.photo import Photo

PIPE = "-"


def enhance(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="PHOTO|DIR|-...",
            help="Photos, folders, or - for standard input.",
            show_default=False,
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", help="A file, a folder, or - for standard output.", show_default=False
        ),
    ] = None,
    method: MethodOption = None,
    param: ParamOption = None,
    strength: Annotated[
        float, typer.Option("--strength", "-s", help="0 (the photo as it is) to 1 (all of it).")
    ] = 1.0,
    brightness: Annotated[
        str | None,
        typer.Option(
            "--brightness",
            "-b",
            metavar="LEVEL|auto",
            help="Wanted mean grey level, 0 to 1, for methods that take one.",
        ),
    ] = None,
    protect_lit: Annotated[
        bool, typer.Option(help="Leave what is well exposed already as it is.")
    ] = True,
    no_denoise: Annotated[
        bool, typer.Option("--no-denoise", help="Switch the method's denoising off.")
    ] = False,
    format: FormatOption = None,
    quality: Annotated[
        int | None,
        typer.Option(
            "--quality", help="Of lossy formats, 1 to 100.", show_default="like the photo's"
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Leave out what is done already, to go on.")
    ] = False,
    recursive: Annotated[bool, typer.Option(help="Go into folders below folders.")] = True,
    max_megapixels: MegapixelsOption = 200.0,
    device: DeviceOption = Device.auto,
    precision: PrecisionOption = Precision.auto,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Only tell what would be written.")
    ] = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Relight photographs taken in the dark.

    One photo becomes night.relume.jpg beside it, or what -o names. Folders keep their structure.
    A photo that fails is one line on stderr; the others are done, and the exit code is 1.
    """
    console.be_verbose(verbose)
    check_range("--quality", quality, 1, 100)
    if overwrite and skip_existing:
        raise ParameterError("--overwrite and --skip-existing contradict each other")
    relight = _relighting(
        method,
        param,
        no_denoise=no_denoise,
        strength=strength,
        brightness=brightness,
        protect_lit=protect_lit,
        runtime=parse_runtime(device, precision),
    )
    if PIPE in (*inputs, output):
        if dry_run:
            raise ParameterError("--dry-run has nothing to tell about a pipe")
        _pipe(
            inputs,
            output,
            relight,
            format=format,
            quality=quality,
            overwrite=overwrite,
            max_megapixels=max_megapixels,
        )
        return
    jobs, problems = _jobs(inputs, output, format=format, recursive=recursive)
    run = Run(
        relight,
        quality=quality,
        overwrite=overwrite,
        skip_existing=skip_existing,
        max_megapixels=max_megapixels,
        quiet=quiet,
        failed=len(problems),
    )
    for problem in problems:
        console.fail(f"cannot list {problem.filename}: {problem.strerror}")
    if dry_run:
        run.tell(jobs)
    else:
        run.go(jobs)
    if run.failed:
        raise typer.Exit(1)


def _jobs(
    inputs: Sequence[str], output: str | None, *, format: str | None, recursive: bool
) -> tuple[list[Job], list[OSError]]:
    from relume.cli import jobs

    if not all(inputs):
        raise InputError("expected the name of a photo or a folder, got an empty one")
    paths = [Path(name) for name in inputs]
    below = None if output is None else Path(output)
    found = jobs.find(paths, recursive=recursive, but=below)
    several = len(paths) > 1 or paths[0].is_dir()
    return jobs.plan(found.pictures, output=output, format=format, several=several), found.problems


@dataclass(frozen=True)
class Relighting:
    """What is done to every photo: a method with its options, all of them checked."""

    method: str
    parameters: Mapping[str, Value]
    options: Mapping[str, Any]
    runtime: Runtime | None

    def __call__(self, photo: Photo) -> Photo:
        """The photo relit."""
        from relume.enhancers import enhance as relit

        return relit(
            photo,
            method=self.method,
            parameters=self.parameters,
            runtime=self.runtime,
            **self.options,
        )

    def prepare(self) -> None:
        """Load what the method needs, before any photo; with -v, say what runs where.

        Raises:
            WeightsError: weights that are missing or damaged.
            DeviceError: the device or precision is not there.
        """
        from relume.enhancers import describe

        runs = describe(self.method, parameters=self.parameters, runtime=self.runtime)
        if console.is_verbose():
            console.say(runs)


def _relighting(
    method: str | None,
    param: Sequence[str] | None,
    *,
    no_denoise: bool,
    strength: float,
    brightness: str | None,
    protect_lit: bool,
    runtime: Runtime | None,
) -> Relighting:
    name, parameters = parse_method(method, param)
    from relume.enhancers import methods
    from relume.enhancers.options import check_options

    given = {"strength": strength, "brightness": brightness, "protect_lit": protect_lit}
    options = check_options(methods().info(name), given)
    if no_denoise:
        parameters |= _without_denoising(name)
    return Relighting(name, parameters, options, runtime)


def _without_denoising(method: str) -> dict[str, Value]:
    from relume.enhancers import methods

    for parameter in methods().info(method).parameters:
        if parameter.name == "denoise":
            off = next((c for c in parameter.choices if c in ("none", "off")), None)
            if off is not None:
                return {"denoise": off}
            if isinstance(parameter.default, bool):
                return {"denoise": False}
            return {"denoise": parameter.check(0)}
    raise ParameterError(f"the method {method} has no denoising that --no-denoise could switch off")


def _pipe(
    inputs: Sequence[str],
    output: str | None,
    relight: Relighting,
    *,
    format: str | None,
    quality: int | None,
    overwrite: bool,
    max_megapixels: float,
) -> None:
    """One photo, read from standard input, written to standard output, or both."""
    from relume.cli import jobs
    from relume.io import decode, encode, read, write

    if len(inputs) != 1:
        raise ParameterError("- stands for one photo: name no other input beside it")
    to_stdout = output in (None, PIPE)
    if to_stdout and sys.stdout.isatty():
        raise OutputError("a picture is not written to a terminal: name -o FILE, or pipe it on")
    relight.prepare()
    if inputs[0] == PIPE:
        photo = decode(
            sys.stdin.buffer.read(), name="standard input", max_megapixels=max_megapixels
        )
        named = Path(f"stdin.{photo.meta.format.lower()}")
    else:
        named = Path(inputs[0])
        photo = read(named, max_megapixels=max_megapixels)
    if to_stdout:
        data = encode(relight(photo), jobs.written_format(named, format), quality=quality)
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    picture = jobs.Picture(named, Path(named.name))
    (job,) = jobs.plan([picture], output=output, format=format, several=False)
    refusal = job.refusal(overwrite=overwrite)
    if refusal is not None:
        raise OutputError(refusal)
    job.target.parent.mkdir(parents=True, exist_ok=True)
    write(relight(photo), job.target, overwrite=overwrite, quality=quality)
