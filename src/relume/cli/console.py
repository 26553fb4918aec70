"""What commands say, and where: results on stdout, everything else on stderr."""

from __future__ import annotations

import logging
import math
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from relume.errors import InputError, OutputError, OutputExists, RelumeError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from relume.cli.jobs import Job

PIPE = "-"
"""What stands for stdin or stdout among names."""

STDIN = "standard input"
"""The name of a photo that comes from there."""

INTERRUPTED = 130
"""The exit code after Ctrl-C: 128 + SIGINT, as shells have it."""

PATIENCE_S = 2.0
"""How long a single photo may take before a line says that it is worked on."""


def open_closed() -> None:
    """Where a program was started without them (``2>&-``), give it standard streams to nowhere.

    Else the first file that is opened would get stderr's number, and what libraries in C print.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115


def out(text: str) -> None:
    """A line of result, on stdout."""
    typer.echo(text)


def out_bytes(data: bytes) -> None:
    """A picture, on stdout.

    Raises:
        OutputError: it is closed, or the disk behind it is full.
    """
    from relume.io.atomic import refused

    if sys.stdout is None:
        raise OutputError("standard output is closed")
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise  # who reads has enough
    except OSError as error:
        # what is left in the buffer would fail again when Python ends, and change the exit code
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise refused(Path("standard output"), error) from error


def in_bytes() -> bytes:
    """All of stdin.

    Raises:
        InputError: it is closed.
    """
    if sys.stdin is None:
        raise InputError("standard input is closed")
    return sys.stdin.buffer.read()


def say(text: str) -> None:
    """A line for the person watching, on stderr (above the progress bar, if there is one)."""
    typer.echo(one_line(text), err=True)


def fail(error: BaseException | str, *, about: object = None) -> None:
    """One line on stderr about what went wrong; ``about`` is named unless the message does."""
    text = one_line(str(error)) or type(error).__name__
    name = "" if about is None else one_line(str(about))
    say(f"error: {text}" if name in text else f"error: {name}: {text}")


def reason(error: Exception | str) -> str:
    """A failure in words: relume's own errors as they are, others with what they are."""
    if isinstance(error, OutputExists):
        return f"{error.args[0]} exists already; give --overwrite to replace it"
    if isinstance(error, str | RelumeError):
        return str(error)
    if isinstance(error, MemoryError):
        return "not enough memory for this photo"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{type(error).__name__}: {error} (-v shows where)"


def trace(error: Exception | str) -> None:
    """With ``-v``, where an error came from; or the text of that."""
    if is_verbose() and error:
        typer.echo(error if isinstance(error, str) else traced(error), err=True)


def traced(error: Exception) -> str:
    """Where an error came from."""
    return "".join(traceback.format_exception(error)).rstrip()


def one_line(text: str) -> str:
    """``text`` on one line, whatever a file's name holds (newlines, control characters)."""
    joined = " ".join(text.splitlines())
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in joined)


def as_utf8(name: str) -> str:
    r"""A name for tables and JSON: bytes of it that are no UTF-8 are written like ``\xe9``."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def count(number: int, noun: str) -> str:
    """``1 photo``, ``2 photos``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def things(jobs: Sequence[Job]) -> str:
    """``3 photos``, ``2 photos and 1 clip``."""
    clips = sum(job.is_clip for job in jobs)
    return photos_and_clips(len(jobs) - clips, clips)


def photos_and_clips(photos: int, clips: int) -> str:
    """``3 photos``, ``1 clip``, ``2 photos and 1 clip``."""
    parts = [count(photos, "photo")] if photos or not clips else []
    return " and ".join(parts + [count(clips, "clip")] * (clips > 0))


def some(names: Iterable[str]) -> str:
    """The first three names, on one line, and dots for the rest."""
    first = list(islice(names, 4))
    return one_line(", ".join(first[:3])) + (", ..." if len(first) > 3 else "")


class _ToStderr(logging.Handler):
    """Looks stderr up at every line, so that a progress bar can keep below what is said."""

    def emit(self, record: logging.LogRecord) -> None:
        say(self.format(record))


