"""``relume detect`` and ``relume landmarks``: faces in photos and clips, as text, JSON, drawn."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relume.catalog import split_specs
from relume.cli import console, options
from relume.cli.console import PIPE
from relume.cli.options import DrawOn, opt
from relume.errors import InputError, OutputError, ParameterError
from relume.io.formats import MAX_MEGAPIXELS

if TYPE_CHECKING:
    from relume.cli.finding import Found
    from relume.cli.jobs import Job

DRAWN = ".faces"


def detect(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="PHOTO|DIR|CLIP|-",
            help="Photos, clips, or folders of both; - is standard input.",
            show_default=False,
        ),
    ],
    detector: Annotated[
        str | None,
        opt(
            *("--detector", "-d", "NAME[:PARAMS]"),
            help="What finds faces; 'relume methods' lists them.",
            shown="yunet if it is here, else relume",
            names="detectors",
        ),
    ] = None,
    landmarker: Annotated[
        str | None,
        opt(
            *("--landmarks", "--landmarker", "-l", "NAME"),
            help="Also find 68 points in every face, by peppa (as relume landmarks does) or fan.",
            names="landmarkers",
            shown=False,
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        opt(
            *("--threshold", "SCORE"),
            help="Lowest score of a face that is reported: 0 to 1.",
            shown="the detector's own, 0.6",
        ),
    ] = None,
    views: Annotated[
        str | None,
        opt(
            *("--views", "NAME,..."),
            help="What is searched: the photo as it is (original), relit by a method, or both.",
            shown="original, with yunet machine too; more where it is nearly black",
            names="methods,",
        ),
    ] = None,
    draw: Annotated[
        str | None,
        opt(
            *("--draw", "FILE|DIR"),
            help="Write the photos, or the clip, with boxes drawn around the faces.",
            shown=False,
        ),
    ] = None,
    draw_on: Annotated[
        DrawOn | None,
        opt(
            "--draw-on",
            help="Draw on the photo as it is, or relit.",
            shown="relit if the photo is dark",
        ),
    ] = None,
    as_json: Annotated[
        str | None,
        opt(
            *("--json", "FILE|-"),
            help="Write one JSON document; - is standard output.",
            shown=False,
        ),
    ] = None,
    output: Annotated[
        str | None,
        opt(
            *("--output", "-o", "FILE|-"),
            help="Write JSON lines, one a photo or frame, or a .parquet table, a row a face.",
            shown=False,
        ),
    ] = None,
    every: Annotated[
        int | None,
        opt(
            *("--every", "N"),
            help="Of a clip: search every Nth frame, follow faces between.",
            shown="5",
        ),
    ] = None,
    on: options.OnOption = "local",
    processes: options.ProcessesOption = None,
    overwrite: options.OverwriteOption = False,
    skip_existing: options.SkipExistingOption = False,
    max_megapixels: options.MegapixelsOption = MAX_MEGAPIXELS,
    quiet: options.QuietOption = False,
    verbose: options.VerboseOption = False,
) -> None:
    """Find faces in photographs and clips, also dark ones.

    Dark photographs are searched as they are and relit. In a clip, faces have track numbers.
    """
    console.be_verbose(verbose)
    given = _given(detector, landmarker, threshold, views)
    from relume.cli import tracks
    from relume.cli.search import Search, Searched
    from relume.cli.tables import FACES, Rows
    from relume.cli.work import Worker
    from relume.executor import Local
    from relume.io.places import all_remote

    if len(inputs) == 1 and tracks.takes(inputs[0]):
        for_photos = {
            "--json": as_json, "--views": views, "--on": on != "local", "--jobs": processes,
            "--skip-existing": skip_existing,
        }  # fmt: skip
        options.refuse(for_photos, "is for photos: a clip's faces go to -o faces.jsonl")
        tracks.track(
            inputs[0], output=output, drawing=draw, overwrite=overwrite, quiet=quiet,
            on_relit=None if draw_on is None else draw_on is DrawOn.relit,
            **given, **({} if every is None else {"every": every}),
        )  # fmt: skip
        return
    if as_json is not None and output is not None:
        raise ParameterError("--json and --output are two forms of one result: give one of them")
    if as_json not in (None, PIPE) and options.local_path(as_json).exists() and not overwrite:
        raise OutputError(f"{as_json} exists already; give --overwrite to replace it")
    rows = None
    if output not in (None, PIPE):
        rows = Rows(output, FACES, overwrite=overwrite, go_on=skip_existing)
    if skip_existing and (overwrite or rows is None):
        raise ParameterError("--skip-existing goes on with a file of -o, without --overwrite")
    if PIPE in inputs and on != "local":
        raise ParameterError("a pipe is read here: --on takes files")
    # going on, a drawing may be there already whose row was not written
    found, todo = _jobs(inputs, draw, overwrite=overwrite or skip_existing)
    if every is not None and not any(job.is_clip for job in todo):
        raise ParameterError("--every is for a clip")
    remote = all_remote(path for job in todo for path in (job.source, job.target) if path)
    run = Searched(
        Worker(
            Search(options.with_detector(given), draw_on, every),
            None,
            overwrite,
            max_megapixels=max_megapixels,
        ),
        todo,
        found,
        rows=rows,
        quiet=quiet,
        on=options.parse_on(on, processes, remote=remote) or Local(),
        verb="detect",
        ordered=True,
        document=None if rows is not None else as_json if as_json is not None else output,
        as_lines=output is not None,
        drawn=draw is not None,
        overwrite=overwrite,
    )
    run.go()


@functools.wraps(detect)
def landmarks(**given: Any) -> None:
    """Find 68 landmarks (iBUG order) in every face: detect --landmarks peppa."""
    detect(**{**given, "landmarker": given["landmarker"] or "peppa"})


def _given(
    detector: str | None, landmarker: str | None, threshold: float | None, views: str | None
) -> dict[str, Any]:
    """The options of :func:`relume.faces.detect` that were asked for, names checked."""
    options.check_range("--threshold", threshold, 0, 1)
    from relume import faces

    for catalogue, spec in ((faces.detectors(), detector), (faces.landmarkers(), landmarker)):
        if spec is not None:
            catalogue.parse(spec)
    chosen = {
        "detector": detector,
        "landmarks": landmarker,
        "threshold": threshold,
        "views": None if views is None else split_specs(views),
    }
    return {name: value for name, value in chosen.items() if value is not None}


def _jobs(inputs: Sequence[str], draw: str | None, *, overwrite: bool) -> tuple[Found, list[Job]]:
    """Each photo and clip (or what comes from a pipe), and where its drawing goes.

    Raises:
        OutputError: a drawing may not be written; said before any photo is searched.
    """
    from relume.cli import finding, jobs, lists
    from relume.io.places import place

    if not all(inputs):
        raise InputError("expected the name of a photo or a folder, got an empty one")
    if PIPE in inputs:
        if len(inputs) > 1:
            raise ParameterError("- stands for one photo: name no other input beside it")
        job = jobs.from_pipe()
        return finding.Found(), [replace(job, target=None if draw is None else place(draw))]
    found, _, several = lists.find(inputs, exclude=draw, clips=True)
    if draw is None:
        return found, [jobs.Job(picture.source) for picture in found.pictures]
    planned = jobs.plan(found.pictures, output=draw, several=several, mark=DRAWN)
    for job in planned:
        if job.replaces_input:
            raise OutputError(f"the drawing would replace the input {job.source}; name another")
    refusals = [said for job in planned if (said := job.refusal(overwrite=overwrite))]
    if refusals:
        more = f" ({len(refusals) - 1} more like this)" if len(refusals) > 1 else ""
        raise OutputError(refusals[0] + more)
    return found, planned
