"""A run that relights: what is there already, how bright photos became, which were left alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import typer

from relume.cli import console
from relume.cli.finding import leave_results_file
from relume.cli.jobs import Job
from relume.cli.relighting import Relighting
from relume.cli.run import Run
from relume.cli.work import Row
from relume.io.places import place

if TYPE_CHECKING:
    from relume.cli.enhance import Enhance

NO_LIGHT = 0.01
"""Mean level, before and after, of a photo that shows nothing."""


MOST_ON_SHEET = 600
"""Photos on one sheet: three beside each other, and a JPEG has 65,500 rows at most."""

NO_MORE = "its black places hold no light"
"""Why a photo stays darker than was asked for."""


def line(job: Job, row: Row) -> dict[str, Any]:
    """What a table has of a photo or clip."""
    before, after = (None, None) if row.levels is None else row.levels
    failed = row.error is not None
    return {
        "photo": job.name,
        "result": None if failed else str(job.target),
        "status": "failed" if failed else "there" if row.there else "done",
        "brightness_before": before,
        "brightness_after": after,
        "left_as_is": None if row.there else row.as_is,
        "seconds": None if row.there else round(row.seconds, 3),
        "notes": "; ".join((*row.notes, *row.problems)) or None,
        "error": row.error,
    }


@dataclass
class Relit(Run):
    """The run of ``enhance``; one that is ``piped`` says nothing about what went well."""

    asked: Enhance
    piped: bool = False
    existing: list[Job] = field(default_factory=list)
    levels: list[tuple[float, float]] = field(default_factory=list)
    as_is: list[Job] = field(default_factory=list)
    dark: list[Job] = field(default_factory=list)
    short: list[Job] = field(default_factory=list)
    small: dict[str, bytes] = field(default_factory=dict)
    _first: Job | None = None

    verb: ClassVar[str] = "enhance"

    @property
    def work(self) -> Relighting:
        """What is done."""
        assert isinstance(self.worker.work, Relighting)
        return self.worker.work

    def preview(self) -> None:
        """Say what :meth:`go` would do, as far as that shows without reading a picture."""
        from relume.cli.finding import is_numbered
        from relume.io import why_unreadable

        self.report_unlisted()
        for job in self.allowed(lambda: None):
            local = isinstance(job.source, Path) and not is_numbered(job.source)
            if local and (why := why_unreadable(Path(job.name))):
                self.fail(job, why)
            else:
                console.out(console.one_line(f"{job.source} -> {job.target}"))
        self._report_existing()
        self.report_left_out()
        if self.failed:
            raise typer.Exit(1)

    def allowed(self, passed: Callable[[], None]) -> Iterator[Job]:
        """The jobs whose results may be written."""
        for job in self.jobs:
            overwrite = self.worker.overwrite
            refusal = job.refusal(overwrite=overwrite)
            if overwrite and job.replaces_input and not self.work.may_replace:
                refusal = f"the result would replace the input {job.source}; name another -o"
            if refusal is None:
                yield job
                continue
            passed()
            if not (job.problem is None and job.is_done):
                self.fail(job, refusal)
            elif self.worker.skip_existing:
                self.skip(job)
            else:
                self.failed += 1
                self.existing.append(job)

    def lines(self, job: Job, row: Row) -> Iterable[dict[str, Any]]:
        """A line for the photo or clip."""
        yield line(job, row)

    def tell(self, job: Job, row: Row) -> None:
        """Keep what the summary says; a clip says it at once."""
        if row.data is not None:
            console.out_bytes(row.data)
        if row.text and not self.asked.quiet:
            console.say(row.text)
        if row.levels is not None:
            self.levels.append(row.levels)
            if max(row.levels) < NO_LIGHT:
                self.dark.append(job)
        if row.as_is:
            self.as_is.append(job)
        if row.short and job not in self.dark:
            self.short.append(job)
        if row.small is not None:
            self.small[job.name] = row.small
        if self._first is None:
            self._first = job
            if self.asked.output is not None and not self.piped:
                leave_results_file(place(self.asked.output), self.found.inputs)

    def summary(self, seconds: float) -> None:
        """How bright the photos became, and what was left as it was."""
        self._report_existing()
        if self.asked.sheet is not None and self.small:
            self._write_sheet(self.asked.sheet)
        if self.asked.quiet or self.piped or (not self.several and (self.failed or self.clips)):
            return  # of one photo its error says all, of a clip what was said of it
        if not self.several and self.skipped and self.jobs[0].is_clip:
            console.say(f"{self.jobs[0].target} is there already")
            return
        levels = [sum(values) / len(values) for values in zip(*self.levels, strict=True)]
        took = f"{seconds:.1f} s"
        if levels:
            mean = "mean brightness" if len(self.levels) > 1 else "brightness"
            took = f"{mean} {levels[0]:.2f} -> {levels[1]:.2f}, {took}"
        alone = self.done == 1 and not self.skipped and not self.failed
        text = self._of_one(took) if alone else self._of_several(took)
        console.say(text)

    def _of_one(self, took: str) -> str:
        job, option = self._first, self.work.to_change_lit
        assert job is not None
        note = ""
        if self.as_is:
            note = f": left nearly as it is (looks lit; {option} changes it)"
        elif self.dark:
            note = ": it holds no light that could be brought up"
        elif self.short:
            light, asked = self.levels[0][1], self.work.brightness
            note = f": there is light for {light:.2f} of the {asked:g} ({NO_MORE})"
        return f"{job.source} -> {job.target} ({took}){note}"

    def _of_several(self, took: str) -> str:
        done = console.photos_and_clips(self.done - self.clips, self.clips)
        parts = [
            f"{done} enhanced" + f" -> {self.asked.output or 'beside the photos'}" * (self.done > 0)
        ]
        if self.as_is:
            are = "it is" if len(self.as_is) == 1 else "they are"
            which = console.some(job.source.name for job in self.as_is)
            parts.append(
                f"{len(self.as_is)} left nearly as {are} ({self.work.to_change_lit} changes lit "
                f"photos): {which}"
            )
        if self.dark:
            which = console.some(job.source.name for job in self.dark)
            parts.append(f"{len(self.dark)} without light that could be brought up: {which}")
        if self.short:
            which = console.some(job.source.name for job in self.short)
            parts.append(f"{len(self.short)} below {self.work.brightness:g} ({NO_MORE}): {which}")
        if self.skipped:
            parts.append(f"{self.skipped} there already")
        if self.failed:
            parts.append(f"{self.failed} failed")
        return f"{', '.join(parts)} ({took})"

    def _report_existing(self) -> None:
        if len(self.existing) == 1:
            console.fail(str(self.existing[0].refusal(overwrite=False)))
        elif self.existing:
            console.fail(
                f"{len(self.existing)} results exist already, the first is "
                f"{self.existing[0].target}; --skip-existing leaves them out, "
                "--overwrite replaces them"
            )

    def _write_sheet(self, path: Path) -> None:
        """One picture of all photos before and after, in the order of the jobs."""
        from relume.image import draw
        from relume.io import decode, write
        from relume.photo import Photo

        names = dict.fromkeys(job.name for job in self.jobs if job.name in self.small)
        pairs = [decode(self.small[name]).pixels for name in list(names)[:MOST_ON_SHEET]]
        write(Photo(draw.sheet(pairs)), path, overwrite=True)
        if not self.asked.quiet:
            first = "the first " * (len(names) > len(pairs))
            photos = console.count(len(pairs), "photo")
            console.say(f"{first}{photos} before and after -> {path}")
