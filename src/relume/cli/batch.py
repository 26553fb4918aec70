"""A run over many photos: one bad file is a line on stderr, the others are done."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from relume.cli import console
from relume.cli.jobs import Job, leave_results_file
from relume.cli.writing import NoRoomError, Row, Work, Writer, shared_mark
from relume.executor import Executor, Local, Outcome
from relume.io.atomic import sweep
from relume.io.formats import MAX_MEGAPIXELS
from relume.io.places import Location, place

if TYPE_CHECKING:
    from relume.cli.jobs import Found
    from relume.cli.tables import Rows

NO_LIGHT = 0.01
"""Mean level, before and after, of a photo that shows nothing."""


@dataclass
class Run:
    """A run over jobs: each done, skipped or failed, with the count of each.

    ``inputs`` are the paths that were named and ``output`` what ``-o`` said; ``rows`` the
    table they go to; ``first`` the first job done, ``levels`` the mean grey levels of each photo
    done, before and after.
    """

    work: Work
    found: Found
    inputs: Sequence[Location] = ()
    output: str | None = None
    quality: int | None = None
    overwrite: bool = False
    skip_existing: bool = False
    max_megapixels: float = MAX_MEGAPIXELS
    quiet: bool = False
    on: Executor = field(default_factory=Local)
    format: str | None = None
    rows: Rows | None = None
    done: int = 0
    first: Job | None = None
    levels: list[tuple[float, float]] = field(default_factory=list)
    existing: list[Job] = field(default_factory=list)
    skipped: int = 0
    failed: int = 0
    left_as_is: int = 0
    _in_rows: set[str] = field(default_factory=set)

    def preview(self, jobs: Sequence[Job]) -> None:
        """Say what :meth:`go` would do, as far as that shows without reading a picture."""
        from relume.io import why_unreadable

        for job in self._allowed(jobs):
            if isinstance(job.source, Path) and (why := why_unreadable(job.source)):
                self._fail(job, why)
            else:
                console.out(console.one_line(f"{job.source} -> {job.target}"))
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
                allowed = self._allowed(jobs, passed=bar.advance)
                with (
                    nullcontext() if several else self._tiles_shown(bar, name),
                    self.rows or nullcontext(),
                    shared_mark(self.on, jobs[0].target if jobs else None) as shared,
                    closing(self._outcomes(allowed, shared)) as outcomes,
                ):
                    self._in_rows = set() if self.rows is None else self.rows.done()
                    for outcome in outcomes:
                        self._note(outcome.item, outcome.get())
                        if several:
                            bar.advance(console.one_line(outcome.item.source.name))
                    if self.skip_existing or not isinstance(self.on, Local):
                        # what workers that were killed, here or before, had not finished
                        sweep(job.target for job in jobs if isinstance(job.target, Path))
                    if self.rows is not None:
                        self.rows.finish([str(job.source) for job in jobs])
        except KeyboardInterrupt:
            console.say(
                f"stopped: {self._ready()} {how_far}; the same command with --skip-existing goes on"
            )
            raise typer.Exit(console.INTERRUPTED) from None
        except NoRoomError as error:
            console.fail(f"{error}; stopped with {self._ready()} {how_far}")
            raise typer.Exit(1) from None
        self._report_existing()
        if not self.quiet:
            if several or not self.failed:  # of one photo its error says all
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
        return self.done + self.skipped

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
                self._skip(job)
            else:
                self.failed += 1
                self.existing.append(job)

    def _outcomes(
        self, jobs: Iterable[Job], shared: Path | None
    ) -> Generator[Outcome[Job, Row], None, None]:
        work = self.work
        if self.on.threads:  # workers beside others
            work = work.settled(elsewhere=self.on.elsewhere)
        writer = Writer(
            work, self.quality, self.overwrite, self.skip_existing, self.max_megapixels,
            self.on.threads, self.format, shared,
        )  # fmt: skip
        return self.on.run(writer.start, jobs)

    def _note(self, job: Job, row: Row) -> None:
        """Tell and count what came of a job."""
        if row.there:
            self._skip(job)
            return
        members = ((Job(job.source / name, job.target / name), r) for name, r in row.members)
        done = list(members) or [(job, row)]
        if self.rows is not None:
            self.rows.add(*(made.line(str(one.source), str(one.target)) for one, made in done))
        for one, made in done:
            self._count(one, made)

    def _count(self, job: Job, row: Row) -> None:
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
        if self.first is None:
            self.first = job
            if self.output is not None:
                leave_results_file(place(self.output), self.inputs)
        self.done += 1

    def _skip(self, job: Job) -> None:
        """Count a result that is there; with a row, if none was written with it."""
        self.skipped += 1
        name = str(job.source)
        if self.rows is not None and console.as_utf8(name) not in self._in_rows:
            row = Row().line(name, str(job.target)) | {"status": "there", "left_as_is": None}
            self.rows.add(row | {"seconds": None})

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
        if (job := self.first) and self.done == 1 and not self.skipped and not self.failed:
            note = f": left nearly as it is (looks lit; {option} changes it)"
            if not self.left_as_is:
                black = levels and max(levels) < NO_LIGHT
                note = ": it holds no light that could be brought up" if black else ""
            return console.one_line(f"{job.source} -> {job.target} ({text}){note}")
        parts = [f"{console.count(self.done, 'photo')} enhanced"]
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
