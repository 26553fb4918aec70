"""Jobs: a picture or clip to read, and where its result goes."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from relume.cli import console
from relume.cli.console import STDIN
from relume.cli.finding import (
    MARK,
    SHARD,
    Picture,
    identity,
    is_clip,
    is_numbered,
    is_same,
    location,
)
from relume.errors import OutputError, ParameterError
from relume.io import format_in
from relume.io.formats import (
    READABLE_SUFFIXES,
    ending,
    format_of,
    named_format,
    result_format,
    sniff,
)
from relume.io.places import Location, Place, check_writable, place
from relume.io.video import SUFFIXES as CLIP_SUFFIXES
from relume.io.video import result_suffix


@dataclass(frozen=True)
class Job:
    """A picture or clip to read, and where its result goes, if there is one to be written.

    ``problem`` says why it cannot go there, ``there`` whether the target exists, where that is
    known already; ``again`` says that an earlier attempt of the same run may have left the result
    there. ``data`` is a photo from a pipe.
    """

    source: Location
    target: Location | None = None
    problem: str | None = None
    there: bool | None = None
    again: bool = False
    data: bytes | None = None

    @property
    def name(self) -> str:
        """What it is called: the path, or standard input."""
        return str(self.source) if self.data is None else STDIN

    @property
    def is_clip(self) -> bool:
        """Whether it is a clip, or the name of numbered pictures, and no picture."""
        return is_clip(self.source) or is_numbered(self.source)

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
        return self.target is not None and is_same(self.source, self.target)

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


def plan(
    pictures: Sequence[Picture],
    *,
    output: str | None,
    format: str | None = None,
    several: bool,
    mark: str = MARK,
    clip_mark: str = "",
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
    elif not is_folder(output, several):
        file = place(output)
        jobs = [Job(picture.source, file) for picture in pictures]
        if not all(job.is_shard or job.is_clip for job in jobs):
            _check_format(file, format)
        return _known(jobs, file)

    folder = None if output is None else place(output)

    def target(picture: Picture, stem: str, suffix: str) -> Location:
        if folder is not None:
            return folder / picture.relative.with_name(f"{stem}{suffix}")
        more = clip_mark if Job(picture.source).is_clip else ""
        return picture.source.with_name(f"{stem}{mark}{more}{suffix}")

    jobs = _none_replaces_an_input(_apart(pictures, format, target))
    return jobs if folder is None else _known(jobs, folder)


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
        plain[picture] = target(picture, picture.relative.stem, _suffix(picture.source, format))
        group = groups.setdefault(location(plain[picture]), [])
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
                path = next(other for other in others if location(other) not in used)
                used.add(location(path))
            jobs[picture] = Job(picture.source, path)
    return [jobs[picture] for picture in plain if picture in jobs]


def _other_stems(source: Location, suffix: str) -> Iterator[str]:
    if source.suffix.lower() != suffix.lower():
        yield source.name
    yield from (f"{source.stem}-{n}" for n in itertools.count(2))


def _none_replaces_an_input(jobs: Sequence[Job]) -> list[Job]:
    sources = {own: job for job in jobs if (own := identity(job.source))}
    checked = []
    for job in jobs:
        there = identity(job.target) if job.target else None
        other = sources.get(there) if there else None
        if other is not None and identity(job.source) != there:
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
    one = path.suffix.lower() in (*READABLE_SUFFIXES, *CLIP_SUFFIXES)
    if several and one and not folder:
        raise ParameterError(
            f"-o {output} names one picture or clip, but there may be several: name a folder"
        )
    if (several or folder) and isinstance(path, Path) and path.exists():
        raise OutputError(f"-o {output} is a file; expected a folder")
    return several or folder


def _suffix(path: Location, format: str | None) -> str:
    if is_numbered(path):
        return path.suffix
    if is_clip(path):
        return result_suffix(Path(path.name))
    if path.suffix.lower() == SHARD:
        return path.suffix
    return ending(path.name, written_format(path, format))


def _check_format(path: Location, format: str | None) -> None:
    own = format_of(path.name)
    if format is not None and own != format:
        raise ParameterError(f"-o {path} names the format {own}, but --format says {format}")


def from_pipe() -> Job:
    """The job of a photo that comes from standard input, not written anywhere yet."""
    data = console.in_bytes()
    format = result_format(sniff(data, "") or "png")
    return Job(Path("stdin" + ending("stdin", format)), data=data)
