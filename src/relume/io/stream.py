"""Frames as they come: from a camera, a stream or a pipe, to a file or a pipe.

A pipe carries raw frames: rows of pixels from the top, red, green, blue, one byte each, nothing
between frames (FFmpeg's ``-f rawvideo -pix_fmt rgb24``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from relume.errors import InputError, OutputError, ParameterError, UnreadableInput
from relume.io.atomic import whole_file
from relume.io.demux import address, library
from relume.io.shown import Shown
from relume.io.video import encoder_of
from relume.photo import Array

Size = tuple[int, int]
"""Width and height, pixels."""
CAMERAS = {"/dev/video": "v4l2"}
"""FFmpeg's name of what opens a device, by how the name of the device begins."""
CONNECT_S = 10
"""How long a stream may take to answer, and to send the next packet."""
TICKS = 1000
"""Time steps a second of a recording, whose frames come when they come."""


def parse_size(text: str) -> Size:
    """``640x360`` as (640, 360).

    Raises:
        ParameterError: anything else, or a side below 16 or above 16384 pixels.
    """
    width, cross, height = text.lower().partition("x")
    if not (cross and width.isdigit() and height.isdigit()):
        raise ParameterError(f"expected a size as 640x360, got {text!r}")
    if not all(16 <= int(side) <= 16384 for side in (width, height)):
        raise ParameterError(f"expected sides of 16 to 16384 pixels, got {text}")
    return int(width), int(height)


def is_live(source: str) -> bool:
    """Whether frames come when they come, and one that was not taken in time is worth nothing."""
    return source.startswith(tuple(CAMERAS)) or "://" in source


def raw_frames(pipe: BinaryIO, size: Size, note: Callable[[str], None]) -> Iterator[Array]:
    """The raw frames of a pipe, uint8 (H, W, 3), until it ends.

    ``note`` is told of a last frame that is not whole, which is dropped.

    Raises:
        UnreadableInput: not one whole frame came.
    """
    width, height = size
    length = 3 * width * height
    count = 0
    while data := _read(pipe, length):
        if len(data) < length:
            what = f"{len(data):,} of the {length:,} bytes of a frame of {width}x{height}"
            if not count:
                raise UnreadableInput(f"the pipe ended after {what}: is --size right?")
            note(f"the pipe ended within a frame ({what}), which is dropped")
            return
        count += 1
        yield np.frombuffer(data, np.uint8).reshape(height, width, 3)
    if not count:
        raise UnreadableInput("the pipe ended before the first frame")


