"""``relume live``: a camera, a stream or a pipe, relit as it comes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from relume.cli import console, options
from relume.cli.command import Command, arg, of_enhance, opt
from relume.cli.console import PIPE
from relume.enhancers.options import BRIGHTNESS, FAST_METHOD
from relume.errors import InputError, OutputError, ParameterError

if TYPE_CHECKING:
    from relume.photo import Array

Sink = Callable[["Array"], bool]
"""What takes a frame; False when no more are wanted."""

NAME = "relume: press Esc to end"
KEYS = (27, ord("q"))


@dataclass(frozen=True, kw_only=True)
class Live(Command):
    """Relight a camera, a stream or a pipe.

    As it comes, in steady light. Frames that come while one is worked on are left out, so that
    what is shown is now; of a clip or a pipe all are relit. Raw frames are rgb24:
    width x height x 3 bytes, nothing between them. Ctrl-C ends it, and a recording is whole.

    ffmpeg -i dark.mp4 -f rawvideo -pix_fmt rgb24 - | relume live - --size 1280x720 -o bright.mp4
    """

    source: str = arg(
        "SOURCE", "A camera (/dev/video0), a stream (rtsp://...), a clip, or - for raw frames."
    )
    output: str | None = opt(
        "--output -o FILE|-",
        "A clip to record, or - for raw frames on standard output.",
        shown="a window",
    )
    size: str | None = opt(
        "--size WxH", "Of raw frames: width and height; of a camera: what to ask it for."
    )
    rate: float | None = opt(
        "--rate FPS",
        "Frames a second of a recording.",
        shown="as they come; of raw frames, 30",
        min=1,
        max=240,
    )
    method: options.Method = FAST_METHOD
    param: options.Param = None
    given: Mapping[str, Any] = of_enhance(BRIGHTNESS)
    overwrite: options.Overwrite = False
    device: options.Device = "auto"
    precision: options.PrecisionOption = "auto"
    quiet: options.Quiet = False
    verbose: options.Verbose = False

    def run(self) -> None:
        """Relight frame after frame, until none comes or nobody looks any more."""
        from relume.io.stream import is_live, parse_size

        given = options.for_enhance(
            self.method, self.param, self.given, options.parse_runtime(self.device, self.precision)
        )
        source, output = self.source, self.output
        size = None if self.size is None else parse_size(self.size)
        if source == PIPE and size is None:
            raise ParameterError("raw frames have no header: say their size, as --size 1280x720")
        from relume.frames import enhance_frames
        from relume.io.ahead import Ahead

        rate = 30.0 if self.rate is None and not is_live(source) else self.rate
        began, count, stopped = 0.0, 0, False
        with (
            _sink(output, rate, overwrite=self.overwrite) as sink,
            Ahead(_frames(source, size), newest=is_live(source)) as frames,
        ):
            try:
                for frame in enhance_frames(frames, **given):
                    if not sink(frame):
                        break
                    count += 1
                    began = began or time.monotonic()
            except KeyboardInterrupt:
                stopped = True  # what is recorded is finished
        if count and not self.quiet:
            speed = max(count - 1, 1) / max(time.monotonic() - began, 1e-3)
            where = {None: "the window", PIPE: "standard output"}.get(output, output)
            told = f"{source} -> {where} ({console.count(count, 'frame')}, {speed:.1f} frames/s)"
            console.say(told)
        if stopped:
            raise typer.Exit(console.INTERRUPTED)


def _frames(source: str, size: tuple[int, int] | None) -> Iterator[Array]:
    from relume.io.stream import raw_frames, stream_frames

    notes: list[str] = []
    if source != PIPE:
        yield from stream_frames(source, size=size, notes=notes)
    elif sys.stdin is None:
        raise InputError("standard input is closed")
    else:
        assert size is not None
        yield from raw_frames(sys.stdin.buffer, size, notes.append)
    for note in notes:
        console.say(f"note: {source}: {note}")


@contextmanager
def _sink(output: str | None, rate: float | None, *, overwrite: bool) -> Iterator[Sink]:
    """What the frames go to."""
    from relume.io.stream import raw_sink, recording

    if output is None:
        with _window() as show:
            yield show
        return
    if output == PIPE:
        if sys.stdout is None or sys.stdout.isatty():
            raise OutputError("raw frames are not written to a terminal: pipe them on")
        writer = raw_sink(sys.stdout.buffer)
    else:
        writer = recording(Path(output), rate=rate, overwrite=overwrite)
    with writer as write:

        def take(frame: Array) -> bool:
            write(frame)
            return True

        yield take


@contextmanager
def _window() -> Iterator[Sink]:
    """A window that shows frames; it ends with Esc, q or its own cross.

    Raises:
        OutputError: OpenCV was built without windows, or there is no screen.
    """
    import cv2
    import numpy as np

    try:
        cv2.namedWindow(NAME, cv2.WINDOW_NORMAL)
    except cv2.error:
        raise OutputError(
            "this OpenCV has no windows (opencv-python-headless), or there is no screen: record "
            "with -o FILE.mp4, or show raw frames with -o - | ffplay"
        ) from None

    def show(frame: Array) -> bool:
        pixels = frame if frame.dtype == np.uint8 else (frame >> 8).astype(np.uint8)
        cv2.imshow(NAME, np.ascontiguousarray(pixels[:, :, ::-1]))
        pressed = cv2.waitKey(1) & 0xFF
        return pressed not in KEYS and cv2.getWindowProperty(NAME, cv2.WND_PROP_VISIBLE) > 0

    try:
        yield show
    finally:
        cv2.destroyAllWindows()
