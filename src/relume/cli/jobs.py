"""From what a user names to jobs: which pictures are read, and where each result goes.

Everything that can be refused without reading a picture is refused here, before any work.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from relume.errors import InputError, OutputError, ParameterError
from relume.io import format_in, special_file
from relume.io.formats import READABLE_SUFFIXES, ending, format_of, named_format, result_format
from relume.io.places import Location, Place, check_writable, expanded, place

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
class Job:
    """A picture to read, and where its result goes; ``problem`` says why it cannot go there.

    ``there`` is whether the target exists, where that is known already; ``again`` says that an
    earlier attempt of the same run may have left the result there.
    """

    source: Location
    target: Location
    problem: str | None = None
    there: bool | None = None
    again: bool = False

    @property
    def is_shard(self) -> bool:
        """Whether it is a tar file of pictures, and not one of them."""
        return self.source.suffix.lower() == SHARD

    def once_more(self) -> Job:
        """The same job after its worker was lost: what it may have written is replaced."""
        return replace(self, again=True)

    @property
    def replaces_input(self) -> bool:
        """Whether the result would go where the picture is read from, also through links."""
        return is_same(self.source, self.target)

    @property
    def is_done(self) -> bool:
        """Whether a result of an earlier run, or another file, is there already."""
        return self._is_there() and not self.replaces_input

    def _is_there(self) -> bool:
        if self.there is not None:
            return self.there
        return isinstance(self.target, Path) and os.path.lexists(self.target)

    def refusal(self, *, overwrite: bool) -> str | None:
        """Why the result may not be written, if it may not."""
        if self.problem is not None or overwrite or not self._is_there():
            return self.problem
        if self.replaces_input:
            return (
                f"the result would replace the input {self.source}; "
                "name another -o, or give --overwrite"
            )
        return f"{self.target} exists already; give --overwrite to replace it"


@dataclass(frozen=True)
class Found:
    """What lies below the paths that were named.

    ``problems`` are folders that could not be listed, ``earlier`` results of earlier runs (files
    and whole folders), ``others`` files that are no pictures by their ending, ``special`` FIFOs,
    devices and sockets. Hidden files are nowhere.
    """

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


def here(places: Iterable[Location]) -> list[Path]:
    """The same, where only files of this machine will do.

    Raises:
        InputError: one is in an object store.
    """
    found = list(places)
    far = next((path for path in found if isinstance(path, Place)), None)
    if far is not None:
        raise InputError(f"{far} is in an object store; this reads files: download it first")
    return [path for path in found if isinstance(path, Path)]


def find(
    inputs: Sequence[Location], *, recursive: bool = True, but: Location | None = None
) -> Found:
    """The pictures that ``inputs`` name, files first checked when they are read.

    In folders: by their endings, in order of name, without hidden files, relume's own results,
    and what lies below ``but`` (the folder results go to).

    Raises:
        InputError: a folder without any picture.
    """
    found = Found()
    for path in _without_results(inputs, found):
        if not path.is_dir():
            found.pictures.append(Picture(path, Path(path.name)))
            continue
        avoided = but if but is not None and not is_same(but, path) else None
        before = len(found.pictures), len(found.problems)
        if isinstance(path, Place):
            _list(path, recursive, avoided, found)
        else:
            _walk(path, recursive, avoided, found)
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
    files = folder.files(recursive=recursive)
    below = f"{avoided}/"
    for path in files:
        relative = path.relative_to(folder)
        if any(part.startswith(".") for part in relative.parts) or str(path).startswith(below):
            continue
        _sort_out(path, relative, found)


def _walk(folder: Path, recursive: bool, avoided: Location | None, found: Found) -> None:
    for here, folders, files in os.walk(folder, onerror=found.problems.append):
        parent = Path(here)
        if RESULTS_FILE in files and parent != folder:
            found.earlier.append(parent)
            folders.clear()
            continue
        folders[:] = sorted(
            name
            for name in folders
            if recursive
            and not name.startswith(".")
            and not (avoided is not None and is_same(parent / name, avoided))
        )
        for path in (parent / name for name in sorted(files) if not name.startswith(".")):
            _sort_out(path, path.relative_to(folder), found)


def _sort_out(path: Location, relative: Path, found: Found) -> None:
    if RESULT_STEM.fullmatch(path.stem):
        found.earlier.append(path)
    elif path.suffix.lower() not in READABLE_SUFFIXES:
        found.others.append(path)
    elif isinstance(path, Path) and special_file(path):
        found.special.append(path)
    else:
        found.pictures.append(Picture(path, relative))


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
    twice are one job. Results that would have one name get names of their own: of ``shot.dng``
    and ``shot.jpg`` the first becomes ``shot.dng.jpg``.

    Raises:
        ParameterError: ``output`` and ``format`` or the number of pictures contradict each other.
        OutputError: ``output`` is a file where a folder is needed.
    """
    if output is None:
        far = next((p.source for p in pictures if isinstance(p.source, Place)), None)
        if far is not None:
            raise ParameterError(f"{far} is in an object store: say with -o where results go")

        def target(picture: Picture, stem: str, suffix: str) -> Location:
            return picture.source.with_name(f"{stem}{mark}{suffix}")

    elif is_folder(output, several):
        folder = place(output)

        def target(picture: Picture, stem: str, suffix: str) -> Location:
            return folder / picture.relative.with_name(f"{stem}{suffix}")

    else:
        file = place(output)
        if not all(job.is_shard for job in (Job(picture.source, file) for picture in pictures)):
            _check_format(file, format)
        return _known([Job(picture.source, file) for picture in pictures], file)
    jobs = _none_replaces_an_input(_apart(pictures, format, target))
    return jobs if output is None else _known(jobs, place(output))


