"""What ``relume detect`` does to every photo and clip, and what it says of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import typer

from relume.cli import console
from relume.cli.console import PIPE
from relume.cli.jobs import Job
from relume.cli.run import Run
from relume.cli.tables import as_json
from relume.cli.work import FRAMES, Row
from relume.errors import InputError

if TYPE_CHECKING:
    from relume.cli.detect import Detect
    from relume.faces import Detection
    from relume.frames import FrameFaces
    from relume.photo import Photo

LEGEND = "blue: seen on the photo as it is; orange: seen only when relit"


@dataclass(frozen=True)
class Search:
    """The search for faces: ``given`` are the options of :func:`relume.faces.detect`.

    ``every`` so many frames of a clip are searched, None: as many as usual.
    """

    given: Mapping[str, Any]
    draw_on: str | None = None
    every: int | None = None

    takes_shards: ClassVar[bool] = False

    def prepare(self) -> None:
        """Nothing: what is missing is said of the first photo."""

    def settled(self, *, elsewhere: bool) -> Search:
        """With views in one precision, for several processes, here or ``elsewhere``."""
        from relume.enhancers import settle
        from relume.faces import RELIT

        runtime = settle(RELIT, elsewhere=elsewhere)
        return replace(self, given={**self.given, "runtime": runtime})

    def photo(self, photo: Photo, job: Job, format: str) -> tuple[Photo | None, Row]:
        """What was found, and the photo with it drawn in where that is to be written."""
        from relume import faces

        del format
        found = faces.detect(photo, **self.given)
        row = Row(
            text=_as_text(job.name, found), lines=(found.as_json(job.name),), faces=len(found.faces)
        )
        return None if job.target is None else self._drawn(photo, found), row

    def clip(
        self, job: Job, *, overwrite: bool, keep: Callable[[dict[str, Any]], None] | None = None
    ) -> Row:
        """The faces of every frame, followed; with ``keep`` these are given to it, not to the row.

        Raises:
            RelumeError: as :func:`relume.frames.detect_video`.
        """
        from relume.frames import detect_video
        from relume.io.places import make_folder

        if not isinstance(job.source, Path) or not isinstance(job.target, Path | None):
            raise InputError(f"{job.name}: clips are read on this machine: download it first")
        if job.target is not None:
            make_folder(job.target.parent)
        frames: list[dict[str, Any]] = []
        log = FrameLog(keep or (lambda frame: frames.append({"photo": job.name, **frame})))
        report = detect_video(
            job.source,
            log,
            drawing=job.target,
            on_relit=None if self.draw_on is None else self.draw_on == "relit",
            overwrite=overwrite,
            progress=FRAMES.get(),
            **{name: v for name, v in self.given.items() if name != "views"},
            **({} if self.every is None else {"every": self.every}),
        )
        return Row(
            tuple(report.notes), text=log.as_text(job.name), lines=tuple(frames),
            faces=len(log.tracks), frames=report.frames,
        )  # fmt: skip

    def _drawn(self, photo: Photo, found: Detection) -> Photo:
        """The photo with its faces drawn in, relit where it is too dark to show them."""
        from relume.faces import RELIT, render_full_size
        from relume.faces.views import is_dark
        from relume.image import draw

        shown = found.relit_views or ("views" not in self.given and is_dark(photo.pixels))
        relit = self.draw_on == "relit" or (self.draw_on is None and shown)
        view = (found.relit_views or [RELIT])[0]
        pixels = render_full_size(view, photo.pixels).image if relit else photo.pixels
        colours = [draw.ORANGE if face.only_relit else draw.SKY for face in found.faces]
        return photo.with_pixels(draw.draw_faces(pixels, found.faces, colours))


@dataclass
class Seen:
    """When a face was seen, and how surely at best."""

    first_s: float
    last_s: float
    frames: int
    score: float


@dataclass
class FrameLog:
    """The frames as JSON has them, for ``keep``; what stays here is a line a track."""

    keep: Callable[[dict[str, Any]], None]
    tracks: dict[int, Seen] = field(default_factory=dict)

    def __call__(self, frame: FrameFaces) -> None:
        """Take the faces of the next frame."""
        for each in frame.faces:
            seen = self.tracks.setdefault(each.track, Seen(frame.seconds, 0.0, 0, 0.0))
            seen.last_s, seen.frames = frame.seconds, seen.frames + 1
            seen.score = max(seen.score, each.face.score)
        self.keep(frame.as_json())

    def as_text(self, name: str) -> str:
        """A line for the clip and one for each track."""
        lines = [f"{console.one_line(name)}: {console.count(len(self.tracks), 'face')}"]
        for number, seen in self.tracks.items():
            span = f"{seen.first_s:.2f}-{seen.last_s:.2f} s"
            frames = console.count(seen.frames, "frame")
            lines.append(f"  track {number}  {span}, {frames}  best score {seen.score:.2f}")
        return "\n".join(lines)


@dataclass
class Searched(Run):
    """The run of ``detect``: faces as rows, in a document, or said as text."""

    asked: Detect
    faces: int = 0
    there: int = 0
    kept: list[dict[str, Any]] = field(default_factory=list)

    verb: ClassVar[str] = "detect"
    ordered: ClassVar[bool] = True

    @property
    def document(self) -> str | None:
        """The file of JSON, if one is written in place of rows."""
        return self.asked.as_json or (self.asked.output if self.rows is None else None)

    @property
    def talks(self) -> bool:
        """Whether faces are said as text, on a terminal."""
        as_text = self.document is None and self.rows is None
        return as_text and sys.stdout is not None and sys.stdout.isatty()

    def allowed(self, passed: Callable[[], None]) -> Iterator[Job]:
        """The jobs that have no rows yet."""
        for job in self.jobs:
            if console.as_utf8(job.name) in self._in_rows:
                self.there += 1
                passed()
            else:
                yield job

    def lines(self, job: Job, row: Row) -> Iterable[dict[str, Any]]:
        """The photo and its faces, or its error; of a clip a line for each frame."""
        if row.error is not None:
            return [{"photo": job.name, "error": row.error}]
        return [dict(line) for line in row.lines]

    def tell(self, job: Job, row: Row) -> None:
        """A line for the photo, and one for each face."""
        self.faces += row.faces
        if self.document is not None:
            self.kept += self.lines(job, row)
        elif self.rows is None:
            console.out(row.text)

    def fail(self, job: Job, error: str) -> None:
        """As ever, and in the document."""
        super().fail(job, error)
        if self.document is not None:
            self.kept += self.lines(job, Row(error=error))

    def summary(self, seconds: float) -> None:
        """Write the document, and say how many faces were found."""
        del seconds
        if self.document == PIPE:
            typer.echo(_document(self.kept, as_lines=self.asked.output is not None), nl=False)
        elif self.document is not None:
            from relume.io.atomic import write_atomic

            text = _document(self.kept, as_lines=False)
            write_atomic(Path(self.document), text.encode(), overwrite=self.asked.overwrite)
        where = self.rows.target if self.rows is not None else self.document
        if self.asked.quiet:
            return
        if self.asked.draw is not None and self.faces:
            console.say(LEGEND)
        if where in (None, PIPE):
            return
        searched = console.photos_and_clips(self.done - self.clips, self.clips)
        there = f"; {console.count(self.there, 'photo')} there already" if self.there else ""
        failed = f"; {console.count(self.failed, 'photo')} failed" if self.failed else ""
        faces = console.count(self.faces, "face")
        console.say(f"{faces} in {searched}{there}{failed} -> {where}")


def _as_text(name: str, found: Detection) -> str:
    """A line for the photo, and one for each face."""
    faces = found.faces
    lines = [f"{console.one_line(name)}: {console.count(len(faces), 'face')}"]
    for face in faces:
        box = ", ".join(f"{v:.0f}" for v in face.box)
        points = "" if face.landmarks is None else f"  {len(face.landmarks)} landmarks"
        lines.append(f"  box {box}  score {face.score:.2f}  view {face.view}{points}")
    if found.warning is not None:
        lines.append(f"  {found.warning}")
    return "\n".join(lines)


def _document(photos: Sequence[dict[str, Any]], *, as_lines: bool) -> str:
    """JSON lines, or one document with a line for each face."""
    if as_lines:
        return "".join(as_json(photo) + "\n" for photo in photos)
    texts = [_face_lines(photo) for photo in photos]
    return (texts[0] if len(texts) == 1 else "[\n" + ",\n".join(texts) + "\n]") + "\n"


def _face_lines(photo: dict[str, Any]) -> str:
    lines = [json.dumps(face, ensure_ascii=False) for face in photo.pop("faces", ())]
    faces = "[\n  " + ",\n  ".join(lines) + "\n]" if lines else "[]"
    head = as_json(photo)
    return head if "error" in photo else f'{head[:-1]}, "faces": {faces}}}'
