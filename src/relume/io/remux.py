"""What of a clip is not worked on: sound, subtitles and chapters copied, the rest named."""

from __future__ import annotations

import io
from collections import deque
from typing import Any

from relume.io.demux import library, note_once


class Copies:
    """Sound and subtitles on their way to ``out``; kept until its header can be written.

    Only what is shown from ``start_s`` to ``end_s`` is copied.
    """

    def __init__(
        self, clip: Any, out: Any, notes: list[str], start_s: float, end_s: float | None
    ) -> None:
        self._clip, self._out, self._notes = clip, out, notes
        self._start_s, self._end_s = start_s, end_s
        self._streams: dict[int, Any] | None = None
        self._waiting: deque[Any] = deque()
        self._last: dict[int, int] = {}

    def begin(self, but: Any) -> None:
        """Add the streams to the output, which has that of the pictures ``but`` already."""
        av = library()
        self._streams = {}
        for key, value in self._clip.metadata.items():
            self._out.metadata[key] = value
        if not self._start_s and self._end_s is None:
            self._out.set_chapters(self._clip.chapters())
        for stream in self._clip.streams:
            if stream.index == but.index:
                continue
            if stream.type not in ("audio", "subtitle"):
                note_once(self._notes, f"{_what(stream)} is left out")
                continue
            try:
                copy = self._out.add_stream_from_template(stream)
            except (ValueError, OSError, av.error.FFmpegError):
                can = "; -o clip.mkv can" if _name(stream) in _held_by_matroska() else ""
                what = f"{_what(stream)} is left out: the output's container cannot hold it{can}"
                note_once(self._notes, what)
                continue
            copy.metadata.update(stream.metadata)
            self._streams[stream.index] = copy

    def add(self, packet: Any) -> None:
        """Have the packet copied at the next flush: who decodes is not who writes."""
        self._waiting.append(packet)

    def flush(self) -> None:
        """Copy what waits, once the header is written."""
        while self._streams is not None and self._waiting:
            packet = self._waiting.popleft()
            if packet.stream.index in self._streams:
                self._copy(packet, self._streams[packet.stream.index])

    def _copy(self, packet: Any, stream: Any) -> None:
        when = packet.pts if packet.pts is not None else packet.dts
        if when is None:
            return  # the flush at the end
        base, number = packet.time_base, packet.stream.index
        seconds = float(when * base) - (self._clip.start_time or 0) / 1_000_000
        # a whole clip keeps what is a little early: its start is rounded to microseconds
        early = self._start_s > 0 and seconds < self._start_s - 1e-6
        if early or (self._end_s is not None and seconds >= self._end_s):
            return
        shift = round(self._start_s / base)
        for name in ("pts", "dts"):
            if getattr(packet, name) is not None:
                setattr(packet, name, getattr(packet, name) - shift)
        if packet.dts is not None:
            if packet.dts <= self._last.get(number, packet.dts - 1):
                return  # sound of a second piece that begins before the first one's has ended
            self._last[number] = packet.dts
        packet.stream = stream
        self._out.mux(packet)


def _name(stream: Any) -> str | None:
    name: str | None = getattr(stream.codec_context, "name", None)
    return name


def _what(stream: Any) -> str:
    """The stream in words, with its article."""
    if stream.type == "video":
        cover = stream.disposition & library().stream.Disposition.attached_pic
        return "its cover picture" if cover else "a second video stream"
    if stream.type in ("audio", "subtitle"):
        article = "an" if stream.type == "audio" else "a"
        return f"{article} {stream.type} stream ({_name(stream) or 'of an unknown kind'})"
    about = stream.metadata.get("handler_name") or stream.metadata.get("filename") or _name(stream)
    return f"{'an' if stream.type[0] in 'au' else 'a'} {stream.type} stream ({about or 'no name'})"


def _held_by_matroska() -> frozenset[str]:
    with library().open(io.BytesIO(), "w", format="matroska") as out:
        return frozenset(out.supported_codecs)
