"""A run over many photos and clips: a bad file is a line on stderr, the others are done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar

import typer

from relume.cli import console, options
from relume.cli.finding import Found
from relume.cli.jobs import Job
from relume.cli.tables import Rows
from relume.cli.work import FRAMES, NoRoomError, Row, Worker, shared_mark
from relume.errors import WorkerLost
from relume.executor import Executor, Local
from relume.io.atomic import sweep
from relume.io.places import Location, Place, all_remote

if TYPE_CHECKING:
    from relume.cli.detect import Detect
    from relume.cli.enhance import Enhance


@dataclass
class Run:
    """A run over jobs: each done, skipped or failed, with the count of each.

    ``rows`` is the table that they go to.
    """

    asked: Enhance | Detect
    worker: Worker
    jobs: Sequence[Job]
    found: Found
    rows: Rows | None = None
    on: Executor = field(init=False)
    done: int = 0
    clips: int = 0
    skipped: int = 0
    failed: int = 0
    _in_rows: set[str] = field(default_factory=set)

    verb: ClassVar[str]
    """What is done to them, as ``enhance``."""
    ordered: ClassVar[bool] = False
    """Whether what came of them is told in the order of the jobs."""

    def __post_init__(self) -> None:
        asked, paths = self.asked, ((job.source, job.target) for job in self.jobs)
        remote = all_remote(path for path in chain.from_iterable(paths) if path)
        self.on = options.parse_on(asked.on, asked.processes, remote=remote) or Local()

    def lines(self, job: Job, row: Row) -> Iterable[dict[str, Any]]:
        """What the table has of a job."""
        raise NotImplementedError

    def tell(self, job: Job, row: Row) -> None:
        """Say and keep what came of a job that is done."""
        raise NotImplementedError

    def summary(self, seconds: float) -> None:
        """Say what came of all of them."""
        raise NotImplementedError

    def allowed(self, passed: Callable[[], None]) -> Iterator[Job]:
        """The jobs that are to be done; the others are said and counted, and told ``passed``."""
        del passed
        yield from self.jobs

    @property
    def talks(self) -> bool:
        """Whether results appear on the terminal as they come, where a bar would stand."""
        return False

    @property
    def several(self) -> bool:
        """Whether there is more than one photo or clip."""
        return len(self.jobs) > 1

    def go(self) -> None:
        """Do every job; failures are reported, one a line, and counted.

        Raises:
            RelumeError: nothing can be done: an option is wrong, or weights are missing.
            typer.Exit: Ctrl-C, with exit code 130, or a full disk, with 1.
        """
        began = time.monotonic()
        self.report_unlisted()
        try:
            self._do_all()
        except KeyboardInterrupt:
            how_far = self._how_far()
            console.say(f"stopped: {how_far}; the same command with --skip-existing goes on")
            raise typer.Exit(console.INTERRUPTED) from None
        except NoRoomError as error:
            console.fail(f"{error}; stopped with {self._how_far()}")
            raise typer.Exit(1) from None
        self.summary(time.monotonic() - began)
        self.report_left_out()
        if self.failed:
            raise typer.Exit(1)

    def _how_far(self) -> str:
        past = self.verb + ("d" if self.verb.endswith("e") else "ed")
        return f"{self.done + self.skipped} of {console.things(self.jobs)} {past}"

    def _do_all(self) -> None:
        first = self.jobs[0] if self.jobs else None
        worker = self.worker
        if self.on.threads:  # workers beside others
            settled = worker.work.settled(elsewhere=self.on.elsewhere)
            worker = replace(worker, work=settled, threads=self.on.threads)
        with ExitStack() as stack:
            stack.enter_context(console.ending_in_order())
            bar = stack.enter_context(
                console.progress_bar(
                    self.verb.removesuffix("e") + "ing",
                    total=len(self.jobs) if self.several else None,
                    quiet=self.asked.quiet or self.talks,
                    after_s=0 if self.several or (first and first.is_clip) else console.PATIENCE_S,
                )
            )
            stack.enter_context(self._steps_shown(bar))
            if self.rows is not None:
                stack.enter_context(self.rows)
                self._in_rows = self.rows.done()
            shared = stack.enter_context(shared_mark(self.on, first.target if first else None))
            start = replace(worker, shared=shared).start
            outcomes = self.on.run(start, self.allowed(bar.advance), ordered=self.ordered)
            for outcome in stack.enter_context(closing(outcomes)):
                is_lost = isinstance(outcome.error, WorkerLost)
                row = Row(error=str(outcome.error)) if is_lost else outcome.get()
                self._note(outcome.item, row)
                if self.several:
                    bar.advance(console.one_line(outcome.item.source.name))
            if self.worker.skip_existing or not isinstance(self.on, Local):
                # what workers that were killed, here or before, had not finished
                sweep(job.target for job in self.jobs if not isinstance(job.target, Place | None))
            if self.rows is not None:
                self.rows.finish([job.name for job in self.jobs])

    @contextmanager
    def _steps_shown(self, bar: console.Bar) -> Iterator[None]:
        """The progress within one photo or clip: its tiles, or its frames."""
        from relume.image.tiles import on_tile

        name = console.one_line(self.jobs[0].source.name) if self.jobs else ""
        began = time.monotonic()

        def frames(done: int, total: int | None) -> None:
            if self.several:
                bar.note(f"{done} of {total or '?'} frames")
            else:
                speed = done / max(time.monotonic() - began, 1e-3)
                bar.show(done, total, f"{speed:.1f} frames/s, {name}")

        with ExitStack() as shown:
            shown.callback(FRAMES.reset, FRAMES.set(frames))
            if not self.several:
                tiles = on_tile.set(lambda done, total: bar.show(done, total, f"tiles of {name}"))
                shown.callback(on_tile.reset, tiles)
            yield

    def _note(self, job: Job, row: Row) -> None:
        """Tell and count what came of a job."""
        if row.there:
            self.skip(job)
            return
        members = (
            (Job(job.source / name, job.target and job.target / name), made)
            for name, made in row.members
        )
        done = list(members) or [(job, row)]
        if self.rows is not None:
            self.rows.add(*(line for one, made in done for line in self.lines(one, made)))
        for one, made in done:
            self._count(one, made)

    def _count(self, job: Job, row: Row) -> None:
        if not self.asked.quiet:
            for note in row.notes:
                console.say(f"note: {job.name}: {note}")
        for problem in row.problems:
            console.fail(problem)
        if row.error is not None:
            console.trace(row.trace)
            self.fail(job, row.error)
            return
        self.done += 1
        self.clips += job.is_clip
        self.failed += bool(row.problems)
        self.tell(job, row)

    def report_unlisted(self) -> None:
        """Say and count the folders that could not be listed."""
        for problem in self.found.problems:
            self.failed += 1
            console.fail(f"cannot list {problem.filename}: {problem.strerror}")

    def skip(self, job: Job) -> None:
        """Count a result that is there; with a row, if none was written with it."""
        self.skipped += 1
        if self.rows is not None and console.as_utf8(job.name) not in self._in_rows:
            self.rows.add(*self.lines(job, Row(there=True)))

    def fail(self, job: Job, error: str) -> None:
        """Say and count a failure."""
        self.failed += 1
        console.fail(error, about=job.name)

    def report_left_out(self) -> None:
        """What of the folders named was not read, in a line; special files in a line each."""
        if self.asked.quiet:
            return
        for path in self.found.special:
            console.say(f"note: {path} is left out: it is no regular file")
        kinds: tuple[tuple[Sequence[Location], str], ...] = (
            (self.found.earlier, "earlier result"),
            (self.found.others, "other file"),
        )
        parts = [
            f"{console.count(len(paths), noun)} ({console.some(p.name for p in paths)})"
            for paths, noun in kinds
            if paths
        ]
        if parts:
            console.say(f"left out: {', '.join(parts)}")
