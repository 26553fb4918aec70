"""``relume burst``: several dark photos of one scene, as one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relume.cli import console, options
from relume.enhancers.options import BRIGHTNESS
from relume.errors import (
    InputError,
    MissingExtra,
    OutputError,
    ParameterError,
    RelumeError,
    TooLarge,
)
from relume.io.formats import MAX_MEGAPIXELS, QUALITY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relume.photo import Photo

MARK = ".relume-burst"


def burst(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="PHOTO",
            help="The photos of one burst, or a folder: of one burst, or of a folder for each.",
            show_default=False,
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|DIR",
            help="Where the result goes; of several bursts, a folder.",
            show_default="beside the first photo",
        ),
    ] = None,
    method: options.MethodOption = None,
    param: options.ParamOption = None,
    brightness: options.BrightnessOption = None,
    reference: Annotated[
        str | None,
        typer.Option(
            "--reference",
            metavar="PHOTO",
            help="The photo whose view the result has.",
            show_default="the first, unless another is clearly sharper",
        ),
    ] = None,
    quality: options.QualityOption = None,
    overwrite: options.OverwriteOption = False,
    max_megapixels: options.MegapixelsOption = MAX_MEGAPIXELS,
    device: options.DeviceOption = options.Device.auto,
    precision: options.PrecisionOption = options.Precision.auto,
    quiet: options.QuietOption = False,
    verbose: options.VerboseOption = False,
) -> None:
    """Merge dark photos of one scene into one with less noise.

    Each is relit, aligned to the reference and merged where it agrees; what moved is taken from
    the reference alone. Photos that do not fit are left out and named.
    """
    console.be_verbose(verbose)
    if quality is not None:
        QUALITY.check(quality)
    name, parameters = options.parse_method(method, param)
    bursts = _bursts(inputs)
    if reference is not None and len(bursts) > 1:
        raise ParameterError("--reference names a photo of one burst, but there are several")
    given = {
        "method": name,
        "parameters": parameters,
        "runtime": options.parse_runtime(device, precision),
        "brightness": None if brightness is None else BRIGHTNESS.check(brightness),
    }
    writing = {"overwrite": overwrite, "quality": quality}
    failed = 0
    for photos in bursts:
        try:
            target = _target(photos, output, several=len(bursts) > 1)
            _refuse(photos, target, overwrite=overwrite)
            began = time.monotonic()
            note = _merge(photos, target, reference, given, writing, max_megapixels)
            seconds = time.monotonic() - began
            if not quiet:
                console.say(console.one_line(f"{note} -> {target} ({seconds:.1f} s)"))
        except ParameterError:
            raise
        except RelumeError as error:
            if len(bursts) == 1:
                raise
            failed += 1
            console.trace(error)
            console.fail(console.reason(error), about=photos[0].parent)
    if failed:
        raise typer.Exit(1)


def _bursts(inputs: Sequence[str]) -> list[list[Path]]:
    """The photos of each burst that is named: files are one, every folder is one of its own."""
    from relume.cli import jobs

    paths = jobs.here(jobs.named(inputs))
    files = [path for path in paths if not path.is_dir()]
    found = [files] if files else []
    for folder in (path for path in paths if path.is_dir()):
        groups: dict[Path, list[Path]] = {}
        for source in jobs.here(picture.source for picture in jobs.find([folder]).pictures):
            groups.setdefault(source.parent, []).append(source)
        found.extend(groups.values())
    if not found:
        raise InputError("expected the photos of a burst, or a folder of them")
    return found


def _target(photos: Sequence[Path], output: str | None, *, several: bool) -> Path:
    from relume.cli import jobs

    first = photos[0]
    suffix = jobs.plan([jobs.Picture(first, Path(first.name))], output=None, several=False)[0]
    if output is None:
        return first.with_name(f"{first.stem}{MARK}{suffix.target.suffix}")
    if jobs.is_folder(output, several):
        stem = first.parent.name if several else first.stem
        return Path(output) / f"{stem or first.stem}{suffix.target.suffix}"
    return Path(output)


def _refuse(photos: Sequence[Path], target: Path, *, overwrite: bool) -> None:
    """Raise OutputError if the result may not go to ``target``."""
    from relume.cli import jobs
    from relume.io import format_of
    from relume.io.atomic import check_writable

    for photo in photos:
        if jobs.is_same(photo, target):
            raise OutputError(f"the result would replace the input {photo}; name another -o")
    format_of(target)
    check_writable(target, overwrite=overwrite)


def _merge(
    photos: Sequence[Path],
    target: Path,
    reference: str | None,
    given: dict[str, Any],
    writing: dict[str, Any],
    max_megapixels: float,
) -> str:
    """Merge one burst and write it; what was merged, in words."""
    from relume.cli import jobs
    from relume.frames import merge_burst
    from relume.io import write
    from relume.io.places import make_folder

    index = None
    if reference is not None:
        same = [n for n, path in enumerate(photos) if jobs.is_same(path, Path(reference))]
        if not same:
            raise ParameterError(f"--reference {reference} is not among the photos of the burst")
        index = same[0]
    try:
        pictures = [_read(path, max_megapixels) for path in photos]
        merged = merge_burst(pictures, reference=index, **given)
    except KeyboardInterrupt:
        console.say("stopped: nothing was written")
        raise typer.Exit(console.INTERRUPTED) from None
    for number in merged.left_out:
        console.say(
            console.one_line(f"note: {photos[number]} does not fit the others and is left out")
        )
    make_folder(target.parent)
    write(merged.picture, target, **writing)
    used = len(photos) - len(merged.left_out)
    by = photos[merged.reference].name
    return f"{console.count(used, 'photo')} merged, as {by} sees the scene"


def _read(path: Path, max_megapixels: float) -> Photo:
    """The photo; an error names it, and says that the others do without it."""
    from relume.io import read

    try:
        return read(path, max_megapixels=max_megapixels)
    except MissingExtra as error:
        raise InputError(f"{path}: {error}; or leave this photo out of the burst") from error
    except TooLarge as error:
        raise TooLarge(f"{error}; or leave this photo out of the burst") from error
    except InputError as error:
        raise type(error)(f"{error}; leave this photo out of the burst") from error
