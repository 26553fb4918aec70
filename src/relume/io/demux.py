"""Clip files opened: which kinds, which stream of pictures, and times that only go forward."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

from relume.errors import UnreadableInput, extra_module
from relume.io.formats import FORMATS, sniff

KINDS = (
    *("mov", "matroska", "avi", "mpeg", "mpegts", "mpegvideo", "asf", "flv", "ogg", "mxf", "gxf"),
    *("dv", "nut", "rm", "wtv", "ivf", "obu", "h263", "h264", "hevc", "m4v", "vc1", "live_flv"),
)
"""What FFmpeg may take a file for: no pictures, and no list that leads to other files."""
STILLS = ("mjpeg", "png", "bmp", "gif", "webp", "tiff")
BACK_S = Fraction(1, 10)
"""How far a stream's times may go back before they are taken to start again."""
AHEAD_S = 10
"""The same for a leap ahead in a transport stream, as FFmpeg has it."""


def library() -> Any:
    """PyAV.

    Raises:
        MissingExtra: it is not installed.
    """
    return extra_module("av", "video", "video")


def address(path: Path) -> str:
    """The path as FFmpeg takes it for a file, whatever its name."""
    return f"file:{path.absolute()}"


def opened(source: Path) -> Any:
    """The clip, to be closed by the caller.

    Raises:
        UnreadableInput: there is none, or none that can be decoded.
    """
    av = library()
    if not source.exists():
        raise UnreadableInput(f"{source} does not exist")
    try:
        clip = av.open(
            address(source),
            options={"format_whitelist": ",".join(KINDS)},
            metadata_errors="replace",
        )
    except (OSError, ValueError, av.error.FFmpegError) as error:
        if source.is_file() and (kind := _picture(source)):
            suffix = FORMATS[kind].suffixes[0]
            raise UnreadableInput(
                f"{source} is a picture ({kind.upper()}), no clip: let its name end in {suffix}"
            ) from error
        reason = getattr(error, "strerror", None) or error
        raise UnreadableInput(f"{source} is no clip that can be decoded: {reason}") from error
    if not clip.streams.video:
        clip.close()
        raise UnreadableInput(f"{source} holds no video")
    if main_video(clip).codec_context is None:
        clip.close()
        raise UnreadableInput(f"{source}: its video is of a kind that cannot be decoded here")
    return clip


def note_once(notes: list[str], words: str) -> None:
    """Add a note, unless it is there already."""
    if words not in notes:
        notes.append(words)


def _picture(source: Path) -> str | None:
    with source.open("rb") as file:
        return sniff(file.read(256), "")


def main_video(clip: Any) -> Any:
    """The stream of pictures to be worked on: no cover, and rather one that moves."""
    av = library()

    def order(stream: Any) -> tuple[bool, bool, bool, int]:
        kind, context = stream.disposition, stream.codec_context
        still = kind & (av.stream.Disposition.attached_pic | av.stream.Disposition.still_image)
        if context is None:
            return False, False, False, 0
        moves = context.name not in STILLS or stream.frames > 1
        is_default = bool(kind & av.stream.Disposition.default)
        return not still, moves, is_default, context.width * context.height

    return max(clip.streams.video, key=order)


class Timeline:
    """Called with each packet in turn: its times go on where a stream starts them again.

    Two pieces of a transport stream, one behind the other, each begin with the same times. All
    streams of a piece are shifted alike, to begin where the longest of the one before ended.
    """

    def __init__(self, clip: Any) -> None:
        av = library()
        self._leaps = bool(clip.format.flags & av.format.Flags.ts_discont.value)
        self._shifts = [Fraction(0)]
        self._piece: dict[int, int] = {}
        self._last: dict[int, Fraction] = {}
        self._end = Fraction(0)

    @property
    def seeks(self) -> bool:
        """Whether times say where in the file something is."""
        return not self._leaps

    def __call__(self, packet: Any) -> None:
        """Shift the times of the packet."""
        stream, base, ahead = packet.stream, packet.time_base, max(self._piece.values(), default=0)
        piece = self._piece.get(stream.index, ahead)
        # without a decoding time nothing can be told: pictures are stored out of order
        if packet.dts is not None and stream.type in ("video", "audio"):
            time, shown = packet.dts * base, (packet.pts or packet.dts) * base
            last = self._last.get(stream.index, time)
            if time < last - BACK_S or (self._leaps and time > last + AHEAD_S):
                piece += 1
                if piece == len(self._shifts):
                    self._shifts.append(self._end - shown)
            self._piece[stream.index], self._last[stream.index] = piece, time
            until = shown + (packet.duration or 0) * base + self._shifts[piece]
            self._end = max(self._end, until)
        if piece:
            ticks = round(self._shifts[piece] / base)
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks
