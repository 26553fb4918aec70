"""Interlaced clips: whole frames, of fields that were taken one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from relume.io.demux import library, note_once

NOTE = "the clip is interlaced: whole frames are made of its fields"


def whole_frames(frames: Iterable[Any], notes: list[str]) -> Iterator[Any]:
    """Decoded ``frames``, without combs where they are marked as interlaced (FFmpeg's bwdif).

    One for one, each when it was shown. ``notes`` says that there were such frames.
    """
    graph, kind, base = None, None, None
    for frame in frames:
        if graph is None and not frame.interlaced_frame:
            yield frame
            continue
        own = (frame.width, frame.height, frame.format.name)
        if graph is None or own != kind:
            if graph is not None:
                graph.push(None)
                yield from _ready(graph, base)
            graph, kind, base = _opened(frame), own, frame.time_base
            note_once(notes, NOTE)
        graph.push(frame)
        yield from _ready(graph, base)
    if graph is not None:
        graph.push(None)
        yield from _ready(graph, base)


def _opened(frame: Any) -> Any:
    graph = library().filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format.name, time_base=frame.time_base
    )
    work = graph.add("bwdif", "mode=send_frame:deint=interlaced")
    graph.link_nodes(source, work, graph.add("buffersink"))
    graph.configure()
    return graph


def _ready(graph: Any, base: Any) -> Iterator[Any]:
    """What comes out of it; the filter keeps a frame back, and counts in halves of a tick."""
    error = library().error
    while True:
        try:
            frame = graph.pull()
        except (error.BlockingIOError, error.EOFError):
            return
        if frame.pts is not None:
            frame.pts, frame.time_base = round(frame.pts * frame.time_base / base), base
        yield frame
