"""``relume detect``: faces in photos, as text, JSON or drawings."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relume.cli import console
from relume.cli.batch import CONCERNS_ALL
from relume.cli.options import (
    MegapixelsOption,
    OverwriteOption,
    QuietOption,
    ThresholdOption,
    VerboseOption,
    check_range,
    parse_list,
)
from relume.errors import InputError, OutputError, ParameterError

if TYPE_CHECKING:
    from relume.faces import Face
    from relume.photo import Photo

DRAWN = ".faces"
STDOUT = "-"


def detect(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="PHOTO|DIR...", help="Photos or folders.", show_default=False),
    ],
    detector: Annotated[
        str | None,
        typer.Option(
            "--detector", "-d", metavar="NAME[:PARAMS]", help="'relume methods' lists them."
        ),
    ] = None,
    landmarker: Annotated[
        str | None,
        typer.Option("--landmarks", metavar="NAME", help="Also find 68 points in each face."),
    ] = None,
    threshold: ThresholdOption = None,
    views: Annotated[
        str | None,
        typer.Option("--views", metavar="NAME,...", help="The views looked at: original,machine."),
    ] = None,
    draw: Annotated[
        str | None,
        typer.Option("--draw", metavar="FILE|DIR", help="Write the photos with boxes and points."),
    ] = None,
    as_json: Annotated[
        str | None,
        typer.Option("--json", metavar="FILE|-", help="Write one JSON document; - is stdout."),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE|-", help="Write JSON lines, one a photo."),
    ] = None,
    overwrite: OverwriteOption = False,
    max_megapixels: MegapixelsOption = 200.0,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Find faces in photographs, also dark ones."""
    console.be_verbose(verbose)
    run_over(
        inputs,
        finder(detector=detector, landmarker=landmarker, threshold=threshold, views=views),
        draw=draw,
        as_json=as_json,
        lines=output,
        overwrite=overwrite,
        max_megapixels=max_megapixels,
        quiet=quiet,
    )


def finder(
    *,
    detector: str | None,
    landmarker: str | None,
    threshold: float | None,
    views: str | None,
) -> Callable[[Photo], list[Face]]:
    """The photo -> faces function the options ask for, names checked; the rest by default."""
    check_range("--threshold", threshold, 0, 1)
    from relume.faces import detect_faces, detectors, landmarkers

    options: dict[str, Any] = {}
    if detector is not None:
        detectors().parse(detector)
        options["detector"] = detector
    if landmarker is not None:
        landmarkers().parse(landmarker)
        options["landmarks"] = landmarker
    if threshold is not None:
        options["threshold"] = threshold
    if views is not None:
        options["views"] = parse_list(views)
    return lambda photo: detect_faces(photo, **options)


@dataclass(frozen=True)
class Seen:
    """What was found in a photo, or why nothing could be."""

    source: Path
    size: tuple[int, int] | None = None
    faces: Sequence[Face] = ()
    error: str | None = None

    def as_data(self) -> dict[str, Any]:
        """As JSON has it: boxes are x0, y0, x1, y1 in pixels."""
        if self.error is not None or self.size is None:
            return {"photo": str(self.source), "error": self.error}
        faces = [
            {
                "box": [round(float(v), 2) for v in face.box],
                "score": round(float(face.score), 4),
                "view": face.view,
                "landmarks": None
                if face.landmarks is None
                else [[round(float(x), 2), round(float(y), 2)] for x, y in face.landmarks],
            }
            for face in self.faces
        ]
        width, height = self.size
        return {"photo": str(self.source), "width": width, "height": height, "faces": faces}

    def as_text(self) -> str:
        """A line for the photo, and one for each face."""
        name = console.one_line(str(self.source))
        lines = [f"{name}: {console.count(len(self.faces), 'face')}"]
        for face in self.faces:
            box = ", ".join(f"{v:.0f}" for v in face.box)
            points = "" if face.landmarks is None else f"  {len(face.landmarks)} landmarks"
            lines.append(f"  box {box}  score {face.score:.2f}  view {face.view}{points}")
        return "\n".join(lines)


