"""``relume live``: a camera, a stream or a pipe, relit as it comes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relume.cli import console, options
from relume.cli.console import PIPE
from relume.cli.options import opt
from relume.enhancers.options import BRIGHTNESS, FAST_METHOD
from relume.errors import InputError, OutputError, ParameterError

if TYPE_CHECKING:
    from relume.photo import Array

Sink = Callable[["Array"], bool]
"""What takes a frame; False when no more are wanted."""

NAME = "relume: press Esc to end"
KEYS = (27, ord("q"))


def live(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A camera (/dev/video0), a stream (rtsp://...), a clip, or - for raw frames.",
            show_default=False,
        ),
    ],
    output: Annotated[
        str | None,
        opt(
            *("--output", "-o", "FILE|-"),
            help="A clip to record, or - for raw frames on standard output.",
            shown="a window",
        ),
    ] = None,
    size: Annotated[
        str | None,
        opt(
            *("--size", "WxH"),
            help="Of raw frames: width and height; of a camera: what to ask it for.",
            shown=False,
        ),
    ] = None,
    rate: Annotated[
        float | None,
        opt(
            *("--rate", "FPS"),
            help="Frames a second of a recording.",
            shown="as they come; of raw frames, 30",
            min=1,
            max=240,
        ),
    ] = None,
    method: options.MethodOption = FAST_METHOD,
    param: options.ParamOption = None,
    brightness: options.BrightnessOption = None,
    overwrite: options.OverwriteOption = False,
    device: options.DeviceOption = options.Device.auto,
    precision: options.PrecisionOption = options.Precision.auto,
    quiet: options.QuietOption = False,
    verbose: options.VerboseOption = False,
) -> None:
    """Relight a camera, a stream or a pipe.

    As it comes, in steady light. Frames that come while one is worked on are left out, so that
    what is shown is now; of a clip or a pipe all are relit. Raw frames are rgb24:
    width x height x 3 bytes, nothing between them. Ctrl-C ends it, and a recording is whole.

    ffmpeg -i dark.mp4 -f rawvideo -pix_fmt rgb24 - | relume live - --size 1280x720 -o bright.mp4
    """
    console.be_verbose(verbose)
    from relume.io.stream import is_live, parse_size

    name, parameters, chosen = options.parse_method(method, param)
    asked = None if size is None else parse_size(size)
    if source == PIPE and asked is None:
        raise ParameterError("raw frames have no header: say their size, as --size 1280x720")
    from relume.frames import enhance_frames
    from relume.io.ahead import Ahead

    if rate is None and not is_live(source):
        rate = 30.0
    given = {
        "method": name,
        "parameters": parameters,
        "runtime": options.parse_runtime(device, precision),
        **chosen,
        **({} if brightness is None else {"brightness": BRIGHTNESS.check(brightness)}),
    }
    began, count, stopped = 0.0, 0, False
    with (
        _sink(output, rate, overwrite=overwrite) as sink,
        Ahead(_frames(source, asked), newest=is_live(source)) as frames,
    ):
        try:
            for frame in enhance_frames(frames, **given):
                if not sink(frame):
                    break
                count += 1
                began = began or time.monotonic()
        except KeyboardInterrupt:
            stopped = True  # what is recorded is finished
    if count and not quiet:
        speed = max(count - 1, 1) / max(time.monotonic() - began, 1e-3)
        where = {None: "the window", PIPE: "standard output"}.get(output, output)
        told = f"{source} -> {where} ({console.count(count, 'frame')}, {speed:.1f} frames/s)"
        console.say(console.one_line(told))
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
        console.say(console.one_line(f"note: {source}: {note}"))


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
