"""A run over many photos: one bad file is a line on stderr, the others are done."""

from __future__ import annotations

import errno
import os
import time
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import typer

from relume.cli import console
from relume.errors import MissingExtra, ParameterError, WeightsError
from relume.executor import Executor, Local, Outcome
from relume.io.formats import MAX_MEGAPIXELS

if TYPE_CHECKING:
    from relume.cli.jobs import Found, Job
    from relume.photo import Image, Photo


CONCERNS_ALL = (ParameterError, WeightsError, MissingExtra)
"""Errors that every photo of a run would meet alike: they end it."""

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)

DIM = 0.1
"""Mean grey level up to which a photo does not look lit, whatever was done to it."""

NEARLY = 0.02
"""Mean change of a value below which a photo is said to be left as it is."""


class Work(Protocol):
    """What is done to every photo."""

    @property
    def to_change_lit(self) -> str | None:
        """The option that changes a photo which is left as it is because it looks lit."""

    def __call__(self, photo: Photo) -> Photo:
        """The photo as it will be written."""

    def prepare(self) -> None:
        """Whatever can fail for all photos alike, before the first."""


class _NoRoomError(Exception):
    """The disk is full, or the quota used up."""


@dataclass(frozen=True)
class Row:
    """What came of one photo; small, as it may come from another machine.

    ``levels`` are its mean grey levels before and after, ``as_is`` whether it was left nearly as
    it is, ``trace`` where an error came from.
    """

    notes: tuple[str, ...] = ()
    error: str | None = None
    trace: str = ""
    levels: tuple[float, float] | None = None
    as_is: bool = False
    seconds: float = 0.0


@dataclass(frozen=True)
class Writer:
    """Reads a photo, has the work done and writes the result, in whatever process."""

    work: Work
    quality: int | None = None
    overwrite: bool = False
    max_megapixels: float = MAX_MEGAPIXELS
    threads: int = 0

    def start(self) -> Callable[[Job], Row]:
        """Whatever can fail for all photos alike, before the first."""
        if self.threads:
            import cv2

            from relume.engine.cpu import limit_threads

            limit_threads(self.threads)
            cv2.setNumThreads(self.threads)
        self.work.prepare()
        return self.__call__

    def __call__(self, job: Job) -> Row:
        """One job. What concerns this photo alone is in its row; what concerns all is raised."""
        from relume.io import format_of, losses, read, write

        began = time.monotonic()
        try:
            photo = read(job.source, max_megapixels=self.max_megapixels)
        except Exception as error:
            return _failed(error)
        notes = (*photo.meta.notes, *losses(photo, format_of(job.target)))
        try:
            result = self.work(photo)
        except CONCERNS_ALL:
            raise
        except Exception as error:
            return _failed(error, notes)
        samples = _samples(photo, result)
        del photo  # 600 MB at 50 MP, while the result is written
        try:
            job.target.parent.mkdir(parents=True, exist_ok=True)
            write(result, job.target, overwrite=self.overwrite, quality=self.quality)
        except Exception as error:
            cause = error if isinstance(error, OSError) else error.__cause__
            if isinstance(cause, OSError) and cause.errno in NO_ROOM:
                raise _NoRoomError(console.reason(error)) from error
            return _failed(error, notes)
        levels, as_is = self._change(*samples)
        return Row(notes, None, "", levels, as_is, time.monotonic() - began)

    def _change(self, before: Image, after: Image) -> tuple[tuple[float, float] | None, bool]:
        """What a row says about brightness, from samples of the photo and its result."""
        import numpy as np

        from relume.image.exposure import mean_level

        if before.shape != after.shape:
            return None, False
        levels = (mean_level(before), mean_level(after))
        is_lit = bool(levels[0] > DIM and self.work.to_change_lit)
        return levels, is_lit and float(np.abs(after - before).mean()) < NEARLY


