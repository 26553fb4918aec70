"""``relume burst``: several dark photos of one scene, as one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relume.cli import console, options
from relume.cli.options import opt
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
from relume.io.places import Location, make_folder, place

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
        opt(
            *("--output", "-o", "FILE|DIR"),
            help="Where the result goes; of several bursts, a folder.",
            shown="beside the first photo",
        ),
    ] = None,
    method: options.MethodOption = None,
    param: options.ParamOption = None,
    brightness: options.BrightnessOption = None,
    reference: Annotated[
        str | None,
        opt(
            *("--reference", "PHOTO"),
            help="The photo whose view the result has.",
            shown="the first, unless another is clearly sharper",
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
    name, parameters, asked = options.parse_method(method, param)
    bursts = _bursts(inputs)
    if reference is not None and len(bursts) > 1:
        raise ParameterError("--reference names a photo of one burst, but there are several")
    given = {
        "method": name,
        "parameters": parameters,
        "runtime": options.parse_runtime(device, precision),
        **asked,
        **({} if brightness is None else {"brightness": BRIGHTNESS.check(brightness)}),
    }
    from relume.io import write

    failed = 0
    for photos in bursts:
        try:
            began = time.monotonic()
            target = _target(photos, output, several=len(bursts) > 1, overwrite=overwrite)
            picture, note = _merge(photos, reference, given, max_megapixels)
            make_folder(target.parent)
            write(picture, target, overwrite=overwrite, quality=quality)
            if not quiet:
                took = f"{time.monotonic() - began:.1f} s"
                console.say(console.one_line(f"{note} -> {target} ({took})"))
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


def _bursts(inputs: Sequence[str]) -> list[list[Location]]:
    """The photos of each burst that is named: files are one, every folder is one of its own.

    A photo that is named twice is in it once.
    """
    from relume.cli import finding

    paths = list(dict.fromkeys(finding.named(inputs)))
    files = [path for path in paths if not path.is_dir()]
    found = [files] if files else []
    for folder in (path for path in paths if path.is_dir()):
        groups: dict[Location, list[Location]] = {}
        for picture in finding.find([folder]).pictures:
            groups.setdefault(picture.source.parent, []).append(picture.source)
        found.extend(groups.values())
    if not found:
        raise InputError("expected the photos of a burst, or a folder of them")
    return found


def _target(
    photos: Sequence[Location], output: str | None, *, several: bool, overwrite: bool
) -> Location:
    """Where the result goes.

    Raises:
        OutputError: it may not go there.
    """
    from relume.cli import finding, jobs
    from relume.io import format_of

    first = photos[0]
    named = [finding.Picture(first, Path(first.name))]
    (job,) = jobs.plan(named, output=None if output is None else "-/", several=False, mark=MARK)
    assert job.target is not None
    target = job.target
    if output is not None:
        target = place(output)
        if jobs.is_folder(output, several):
            stem = first.parent.name if several else first.stem
            target /= f"{stem or first.stem}{job.target.suffix}"
    for photo in photos:
        if finding.is_same(photo, target):
            raise OutputError(f"the result would replace the input {photo}; name another -o")
    format_of(target.name)
    if (refusal := jobs.Job(first, target).refusal(overwrite=overwrite)) is not None:
        raise OutputError(refusal)
    return target


def _merge(
    photos: Sequence[Location],
    reference: str | None,
    given: dict[str, Any],
    max_megapixels: float,
) -> tuple[Photo, str]:
    """One burst merged; what was merged and how bright it became, in words."""
    from relume.cli import finding
    from relume.frames import merge_burst
    from relume.image.exposure import mean_level

    index = None
    if reference is not None:
        same = [n for n, path in enumerate(photos) if finding.is_same(path, place(reference))]
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
    used = len(photos) - len(merged.left_out)
    levels = [mean_level(p.pixels) for p in (pictures[merged.reference], merged.picture)]
    by = photos[merged.reference].name
    bright = f"brightness {levels[0]:.2f} -> {levels[1]:.2f}"
    return (
        merged.picture,
        f"{console.count(used, 'photo')} merged, as {by} sees the scene, {bright}",
    )


def _read(path: Location, max_megapixels: float) -> Photo:
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
