"""``relume enhance``: photos, folders or a pipe, relit."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from relume.cli import console, options
from relume.cli.batch import Run
from relume.cli.clips import ClipRun, CompareOption, FromOption, ToOption
from relume.cli.console import PIPE, STDIN
from relume.cli.tables import PHOTOS, Rows
from relume.enhancers.options import DEFAULT_METHOD, PROTECT_LIT, STRENGTH
from relume.errors import OutputError, ParameterError
from relume.executor import Local
from relume.io.formats import MAX_MEGAPIXELS, QUALITY, ending, format_of, result_format
from relume.io.places import Place

if TYPE_CHECKING:
    from relume.catalog import Value
    from relume.engine import Runtime
    from relume.photo import Image, Photo

STRIP_PX = 480
"""Height of the pictures in a strip to choose from."""


def enhance(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="PHOTO",
            help="Photos, folders, clips, numbered frames (f/%06d.png), or - for stdin.",
            show_default=False,
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|DIR|-",
            help="Where results go; - is standard output.",
            show_default="beside the photos",
        ),
    ] = None,
    method: options.MethodOption = None,
    param: options.ParamOption = None,
    strength: options.StrengthOption = float(STRENGTH.default),
    brightness: options.BrightnessesOption = None,
    local: options.LocalOption = None,
    expose_for: options.ExposeForOption = None,
    exposure: options.ExposureOption = None,
    protect_lit: options.ProtectLitOption = bool(PROTECT_LIT.default),
    no_denoise: Annotated[
        bool, typer.Option("--no-denoise", help="Switch the method's denoising off.")
    ] = False,
    format: options.FormatOption = None,
    quality: options.QualityOption = None,
    overwrite: options.OverwriteOption = False,
    skip_existing: options.SkipExistingOption = False,
    rows: Annotated[
        str | None,
        typer.Option(
            "--rows",
            metavar="FILE",
            help="Also write what came of each photo: a .parquet table, else JSON lines.",
            show_default=False,
        ),
    ] = None,
    recursive: Annotated[bool, typer.Option(help="Go into folders below folders.")] = True,
    max_megapixels: options.MegapixelsOption = MAX_MEGAPIXELS,
    start: FromOption = None,
    end: ToOption = None,
    compare: CompareOption = False,
    device: options.DeviceOption = options.Device.auto,
    precision: options.PrecisionOption = options.Precision.auto,
    on: options.OnOption = "local",
    processes: options.ProcessesOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Only say what would be written.")
    ] = False,
    quiet: options.QuietOption = False,
    verbose: options.VerboseOption = False,
) -> None:
    """Relight photographs and clips taken in the dark.

    One photo becomes night.relume.jpg beside it, with what was asked for in the name
    (night.relume-b30.jpg for --brightness 0.3), or what -o names. Folders keep their structure.
    A photo that fails is one line on stderr; the others are done, and the exit code is 1.
    """
    console.be_verbose(verbose)
    if quality is not None:
        QUALITY.check(quality)
    if overwrite and skip_existing:
        raise ParameterError("--overwrite and --skip-existing contradict each other")
    work = _work(
        method,
        param,
        no_denoise=no_denoise,
        brightness=brightness,
        exposure=exposure,
        runtime=options.parse_runtime(device, precision),
        local=local,
        expose_for=expose_for and expose_for.value,
        strength=strength,
        protect_lit=protect_lit,
    )
    asked = ClipRun(
        output,
        start,
        end,
        compare,
        overwrite=overwrite,
        quiet=quiet,
        quality=quality,
        max_megapixels=max_megapixels,
    )
    if asked.takes(inputs):
        alone = {"--rows": rows, "--on": on != "local", "--jobs": processes, "--format": format}
        options.refuse(alone, "is for photos: clips are relit here, one after the other")
        asked.go(inputs, work, dry_run=dry_run, skip_existing=skip_existing)
        return
    if PIPE in (*inputs, output):
        for_files = {
            "--dry-run": dry_run,
            "--on": on != "local",
            "--jobs": processes,
            "--rows": rows,
            "--skip-existing": skip_existing,
        }
        options.refuse(for_files, "is for files: a pipe is one photo")
        _pipe(
            inputs,
            output,
            work,
            format=format,
            quality=quality,
            overwrite=overwrite,
            max_megapixels=max_megapixels,
            quiet=quiet,
        )
        return
    from relume.cli import jobs, lists

    found, paths, several = lists.find(inputs, recursive=recursive, but=output)
    mark = jobs.MARK + work.mark()
    planned = jobs.plan(found.pictures, output=output, format=format, several=several, mark=mark)
    far = all(isinstance(path, Place) for job in planned for path in (job.source, job.target))
    table = None
    if rows is not None and not dry_run:
        table = Rows(rows, PHOTOS, overwrite=overwrite, go_on=skip_existing)
    run = Run(
        work,
        found,
        inputs=paths,
        output=output,
        quality=quality,
        overwrite=overwrite,
        skip_existing=skip_existing,
        max_megapixels=max_megapixels,
        quiet=quiet,
        on=options.parse_on(on, processes, far=far) or Local(),
        format=format,
        rows=table,
        failed=len(found.problems),
    )
    for problem in found.problems:
        console.fail(f"cannot list {problem.filename}: {problem.strerror}")
    if dry_run:
        run.preview(planned)
    else:
        run.go(planned)
        if isinstance(work, Strip) and run.done and not quiet:
            photos = console.one_line(shlex.join(inputs))
            level = work.choices[len(work.choices) // 2].options["brightness"]
            console.say(f"to get one of them: relume enhance {photos} --brightness {level}")
    if run.failed:
        raise typer.Exit(1)


@dataclass(frozen=True)
class Relighting:
    """What is done to every photo: a method with its options, all of them checked.

    ``exposure`` is a map of stops (h, w) and the name of its file.
    """

    method: str
    parameters: Mapping[str, Value]
    options: Mapping[str, Any]
    runtime: Runtime | None
    exposure: tuple[Image, str] | None = None

    def __call__(self, photo: Photo) -> Photo:
        """The photo relit."""
        from relume.faces import enhance as relit

        return relit(
            photo,
            method=self.method,
            parameters=self.parameters,
            runtime=self.runtime,
            exposure=self.exposure and self.exposure[0],
            **self.options,
        )

    def prepare(self) -> None:
        """Load what the method needs, before any photo; with -v, say what runs where.

        Raises:
            WeightsError: weights that are missing or damaged.
            DeviceError: the device or precision is not there.
        """
        from relume.enhancers import describe

        if "expose_for" in self.options:
            from relume.faces.exposure import face_finder

            face_finder(self.options["expose_for"])
        runs = describe(self.method, parameters=self.parameters, runtime=self.runtime)
        if console.is_verbose():
            console.say(runs)

    def settled(self, *, elsewhere: bool) -> Relighting:
        """The same in one precision, for processes here or ``elsewhere`` that share the photos."""
        from relume.enhancers import settle

        runtime = settle(
            self.method, parameters=self.parameters, runtime=self.runtime, elsewhere=elsewhere
        )
        return replace(self, runtime=runtime)

    @property
    def to_change_lit(self) -> str | None:
        """The option that changes a photo which is left as it is because it looks lit."""
        from relume.enhancers import methods

        asked = isinstance(self.options.get("brightness"), float)
        if asked or not self.options["protect_lit"] or not self.options["strength"]:
            return None
        if self.method == "original":
            return None
        takes = methods().info(self.method).takes_brightness
        return "--brightness" if takes else "--no-protect-lit"

    def mark(self) -> str:
        """What was asked for, as the results' names tell it: ``-fusion``, ``-b30``."""
        from relume.enhancers import methods

        options = self.options
        parts = [] if self.method == DEFAULT_METHOD else [self.method]
        for parameter in methods().info(self.method).parameters:
            value = self.parameters[parameter.name]
            if value != parameter.default:
                text = Path(value).stem if isinstance(value, str) else f"{value:g}"
                parts.append(f"{parameter.name}-{text}")
        if isinstance(options.get("brightness"), float):
            parts.append(f"b{100 * options['brightness']:g}")
        if "local" in options:
            parts.append(f"l{100 * options['local']:g}")
        if options.get("expose_for", "auto") != "auto":
            parts.append(f"for-{options['expose_for']}")
        if self.exposure is not None:
            parts.append(f"exposure-{self.exposure[1]}")
        if options["strength"] != STRENGTH.default:
            parts.append(f"s{100 * options['strength']:g}")
        if options["protect_lit"] != PROTECT_LIT.default:
            parts.append("no-protect-lit")
        return "".join(f"-{part}" for part in parts)


