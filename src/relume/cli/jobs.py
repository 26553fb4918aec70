"""From what a user names to jobs: which pictures are read, and where each result goes.

Everything that can be refused without reading a picture is refused here, before any work.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from relume.errors import InputError, OutputError, ParameterError
from relume.io import READABLE_SUFFIXES, format_of
from relume.io.formats import FORMATS, result_format

MARK = ".relume"
"""Stands before the ending of results written beside their photo; folder runs skip such files."""


@dataclass(frozen=True)
class Picture:
    """A picture to read, and its place below the folder it was found through."""

    source: Path
    relative: Path


@dataclass(frozen=True)
class Job:
    """A picture to read, and where its result goes."""

    source: Path
    target: Path

    @property
    def replaces_input(self) -> bool:
        """Whether the result would go where the picture is read from, also through links."""
        return is_same(self.source, self.target)

    def refusal(self, *, overwrite: bool) -> str | None:
        """Why the result may not be written, if it may not."""
        if overwrite or not os.path.lexists(self.target):
            return None
        if self.replaces_input:
            return (
                f"the result would replace the input {self.source}; "
                "name another -o, or give --overwrite"
            )
        return f"{self.target} exists already; give --overwrite to replace it"


@dataclass(frozen=True)
class Found:
    """The pictures below what was named, and folders that could not be listed."""

    pictures: list[Picture]
    problems: list[OSError]


def find(inputs: Sequence[Path], *, recursive: bool = True, but: Path | None = None) -> Found:
    """The pictures that ``inputs`` name, files first checked when they are read.

    In folders: by their endings, in order of name, without hidden files, relume's own outputs,
    and what lies below ``but`` (the folder results go to).

    Raises:
        InputError: a folder without any picture.
    """
    found = Found([], [])
    for path in _without_own(inputs):
        if not path.is_dir():
            found.pictures.append(Picture(path, Path(path.name)))
            continue
        avoided = but if but is not None and not is_same(but, path) else None
        problems_before = len(found.problems)
        below = list(_walk(path, recursive, avoided, found.problems))
        if not below and len(found.problems) == problems_before:
            raise InputError(
                f"no pictures in {path}: expected files ending in "
                f"{', '.join(sorted(READABLE_SUFFIXES))} (results of earlier runs, "
                f"*{MARK}.*, are left out)"
            )
        found.pictures.extend(below)
    return found


def _without_own(inputs: Sequence[Path]) -> list[Path]:
    """``inputs`` less the results of an earlier run that ``*.jpg`` caught beside their photos."""
    photos = {(p.parent, p.stem) for p in inputs}
    return [
        p
        for p in inputs
        if not (p.stem.endswith(MARK) and (p.parent, p.stem.removesuffix(MARK)) in photos)
    ]


def _walk(
    folder: Path, recursive: bool, avoided: Path | None, problems: list[OSError]
) -> Iterator[Picture]:
    for here, folders, files in os.walk(folder, onerror=problems.append):
        parent = Path(here)
        folders[:] = sorted(
            name
            for name in folders
            if recursive
            and not name.startswith(".")
            and not (avoided is not None and is_same(parent / name, avoided))
        )
        for name in sorted(files):
            path = parent / name
            hidden = name.startswith(".") or path.stem.endswith(MARK)
            if not hidden and path.suffix.lower() in READABLE_SUFFIXES:
                yield Picture(path, path.relative_to(folder))


def plan(
    pictures: Sequence[Picture],
    *,
    output: str | None,
    format: str | None = None,
    several: bool,
    mark: str = MARK,
) -> list[Job]:
    """Where each picture's result goes: beside it, to the file ``output``, or below that folder.

    ``several`` says that a folder or more than one input was named. Picture and target given
    twice are one job.

    Raises:
        ParameterError: ``output`` and ``format`` or the number of pictures contradict each other.
        OutputError: ``output`` is a file where a folder is needed, two pictures would be written
            to one file, or a result would replace another input.
    """
    if output is None:
        targets = [_beside(p.source, format, mark) for p in pictures]
    elif _is_folder(output, several):
        targets = [_below(Path(output), p.relative, format) for p in pictures]
    else:
        targets = [_named(Path(output), format)]
    jobs = [Job(p.source, t) for p, t in zip(pictures, targets, strict=True)]
    return _check(jobs)


def written_format(path: Path, format: str | None) -> str:
    """The format a result of the picture ``path`` gets, its own where relume can write that.

    Camera raw becomes JPEG, what people look at; other formats become PNG, without loss.
    """
    if format is not None:
        return format
    try:
        return format_of(path)
    except OutputError:
        suffix = path.suffix.lower()
        found = [name for name, known in FORMATS.items() if suffix in known.suffixes]
        return result_format(found[0]) if found else "png"


def is_same(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file or folder, also through links."""
    try:
        return one.samefile(other)
    except OSError:
        return _place(one) == _place(other)


def _suffix(path: Path, format: str | None) -> str:
    name = written_format(path, format)
    try:
        keeps = format_of(path) == name
    except OutputError:
        keeps = False
    return path.suffix if keeps else FORMATS[name].suffixes[0]


def _beside(source: Path, format: str | None, mark: str) -> Path:
    return source.with_name(f"{source.stem}{mark}{_suffix(source, format)}")


def _below(folder: Path, relative: Path, format: str | None) -> Path:
    return folder / relative.with_name(relative.stem + _suffix(relative, format))


def _named(path: Path, format: str | None) -> Path:
    named = format_of(path)
    if format is not None and named != format:
        raise ParameterError(f"-o {path} names the format {named}, but --format says {format}")
    return path


def _is_folder(output: str, several: bool) -> bool:
    path = Path(output)
    if path.is_dir():
        return True
    separators = tuple(filter(None, (os.sep, os.altsep)))
    folder = output.endswith(separators) or not path.suffix
    if several and path.suffix.lower() in READABLE_SUFFIXES and not folder:
        raise ParameterError(
            f"-o {output} names one picture, but there may be several: name a folder"
        )
    if (several or folder) and path.exists():
        raise OutputError(f"-o {output} is a file; expected a folder")
    return several or folder


def _check(jobs: Iterable[Job]) -> list[Job]:
    checked: dict[str, Job] = {}
    for job in jobs:
        place = _place(job.target)
        before = checked.setdefault(place, job)
        if not is_same(before.source, job.source):
            raise OutputError(
                f"{before.source} and {job.source} would both be written to {job.target}; "
                "enhance them into different folders"
            )
    unique = list(checked.values())
    sources = {identity: job for job in unique if (identity := _identity(job.source))}
    for job in unique:
        identity = _identity(job.target)
        other = sources.get(identity) if identity else None
        if other is not None and _identity(job.source) != identity:
            raise OutputError(
                f"the result of {job.source} would replace {other.source}, which is an input too"
            )
    return unique


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _place(path: Path) -> str:
    """The path as the file system will have it, the last part not followed if it is a link."""
    return os.path.normcase(Path(os.path.realpath(path.parent)) / path.name)