def stream_frames(
    source: str, *, size: Size | None = None, notes: list[str] | None = None
) -> Iterator[Array]:
    """The frames of a camera (``/dev/video0``), a stream (``rtsp://...``) or a clip's file.

    uint8 or, of more than 8 bits, uint16 (H, W, 3), as a player shows them. ``size`` is asked of a
    camera, which may have another.

    Raises:
        UnreadableInput: it cannot be opened, holds no video, or breaks off.
    """
    av, shown = library(), Shown(notes if notes is not None else [])
    try:
        container = av.open(**_opening(source, size))
    except (OSError, ValueError, av.error.FFmpegError) as error:
        raise UnreadableInput(_cannot_open(source, error)) from error
    with container:
        if not container.streams.video:
            raise UnreadableInput(f"{source} holds no video")
        video = container.streams.video[0]
        # a camera's frames are wanted now, and threads would hold some back
        video.thread_type = "SLICE" if is_live(source) else "AUTO"
        try:
            for frame in container.decode(video):
                yield shown(frame)
        except av.error.EOFError:
            return
        except (OSError, av.error.FFmpegError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UnreadableInput(f"{source} broke off: {reason}") from error


@contextmanager
def raw_sink(pipe: BinaryIO) -> Iterator[Callable[[Array], None]]:
    """What writes frames to a pipe, raw, as they come; more than 8 bits become 8."""

    def write(frame: Array) -> None:
        pipe.write(np.ascontiguousarray(_eight_bit(frame)).data)
        pipe.flush()

    yield write


@contextmanager
def recording(
    target: Path, *, rate: float | None, overwrite: bool
) -> Iterator[Callable[[Array], None]]:
    """What writes frames to a clip's file: at ``rate`` frames a second, or with None as they come.

    The file is there, and whole, once this is left.

    Raises:
        ParameterError: an ending that cannot be written.
        OutputError: the file exists, or cannot be written.
        InputError: a frame of another size than the first.
    """
    av, encoder = library(), encoder_of(target)
    with whole_file(target, overwrite=overwrite) as partial:
        try:
            with av.open(address(partial), "w") as out:
                film = _Film(av, out, encoder, rate)
                yield film
                film.end()
        except (OSError, av.error.FFmpegError) as error:
            raise OutputError(f"cannot write {target}: {error.strerror or error}") from error


class _Film:
    """Frames on their way into an open container, which gets its stream by the first."""

    def __init__(self, av: Any, out: Any, encoder: str, rate: float | None) -> None:
        self._av, self._out, self._encoder, self._rate = av, out, encoder, rate
        self._stream: Any = None
        self._began = 0.0
        self._last = -1
        self.count = 0

    def __call__(self, frame: Array) -> None:
        pixels = np.ascontiguousarray(_eight_bit(frame))
        now = time.monotonic()
        if self._stream is None:
            self._stream, self._began = self._begin(pixels), now
        height, width = pixels.shape[:2]
        if (width, height) != (self._stream.width, self._stream.height):
            raise InputError(f"frames changed to {width}x{height}: a recording has one size")
        picture = self._av.VideoFrame.from_ndarray(pixels, format="rgb24")
        picture = picture.reformat(format=self._stream.pix_fmt, dst_colorspace=1, dst_color_range=1)
        since = self.count / self._rate if self._rate else now - self._began
        self._last = max(self._last + 1, round(since * TICKS))
        picture.pts, picture.time_base = self._last, Fraction(1, TICKS)
        self._out.mux(self._stream.encode(picture))
        self.count += 1

    def end(self) -> None:
        """Write what the encoder still holds."""
        if self._stream is None:
            raise OutputError("no frame came: nothing is written")
        self._out.mux(self._stream.encode(None))

    def _begin(self, frame: Array) -> Any:
        stream = self._out.add_stream(self._encoder, rate=Fraction(self._rate or 30))
        stream.height, stream.width = frame.shape[:2]
        odd = frame.shape[0] % 2 or frame.shape[1] % 2
        stream.pix_fmt = "yuv444p" if odd else "yuv420p"
        fast = {"crf": "20", "preset": "veryfast", "rc-lookahead": "10"}
        deadline = {"crf": "28", "b": "0", "deadline": "realtime", "cpu-used": "8"}
        stream.options = fast if self._encoder == "libx264" else deadline
        coding = stream.codec_context
        coding.time_base = Fraction(1, TICKS)
        for tag in ("color_primaries", "color_trc", "colorspace", "color_range"):
            setattr(coding, tag, 1)
        return stream


def _opening(source: str, size: Size | None) -> dict[str, Any]:
    """What PyAV is to open, and how."""
    for begin, kind in CAMERAS.items():
        if source.startswith(begin):
            options = {"video_size": f"{size[0]}x{size[1]}"} if size else {}
            return {"file": source, "format": kind, "options": options}
    if "://" in source:
        options = {"rtsp_transport": "tcp"} if source.startswith("rtsp") else {}
        return {"file": source, "options": options, "timeout": CONNECT_S}
    return {"file": address(Path(source)), "metadata_errors": "replace"}


def _cannot_open(source: str, error: Exception) -> str:
    reason = getattr(error, "strerror", None) or error
    if source.startswith(tuple(CAMERAS)) and not Path(source).exists():
        there = sorted(str(path) for path in Path("/dev").glob("video*"))
        return f"there is no camera {source}: there is {', '.join(there) or 'none'}"
    return f"cannot open {source}: {reason}"


def _read(pipe: BinaryIO, length: int) -> bytes:
    """That many bytes, or what is left."""
    data = pipe.read(length)
    while data and len(data) < length and (more := pipe.read(length - len(data))):
        data += more
    return data


def _eight_bit(frame: Array) -> Array:
    return np.asarray(frame >> 8, np.uint8) if frame.dtype == np.uint16 else frame
