"""A photo searched for faces, in whatever process; what was found, as text, as JSON, drawn."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from relume.cli import console
from relume.cli.console import PIPE, STDIN
from relume.cli.writing import CONCERNS_ALL, begin_work, shared_mark
from relume.executor import Executor
from relume.io.places import Location

if TYPE_CHECKING:
    from relume.faces import Detection
    from relume.photo import Photo


class DrawOn(StrEnum):
    """The picture that faces are drawn on."""

    original = "original"
    relit = "relit"


@dataclass(frozen=True)
class Outcome:
    """What was found in a photo, or why nothing could be."""

    name: str
    found: Detection | None = None
    error: str | None = None
    trace: str = ""

    def line(self) -> dict[str, Any]:
        """The photo and its faces, or its error, as JSON has them."""
        if self.found is None:
            return {"photo": self.name, "error": self.error}
        return self.found.as_json(self.name)

    def as_text(self) -> str:
        """A line for the photo, and one for each face."""
        faces = [] if self.found is None else self.found.faces
        lines = [f"{console.one_line(self.name)}: {console.count(len(faces), 'face')}"]
        for face in faces:
            box = ", ".join(f"{v:.0f}" for v in face.box)
            points = "" if face.landmarks is None else f"  {len(face.landmarks)} landmarks"
            lines.append(f"  box {box}  score {face.score:.2f}  view {face.view}{points}")
        if self.found is not None and self.found.warning is not None:
            lines.append(f"  {self.found.warning}")
        return "\n".join(lines)


@dataclass
class Tally:
    """How many photos were searched or failed, were done before, and the faces found."""

    searched: int = 0
    failed: int = 0
    there: int = 0
    faces: int = 0

    def add(self, outcome: Outcome) -> None:
        """One more photo."""
        self.searched += outcome.found is not None
        self.failed += outcome.found is None
        self.faces += 0 if outcome.found is None else len(outcome.found.faces)


class Target(NamedTuple):
    """A photo (or -), and where its drawing goes; ``again``: a lost worker may have left it."""

    name: str
    drawing: Location | None = None
    again: bool = False

    def once_more(self) -> Target:
        """The same, to be done by another worker."""
        return self._replace(again=True)


@dataclass(frozen=True)
class Search:
    """The search of many photos: what fails is an outcome, unless all would meet it alike."""

    find: Callable[[Photo], Detection]
    draw_on: DrawOn | None
    overwrite: bool
    max_megapixels: float
    threads: int = 0
    shared: Path | None = None

    def start(self) -> Callable[[Target], Outcome]:
        """What searches a photo, in its process."""
        begin_work(self.threads, self.shared)
        return self._one

    def run(
        self,
        targets: Sequence[Target],
        where: Executor,
        keep: Callable[[Outcome], None],
        *,
        as_text: bool,
        quiet: bool,
    ) -> tuple[Tally, int]:
        """Search all photos, reported and kept as they come; how many, and the exit code."""
        tally = Tally()
        try:
            with (
                shared_mark(where, targets[0].drawing if targets else None) as shared,
                console.progress_bar("detecting", total=len(targets), quiet=quiet) as bar,
                closing(
                    where.run(replace(self, shared=shared).start, targets, ordered=True)
                ) as work,
            ):
                for done in work:
                    keep(outcome := done.get())
                    tally.add(outcome)
                    if outcome.error is not None:
                        if console.is_verbose():
                            console.say(outcome.trace)
                        console.fail(outcome.error, about=outcome.name)
                    elif as_text:
                        console.out(outcome.as_text())
                    bar.advance(console.one_line(Path(outcome.name).name))
        except KeyboardInterrupt:
            photos = console.count(len(targets), "photo")
            console.say(f"stopped: {tally.searched + tally.failed} of {photos} searched")
            return tally, console.INTERRUPTED
        return tally, int(tally.failed > 0)

    def _one(self, photo_and_drawing: Target) -> Outcome:
        from relume.io import decode, read

        source, target, again = photo_and_drawing
        name = STDIN if source == PIPE else source
        ends_the_run: tuple[type[Exception], ...] = ()
        try:
            if source == PIPE:
                data = console.in_bytes()
                photo = decode(data, name=STDIN, max_megapixels=self.max_megapixels)
            else:
                photo = read(source, max_megapixels=self.max_megapixels)
            ends_the_run = CONCERNS_ALL
            found = self.find(photo)
            if target is not None:
                self._draw(photo, found, target, again)
        except Exception as error:
            if isinstance(error, ends_the_run):
                raise
            trace = "".join(traceback.format_exception(error)).rstrip()
            return Outcome(name, error=console.reason(error), trace=trace)
        return Outcome(name, found)

    def _draw(self, photo: Photo, found: Detection, target: Location, again: bool) -> None:
        """The photo with its faces drawn in, relit where it is too dark to show them."""
        from relume.faces import DEFAULT_VIEWS, render_full_size
        from relume.image import draw
        from relume.io import write
        from relume.io.places import make_folder

        relit = self.draw_on is DrawOn.relit or (self.draw_on is None and found.relit_views)
        view = (found.relit_views or DEFAULT_VIEWS[1:])[0]
        pixels = render_full_size(view, photo.pixels).image if relit else photo.pixels
        colours = [draw.ORANGE if face.only_relit else draw.SKY for face in found.faces]
        drawn = photo.with_pixels(draw.draw_faces(pixels, found.faces, colours))
        make_folder(target.parent)
        write(drawn, target, overwrite=self.overwrite or again)
