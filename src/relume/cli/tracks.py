"""``relume detect clip.mp4``: the faces of every frame, with track numbers."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

import typer

from relume.cli import console, options
from relume.cli.console import PIPE
from relume.errors import OutputError, ParameterError

if TYPE_CHECKING:
    from relume.frames import FrameFaces

NAMES = ("detector", "landmarks", "threshold", "every")


@dataclass
class Seen:
    """When a face was seen, and how surely at best."""

    first_s: float
    last_s: float
    frames: int
    score: float


@dataclass
class Lines:
    """The frames as JSON lines in ``file``, if there is one; what is kept is a line a track."""

    file: IO[str] | None
    tracks: dict[int, Seen] = field(default_factory=dict)

    def __call__(self, frame: FrameFaces) -> None:
        """Take the faces of the next frame."""
        for each in frame.faces:
            seen = self.tracks.setdefault(each.track, Seen(frame.seconds, 0.0, 0, 0.0))
            seen.last_s, seen.frames = frame.seconds, seen.frames + 1
            seen.score = max(seen.score, each.face.score)
        if self.file is not None:
            self.file.write(json.dumps(frame.as_json()) + "\n")

    def as_text(self, name: str) -> str:
        """A line for the clip and one for each track."""
        lines = [f"{console.one_line(name)}: {console.count(len(self.tracks), 'face')}"]
        for number, seen in self.tracks.items():
            span = f"{seen.first_s:.2f}-{seen.last_s:.2f} s"
            frames = console.count(seen.frames, "frame")
            lines.append(f"  track {number}  {span}, {frames}  best score {seen.score:.2f}")
        return "\n".join(lines)


def takes(inputs: Sequence[str], every: int | None) -> bool:
    """Whether the input is a clip.

    Raises:
        ParameterError: a clip among others, or ``every`` for photos.
    """
    from relume.io.video import is_clip

    clips = [name for name in inputs if is_clip(Path(name)) and not Path(name).is_dir()]
    if clips and len(inputs) > 1:
        raise ParameterError("a clip is searched by itself: name one clip, or photos")
    if every is not None and not clips:
        raise ParameterError("--every is for a clip")
    return bool(clips)


def refuse(output: str | None, for_photos: Mapping[str, object]) -> None:
    """Raise ParameterError if an option was given that a clip does not take."""
    table = output is not None and Path(output).suffix.lower() in (".parquet", ".csv")
    given = {**for_photos, "a table": table}
    options.refuse(given, "is for photos: a clip's faces go to -o faces.jsonl")


def track(
    source: Path,
    *,
    output: str | None,
    drawing: str | None,
    on_relit: bool | None,
    overwrite: bool,
    quiet: bool,
    asked: tuple[str | None, str | None, float | None, int | None],
) -> None:
    """Find and follow the faces of one clip; JSON lines go to ``output``, a drawing where it says.

    ``asked`` are detector, landmarker, threshold and frames from search to search, None for what
    is usual.

    Raises:
        RelumeError: as :func:`relume.frames.detect_video`.
        typer.Exit: Ctrl-C.
    """
    from relume.cli.jobs import is_same
    from relume.frames import detect_video
    from relume.io.atomic import whole_file

    began, name = time.monotonic(), console.one_line(source.name)
    target = None if drawing is None else Path(drawing)
    if output is not None and is_same(source, Path(output)):
        raise OutputError(f"the result would replace the input {source}; name another output")
    with ExitStack() as opened:
        opened.enter_context(console.ending_in_order())
        file: IO[str] | None = None
        if output == PIPE:
            file = typer.get_text_stream("stdout")
        elif output is not None:
            partial = opened.enter_context(whole_file(Path(output), overwrite=overwrite))
            file = opened.enter_context(partial.open("w", encoding="utf-8"))
        lines = Lines(file)
        bar = opened.enter_context(console.progress_bar("detecting", quiet=quiet))

        def show(done: int, total: int | None) -> None:
            speed = done / max(time.monotonic() - began, 1e-3)
            bar.show(done, total, f"{speed:.1f} frames/s, {name}")

        try:
            report = detect_video(
                source,
                lines,
                drawing=target,
                on_relit=on_relit,
                overwrite=overwrite,
                progress=show,
                **{n: v for n, v in zip(NAMES, asked, strict=True) if v is not None},  # type: ignore[arg-type]
            )
        except KeyboardInterrupt:
            console.say("stopped: nothing was written")
            raise typer.Exit(console.INTERRUPTED) from None
    if output is None:
        console.out(lines.as_text(str(source)))
    if not quiet:
        for note in report.notes:
            console.say(console.one_line(f"note: {source}: {note}"))
        faces = console.count(len(lines.tracks), "face")
        where = " and ".join(str(place) for place in (output, drawing) if place not in (None, PIPE))
        took = time.monotonic() - began
        speed = f"{took:.1f} s, {report.frames / max(took, 1e-3):.1f} frames/s"
        arrow = f" -> {where}" if where else ""
        frames = console.count(report.frames, "frame")
        console.say(console.one_line(f"{faces} in {frames}{arrow} ({speed})"))
