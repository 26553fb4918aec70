"""Video files, decoded and encoded one frame at a time by FFmpeg's libraries (PyAV).

One pass: frames go through a function as they are shown (upright, HDR as SDR), sound and subtitles
are copied, and nothing is kept but what the codecs hold. The result is H.264 (libx264; VP9 in
.webm) with the clip's own timestamps and colour tags, its pixels upright.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from relume.errors import InputError, OutputError, ParameterError, UnreadableInput
from relume.io.ahead import Ahead, Behind
from relume.io.atomic import REASONS, sweep, whole_file
from relume.io.demux import Timeline, address, library, main_video, note_once, opened
from relume.io.fields import whole_frames
from relume.io.remux import Copies
from relume.io.shown import SDR_TAGS, Shown
from relume.photo import Array

SUFFIXES = (
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg",
    ".mts", ".m2ts", ".ts", ".3gp", ".wmv", ".flv", ".ogv",
)  # fmt: skip
"""Endings of files that are taken for clips."""
WRITTEN = {
    ".mp4": "libx264", ".m4v": "libx264", ".mov": "libx264", ".mkv": "libx264",
    ".webm": "libvpx-vp9",
}  # fmt: skip
"""The encoder of each ending that can be written."""
X264 = {"crf": "18", "preset": "fast"}
X264_HURRY = {"crf": "19", "preset": "superfast"}
"""A quarter of the time, as well (measured on relit clips), into a file a third larger."""
COLOUR_TAGS = ("color_primaries", "color_trc", "colorspace", "color_range")
MOST_ERRORS = 100
"""Damaged packets after which the rest of a clip is given up."""


@dataclass
class ClipReport:
    """What came of a clip: frames and seconds written, how, and what the user should know.

    ``levels`` are its mean grey levels before and after, ``left_alone`` is how many frames were
    left as they are because they look lit.
    """

    frames: int = 0
    seconds: float = 0.0
    how: str = ""
    notes: list[str] = field(default_factory=list)
    levels: tuple[float, float] | None = None
    left_alone: int = 0


class ClipFrames:
    """The frames of a clip, one by one, as arrays; ``seconds`` is when the last one is shown.

    ``total`` is about how many there are, where that is known. Who works on them may say ``hurry``
    before the first result: it is encoded in a quarter of the time then, into a larger file.
    """

    hurry = False

    def __init__(self, frames: Iterator[tuple[float, Array]], total: int | None) -> None:
        self._frames, self.total = frames, total
        self.seconds = 0.0

    def __iter__(self) -> ClipFrames:
        return self

    def __next__(self) -> Array:
        self.seconds, frame = next(self._frames)
        return frame


FrameFunction = Callable[[ClipFrames], Iterable[Array]]
Progress = Callable[[int, int | None], None]


def is_clip(path: Path) -> bool:
    """Whether the file's ending is a clip's."""
    return path.suffix.lower() in SUFFIXES


def result_suffix(path: Path) -> str:
    """The ending of a clip's result: its own, if that can be written, else Matroska's."""
    return path.suffix if path.suffix.lower() in WRITTEN else ".mkv"


def encoder_of(target: Path) -> str:
    """The encoder of a clip that is written to this name.

    Raises:
        ParameterError: an ending that cannot be written.
    """
    if target.suffix.lower() not in WRITTEN:
        known = ", ".join(WRITTEN)
        raise ParameterError(f"cannot write a clip as {target.name}: expected one of {known}")
    return WRITTEN[target.suffix.lower()]


def convert_clip(
    source: Path,
    target: Path | None,
    work: FrameFunction,
    *,
    start_s: float = 0.0,
    end_s: float | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> ClipReport:
    """Write to ``target``, if there is one, what ``work`` makes of the frames of ``source``.

    ``work`` gets an iterator of arrays (H, W, 3), uint8 or for more than 8 bit uint16, and gives
    one array for each, in order. ``start_s`` and ``end_s`` cut the clip; ``progress`` is called
    after every frame with how many are done and, where it is known, of how many. A clip that
    breaks off keeps what decoded, and the report says so; otherwise nothing is written.

    Raises:
        MissingExtra: PyAV is not installed.
        UnreadableInput: no video in the file, or nothing of it decodes.
        InputError: nothing between ``start_s`` and ``end_s``.
        ParameterError: an ending that cannot be written, or an end before the start.
        OutputError: the target exists, is the source, or cannot be written.
    """
    av = library()
    if end_s is not None and end_s <= start_s:
        raise ParameterError(f"the end ({end_s:g} s) must lie after the start ({start_s:g} s)")
    if target is None:
        with opened(source) as clip:
            conversion = _Conversion(av, clip, source, start_s, end_s, progress)
            conversion.run(None, work, "")
        return conversion.report
    encoder = encoder_of(target)
    if target.exists() and source.exists() and target.samefile(source):
        raise OutputError(f"the result would replace the input {source}; name another output")
    sweep([target])  # what an earlier run that was killed left
    with opened(source) as clip, whole_file(target, overwrite=overwrite) as partial:
        conversion = _Conversion(av, clip, source, start_s, end_s, progress)
        try:
            with av.open(address(partial), "w", options=_muxing(target)) as out:
                conversion.run(out, work, encoder)
        except (OSError, av.error.FFmpegError) as error:
            if error.errno in REASONS and error.errno != errno.ENOENT:
                reason = REASONS[error.errno]
                raise OutputError(f"cannot write {target}: {reason}") from error
            raise OutputError(f"cannot write {target}: {error}") from error
    return conversion.report


def _muxing(target: Path) -> dict[str, str]:
    return {"movflags": "+faststart"} if target.suffix.lower() in (".mp4", ".m4v", ".mov") else {}


class _Conversion:
    """One pass from an open clip to an open output."""

    def __init__(
        self,
        av: Any,
        clip: Any,
        source: Path,
        start_s: float,
        end_s: float | None,
        progress: Progress | None,
    ) -> None:
        self._av, self._clip, self._source = av, clip, source
        self._video, self._timeline = main_video(clip), Timeline(clip)
        self._video.thread_type = "AUTO"
        self._start_s, self._end_s, self._progress = start_s, end_s, progress
        self._base: Fraction = self._video.time_base or Fraction(1, 1000)
        self._times: deque[int] = deque()
        self._last_pts: int | None = None
        self._step = max(1, round(1 / (float(self._video.average_rate or 25) * self._base)))
        self.report = ClipReport()
        self._shown = Shown(self.report.notes)
        self._tags: tuple[int, ...] = SDR_TAGS

    def run(self, out: Any, work: FrameFunction, encoder: str) -> None:
        """All frames through ``work`` to ``out``; other streams copied on the way."""
        copies = Copies(self._clip, out, self.report.notes, self._start_s, self._end_s)
        total = self._expected_frames()
        with Ahead(self._frames(None if out is None else copies)) as frames:
            first = next(frames, None)
            if first is None:
                between = self._start_s > 0 or self._end_s is not None
                what = "no frame between these times" if between else "no frame that decodes"
                raise (InputError if between else UnreadableInput)(f"{self._source} holds {what}")
            given = ClipFrames(chain([first], frames), total)
            results = iter(work(given))
            if out is None:
                self._hand_over(results, total, lambda _: self._times.clear())
            else:
                deep = first[1].dtype == np.uint16
                self._write(results, given, out, encoder, copies, deep=deep)
        self._note_early_end()

    def _write(
        self, results: Iterator[Array], given: ClipFrames, out: Any, encoder: str, copies: Copies,
        *, deep: bool,
    ) -> None:  # fmt: skip
        """Encode the results, in a thread of its own; other streams are copied on the way."""
        first = next(results, None)
        if first is None:
            return
        stream = self._add_video(out, encoder, first, deep=deep, hurry=given.hurry)
        copies.begin(self._video)
        stream.codec_context.open()
        out.start_encoding()

        def encode(result: Array) -> None:
            copies.flush()
            self._encode(out, stream, result)

        with Behind(encode) as behind:
            self._hand_over(chain([first], results), given.total, behind)
        copies.flush()
        out.mux(stream.encode(None))

    def _hand_over(
        self, results: Iterable[Array], total: int | None, take: Callable[[Array], None]
    ) -> None:
        for result in results:
            take(result)
            self.report.frames += 1
            if self._progress is not None:
                self._progress(self.report.frames, total)

    def _frames(self, copies: Copies | None) -> Iterator[tuple[float, Array]]:
        """The frames between the times asked for, as arrays, and when each is shown."""
        if self._start_s > 0 and self._timeline.seeks:
            begin = self._clip.start_time or 0
            self._clip.seek(begin + int(self._start_s * 1_000_000), backward=True)
        for frame in whole_frames(self._decoded(copies), self.report.notes):
            seconds = self._time(frame)
            if self._end_s is not None and seconds >= self._end_s:
                return
            if seconds >= self._start_s - 1e-6:
                yield seconds, self._array(frame)

    def _decoded(self, copies: Copies | None) -> Iterator[Any]:
        """Every frame that decodes; packets of other streams are copied on the way."""
        packets, errors = self._clip.demux(), 0
        broken = (self._av.error.InvalidDataError, self._av.error.EOFError)
        while errors < MOST_ERRORS:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                self._timeline(packet)
                if packet.stream.index != self._video.index:
                    if copies is not None:
                        copies.add(packet)
                    continue
                frames = packet.decode()
            except broken as error:
                if not errors:
                    self.report.notes.append(f"a damaged part of the clip is left out ({error})")
                errors += 1
                packets = self._clip.demux()  # the one that raised is at its end
                continue
            yield from frames
        with suppress(*broken):
            yield from self._video.decode(None)  # what the decoder still holds

    def _time(self, frame: Any) -> float:
        """When a frame is shown, in seconds of the clip; its timestamp is kept for the result."""
        pts = frame.pts
        if pts is None:
            pts = 0 if self._last_pts is None else self._last_pts + self._step
        if self._last_pts is not None and pts <= self._last_pts:
            pts = self._last_pts + 1
        self._last_pts = pts
        begin = self._clip.start_time or 0
        seconds = float(pts * self._base) - begin / 1_000_000
        within = self._end_s is None or seconds < self._end_s
        if seconds >= self._start_s - 1e-6 and within:
            self._times.append(pts - round(self._start_s / self._base))
        self.report.seconds = seconds - self._start_s
        return seconds

    def _array(self, frame: Any) -> Array:
        """The frame as it is shown, and the tags that its result gets."""
        pixels = self._shown(frame)
        context = self._video.codec_context
        own = (context.color_primaries, context.color_trc, frame.colorspace, frame.color_range)
        self._tags = SDR_TAGS if self._shown.is_hdr else own
        return pixels

    def _add_video(self, out: Any, encoder: str, first: Array, *, deep: bool, hurry: bool) -> Any:
        source, ratio = self._video, self._video.codec_context.sample_aspect_ratio
        stream = out.add_stream(encoder, rate=source.average_rate or 25)
        height, width = first.shape[:2]
        stream.width, stream.height = width, height
        stream.pix_fmt = self._pixel_format(encoder, width, height, deep=deep)
        stream.options = (
            {**(X264_HURRY if hurry else X264), "rc-lookahead": "10"}
            if encoder == "libx264"  # the lookahead is memory
            else {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "5", "row-mt": "1"}
        )
        coding = stream.codec_context
        coding.time_base = self._base
        for tag, value in zip(COLOUR_TAGS, self._tags, strict=True):
            setattr(coding, tag, value)
        if ratio:
            coding.sample_aspect_ratio = 1 / ratio if self._shown.is_turned else ratio
        for key, value in source.metadata.items():
            if key in ("title", "language", "creation_time"):
                stream.metadata[key] = value
        return stream

    def _pixel_format(self, encoder: str, width: int, height: int, *, deep: bool) -> str:
        own = self._video.codec_context.pix_fmt or "yuv420p"
        known = {f.name for f in self._av.Codec(encoder, "w").video_formats or ()}
        choice = own if own in known else "yuv420p10le" if deep else "yuv420p"
        if choice not in known or self._shown.is_hdr:  # as SDR is it everywhere
            choice = "yuv420p"
        odd = width % 2 or height % 2
        return choice.replace("420", "444").replace("422", "444") if odd else choice

    def _encode(self, out: Any, stream: Any, result: Array) -> None:
        if not self._times:
            raise InputError("more frames came out than went in")
        deep = result.dtype == np.uint16
        frame = self._av.VideoFrame.from_ndarray(
            np.ascontiguousarray(result), format="rgb48le" if deep else "rgb24"
        )
        if (frame.width, frame.height) != (stream.width, stream.height):
            note = f"its frames change in size: all are shown at {stream.width}x{stream.height}"
            note_once(self.report.notes, note)
        space, span = self._tags[2:]
        frame = frame.reformat(
            stream.width, stream.height, stream.pix_fmt,
            dst_colorspace=space, dst_color_range=span or 1,
        )  # fmt: skip
        frame.pts, frame.time_base = self._times.popleft(), self._base
        out.mux(stream.encode(frame))

    def _expected_frames(self) -> int | None:
        duration = self._duration_s()
        if not duration:
            return None
        rate = float(self._video.average_rate or 25)
        span = min(duration, self._end_s or duration) - self._start_s
        return max(1, round(span * rate))

    def _duration_s(self) -> float:
        if self._video.duration:
            return float(self._video.duration * self._base)
        return (self._clip.duration or 0) / 1_000_000

    def _note_early_end(self) -> None:
        """Say so if the clip is shorter than its header says."""
        duration = self._duration_s()
        missing = duration - self._start_s - self.report.seconds
        if (
            self._end_s is None
            and duration
            and missing > max(0.5, float(5 * self._step * self._base))
        ):
            self.report.notes.append(
                f"the clip breaks off after {self.report.seconds:.1f} of {duration:.1f} s: "
                "what decoded is kept"
            )
