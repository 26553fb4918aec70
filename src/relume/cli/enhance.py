"""``relume enhance``: photos, clips, folders of both or a pipe, relit."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relume.cli import console, options
from relume.cli.console import PIPE
from relume.cli.options import opt
from relume.enhancers.options import PROTECT_LIT, STRENGTH
from relume.errors import OutputError, ParameterError
from relume.io.formats import MAX_MEGAPIXELS, QUALITY

if TYPE_CHECKING:
    from relume.cli.jobs import Job
    from relume.cli.relighting import Relighting


def enhance(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="PHOTO",
            help="Photos, clips, folders of both, numbered frames (f/%06d.png), or - for stdin.",
            show_default=False,
        ),
    ],
    output: Annotated[
        str | None,
        opt(
            *("--output", "-o", "FILE|DIR|-"),
            help="Where results go; - is standard output.",
            shown="beside the photos",
        ),
    ] = None,
    method: options.MethodOption = None,
    param: options.ParamOption = None,
    fast: options.FastOption = None,
    strength: options.StrengthOption = float(STRENGTH.default),
    brightness: options.BrightnessesOption = None,
    local: options.LocalOption = None,
    expose_for: options.ExposeForOption = None,
    exposure: options.ExposureOption = None,
    black: options.BlackOption = None,
    cast: options.CastOption = None,
    protect_lit: options.ProtectLitOption = bool(PROTECT_LIT.default),
    no_denoise: Annotated[
        bool, opt("--no-denoise", help="Switch the method's denoising off.")
    ] = False,
    parts: Annotated[
        bool, opt("--parts", help="Show a photo as Retinex-Net does: reflectance, illumination.")
    ] = False,
    edit: Annotated[
        Path | None,
        opt(
            *("--edit", "FILE.json"),
            help="Do what an edit says, to the photo it was made of or to others of the series.",
            shown=False,
            local=True,
        ),
    ] = None,
    save_edit: Annotated[
        Path | None,
        opt(
            *("--save-edit", "FILE.json"),
            help="Also write what was decided, for --edit.",
            shown=False,
            local=True,
        ),
    ] = None,
    cube: Annotated[
        Path | None,
        opt(
            *("--cube", "FILE.cube"),
            help="Also write the change of colours as a 3D LUT for other editors.",
            shown=False,
            local=True,
        ),
    ] = None,
    format: options.FormatOption = None,
    quality: options.QualityOption = None,
    overwrite: options.OverwriteOption = False,
    skip_existing: options.SkipExistingOption = False,
    rows: Annotated[
        str | None,
        opt(
            *("--rows", "FILE"),
            help="Also write what came of each photo: a .parquet table, else JSON lines.",
            shown=False,
        ),
    ] = None,
    sheet: Annotated[
        Path | None,
        opt(
            *("--sheet", "FILE.jpg"),
            help="Also write one picture of all photos before and after.",
            shown=False,
            local=True,
        ),
    ] = None,
    recursive: Annotated[bool, opt(help="Go into folders below folders.")] = True,
    max_megapixels: options.MegapixelsOption = MAX_MEGAPIXELS,
    start: Annotated[
        str | None,
        opt(
            *("--from", "TIME"),
            help="Of a clip: where to begin, as 90 (seconds), 1:30 or 0:01:30.",
        ),
    ] = None,
    end: Annotated[str | None, opt("--to", "TIME", help="Of a clip: where to end.")] = None,
    compare: Annotated[
        bool, opt("--compare", help="Of a clip: before and after, side by side.")
    ] = False,
    device: options.DeviceOption = options.Device.auto,
    precision: options.PrecisionOption = options.Precision.auto,
    on: options.OnOption = "local",
    processes: options.ProcessesOption = None,
    dry_run: Annotated[
        bool, opt("--dry-run", "-n", help="Only say what would be written.")
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
    given = {
        "brightness": brightness, "local": local, "strength": strength,
        "expose_for": expose_for and expose_for.value, "protect_lit": protect_lit, "black": black,
        "cast": cast,
    }  # fmt: skip
    span = {"start_s": _seconds(start) or 0.0, "end_s": _seconds(end)}
    from relume.cli import editing, finding, jobs, lists, relighting
    from relume.cli.relit import Relit
    from relume.cli.tables import PHOTOS, Rows
    from relume.cli.work import Worker
    from relume.executor import Local
    from relume.io.places import Location, all_remote

    # long clips are for the fast network, unless somebody has chosen
    is_open = fast is None and method is None and not param
    work = relighting.parse(
        options.fast_method(method) if fast else method,
        param,
        given,
        no_denoise=no_denoise,
        parts=parts,
        exposure=exposure,
        runtime=options.parse_runtime(device, precision),
        clips={**span, "compare": compare, "fast": None if is_open else False},
        pictures={"compare": compare, "quality": quality, "max_megapixels": max_megapixels},
        small_px=0 if sheet is None else relighting.SMALL_PX,
    )
    by_edit = {
        "--method": method, "--param": param, "--brightness": brightness, "--local": local,
        "--expose-for": expose_for, "--exposure": exposure, "--no-denoise": no_denoise or None,
        "--black": black, "--cast": cast,
        "--strength": None if strength == STRENGTH.default else strength,
        "--no-protect-lit": None if protect_lit else True,
    }  # fmt: skip
    work = editing.editing(
        work, by_edit, edit=edit, save_to=save_edit, cube_to=cube, overwrite=overwrite
    )
    piped = PIPE in (*inputs, output)
    found, paths = finding.Found(), list[Location]()
    if piped:
        for_files = {
            "--dry-run": dry_run, "--on": on != "local", "--jobs": processes, "--rows": rows,
            "--skip-existing": skip_existing, "--sheet": sheet,
        }  # fmt: skip
        options.refuse(for_files, "is for files: a pipe is one photo")
        planned = [_pipe(inputs, output, format, overwrite=overwrite)]
    else:
        found, paths, several = lists.find(inputs, recursive=recursive, exclude=output, clips=True)
        mark = finding.MARK + work.mark()
        planned = jobs.plan(
            found.pictures, output=output, format=format, several=several, mark=mark,
            clip_mark="-compare" if compare else "",
        )  # fmt: skip
    if len(planned) != 1:
        for_one = {"--save-edit": save_edit, "--cube": cube}
        options.refuse(for_one, "is for one photo: name no folder and no other")
    clips = [job for job in planned if job.is_clip]
    for_clips = {"--from": start, "--to": end, "--compare": compare}
    if not clips:
        options.refuse(for_clips, "is for clips (.mp4, .mov, .mkv, ...)")
    else:
        _check_clips(planned, clips, work, for_clips, on=on, format=format, quality=quality)
    where = all_remote(path for job in planned for path in (job.source, job.target) if path)
    run = Relit(
        Worker(work, quality, overwrite, skip_existing, max_megapixels, format),
        planned,
        found,
        rows=Rows(rows, PHOTOS, overwrite=overwrite, go_on=skip_existing)
        if rows is not None and not dry_run
        else None,
        quiet=quiet,
        on=options.parse_on(on, processes, remote=where) or Local(),
        verb="enhance",
        inputs=paths,
        output=output,
        silent=piped,
        sheet=sheet,
    )
    if dry_run:
        run.preview()
        return
    if sheet is not None:
        from relume.io import format_of
        from relume.io.atomic import check_writable

        format_of(sheet)
        check_writable(sheet, overwrite=overwrite or skip_existing)
    run.go()
    if isinstance(work, relighting.Strip) and run.done and not quiet:
        level = str(work.levels[len(work.levels) // 2])
        words = ["relume", "enhance", *inputs, "--brightness", level]
        console.say(console.one_line(f"to get one of them: {shlex.join(words)}"))


def _pipe(inputs: Sequence[str], output: str | None, format: str | None, *, overwrite: bool) -> Job:
    """The job of one photo, read from standard input, written to standard output, or both."""
    from relume.cli.finding import Picture, named
    from relume.cli.jobs import Job, from_pipe, plan

    if len(inputs) != 1:
        raise ParameterError("- stands for one photo: name no other input beside it")
    to_stdout = output in (None, PIPE)
    if to_stdout and sys.stdout is not None and sys.stdout.isatty():
        raise OutputError("a picture is not written to a terminal: name -o FILE, or pipe it on")
    job = from_pipe() if inputs[0] == PIPE else Job(named(inputs)[0])
    if to_stdout:
        return job
    picture = Picture(job.source, Path(job.source.name))
    (planned,) = plan([picture], output=output, format=format, several=False)
    if (refusal := planned.refusal(overwrite=overwrite)) is not None:
        raise OutputError(refusal)
    return replace(planned, data=job.data)


def _check_clips(
    planned: Sequence[Job],
    clips: Sequence[Job],
    work: Relighting,
    times: Mapping[str, object],
    *,
    on: str,
    format: str | None,
    quality: int | None,
) -> None:
    """Refuse what clips do not take: all of it, or what is for photos where there are none."""
    from relume.cli.finding import is_numbered

    work.check_clips()
    numbered = [job for job in clips if is_numbered(job.source)]
    options.refuse({"--on": on != "local"}, "is for photos: clips are relit here")
    if clips[0].target is None:
        raise ParameterError("a clip is written to a file: name one with -o")
    if len(clips) == len(planned):
        options.refuse({"--format": format}, "is for photos")
        if quality is not None and not numbered:
            raise ParameterError("--quality is for pictures: a clip's is always high")
    if numbered and (times["--from"] or times["--to"]):
        raise ParameterError("--from and --to are for clips: numbered pictures have no times")


def _seconds(text: str | None) -> float | None:
    """A time as ``90``, ``1:30``, ``0:01:30.5``, in seconds.

    Raises:
        ParameterError: anything else.
    """
    if text is None:
        return None
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d+)?", text):
        raise ParameterError(f"expected a time as 10, 0:10 or 1:02:03.5, got {text!r}")
    total = 0.0
    for part in text.split(":"):
        total = 60 * total + float(part)
    return total