def be_verbose(verbose: bool) -> None:
    """With ``verbose``, show what the package logs: which network runs where, say."""
    logger = logging.getLogger("relume")
    if verbose and not any(isinstance(h, _ToStderr) for h in logger.handlers):
        logger.addHandler(_ToStderr())
        logger.setLevel(logging.INFO)


def is_verbose() -> bool:
    """Whether ``-v`` was given, before or after the command's name."""
    return any(isinstance(h, _ToStderr) for h in logging.getLogger("relume").handlers)


@contextmanager
def ending_in_order() -> Iterator[None]:
    """SIGTERM ends the block as an error does, so that no half file stays.

    A handler that somebody has set is left alone, as are other threads than the main one.
    """
    number = signal.SIGTERM
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(number) is not signal.SIG_DFL:
        yield
        return
    signal.signal(number, lambda *_: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(number, signal.SIG_DFL)


@contextmanager
def stopping(text: str) -> Iterator[None]:
    """Ctrl-C ends the block with a line, and the exit code of that."""
    try:
        yield
    except KeyboardInterrupt:
        say(text)
        raise typer.Exit(INTERRUPTED) from None


def speed(frames: int, seconds: float) -> str:
    """``2.0 s, 12.5 frames/s``."""
    return f"{seconds:.1f} s, {frames / max(seconds, 1e-3):.1f} frames/s"


class Bar:
    """A progress bar with ETA on stderr; nothing shows before :meth:`start`."""

    def __init__(self, what: str, total: int | None, line_s: float | None = None) -> None:
        self._what, self._total, self._done, self._note = what, total, 0, ""
        self._line_s, self._said_s = line_s, -math.inf
        self._shown: tuple[Progress, TaskID] | None = None

    def start(self) -> None:
        """Draw it, with what was done so far."""
        from rich import progress as bars  # a tenth of a second: only for who sees it
        from rich.console import Console

        columns = (
            bars.TextColumn("{task.description}"),
            bars.BarColumn(),
            bars.MofNCompleteColumn(),
            bars.TimeElapsedColumn(),
            bars.TextColumn("eta"),
            bars.TimeRemainingColumn(),
            bars.TextColumn("{task.fields[note]}", markup=False),
        )
        progress = bars.Progress(*columns, console=Console(stderr=True), redirect_stdout=False)
        task = progress.add_task(
            self._what, total=self._total, completed=self._done, note=self._note
        )
        progress.start()
        self._shown = progress, task

    def stop(self) -> None:
        """Leave it as it stands."""
        if self._shown is not None:
            self._shown[0].stop()

    def advance(self, note: str = "") -> None:
        """One more done; ``note`` stands beside the bar."""
        self.show(self._done + 1, self._total, note)

    def note(self, note: str) -> None:
        """Say beside the bar what is being done."""
        self.show(self._done, self._total, note)

    def show(self, done: int, total: int | None, note: str = "") -> None:
        """``done`` of ``total``, for work that counts by itself."""
        self._done, self._total, self._note = done, total, note
        if self._shown is not None:
            progress, task = self._shown
            progress.update(task, completed=done, total=total, note=note)
        elif self._line_s is not None and time.monotonic() - self._said_s >= self._line_s:
            self._said_s = time.monotonic()
            say(f"{self._what}: {done} of {total or '?'}, {note}")


@contextmanager
def progress_bar(
    what: str,
    *,
    total: int | None = None,
    quiet: bool = False,
    after_s: float = 0.0,
    line_s: float | None = None,
) -> Iterator[Bar]:
    """A progress bar on stderr, or a :class:`Bar` that shows nothing if that is no terminal.

    ``after_s`` spares who waits for less than that the sight of it; with ``line_s`` a pipe or a
    log gets a line that often.
    """
    if quiet or not sys.stderr.isatty():
        yield Bar(what, total, None if quiet else line_s)
        return
    bar = Bar(what, total)
    timer = threading.Timer(after_s, bar.start)
    if after_s:
        timer.start()
    else:
        bar.start()
    try:
        yield bar
    finally:
        timer.cancel()
        if after_s:
            timer.join()
        bar.stop()
