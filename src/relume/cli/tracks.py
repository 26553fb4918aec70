"""``relume detect clip.mp4``: the faces of every frame, with track numbers."""

from __future__ import annotations

import functools
import json
import time
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import typer

from relume.cli import console
from relume.cli.command import local_path
from relume.cli.console import PIPE
from relume.cli.jobs import Job
from relume.cli.options import with_detector
from relume.cli.search import Search
from relume.cli.work import FRAMES
from relume.errors import OutputError, ParameterError

if TYPE_CHECKING:
    from relume.cli.detect import Detect


def takes(name: str) -> bool:
    """Whether the input is a clip."""
    from relume.cli.finding import is_clip
    from relume.io.places import place

    path = place(name)
    return is_clip(path) and not path.is_dir()


def track(asked: Detect, given: dict[str, Any]) -> None:
    """Find and follow the faces of one clip; JSON lines and a drawing go where ``asked`` says.

    Raises:
        RelumeError: as :func:`relume.frames.detect_video`, whose options ``given`` are.
        typer.Exit: Ctrl-C.
    """
    from relume.cli.finding import is_same
    from relume.io.atomic import whole_file

    output, drawing = asked.output, asked.draw
    source = local_path(asked.inputs[0])
    if output is not None and Path(output).suffix.lower() in (".parquet", ".csv"):
        raise ParameterError("a table is for photos: a clip's faces go to -o faces.jsonl")
    began, shown = time.monotonic(), console.one_line(source.name)
    target = None if drawing is None else local_path(drawing)
    if output is not None and is_same(source, local_path(output)):
        raise OutputError(f"the result would replace the input {source}; name another output")
    search = Search(with_detector(given), asked.draw_on, asked.every)
    with ExitStack() as opened:
        opened.enter_context(console.ending_in_order())
        file: IO[str] | None = None
        if output == PIPE:
            file = typer.get_text_stream("stdout")
        elif output is not None:
            partial = opened.enter_context(whole_file(Path(output), overwrite=asked.overwrite))
            file = opened.enter_context(partial.open("w", encoding="utf-8"))
        keep = functools.partial(_write, file)
        bar = opened.enter_context(console.progress_bar("detecting", quiet=asked.quiet))

        def show(done: int, total: int | None) -> None:
            speed = done / max(time.monotonic() - began, 1e-3)
            bar.show(done, total, f"{speed:.1f} frames/s, {shown}")

        opened.callback(FRAMES.reset, FRAMES.set(show))
        with console.stopping("stopped: nothing was written"):
            row = search.clip(Job(source, target), overwrite=asked.overwrite, keep=keep)
    if output is None:
        console.out(row.text)
    if not asked.quiet:
        for note in row.notes:
            console.say(f"note: {source}: {note}")
        faces = console.count(row.faces, "face")
        where = " and ".join(str(place) for place in (output, drawing) if place not in (None, PIPE))
        speed = console.speed(row.frames, time.monotonic() - began)
        arrow = f" -> {where}" if where else ""
        frames = console.count(row.frames, "frame")
        console.say(f"{faces} in {frames}{arrow} ({speed})")


def _write(file: IO[str] | None, line: dict[str, Any]) -> None:
    if file is not None:
        file.write(json.dumps(line) + "\n")