def run_over(
    inputs: Sequence[str],
    find: Callable[[Photo], list[Face]],
    *,
    draw: str | None,
    as_json: str | None,
    lines: str | None,
    overwrite: bool,
    max_megapixels: float,
    quiet: bool,
) -> None:
    """Find faces in all photos; a photo that fails is a line on stderr, and exit code 1.

    Raises:
        typer.Exit: a photo failed (1), or Ctrl-C (130).
    """
    if as_json is not None and lines is not None:
        raise ParameterError("--json and --output are two forms of one result: give one of them")
    document = as_json if as_json is not None else lines
    if document not in (None, STDOUT) and Path(document).exists() and not overwrite:
        raise OutputError(f"{document} exists already; give --overwrite to replace it")
    targets = _targets(inputs, draw)
    seen: list[Seen] = []
    code = 0
    try:
        with console.progress_bar("detecting", total=len(targets), quiet=quiet) as bar:
            for one in _look(targets, find, overwrite, max_megapixels):
                seen.append(one)
                if one.error is not None:
                    console.fail(one.error, about=one.source)
                    code = 1
                elif document is None:
                    console.out(one.as_text())
                bar.advance(console.one_line(one.source.name))
    except KeyboardInterrupt:
        console.say(f"stopped: {len(seen)} of {console.count(len(targets), 'photo')} looked at")
        code = console.INTERRUPTED
    if document is not None:
        _write(document, _document(seen, as_lines=lines is not None), overwrite=overwrite)
    if document is not None and document != STDOUT and not quiet:
        faces = console.count(sum(len(s.faces) for s in seen), "face")
        console.say(f"{faces} in {console.count(len(seen), 'photo')} -> {document}")
    if code:
        raise typer.Exit(code)


def _targets(inputs: Sequence[str], draw: str | None) -> list[tuple[Path, Path | None]]:
    """Each photo, and where its drawing goes."""
    from relume.cli import jobs

    if not all(inputs):
        raise InputError("expected the name of a photo or a folder, got an empty one")
    paths = [Path(name) for name in inputs]
    found = jobs.find(paths, but=None if draw is None else Path(draw))
    if found.problems:
        problem = found.problems[0]
        raise InputError(f"cannot list {problem.filename}: {problem.strerror}")
    if draw is None:
        return [(picture.source, None) for picture in found.pictures]
    several = len(paths) > 1 or paths[0].is_dir()
    planned = jobs.plan(found.pictures, output=draw, several=several, mark=DRAWN)
    return [(job.source, job.target) for job in planned]


def _look(
    targets: Sequence[tuple[Path, Path | None]],
    find: Callable[[Photo], list[Face]],
    overwrite: bool,
    max_megapixels: float,
) -> Iterator[Seen]:
    from relume.io import read

    for source, target in targets:
        try:
            photo = read(source, max_megapixels=max_megapixels)
        except Exception as error:
            console.trace(error)
            yield Seen(source, error=console.reason(error))
            continue
        height, width = photo.pixels.shape[:2]
        try:
            faces = find(photo)
            if target is not None:
                _draw(photo, faces, target, overwrite=overwrite)
        except CONCERNS_ALL:
            raise
        except Exception as error:
            console.trace(error)
            yield Seen(source, error=console.reason(error))
        else:
            yield Seen(source, (width, height), faces)


def _draw(photo: Photo, faces: Sequence[Face], target: Path, *, overwrite: bool) -> None:
    from relume.image import draw
    from relume.io import write

    target.parent.mkdir(parents=True, exist_ok=True)
    drawn = photo.with_pixels(draw.draw_faces(photo.pixels, faces))
    write(drawn, target, overwrite=overwrite)


def _document(seen: Sequence[Seen], *, as_lines: bool) -> str:
    data = [one.as_data() for one in seen]
    if as_lines:
        return "".join(json.dumps(d, ensure_ascii=False) + "\n" for d in data)
    return json.dumps(data[0] if len(data) == 1 else data, indent=2, ensure_ascii=False) + "\n"


def _write(document: str, text: str, *, overwrite: bool) -> None:
    if document == STDOUT:
        typer.echo(text, nl=False)
        return
    from relume.io.atomic import write_atomic

    path = Path(document)
    write_atomic(path, text.encode("utf-8", "surrogateescape"), overwrite=overwrite)
