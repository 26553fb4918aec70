"""From what a user names to the pictures and clips that are read.

Everything that can be refused without reading a picture is refused here, before any work.
"""

from __future__ import annotations

import os
import re
from collections.abc import Hashable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from relume.errors import InputError
from relume.io import format_in, special_file
from relume.io.formats import READABLE_SUFFIXES
from relume.io.places import Location, Place, expanded, place
from relume.io.video import SUFFIXES as CLIP_SUFFIXES

MARK = ".relume"
"""Stands before the ending of results written beside their photo; folder runs skip such files."""

SHARD = ".tar"
"""Ends the name of a tar file of pictures."""

RESULT_STEM = re.compile(rf"(.+){re.escape(MARK)}(-[^/]*)?")
RESULTS_FILE = ".relume-results"
"""Lies in a folder of results inside a folder of photos, and keeps later runs out of it."""


@dataclass(frozen=True)
class Picture:
    """A picture to read, and its path below the folder it was found through."""

    source: Location
    relative: Path


@dataclass(frozen=True)
class Found:
    """What lies below the paths that were named.

    ``inputs`` are these paths, ``several`` says whether they may stand for more than one picture.
    ``problems`` are folders that could not be listed, ``earlier`` results of earlier runs (files
    and whole folders), ``others`` files that are no pictures by their ending, ``special`` FIFOs,
    devices and sockets. Hidden files are nowhere.
    """

    inputs: Sequence[Location] = ()
    several: bool = False

    pictures: list[Picture] = field(default_factory=list)
    problems: list[OSError] = field(default_factory=list)
    earlier: list[Location] = field(default_factory=list)
    others: list[Location] = field(default_factory=list)
    special: list[Path] = field(default_factory=list)


def named(inputs: Sequence[str]) -> list[Location]:
    """The paths and addresses that a command's arguments name.

    Raises:
        InputError: an empty name, or a web address.
    """
    for name in inputs:
        if not name:
            raise InputError("expected the name of a photo or a folder, got an empty one")
        if re.match(r"https?://", name):
            raise InputError(f"{name} is a web address; relume reads files: download it first")
    return [place(name) for pattern in inputs for name in expanded(pattern)]


def find(
    inputs: Sequence[Location],
    *,
    recursive: bool = True,
    exclude: Location | None = None,
    clips: bool = False,
) -> Found:
    """The pictures (and ``clips``) that ``inputs`` name, files first checked when they are read.

    In folders: by their endings, in natural order of name (p2 before p10), without hidden files,
    relume's own results, and what lies below ``exclude`` (the folder results go to).

    Raises:
        InputError: a folder without any picture.
    """
    several = len(inputs) > 1 or any(path.is_dir() for path in inputs)
    found = Found(inputs, several)
    for path in _without_results(inputs, found):
        if not path.is_dir():
            found.pictures.append(Picture(path, Path(path.name)))
            continue
        avoided = exclude if exclude is not None and not is_same(exclude, path) else None
        before = len(found.pictures), len(found.problems)
        if isinstance(path, Place):
            _list(path, recursive, avoided, found)
        else:
            _walk(path, recursive, avoided, found, clips)
        if before == (len(found.pictures), len(found.problems)):
            raise InputError(
                f"no pictures in {path}: expected JPEG, PNG, WebP, TIFF, AVIF, HEIC, GIF, BMP or "
                f"camera raw files, by their endings (results of earlier runs, *{MARK}.*, are "
                "left out, and links to folders are not followed)"
            )
    return found


def _without_results(inputs: Sequence[Location], found: Found) -> Iterator[Location]:
    """``inputs`` less the results of an earlier run that ``*.jpg`` caught beside their photos."""
    photos = {(p.parent, stem) for p in inputs for stem in (p.stem, p.name)}
    for path in inputs:
        match = RESULT_STEM.fullmatch(path.stem)
        if match and (path.parent, match[1]) in photos:
            found.earlier.append(path)
        else:
            yield path


def _list(folder: Place, recursive: bool, avoided: Location | None, found: Found) -> None:
    """As :func:`_walk`, in an object store: in one listing."""
    files = sorted(folder.files(recursive=recursive), key=lambda path: natural(str(path)))
    below = f"{avoided}/"
    for path in files:
        relative = path.relative_to(folder)
        if any(part.startswith(".") for part in relative.parts) or str(path).startswith(below):
            continue
        _sort_out(path, relative, found)


def _walk(
    folder: Path, recursive: bool, avoided: Location | None, found: Found, clips: bool
) -> None:
    for here, folders, files in os.walk(folder, onerror=found.problems.append):
        parent = Path(here)
        if RESULTS_FILE in files and parent != folder:
            found.earlier.append(parent)
            folders.clear()
            continue
        folders[:] = sorted(
            (
                name
                for name in folders
                if recursive
                and not name.startswith(".")
                and not (avoided is not None and is_same(parent / name, avoided))
            ),
            key=natural,
        )
        for name in sorted(files, key=natural):
            if not name.startswith("."):
                path = parent / name
                _sort_out(path, path.relative_to(folder), found, clips)


def natural(name: str) -> list[tuple[str, int]]:
    """What sorts names as people do: p2 before p10.

    >>> sorted(["p10", "p2", "p"], key=natural)
    ['p', 'p2', 'p10']
    """
    parts = re.findall(r"(\D*)(\d*)", name)
    return [(text, int(digits or -1)) for text, digits in parts if text or digits]


def is_clip(path: Location) -> bool:
    """Whether it is a clip by its ending, and no picture by its content."""
    if path.suffix.lower() not in CLIP_SUFFIXES:
        return False
    return isinstance(path, Place) or not (path.is_file() and format_in(path))


def is_numbered(path: Location) -> bool:
    """Whether it is the name of numbered pictures (``%06d.png``)."""
    if "%" not in path.name or isinstance(path, Place):
        return False
    from relume.frames import is_sequence

    return is_sequence(path)


def _sort_out(path: Location, relative: Path, found: Found, clips: bool = False) -> None:
    if RESULT_STEM.fullmatch(path.stem):
        found.earlier.append(path)
    elif path.suffix.lower() not in READABLE_SUFFIXES and not (clips and is_clip(path)):
        found.others.append(path)
    elif isinstance(path, Path) and special_file(path):
        found.special.append(path)
    else:
        found.pictures.append(Picture(path, relative))


def identity(path: Location) -> Hashable:
    """What two names of one file have in common; None for a file that is not there."""
    if isinstance(path, Place):
        return path
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def is_same(one: Location, other: Location) -> bool:
    """Whether two paths lead to one file or folder, also through links."""
    first, second = identity(one), identity(other)
    return first == second if first and second else location(one) == location(other)


def leave_results_file(folder: Location, inputs: Sequence[Location]) -> None:
    """Say in ``folder`` that results lie there, if it lies in a folder of ``inputs``."""
    if isinstance(folder, Place):
        return
    resolved = folder.resolve()
    local = (path for path in inputs if isinstance(path, Path) and path.is_dir())
    if not any(path.resolve() in resolved.parents for path in local):
        return
    with suppress(OSError), (folder / RESULTS_FILE).open("x", encoding="utf-8") as file:
        file.write("relume's results: later runs leave this folder out while this file is here.\n")


def location(path: Location) -> str:
    """The path as the file system will have it, the last part not followed if it is a link."""
    if isinstance(path, Place):
        return str(path)
    return os.path.normcase(Path(os.path.realpath(path.parent)) / path.name)
