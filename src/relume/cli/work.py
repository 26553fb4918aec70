"""A photo or a clip done, in whatever process; what came of it is a small row."""

from __future__ import annotations

import errno
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from relume.cli import console
from relume.cli.jobs import Job
from relume.errors import (
    InputError,
    MissingExtra,
    OutputError,
    OutputExists,
    ParameterError,
    WeightsError,
)
from relume.io.formats import MAX_MEGAPIXELS, ending, format_of, named_format, result_format, sniff

if TYPE_CHECKING:
    from relume.cli.relighting import Relighting
    from relume.cli.search import Search
    from relume.executor import Executor
    from relume.io.places import Location


CONCERNS_ALL = (ParameterError, WeightsError, MissingExtra)
"""Errors that every photo of a run would meet alike: they end it."""

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)

FRAMES: ContextVar[Callable[[int, int | None], None] | None] = ContextVar("FRAMES", default=None)
"""What is told how many frames of a clip are done, and of how many: where it is done here."""


class NoRoomError(Exception):
    """The disk is full, or the quota used up."""


@dataclass(frozen=True)
class Row:
    """What came of one photo or clip; small, as it may come from another machine.

    ``levels`` are its mean grey levels before and after, ``as_is`` whether it was left nearly as
    it is, ``short`` that it stayed darker than was asked for; ``trace`` where an error came from;
    ``there`` that its result was there; ``problems`` errors of which it is done all the same.
    ``text`` is what is said about it, ``lines`` what a table has of it, ``faces`` how many were
    found, in how many ``frames`` of a clip, ``small`` a picture of before and after, ``data`` the
    result that goes to a pipe. A shard's has the rows of its ``members``, by name.
    """

    notes: tuple[str, ...] = ()
    error: str | None = None
    trace: str = ""
    levels: tuple[float, float] | None = None
    as_is: bool = False
    short: bool = False
    seconds: float = 0.0
    members: tuple[tuple[str, Row], ...] = ()
    there: bool = False
    problems: tuple[str, ...] = ()
    text: str = ""
    lines: tuple[Mapping[str, Any], ...] = ()
    faces: int = 0
    frames: int = 0
    small: bytes | None = None
    data: bytes | None = None


@dataclass(frozen=True)
class Worker:
    """Reads a photo, has the work done and writes the result, in whatever process.

    ``shared`` is a file that every machine must see before it may write; ``format`` is what the
    pictures in shards and pipes become, None their own.
    """

    work: Relighting | Search
    quality: int | None = None
    overwrite: bool = False
    skip_existing: bool = False
    max_megapixels: float = MAX_MEGAPIXELS
    format: str | None = None
    threads: int = 0
    shared: Path | None = None

    def start(self) -> Callable[[Job], Row]:
        """Whatever can fail for all photos alike, before the first."""
        begin_work(self.threads, self.shared)
        self.work.prepare()
        return self.__call__

    def __call__(self, job: Job) -> Row:
        """One job. What concerns this photo alone is in its row; what concerns all is raised."""
        began = time.monotonic()
        try:
            if self.skip_existing and job.is_done:
                return Row(there=True)  # another run that shares the folder was faster
            row = self._done(job, overwrite=self.overwrite or job.again)
        except CONCERNS_ALL:
            raise
        except Exception as error:
            if self.skip_existing and isinstance(error, OutputExists):
                return Row(there=True)
            cause = error if isinstance(error, OSError) else error.__cause__
            if isinstance(cause, OSError) and cause.errno in NO_ROOM:
                raise NoRoomError(console.reason(error)) from error
            return failed(error)
        return replace(row, seconds=time.monotonic() - began)

    def _done(self, job: Job, *, overwrite: bool) -> Row:
        from relume.io import decode, encode, read, write
        from relume.io.places import make_folder

        if job.is_clip:
            return self.work.clip(job, overwrite=overwrite)
        if job.is_shard and self.work.takes_shards:
            return self._shard(job, overwrite=overwrite)
        with _of_this_photo():
            if job.data is None:
                photo = read(job.source, max_megapixels=self.max_megapixels)
            else:
                photo = decode(job.data, name=job.name, max_megapixels=self.max_megapixels)
        target = job.target
        written = self.format or result_format(photo.meta.format)
        result, row = self.work.photo(photo, job, format_of(target.name) if target else written)
        del photo  # 600 MB at 50 MP, while the result is written
        if result is None:
            return row
        if target is None:
            return replace(row, data=encode(result, written, quality=self.quality))
        make_folder(target.parent)
        write(result, target, overwrite=overwrite, quality=self.quality)
        return row

    def _shard(self, job: Job, *, overwrite: bool) -> Row:
        """A tar file's pictures, one after the other; those that fail are left out."""
        from relume.io import decode, encode, shards

        assert job.target is not None
        rows: list[tuple[str, Row]] = []

        def change(name: str, data: bytes) -> tuple[str, bytes] | None:
            began, made = time.monotonic(), None
            format = self.format or result_format(sniff(data, name) or named_format(name))
            try:
                with _of_this_photo():
                    photo = decode(data, name=name, max_megapixels=self.max_megapixels)
                result, row = self.work.photo(photo, job, format)
                if result is not None:
                    result_name = str(PurePosixPath(name).with_suffix(ending(name, format)))
                    made = result_name, encode(result, format, quality=self.quality)
            except CONCERNS_ALL:
                raise
            except Exception as error:
                row = failed(error)
            rows.append((name, replace(row, seconds=time.monotonic() - began)))
            return made

        shards.rewrite(job.source, job.target, change, overwrite=overwrite)
        return Row(members=tuple(rows))


@contextmanager
def shared_mark(on: Executor, target: Location | None) -> Iterator[Path | None]:
    """A file beside the first result while other machines work, to see whether they share it.

    Raises:
        OutputError: nothing can be written there.
    """
    if not on.elsewhere or not isinstance(target, Path):
        yield None
        return
    from relume.io.atomic import write_atomic
    from relume.io.places import make_folder

    folder = target.parent.absolute()
    mark = folder / f".relume-{secrets.token_hex(8)}"
    make_folder(folder)
    write_atomic(mark, b"", overwrite=False)
    try:
        yield mark
    finally:
        mark.unlink(missing_ok=True)


def begin_work(threads: int, shared: Path | None) -> None:
    """What every worker does first: keep to its ``threads`` (0: as many as there are).

    Raises:
        OutputError: this machine does not see the file ``shared``: its results would be lost.
    """
    if threads:
        import cv2

        from relume.engine.cpu import limit_threads

        limit_threads(threads)
        cv2.setNumThreads(threads)
    if shared is not None and not shared.exists():
        raise OutputError(
            f"{shared.parent} is not shared with {socket.gethostname()}: results would stay there; "
            "name a folder that all machines share, or an object store (s3://...)"
        )


@contextmanager
def _of_this_photo() -> Iterator[None]:
    """A package that reading needs is missing for this photo's format: others can be done."""
    try:
        yield
    except MissingExtra as error:
        raise InputError(str(error)) from error


def failed(error: Exception, notes: tuple[str, ...] = ()) -> Row:
    """The row of a photo that an error ended."""
    return Row(notes, console.reason(error), console.traced(error))
