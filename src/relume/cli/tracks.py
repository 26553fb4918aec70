"""``relume detect clip.mp4``: the faces of every frame, with track numbers."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import typer

from relume.cli import console
from relume.cli.console import PIPE
from relume.cli.options import local_path, with_detector
from relume.errors import OutputError, ParameterError

if TYPE_CHECKING:
    from relume.frames import FrameFaces


@dataclass
class Seen:
    """When a face was seen, and how surely at best."""

    first_s: float
    last_s: float
    frames: int
    score: float


@dataclass
class FrameLog:
    """The frames as JSON has them, for ``keep``; what stays here is a line a track."""

    keep: Callable[[dict[str, Any]], None] | None
    tracks: dict[int, Seen] = field(default_factory=dict)

    def __call__(self, frame: FrameFaces) -> None:
        """Take the faces of the next frame."""
        for each in frame.faces:
            seen = self.tracks.setdefault(each.track, Seen(frame.seconds, 0.0, 0, 0.0))
            seen.last_s, seen.frames = frame.seconds, seen.frames + 1
            seen.score = max(seen.score, each.face.score)
        if self.keep is not None:
            self.keep(frame.as_json())

    def as_text(self, name: str) -> str:
        """A line for the clip and one for each track."""
        lines = [f"{console.one_line(name)}: {console.count(len(self.tracks), 'face')}"]
        for number, seen in self.tracks.items():
            span = f"{seen.first_s:.2f}-{seen.last_s:.2f} s"
            frames = console.count(seen.frames, "frame")
            lines.append(f"  track {number}  {span}, {frames}  best score {seen.score:.2f}")
        return "\n".join(lines)


def takes(name: str) -> bool:
    """Whether the input is a clip."""
    from relume.cli.finding import is_clip
    from relume.io.places import place

    path = place(name)
    return is_clip(path) and not path.is_dir()


def track(
    name: str,
    *,
    output: str | None,
    drawing: str | None,
    on_relit: bool | None,
    overwrite: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Find and follow the faces of one clip; JSON lines go to ``output``, a drawing where it says.

    Raises:
        RelumeError: as :func:`relume.frames.detect_video`, whose options ``given`` are.
        typer.Exit: Ctrl-C.
    """
    from relume.cli.finding import is_same
    from relume.frames import detect_video
    from relume.io.atomic import whole_file

    source = local_path(name)
    if output is not None and Path(output).suffix.lower() in (".parquet", ".csv"):
        raise ParameterError("a table is for photos: a clip's faces go to -o faces.jsonl")
    began, shown = time.monotonic(), console.one_line(source.name)
    target = None if drawing is None else local_path(drawing)
    if output is not None and is_same(source, local_path(output)):
        raise OutputError(f"the result would replace the input {source}; name another output")
    given = with_detector(given)
    with ExitStack() as opened:
        opened.enter_context(console.ending_in_order())
        file: IO[str] | None = None
        if output == PIPE:
            file = typer.get_text_stream("stdout")
        elif output is not None:
            partial = opened.enter_context(whole_file(Path(output), overwrite=overwrite))
            file = opened.enter_context(partial.open("w", encoding="utf-8"))
        log = FrameLog(None if file is None else functools.partial(_write, file))
        bar = opened.enter_context(console.progress_bar("detecting", quiet=quiet))

        def show(done: int, total: int | None) -> None:
            speed = done / max(time.monotonic() - began, 1e-3)
            bar.show(done, total, f"{speed:.1f} frames/s, {shown}")

        try:
            report = detect_video(
                source,
                log,
                drawing=target,
                on_relit=on_relit,
                overwrite=overwrite,
                progress=show,
                **given,
            )
        except KeyboardInterrupt:
            console.say("stopped: nothing was written")
            raise typer.Exit(console.INTERRUPTED) from None
    if output is None:
        console.out(log.as_text(str(source)))
    if not quiet:
        for note in report.notes:
            console.say(console.one_line(f"note: {source}: {note}"))
        faces = console.count(len(log.tracks), "face")
        where = " and ".join(str(place) for place in (output, drawing) if place not in (None, PIPE))
        took = time.monotonic() - began
        speed = f"{took:.1f} s, {report.frames / max(took, 1e-3):.1f} frames/s"
        arrow = f" -> {where}" if where else ""
        frames = console.count(report.frames, "frame")
        console.say(console.one_line(f"{faces} in {frames}{arrow} ({speed})"))


def _write(file: IO[str], line: dict[str, Any]) -> None:
    file.write(json.dumps(line) + "\n")
