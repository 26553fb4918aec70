"""A run over many photos: one bad file is a line on stderr, the others are done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import typer

from relume.cli import console
from relume.errors import MissingExtra, ParameterError, WeightsError

if TYPE_CHECKING:
    from relume.cli.jobs import Job
    from relume.photo import Photo


CONCERNS_ALL = (ParameterError, WeightsError, MissingExtra)
"""Errors that every photo of a run would meet alike: they end it."""


class Work(Protocol):
    """What is done to every photo."""

    def __call__(self, photo: Photo) -> Photo:
        """The photo as it will be written."""

    def prepare(self) -> None:
        """Whatever can fail for all photos alike, before the first."""


@dataclass
class Run:
    """A run over jobs: each done, skipped or failed, with the count of each.

    ``levels`` are the mean grey levels of the first photo done, before and after.
    """

    work: Work
    quality: int | None = None
    overwrite: bool = False
    skip_existing: bool = False
    max_megapixels: float = 200.0
    quiet: bool = False
    done: list[Job] = field(default_factory=list)
    skipped: int = 0
    failed: int = 0
    levels: tuple[float, float] = (0.0, 0.0)

    def tell(self, jobs: Sequence[Job]) -> None:
        """Say what :meth:`go` would do."""
        for job in self._allowed(jobs):
            console.out(console.one_line(f"{job.source} -> {job.target}"))

    def go(self, jobs: Sequence[Job]) -> None:
        """Do every job; failures are told one a line, and counted.

        Raises:
            RelumeError: nothing can be done: an option is wrong, or weights are missing.
            typer.Exit: Ctrl-C, with exit code 130.
        """
        began = time.monotonic()
        quiet = self.quiet or len(jobs) < 2
        try:
            with console.progress_bar("enhancing", total=len(jobs), quiet=quiet) as bar:
                for number, job in enumerate(self._allowed(jobs, passed=bar.advance)):
                    if number == 0:
                        self.work.prepare()
                    self._do(job)
                    bar.advance(console.one_line(job.source.name))
        except KeyboardInterrupt:
            rest = len(jobs) - self.skipped
            console.say(
                f"stopped: {len(self.done)} of {console.count(rest, 'photo')} enhanced; "
                "the same command with --skip-existing goes on"
            )
            raise typer.Exit(console.INTERRUPTED) from None
        if not self.quiet:
            console.say(self._summary(time.monotonic() - began))

    def _allowed(
        self, jobs: Iterable[Job], *, passed: Callable[[], None] = lambda: None
    ) -> Iterable[Job]:
        for job in jobs:
            refusal = job.refusal(overwrite=self.overwrite)
            if refusal is None:
                yield job
                continue
            passed()
            if self.skip_existing and not job.replaces_input:
                self.skipped += 1
            else:
                self._fail(job, refusal)

    def _do(self, job: Job) -> None:
        """One job. What concerns this photo alone is a failure; what concerns all is raised."""
        from relume.image.exposure import mean_level
        from relume.io import read, write

        try:
            photo = read(job.source, max_megapixels=self.max_megapixels)
        except Exception as error:
            return self._fail(job, error)
        if not self.quiet:
            for note in photo.meta.notes:
                console.say(console.one_line(f"note: {job.source}: {note}"))
        try:
            result = self.work(photo)
        except CONCERNS_ALL:
            raise
        except Exception as error:
            return self._fail(job, error)
        try:
            job.target.parent.mkdir(parents=True, exist_ok=True)
            write(result, job.target, overwrite=self.overwrite, quality=self.quality)
        except Exception as error:
            return self._fail(job, error)
        if not self.done:
            self.levels = (mean_level(photo.pixels), mean_level(result.pixels))
        self.done.append(job)
        return None

    def _fail(self, job: Job, error: Exception | str) -> None:
        self.failed += 1
        console.trace(error)
        console.fail(console.reason(error), about=job.source)

    def _summary(self, seconds: float) -> str:
        if len(self.done) == 1 and not self.skipped and not self.failed:
            job = self.done[0]
            before, after = self.levels
            text = f"brightness {before:.2f} -> {after:.2f}, {seconds:.1f} s"
            return console.one_line(f"{job.source} -> {job.target} ({text})")
        parts = [f"{console.count(len(self.done), 'photo')} enhanced"]
        if self.skipped:
            parts.append(f"{self.skipped} there already")
        if self.failed:
            parts.append(f"{self.failed} failed")
        return f"{', '.join(parts)} ({seconds:.1f} s)"
