"""``relume detect`` and ``relume landmarks``: faces in photos, as text, JSON or drawings."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relume.cli import console, options, tracks
from relume.cli.console import PIPE
from relume.cli.search import DrawOn, Outcome, Search, Tally, Target
from relume.cli.tables import FACES, Rows, as_json
from relume.errors import InputError, OutputError, ParameterError
from relume.executor import Executor, Local
from relume.io.formats import MAX_MEGAPIXELS
from relume.io.places import is_address, place

if TYPE_CHECKING:
    from relume.faces import Detection
    from relume.photo import Photo

DRAWN = ".faces"
LEGEND = "blue: seen on the photo as it is; orange: seen only when relit"


def detect(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="PHOTO|DIR|CLIP|-",
            help="Photos or folders, or one clip; - is standard input.",
            show_default=False,
        ),
    ],
    detector: Annotated[
        str | None,
        typer.Option(
            "--detector",
            "-d",
            metavar="NAME[:PARAMS]",
            help="What finds faces; 'relume methods' lists them.",
            show_default="yunet",
        ),
    ] = None,
    landmarker: Annotated[
        str | None,
        typer.Option(
            "--landmarks",
            "--landmarker",
            "-l",
            metavar="NAME",
            help="Also find 68 points in every face, by peppa or fan.",
            show_default=False,
        ),
    ] = None,
    threshold: options.ThresholdOption = None,
    views: Annotated[
        str | None,
        typer.Option(
            "--views",
            metavar="NAME,...",
            help="What is searched: the photo as it is (original), relit by a method, or both.",
            show_default="original,machine; more where it is nearly black",
        ),
    ] = None,
    draw: Annotated[
        str | None,
        typer.Option(
            "--draw",
            metavar="FILE|DIR",
            help="Write the photos, or the clip, with boxes drawn around the faces.",
            show_default=False,
        ),
    ] = None,
    draw_on: Annotated[
        DrawOn | None,
        typer.Option(
            "--draw-on",
            help="Draw on the photo as it is, or relit.",
            show_default="relit if the photo is dark",
        ),
    ] = None,
    as_json: Annotated[
        str | None,
        typer.Option(
            "--json",
            metavar="FILE|-",
            help="Write one JSON document; - is standard output.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|-",
            help="Write JSON lines, one a photo or frame, or a .parquet table, a row a face.",
            show_default=False,
        ),
    ] = None,
    every: Annotated[
        int | None,
        typer.Option(
            "--every",
            metavar="N",
            help="Of a clip: search every Nth frame, follow faces between.",
            show_default="5",
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
    if tracks.takes(inputs, every):
        for_photos = {
            "--json": as_json,
            "--views": views,
            "--on": on != "local",
            "--jobs": processes,
            "--skip-existing": skip_existing,
        }
        tracks.refuse(output, for_photos)
        tracks.track(
            Path(inputs[0]),
            output=output,
            drawing=draw,
            on_relit=None if draw_on is None else draw_on is DrawOn.relit,
            overwrite=overwrite,
            quiet=quiet,
            asked=(detector, landmarker, threshold, every),
        )
        return
    if as_json is not None and output is not None:
        raise ParameterError("--json and --output are two forms of one result: give one of them")
    document = as_json if as_json is not None else output
    if as_json not in (None, PIPE) and Path(as_json).exists() and not overwrite:
        raise OutputError(f"{as_json} exists already; give --overwrite to replace it")
    rows = None
    if output not in (None, PIPE):
        rows = Rows(output, FACES, overwrite=overwrite, go_on=skip_existing)
    if skip_existing and (overwrite or rows is None):
        raise ParameterError("--skip-existing goes on with a file of -o, without --overwrite")
    if PIPE in inputs and on != "local":
        raise ParameterError("a pipe is read here: --on takes files")
    # going on, a drawing may be there already whose row was not written
    targets, unlisted = _targets(inputs, draw, overwrite=overwrite or skip_existing)
    far = all(is_address(one.name) for one in targets) and (draw is None or is_address(draw))
    where = options.parse_on(on, processes, far=far) or Local()
    search = Search(
        _finder(
            detector=detector, landmarker=landmarker, threshold=threshold, views=views, where=where
        ),
        draw_on=draw_on,
        overwrite=overwrite,
        max_megapixels=max_megapixels,
        threads=where.threads,
    )
    if rows is not None:
        tally, code = _into_rows(search, targets, where, rows, quiet=quiet)
    else:
        outcomes: list[Outcome] = []
        tally, code = search.run(
            targets, where, outcomes.append, as_text=document is None, quiet=quiet
        )
        if document == PIPE:
            typer.echo(_document(outcomes, as_lines=output is not None), nl=False)
        elif document is not None:
            from relume.io.atomic import write_atomic

            text = _document(outcomes, as_lines=False)
            write_atomic(Path(document), text.encode(), overwrite=overwrite)
    if not quiet:
        _summarise(tally, document, drawn=draw is not None)
    if code or unlisted:
        raise typer.Exit(code or 1)


@functools.wraps(detect)
def landmarks(**given: Any) -> None:
    """Find 68 landmarks (iBUG order) in every face: detect --landmarks peppa."""
    detect(**{**given, "landmarker": given["landmarker"] or "peppa"})


def _finder(
    *,
    detector: str | None,
    landmarker: str | None,
    threshold: float | None,
    views: str | None,
    where: Executor,
) -> Callable[[Photo], Detection]:
    """The photo -> faces function the options ask for, names checked; the rest by default."""
    options.check_range("--threshold", threshold, 0, 1)
    from relume import faces

    for catalogue, spec in ((faces.detectors(), detector), (faces.landmarkers(), landmarker)):
        if spec is not None:
            catalogue.parse(spec)
    chosen = {
        "detector": detector,
        "landmarks": landmarker,
        "threshold": threshold,
        "views": None if views is None else options.parse_list(views),
    }
    given: dict[str, Any] = {name: value for name, value in chosen.items() if value is not None}
    if where.threads:  # several processes: all look at views of one precision
        from relume.enhancers import settle

        given["runtime"] = settle(faces.DEFAULT_VIEWS[1], elsewhere=where.elsewhere)
    return functools.partial(_detect, given)


def _detect(given: dict[str, Any], photo: Photo) -> Detection:
    from relume import faces

    return faces.detect(photo, **given)


def _into_rows(
    search: Search, targets: Sequence[Target], where: Executor, rows: Rows, *, quiet: bool
) -> tuple[Tally, int]:
    """Search what is not in the rows yet; they become their file, unless Ctrl-C ends it."""
    with rows:
        done = rows.done()
        todo = [target for target in targets if console.as_utf8(target.name) not in done]
        tally, code = search.run(
            todo, where, lambda outcome: rows.add(outcome.line()), as_text=False, quiet=quiet
        )
        tally.there = len(targets) - len(todo)
        if code == console.INTERRUPTED:
            console.say("the same command with --skip-existing goes on")
            raise typer.Exit(code)
        rows.finish([target.name for target in targets])
    return tally, code


def _targets(
    inputs: Sequence[str], draw: str | None, *, overwrite: bool
) -> tuple[list[Target], int]:
    """Each photo (or -), and where its drawing goes; how many folders could not be listed.

    Raises:
        OutputError: a drawing may not be written; said before any photo is searched.
    """
    from relume.cli import jobs, lists

    if not all(inputs):
        raise InputError("expected the name of a photo or a folder, got an empty one")
    if PIPE in inputs:
        if len(inputs) > 1:
            raise ParameterError("- stands for one photo: name no other input beside it")
        return [Target(PIPE, None if draw is None else place(draw))], 0
    found, _, several = lists.find(inputs, but=draw)
    for problem in found.problems:
        console.fail(f"cannot list {problem.filename}: {problem.strerror}")
    if draw is None:
        return [Target(str(picture.source)) for picture in found.pictures], len(found.problems)
    planned = jobs.plan(found.pictures, output=draw, several=several, mark=DRAWN)
    for job in planned:
        if job.replaces_input:
            raise OutputError(f"the drawing would replace the input {job.source}; name another")
    refusals = [said for job in planned if (said := job.refusal(overwrite=overwrite))]
    if refusals:
        more = f" ({len(refusals) - 1} more like this)" if len(refusals) > 1 else ""
        raise OutputError(refusals[0] + more)
    return [Target(str(job.source), job.target) for job in planned], len(found.problems)


def _summarise(tally: Tally, document: str | None, *, drawn: bool) -> None:
    if drawn and tally.faces:
        console.say(LEGEND)
    if document in (None, PIPE):
        return
    faces, photos = console.count(tally.faces, "face"), console.count(tally.searched, "photo")
    there = f"; {console.count(tally.there, 'photo')} there already" if tally.there else ""
    failed = f"; {console.count(tally.failed, 'photo')} failed" if tally.failed else ""
    console.say(f"{faces} in {photos}{there}{failed} -> {document}")


def _document(outcomes: Sequence[Outcome], *, as_lines: bool) -> str:
    """JSON lines, or one document with a line for each face."""
    photos = [outcome.line() for outcome in outcomes]
    if as_lines:
        return "".join(as_json(photo) + "\n" for photo in photos)
    texts = [_face_lines(photo) for photo in photos]
    return (texts[0] if len(texts) == 1 else "[\n" + ",\n".join(texts) + "\n]") + "\n"


def _face_lines(photo: dict[str, Any]) -> str:
    lines = [json.dumps(face, ensure_ascii=False) for face in photo.pop("faces", ())]
    faces = "[\n  " + ",\n  ".join(lines) + "\n]" if lines else "[]"
    head = as_json(photo)
    return head if "error" in photo else f'{head[:-1]}, "faces": {faces}}}'
