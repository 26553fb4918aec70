"""What commands say, and where: results on stdout, everything else on stderr."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from relume.errors import RelumeError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

INTERRUPTED = 130
"""The exit code after Ctrl-C: 128 + SIGINT, as shells have it."""


def out(text: str) -> None:
    """A line of result, on stdout."""
    typer.echo(text)


def say(text: str) -> None:
    """A line for the person watching, on stderr (above the progress bar, if there is one)."""
    typer.echo(text, err=True)


def fail(error: BaseException | str, *, about: object = None) -> None:
    """One line on stderr about what went wrong; ``about`` is named unless the message does."""
    text = one_line(str(error)) or type(error).__name__
    name = "" if about is None else one_line(str(about))
    say(f"error: {text}" if name in text else f"error: {name}: {text}")


def reason(error: Exception | str) -> str:
    """A failure in words: relume's own errors as they are, others with what they are."""
    if isinstance(error, str | RelumeError):
        return str(error)
    if isinstance(error, MemoryError):
        return "not enough memory for this photo"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{type(error).__name__}: {error} (-v shows where)"


def trace(error: Exception | str) -> None:
    """With ``-v``, where an error came from."""
    if isinstance(error, Exception) and is_verbose():
        say("".join(traceback.format_exception(error)).rstrip())


def one_line(text: str) -> str:
    """``text`` on one line, whatever a file's name holds (newlines, control characters)."""
    joined = " ".join(text.splitlines())
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in joined)


def count(number: int, noun: str) -> str:
    """``1 photo``, ``2 photos``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


class _ToStderr(logging.Handler):
    """Looks stderr up at every line, so that a progress bar can keep below what is said."""

    def emit(self, record: logging.LogRecord) -> None:
        say(one_line(self.format(record)))


def be_verbose(verbose: bool) -> None:
    """With ``verbose``, show what the package logs: which network runs where, say."""
    logger = logging.getLogger("relume")
    if verbose and not any(isinstance(h, _ToStderr) for h in logger.handlers):
        logger.addHandler(_ToStderr())
        logger.setLevel(logging.INFO)


def is_verbose() -> bool:
    """Whether ``-v`` was given, before or after the command's name."""
    return any(isinstance(h, _ToStderr) for h in logging.getLogger("relume").handlers)


class Bar:
    """A progress bar with ETA; without a terminal to draw on it does nothing."""

    def __init__(self, progress: Progress | None, task: TaskID | None) -> None:
        self._progress, self._task = progress, task

    def advance(self, note: str = "") -> None:
        """One more done; ``note`` stands beside the bar."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, advance=1, note=note)

    def show(self, done: int, total: int, note: str = "") -> None:
        """``done`` of ``total``, for work that counts by itself."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=done, total=total, note=note)


@contextmanager
def progress_bar(what: str, *, total: int | None = None, quiet: bool = False) -> Iterator[Bar]:
    """A progress bar on stderr, or a :class:`Bar` that does nothing if that is no terminal."""
    if quiet or not sys.stderr.isatty():
        yield Bar(None, None)
        return
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
    with bars.Progress(*columns, console=Console(stderr=True)) as progress:
        yield Bar(progress, progress.add_task(what, total=total, note=""))
