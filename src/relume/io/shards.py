"""Tar shards, as WebDataset has them: pictures replaced, everything beside them as it is.

The files of a sample share their name up to its first dot and follow each other: ``0001.jpg``,
``0001.cls``, ``0001.mask.png``. Its picture is ``KEY.jpg`` (or another picture's ending); one with
a longer ending, a mask say, is a label like any other.
"""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

from relume.errors import UnreadableInput
from relume.io.atomic import check_writable, whole_file
from relume.io.formats import READABLE_SUFFIXES
from relume.io.places import Location, Place

Member = tuple[tarfile.TarInfo, bytes]
Change = Callable[[str, bytes], tuple[str, bytes] | None]
"""A picture's name and content, and those of what takes its place; None leaves its sample out."""


def rewrite(source: Location, target: Location, change: Change, *, overwrite: bool) -> None:
    """Write the shard ``target``: ``source`` with its pictures changed, whole or not at all.

    Raises:
        UnreadableInput: no tar file, or a damaged one.
        OutputError: it cannot be written.
    """
    with (
        _read(source) as tar,
        _written(target, overwrite=overwrite) as file,
        tarfile.open(fileobj=file, mode="w") as out,
    ):
        for _, sample in groupby(_members(tar, source), lambda member: _key(member[0].name)):
            for info, data in _changed(sample, change):
                out.addfile(info, io.BytesIO(data) if info.isreg() else None)


def _changed(sample: Iterable[Member], change: Change) -> list[Member]:
    members: list[Member] = []
    whole = True
    for info, data in sample:
        if not info.isreg() or not _is_picture(info.name):
            members.append((info, data))
        elif (made := change(info.name, data)) is None:
            whole = False
        else:
            info.name, new = made
            info.size, info.pax_headers = len(new), {}
            members.append((info, new))
    return members if whole else []


def _members(tar: tarfile.TarFile, source: Location) -> Iterator[Member]:
    try:
        for info in tar:
            file = tar.extractfile(info) if info.isreg() else None
            yield info, b"" if file is None else file.read()
    except (tarfile.TarError, EOFError) as error:
        raise UnreadableInput(f"{source}: damaged or truncated: {error}") from error


@contextmanager
def _read(source: Location) -> Iterator[tarfile.TarFile]:
    with source.open_read() if isinstance(source, Place) else _opened(source) as file:
        try:
            tar = tarfile.open(fileobj=file, mode="r|*")  # noqa: SIM115
        except tarfile.TarError as error:
            raise UnreadableInput(f"{source} is no tar file: {error}") from error
        with tar:
            yield tar


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise UnreadableInput(f"cannot read {path}: {error.strerror}") from error


@contextmanager
def _written(target: Location, *, overwrite: bool) -> Iterator[BinaryIO]:
    """A file to write to that becomes ``target`` at the end of the block."""
    if isinstance(target, Path):
        target.parent.mkdir(parents=True, exist_ok=True)
        check_writable(target, overwrite=overwrite)
        with whole_file(target, overwrite=overwrite) as partial, partial.open("wb") as file:
            yield file
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / target.name
        with path.open("wb") as file:
            yield file
        target.write_file(path, overwrite=overwrite)


def _key(name: str) -> str:
    """The sample that a member belongs to: its path up to the name's first dot."""
    folder, slash, file = name.rpartition("/")
    return folder + slash + file.partition(".")[0]


def _is_picture(name: str) -> bool:
    file = name.rpartition("/")[2]
    return f".{file.partition('.')[2].lower()}" in READABLE_SUFFIXES
