"""Tar shards, as WebDataset has them: pictures relit, everything beside them as it is.

The files of a sample share their name up to its first dot and follow each other: ``0001.jpg``,
``0001.cls``, ``0001.mask.png``. What is relit is ``KEY.jpg`` (or another picture's ending); a
picture with a longer ending, a mask say, is a label like any other.
"""

from __future__ import annotations

import io
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from relume.cli.writing import CONCERNS_ALL, Row, Writer, failed
from relume.errors import UnreadableInput
from relume.io import decode, encode
from relume.io.atomic import check_writable, whole_file
from relume.io.formats import READABLE_SUFFIXES, ending, named_format, result_format, sniff
from relume.io.places import Location, Place

Member = tuple[tarfile.TarInfo, bytes]


def relight_shard(writer: Writer, source: Location, target: Location, *, overwrite: bool) -> Row:
    """Write the shard ``target``: ``source`` with its pictures relit, whole or not at all.

    A sample whose picture fails is left out; the row has the rows of all pictures.

    Raises:
        UnreadableInput: no tar file, or a damaged one.
        OutputError: it cannot be written.
    """
    began, rows = time.monotonic(), []
    with (
        _read(source) as tar,
        _written(target, overwrite=overwrite) as file,
        tarfile.open(fileobj=file, mode="w") as out,
    ):
        for _, sample in groupby(_members(tar, source), lambda member: _key(member[0].name)):
            members, made = _relit(writer, list(sample))
            rows += made
            for info, data in members:
                out.addfile(info, io.BytesIO(data) if info.isreg() else None)
    return Row(members=tuple(rows), seconds=time.monotonic() - began)


def _relit(writer: Writer, sample: list[Member]) -> tuple[list[Member], list[tuple[str, Row]]]:
    """A sample with its picture relit, or nothing of it if that failed; and the picture's row."""
    members: list[Member] = []
    rows: list[tuple[str, Row]] = []
    for info, data in sample:
        if not info.isreg() or not _is_picture(info.name):
            members.append((info, data))
            continue
        began, path = time.monotonic(), PurePosixPath(info.name)
        try:
            own = sniff(data, path.name) or named_format(path.name)
            format = writer.format or result_format(own)
            name = str(path.with_suffix(ending(path.name, format)))
            photo = decode(data, name=info.name, max_megapixels=writer.max_megapixels)
            result, row = writer.relit(photo, format)
            if result is not None:
                made = encode(result, format, quality=writer.quality)
                info.name, info.size, info.pax_headers = name, len(made), {}
                members.append((info, made))
        except CONCERNS_ALL:
            raise
        except Exception as error:
            row = failed(error)
        rows.append((path.as_posix(), replace(row, seconds=time.monotonic() - began)))
    if any(row.error is not None for _, row in rows):
        members = []
    return members, rows


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