def _known(jobs: Sequence[Job], output: Location) -> list[Job]:
    """The jobs; in an object store, with what is there by one listing and not a request each."""
    if isinstance(output, Path):
        return list(jobs)
    check_writable(output)
    there = set(output.files())
    return [replace(job, there=job.target in there) for job in jobs]


def _apart(
    pictures: Sequence[Picture], format: str | None, target: Callable[[Picture, str, str], Location]
) -> list[Job]:
    """A job for each picture, all targets different."""
    groups: dict[str, list[Picture]] = {}
    plain: dict[Picture, Location] = {}
    for picture in pictures:
        plain[picture] = target(picture, picture.source.stem, _suffix(picture.source, format))
        group = groups.setdefault(_location(plain[picture]), [])
        if not any(is_same(picture.source, other.source) for other in group):
            group.append(picture)
    used, jobs = set(groups), {}
    for group in groups.values():
        # a name that two would have goes to the one whose own it is, else to neither
        own = [p for p in group if len(group) == 1 or p.source.suffix == plain[p].suffix]
        for picture in group:
            path = plain[picture]
            if own[:1] != [picture]:
                stems = _other_stems(picture.source, path.suffix)
                others = (target(picture, stem, path.suffix) for stem in stems)
                path = next(other for other in others if _location(other) not in used)
                used.add(_location(path))
            jobs[picture] = Job(picture.source, path)
    return [jobs[picture] for picture in plain if picture in jobs]


def _other_stems(source: Location, suffix: str) -> Iterator[str]:
    if source.suffix.lower() != suffix.lower():
        yield source.name
    yield from (f"{source.stem}-{n}" for n in itertools.count(2))


def _none_replaces_an_input(jobs: Sequence[Job]) -> list[Job]:
    sources = {identity: job for job in jobs if (identity := _identity(job.source))}
    checked = []
    for job in jobs:
        identity = _identity(job.target)
        other = sources.get(identity) if identity else None
        if other is not None and _identity(job.source) != identity:
            problem = f"the result would replace {other.source}, which is an input too"
            job = Job(job.source, job.target, problem)
        checked.append(job)
    return checked


def written_format(path: Location, format: str | None) -> str:
    """The format a result of the picture ``path`` gets: what is asked for, else by its content.

    What cannot be looked into, is no picture, or would take a request, goes by its ending.
    """
    if format is not None:
        return format
    own = format_in(path) if isinstance(path, Path) else None
    return result_format(own or named_format(path.name))


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


def is_same(one: Location, other: Location) -> bool:
    """Whether two paths lead to one file or folder, also through links."""
    if isinstance(one, Place) or isinstance(other, Place):
        return one == other
    try:
        return one.samefile(other)
    except OSError:
        return _location(one) == _location(other)


def is_folder(output: str, several: bool) -> bool:
    """Whether ``-o output`` names a folder.

    Raises:
        ParameterError: it names one picture where there may be several.
        OutputError: it is a file where a folder is needed.
    """
    path = place(output)
    if isinstance(path, Path) and path.is_dir():
        return True
    separators = tuple(filter(None, ("/", os.sep, os.altsep)))
    folder = output.endswith(separators) or not path.suffix
    if several and path.suffix.lower() in READABLE_SUFFIXES and not folder:
        raise ParameterError(
            f"-o {output} names one picture, but there may be several: name a folder"
        )
    if (several or folder) and isinstance(path, Path) and path.exists():
        raise OutputError(f"-o {output} is a file; expected a folder")
    return several or folder


def _suffix(path: Location, format: str | None) -> str:
    if path.suffix.lower() == SHARD:
        return path.suffix
    return ending(path.name, written_format(path, format))


def _check_format(path: Location, format: str | None) -> None:
    own = format_of(path.name)
    if format is not None and own != format:
        raise ParameterError(f"-o {path} names the format {own}, but --format says {format}")


def _identity(path: Location) -> Hashable:
    """What two names of one file have in common; None for a file that is not there."""
    if isinstance(path, Place):
        return path
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _location(path: Location) -> str:
    """The path as the file system will have it, the last part not followed if it is a link."""
    if isinstance(path, Place):
        return str(path)
    return os.path.normcase(Path(os.path.realpath(path.parent)) / path.name)
