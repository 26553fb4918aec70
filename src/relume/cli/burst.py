"""``relume burst``: several dark photos of one scene, as one."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from relume.cli import console, options
from relume.cli.command import Command, arg, of_enhance, opt
from relume.enhancers.options import BRIGHTNESS
from relume.errors import (
    InputError,
    MissingExtra,
    OutputError,
    ParameterError,
    RelumeError,
    TooLarge,
)
from relume.io.formats import MAX_MEGAPIXELS
from relume.io.places import Location, make_folder, place

if TYPE_CHECKING:
    from relume.photo import Photo

MARK = ".relume-burst"


@dataclass(frozen=True, kw_only=True)
class Burst(Command):
    """Merge dark photos of one scene into one with less noise.

    Each is relit, aligned to the reference and merged where it agrees; what moved is taken from
    the reference alone. Photos that do not fit are left out and named.
    """

    inputs: list[str] = arg(
        "PHOTO", "The photos of one burst, or a folder: of one burst, or of a folder for each."
    )
    output: str | None = opt(
        "--output -o FILE|DIR",
        "Where the result goes; of several bursts, a folder.",
        shown="beside the first photo",
    )
    method: options.Method = None
    param: options.Param = None
    given: Mapping[str, Any] = of_enhance(BRIGHTNESS)
    reference: str | None = opt(
        "--reference PHOTO",
        "The photo whose view the result has.",
        shown="the first, unless another is clearly sharper",
    )
    quality: options.Quality = None
    overwrite: options.Overwrite = False
    max_megapixels: options.Megapixels = MAX_MEGAPIXELS
    device: options.Device = "auto"
    precision: options.PrecisionOption = "auto"
    quiet: options.Quiet = False
    verbose: options.Verbose = False

    def run(self) -> None:
        """Merge every burst; one that fails is a line on stderr, unless it is the only one."""
        given = options.for_enhance(
            self.method, self.param, self.given, options.parse_runtime(self.device, self.precision)
        )
        bursts = _bursts(self.inputs)
        if self.reference is not None and len(bursts) > 1:
            raise ParameterError("--reference names a photo of one burst, but there are several")
        from relume.io import write

        failed = 0
        for photos in bursts:
            try:
                began = time.monotonic()
                target = self._target(photos, several=len(bursts) > 1)
                picture, note = self._merge(photos, given)
                make_folder(target.parent)
                write(picture, target, overwrite=self.overwrite, quality=self.quality)
                if not self.quiet:
                    took = f"{time.monotonic() - began:.1f} s"
                    console.say(f"{note} -> {target} ({took})")
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

    def _target(self, photos: Sequence[Location], *, several: bool) -> Location:
        """Where the result goes.

        Raises:
            OutputError: it may not go there.
        """
        from relume.cli import finding, jobs

        first = photos[0]
        # of several bursts, one is called after its folder
        stem = first.parent.name if several and self.output is not None else ""
        named = finding.Picture(first, Path(f"{stem or first.stem}{first.suffix}"))
        (job,) = jobs.plan([named], output=self.output, several=several, mark=MARK)
        assert job.target is not None
        for photo in photos:
            if finding.is_same(photo, job.target):
                raise OutputError(f"the result would replace the input {photo}; name another -o")
        if (refusal := job.refusal(overwrite=self.overwrite)) is not None:
            raise OutputError(refusal)
        return job.target

    def _merge(self, photos: Sequence[Location], given: Mapping[str, Any]) -> tuple[Photo, str]:
        """One burst merged; what was merged and how bright it became, in words."""
        from relume.cli import finding
        from relume.frames import merge_burst
        from relume.image.exposure import mean_level

        index, reference = None, self.reference
        if reference is not None:
            same = [n for n, path in enumerate(photos) if finding.is_same(path, place(reference))]
            if not same:
                raise ParameterError(
                    f"--reference {reference} is not among the photos of the burst"
                )
            index = same[0]
        with console.stopping("stopped: nothing was written"):
            pictures = [_read(path, self.max_megapixels) for path in photos]
            merged = merge_burst(pictures, reference=index, **given)
        for number in merged.left_out:
            console.say(f"note: {photos[number]} does not fit the others and is left out")
        used = console.count(len(photos) - len(merged.left_out), "photo")
        levels = [mean_level(p.pixels) for p in (pictures[merged.reference], merged.picture)]
        by, bright = photos[merged.reference].name, "brightness {:.2f} -> {:.2f}".format(*levels)
        return merged.picture, f"{used} merged, as {by} sees the scene, {bright}"


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