@dataclass(frozen=True)
class Strip:
    """One picture of the photo and of what several brightnesses make of it, to choose from."""

    choices: Sequence[Relighting]

    to_change_lit: ClassVar[None] = None

    def __call__(self, photo: Photo) -> Photo:
        """The panels side by side, the original first."""
        from relume.image import draw
        from relume.photo import Meta
        from relume.photo import Photo as Picture

        height_px = min(photo.pixels.shape[0], STRIP_PX)
        panels = [photo.pixels, *(choice(photo).pixels for choice in self.choices)]
        captions = ["original", *(str(choice.options["brightness"]) for choice in self.choices)]
        kept = photo.meta
        meta = Meta(format=kept.format, icc=kept.icc, file_mode=kept.file_mode)
        return Picture(draw.panels(panels, captions, height_px=max(height_px, 64)), meta=meta)

    def prepare(self) -> None:
        """As :meth:`Relighting.prepare`."""
        self.choices[0].prepare()

    def settled(self, *, elsewhere: bool) -> Strip:
        """As :meth:`Relighting.settled`."""
        return Strip([choice.settled(elsewhere=elsewhere) for choice in self.choices])

    def mark(self) -> str:
        """``-strip``, behind what else was asked for."""
        first = self.choices[0]
        others = {name: v for name, v in first.options.items() if name != "brightness"}
        return replace(first, options=others).mark() + "-strip"


