"""Numbered pictures as a clip: ``frames/%06d.png``, in the order of their numbers."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from relume.enhancers import Brightness
from relume.errors import InputError, OutputError, ParameterError
from relume.frames.clip import ClipRelighter
from relume.io import format_of, read, write
from relume.io.atomic import check_writable
from relume.io.formats import MAX_MEGAPIXELS
from relume.io.places import make_folder
from relume.io.video import ClipReport, Progress

NUMBER = re.compile(r"%(0?)(\d*)d")


def is_sequence(path: Path) -> bool:
    """Whether the name stands for numbered files, as ``%06d.png`` does, and is none itself."""
    return len(NUMBER.findall(path.name)) == 1 and not path.exists()


def numbered(pattern: Path) -> dict[int, Path]:
    """The files that the pattern stands for, in the order of their numbers, gaps allowed.

    Raises:
        InputError: there are none.
    """
    zeros, width = NUMBER.findall(pattern.name)[0]
    before, after = NUMBER.split(pattern.name)[0], NUMBER.split(pattern.name)[-1]
    digits = rf"\d{{{width},}}" if zeros and width else r"\d+"
    name = re.compile(f"{re.escape(before)}({digits}){re.escape(after)}")
    found: dict[int, Path] = {}
    if pattern.parent.is_dir():
        for path in pattern.parent.iterdir():
            match = name.fullmatch(path.name)
            if match and path.is_file():
                found[int(match[1])] = path
    if not found:
        raise InputError(f"no pictures {pattern}: expected numbered files, as {pattern.name % 1}")
    return dict(sorted(found.items()))


def enhance_sequence(
    source: Path,
    target: Path,
    *,
    brightness: Brightness | None = None,
    compare: bool = False,
    overwrite: bool = False,
    quality: int | None = None,
    max_megapixels: float = MAX_MEGAPIXELS,
    progress: Progress | None = None,
    **options: Any,
) -> ClipReport:
    """Relight the numbered pictures ``source`` as one clip, each to ``target`` with its number.

    Both are patterns (``frames/%06d.png``). Every picture keeps its depth and metadata and is
    written whole as soon as it is done; one that cannot be read is left out, and a note says so.
    The other arguments are those of :func:`relume.frames.enhance_video`.

    Raises:
        InputError: no such pictures, or none that can be read.
        ParameterError: a target without a number.
        OutputError: a result exists, would replace a picture, or cannot be written.
        RelumeError: as :func:`relume.enhance`.
    """
    if len(NUMBER.findall(target.name)) != 1:
        raise ParameterError(f"expected a name with a number, as %06d.png, got {target.name}")
    pictures = numbered(source)
    results = {number: target.with_name(target.name % number) for number in pictures}
    _refuse(pictures, results, overwrite=overwrite)
    relighter = ClipRelighter(brightness=brightness, **options)
    report = ClipReport()
    for done, (number, path) in enumerate(pictures.items(), 1):
        try:
            photo = read(path, max_megapixels=max_megapixels)
        except InputError as error:
            report.notes.append(f"left out: {error}")
            continue
        shown = photo.with_pixels(relighter(photo.pixels))
        if compare:
            both = np.hstack([photo.pixels, shown.pixels])
            shown = replace(photo, pixels=both, alpha=None)
        make_folder(results[number].parent)
        write(shown, results[number], overwrite=overwrite, quality=quality)
        report.frames += 1
        if progress is not None:
            progress(done, len(pictures))
    if not report.frames:
        raise InputError(f"none of {source} can be read: {report.notes[0]}")
    relighter.tell(report)
    return report


def _refuse(pictures: dict[int, Path], results: dict[int, Path], *, overwrite: bool) -> None:
    """Raise OutputError, before any work, if a result may not be written."""
    format_of(next(iter(results.values())))
    for number, path in results.items():
        if path.exists() and path.samefile(pictures[number]):
            raise OutputError(f"the result would replace the input {path}; name another output")
        check_writable(path, overwrite=overwrite)