@dataclass
class Run:
    """A run over jobs: each done, skipped or failed, with the count of each.

    ``inputs`` are the paths that were named and ``output`` what ``-o`` said; ``levels`` the mean
    grey levels of each photo done, before and after.
    """

    work: Work
    found: Found
    inputs: Sequence[Path] = ()
    output: str | None = None
    quality: int | None = None
    overwrite: bool = False
    skip_existing: bool = False
    max_megapixels: float = MAX_MEGAPIXELS
    quiet: bool = False
    on: Executor = field(default_factory=Local)
    done: list[Job] = field(default_factory=list)
    levels: list[tuple[float, float]] = field(default_factory=list)
    existing: list[Job] = field(default_factory=list)
    skipped: int = 0
    failed: int = 0
    left_as_is: int = 0

    def preview(self, jobs: Sequence[Job]) -> None:
        """Say what :meth:`go` would do, as far as that shows without reading a picture."""
        for job in self._allowed(jobs):
            if os.access(job.source, os.R_OK):
                console.out(console.one_line(f"{job.source} -> {job.target}"))
            else:
                there = os.path.lexists(job.source)
                self._fail(job, "may not be read" if there else "does not exist")
        self._report_existing()
        self._report_left_out()

    def go(self, jobs: Sequence[Job]) -> None:
        """Do every job; failures are reported, one a line, and counted.

        Raises:
            RelumeError: nothing can be done: an option is wrong, or weights are missing.
            typer.Exit: Ctrl-C, with exit code 130, or a full disk, with 1.
        """
        began = time.monotonic()
        several = len(jobs) > 1
        how_far = f"of {console.count(len(jobs), 'photo')} enhanced"
        try:
            with console.progress_bar(
                "enhancing",
                total=len(jobs) if several else None,
                quiet=self.quiet,
                after_s=0 if several else console.PATIENCE_S,
            ) as bar:
                name = console.one_line(jobs[0].source.name) if jobs else ""
                with (
                    nullcontext() if several else self._tiles_shown(bar, name),
                    closing(self._outcomes(self._allowed(jobs, passed=bar.advance))) as outcomes,
                ):
                    for outcome in outcomes:
                        self._note(outcome.item, outcome.get())
                        if several:
                            bar.advance(console.one_line(outcome.item.source.name))
        except KeyboardInterrupt:
            console.say(
                f"stopped: {self._ready()} {how_far}; the same command with --skip-existing goes on"
            )
            raise typer.Exit(console.INTERRUPTED) from None
        except _NoRoomError as error:
            console.fail(f"{error}; stopped with {self._ready()} {how_far}")
            raise typer.Exit(1) from None
        self._report_existing()
        if not self.quiet:
            console.say(self._summary(time.monotonic() - began))
            self._report_left_out()

    @contextmanager
    def _tiles_shown(self, bar: console.Bar, name: str) -> Iterator[None]:
        """A single photo's progress: its tiles."""
        from relume.image.tiles import on_tile

        token = on_tile.set(lambda done, total: bar.show(done, total, f"tiles of {name}"))
        try:
            yield
        finally:
            on_tile.reset(token)

    def _ready(self) -> int:
        return len(self.done) + self.skipped

    def _allowed(
        self, jobs: Iterable[Job], *, passed: Callable[[], None] = lambda: None
    ) -> Iterable[Job]:
        for job in jobs:
            refusal = job.refusal(overwrite=self.overwrite)
            if refusal is None:
                yield job
                continue
            passed()
            if not (job.problem is None and job.is_done):
                self._fail(job, refusal)
            elif self.skip_existing:
                self.skipped += 1
            else:
                self.failed += 1
                self.existing.append(job)

    def _outcomes(self, jobs: Iterable[Job]) -> Generator[Outcome[Job, Row], None, None]:
        writer = Writer(
            self.work, self.quality, self.overwrite, self.max_megapixels, self.on.threads
        )
        return self.on.run(writer.start, jobs)

    def _note(self, job: Job, row: Row) -> None:
        """Tell and count what came of a job."""
        if not self.quiet:
            for note in row.notes:
                console.say(console.one_line(f"note: {job.source}: {note}"))
        if row.error is not None:
            if console.is_verbose() and row.trace:
                console.say(row.trace)
            self._fail(job, row.error)
            return
        if row.levels is not None:
            self.levels.append(row.levels)
        self.left_as_is += row.as_is
        if not self.done and self.output is not None:
            from relume.cli.jobs import leave_results_file

            leave_results_file(Path(self.output), self.inputs)
        self.done.append(job)

    def _fail(self, job: Job, error: str) -> None:
        self.failed += 1
        console.fail(error, about=job.source)

    def _report_existing(self) -> None:
        if len(self.existing) == 1:
            console.fail(str(self.existing[0].refusal(overwrite=False)))
        elif self.existing:
            console.fail(
                f"{len(self.existing)} results exist already, the first is "
                f"{self.existing[0].target}; --skip-existing leaves them out, "
                "--overwrite replaces them"
            )

    def _report_left_out(self) -> None:
        """What of the folders named was not read, in a line; special files in a line each."""
        if self.quiet:
            return
        for path in self.found.special:
            console.say(console.one_line(f"note: {path} is left out: it is no regular file"))
        parts = [
            f"{console.count(len(paths), noun)} ({console.some(p.name for p in paths)})"
            for paths, noun in (
                (self.found.earlier, "earlier result"),
                (self.found.others, "other file"),
            )
            if paths
        ]
        if parts:
            console.say(f"left out: {', '.join(parts)}")

    def _summary(self, seconds: float) -> str:
        levels = [sum(values) / len(values) for values in zip(*self.levels, strict=True)]
        text = f"{seconds:.1f} s"
        if levels:
            mean = "mean brightness" if len(self.levels) > 1 else "brightness"
            text = f"{mean} {levels[0]:.2f} -> {levels[1]:.2f}, {text}"
        option = self.work.to_change_lit
        if len(self.done) == 1 and not self.skipped and not self.failed:
            job = self.done[0]
            lit = f": left nearly as it is (looks lit; {option} changes it)"
            note = lit if self.left_as_is else ""
            return console.one_line(f"{job.source} -> {job.target} ({text}){note}")
        parts = [f"{console.count(len(self.done), 'photo')} enhanced"]
        if self.done:
            parts[0] += f" -> {self.output or 'beside the photos'}"
        if self.left_as_is:
            are = "it is" if self.left_as_is == 1 else "they are"
            parts.append(f"{self.left_as_is} left nearly as {are} ({option} changes lit photos)")
        if self.skipped:
            parts.append(f"{self.skipped} there already")
        if self.failed:
            parts.append(f"{self.failed} failed")
        return console.one_line(f"{', '.join(parts)} ({text})")


def _failed(error: Exception, notes: tuple[str, ...] = ()) -> Row:
    trace = "".join(traceback.format_exception(error)).rstrip()
    return Row(notes, console.reason(error), trace)


def _samples(*photos: Photo) -> tuple[Image, ...]:
    from relume.image.exposure import subsample

    return tuple(subsample(photo.pixels, 250_000) for photo in photos)