def _work(
    method: str | None,
    param: Sequence[str] | None,
    *,
    no_denoise: bool,
    brightness: str | None,
    exposure: Path | None,
    runtime: Runtime | None,
    **others: object,
) -> Relighting | Strip:
    name, parameters = options.parse_method(method, param)
    from relume.enhancers import methods
    from relume.enhancers.options import check_options

    if no_denoise:
        parameters |= _without_denoising(name)
    if exposure is not None and not methods().info(name).takes_local:
        raise ParameterError(f"{name} takes no exposure map")
    stops = None if exposure is None else (options.read_exposure(exposure), exposure.stem)
    levels = [None] if brightness is None else brightness.split(",")
    choices = [
        Relighting(
            name,
            parameters,
            check_options(methods().info(name), {**others, "brightness": level}),
            runtime,
            stops,
        )
        for level in levels
    ]
    return choices[0] if len(choices) == 1 else Strip(choices)


def _without_denoising(method: str) -> dict[str, Value]:
    from relume.enhancers import methods

    for parameter in methods().info(method).parameters:
        if parameter.name == "denoise":
            return {"denoise": parameter.check("none" if parameter.choices else 0)}
    raise ParameterError(f"the method {method} has no denoising that --no-denoise could switch off")


def _pipe(
    inputs: Sequence[str],
    output: str | None,
    work: Relighting | Strip,
    *,
    format: str | None,
    quality: int | None,
    overwrite: bool,
    max_megapixels: float,
    quiet: bool,
) -> None:
    """One photo, read from standard input, written to standard output, or both."""
    from relume.cli import jobs
    from relume.io import decode, encode, losses, read, write
    from relume.io.places import make_folder

    if len(inputs) != 1:
        raise ParameterError("- stands for one photo: name no other input beside it")
    to_stdout = output in (None, PIPE)
    if to_stdout and sys.stdout is not None and sys.stdout.isatty():
        raise OutputError("a picture is not written to a terminal: name -o FILE, or pipe it on")
    work.prepare()
    if inputs[0] == PIPE:
        photo = decode(console.in_bytes(), name=STDIN, max_megapixels=max_megapixels)
        named = Path("stdin" + ending("stdin", photo.meta.format))
    else:
        named = Path(inputs[0])
        photo = read(named, max_megapixels=max_megapixels)
    job = None
    if not to_stdout:
        picture = jobs.Picture(named, Path(named.name))
        (job,) = jobs.plan([picture], output=output, format=format, several=False)
        if (refusal := job.refusal(overwrite=overwrite)) is not None:
            raise OutputError(refusal)
    written = format_of(job.target.name) if job else format or result_format(photo.meta.format)
    if not quiet:
        for note in (*photo.meta.notes, *losses(photo, written)):
            console.say(console.one_line(f"note: {STDIN if inputs[0] == PIPE else named}: {note}"))
    if job is None:
        console.out_bytes(encode(work(photo), written, quality=quality))
        return
    make_folder(job.target.parent)
    write(work(photo), job.target, overwrite=overwrite, quality=quality)
