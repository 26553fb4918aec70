"""Lists of photos instead of folders: ``@photos.txt``, or a table that relume wrote."""

from __future__ import annotations

import io
import os
import posixpath
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from relume.cli import finding
from relume.cli.finding import Found, Picture
from relume.cli.tables import check_tables, is_table
from relume.errors import InputError
from relume.io.places import is_address, place

MARK = "@"
"""Begins the name of a list among inputs."""

COLUMNS = "photo", "path"
"""What may hold the names in a table; the first is what relume's own tables have."""


def find(
    inputs: Sequence[str],
    *,
    recursive: bool = True,
    exclude: str | None = None,
    clips: bool = False,
) -> Found:
    """All pictures that a command's inputs name, lists among them.

    As :func:`relume.cli.finding.find`, ``exclude`` by its name.

    Raises:
        InputError: as that, or a list that cannot be read.
    """
    others, listed = split(inputs)
    out = None if exclude is None else place(exclude)
    found = finding.find(finding.named(others), recursive=recursive, exclude=out, clips=clips)
    found.pictures.extend(listed)
    return replace(found, several=bool(listed) or found.several)


def split(inputs: Sequence[str]) -> tuple[list[str], list[Picture]]:
    """The inputs that are no lists, and the pictures of those that are, each once.

    A picture's path below the list is its path below the folder that all of the list are in.

    Raises:
        InputError: a list that cannot be read, or is empty.
        MissingExtra: a table without pyarrow.
    """
    lists = [name for name in inputs if name.startswith(MARK) and not Path(name).exists()]
    others = [name for name in inputs if name not in lists]
    return others, [picture for name in lists for picture in _pictures(name.removeprefix(MARK))]


def _pictures(name: str) -> list[Picture]:
    names = list(dict.fromkeys(map(_as_bytes_are, _names(name))))
    if not names:
        raise InputError(f"the list {name} is empty: expected the names of photos")
    paths = [_whole(one) for one in names]
    try:
        common = posixpath.commonpath([posixpath.dirname(path) for path in paths])
    except ValueError:
        raise InputError(f"the list {name} has files and addresses: make two of it") from None
    return [
        Picture(place(one), Path(posixpath.relpath(path, common)))
        for one, path in zip(names, paths, strict=True)
    ]


def _as_bytes_are(name: str) -> str:
    r"""The name of a file whose bytes a table of relume's has written as ``\xe9``."""
    if "\\x" not in name or is_address(name) or Path(name).exists():
        return name
    return re.sub(r"\\x([89a-f][0-9a-f])", lambda byte: chr(0xDC00 + int(byte[1], 16)), name)


def _whole(name: str) -> str:
    """The name from the root on, so that none leads out of the folder that all are in."""
    if is_address(name):
        return posixpath.normpath(name)
    # resolve() would follow links
    return Path(os.path.abspath(name)).as_posix()  # noqa: PTH100


def _names(name: str) -> list[str]:
    table = is_table(name)
    if table:
        check_tables()
    try:
        data = place(name).read_bytes()
        if table:
            return _column(data, name)
        lines = data.decode("utf-8", "surrogateescape").splitlines()
    except OSError as error:
        raise InputError(f"cannot read the list {name}: {error.strerror}") from error
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _column(data: bytes, name: str) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(data))
        column = next(column for column in COLUMNS if column in file.schema_arrow.names)
        return [str(one) for one in file.read([column])[column].to_pylist() if one]
    except (pa.ArrowException, StopIteration):
        what = f"{name} is no list: expected a Parquet file with a column {' or '.join(COLUMNS)}"
        raise InputError(what) from None
