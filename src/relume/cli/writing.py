"""A photo read, relit and written, in whatever process; what came of it is a small row."""

from __future__ import annotations

import errno
import secrets
import socket
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol

from relume.cli import console
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
    from relume.cli.jobs import Job
    from relume.executor import Executor
    from relume.io.places import Location
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

    def settled(self, *, elsewhere: bool) -> Work:
        """The same in one precision, for processes here or ``elsewhere`` that share the photos."""


class NoRoomError(Exception):
    """The disk is full, or the quota used up."""


@dataclass(frozen=True)
class Row:
    """What came of one photo; small, as it may come from another machine.

    ``levels`` are its mean grey levels before and after, ``as_is`` whether it was left nearly as
    it is, ``trace`` where an error came from, ``there`` that its result was there. A shard's has
    the rows of its ``members``, by name.
    """

    notes: tuple[str, ...] = ()
    error: str | None = None
    trace: str = ""
    levels: tuple[float, float] | None = None
    as_is: bool = False
    seconds: float = 0.0
    members: tuple[tuple[str, Row], ...] = ()
    there: bool = False

    def line(self, photo: str, result: str) -> dict[str, Any]:
        """The row as a table has it."""
        before, after = (None, None) if self.levels is None else self.levels
        failed = self.error is not None
        return {
            "photo": photo,
            "result": None if failed else result,
            "status": "failed" if failed else "done",
            "brightness_before": before,
            "brightness_after": after,
            "left_as_is": self.as_is,
            "seconds": round(self.seconds, 3),
            "notes": "; ".join(self.notes) or None,
            "error": self.error,
        }


@dataclass(frozen=True)
class Writer:
    """Reads a photo, has the work done and writes the result, in whatever process.

    ``shared`` is a file that every machine must see before it may write; ``format`` is what the
    pictures in shards become, None their own.
    """

    work: Work
    quality: int | None = None
    overwrite: bool = False
    skip_existing: bool = False
    max_megapixels: float = MAX_MEGAPIXELS
    threads: int = 0
    format: str | None = None
    shared: Path | None = None

    def start(self) -> Callable[[Job], Row]:
        """Whatever can fail for all photos alike, before the first."""
        begin_work(self.threads, self.shared)
        self.work.prepare()
        return self.__call__

    def __call__(self, job: Job) -> Row:
        """One job. What concerns this photo alone is in its row; what concerns all is raised."""
        from relume.io import read, write
        from relume.io.places import make_folder

        began = time.monotonic()
        overwrite = self.overwrite or job.again
        try:
            if self.skip_existing and job.is_done:
                return Row(there=True)  # another run that shares the folder was faster
            if job.is_shard:
                return self._shard(job, overwrite=overwrite)
            with _of_this_photo():
                photo = read(job.source, max_megapixels=self.max_megapixels)
            result, row = self._relit(photo, format_of(job.target.name))
            del photo  # 600 MB at 50 MP, while the result is written
            if result is not None:
                make_folder(job.target.parent)
                write(result, job.target, overwrite=overwrite, quality=self.quality)
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

    def _shard(self, job: Job, *, overwrite: bool) -> Row:
        """A tar file's pictures, one after the other; those that fail are left out."""
        from relume.io import decode, encode, shards

        rows: list[tuple[str, Row]] = []

        def change(name: str, data: bytes) -> tuple[str, bytes] | None:
            began, made = time.monotonic(), None
            own = sniff(data, name) or named_format(name)
            format = self.format or result_format(own)
            try:
                with _of_this_photo():
                    photo = decode(data, name=name, max_megapixels=self.max_megapixels)
                result, row = self._relit(photo, format)
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

    def _relit(self, photo: Photo, format: str) -> tuple[Photo | None, Row]:
        """The photo with the work done, to be written as ``format``; None where that failed."""
        from relume.io import losses

        notes = (*photo.meta.notes, *losses(photo, format))
        try:
            result = self.work(photo)
        except CONCERNS_ALL:
            raise
        except Exception as error:
            return None, failed(error, notes)
        levels, as_is = self._change(*_samples(photo, result))
        return result, Row(notes, levels=levels, as_is=as_is)

    def _change(self, before: Image, after: Image) -> tuple[tuple[float, float] | None, bool]:
        """What a row says about brightness, from samples of the photo and its result."""
        import numpy as np

        from relume.image.exposure import mean_level

        if before.shape != after.shape:
            return None, False
        levels = (mean_level(before), mean_level(after))
        is_lit = bool(levels[0] > DIM and self.work.to_change_lit)
        return levels, is_lit and float(np.abs(after - before).mean()) < NEARLY


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
    trace = "".join(traceback.format_exception(error)).rstrip()
    return Row(notes, console.reason(error), trace)


def _samples(*photos: Photo) -> tuple[Image, ...]:
    from relume.image.exposure import subsample

    return tuple(subsample(photo.pixels, 250_000) for photo in photos)
