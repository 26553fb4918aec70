"""What ``relume enhance`` does to every photo and clip, whatever the process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from relume.cli import console
from relume.cli.finding import is_numbered
from relume.cli.work import CONCERNS_ALL, FRAMES, Row, failed
from relume.enhancers.options import DEFAULT_METHOD, PROTECT_LIT, STRENGTH
from relume.errors import InputError, OutputError, ParameterError

if TYPE_CHECKING:
    from relume.catalog import Info, Value
    from relume.cli.enhance import Enhance
    from relume.cli.jobs import Job
    from relume.engine import Runtime
    from relume.enhancers import Brightness
    from relume.io.video import ClipReport
    from relume.photo import Image, Photo

SMALL_PX = 200
"""Height of the pictures on a sheet."""

STRIP_PX = 480
"""Height of the pictures in a strip to choose from."""

PARTS = ("input", "reflectance R", "illumination I", "relit I", "result")

SHORT = 0.85
"""Share of the brightness that was asked for, below which it is said that there is no more."""

SAMPLE_PX = 250_000
"""As many pixels of a photo and its result are compared."""


def without_denoising(info: Info) -> dict[str, Value]:
    """The parameter that switches the method's denoising off.

    Raises:
        ParameterError: it has none.
    """
    for parameter in info.parameters:
        if parameter.name == "denoise":
            return {"denoise": parameter.check("none" if parameter.choices else 0)}
    raise ParameterError(f"the method {info.name} has no denoising that could be switched off")


@dataclass(frozen=True, kw_only=True)
class Relighting:
    """A method with its options, all of them checked, as was ``asked``.

    ``exposure`` is a map of stops (h, w) and the name of its file.
    """

    asked: Enhance
    method: str
    parameters: Mapping[str, Value]
    options: Mapping[str, Any]
    runtime: Runtime | None = None
    exposure: tuple[Image, str] | None = None

    takes_shards: ClassVar[bool] = True
    may_replace: ClassVar[bool] = True
    """Whether the result is the photo itself, which --overwrite may put in its place."""

    def __call__(self, photo: Photo) -> Photo:
        """The photo relit."""
        from relume.faces import enhance as relit

        return relit(
            photo,
            method=self.method,
            parameters=self.parameters,
            runtime=self.runtime,
            exposure=self.exposure and self.exposure[0],
            **self.options,
        )

    def photo(self, photo: Photo, job: Job, format: str) -> tuple[Photo | None, Row]:
        """The photo with the work done, to be written as ``format``; None where that failed."""
        return self.done(self, photo, job, format)

    def done(
        self, relit: Callable[[Photo], Photo], photo: Photo, job: Job, format: str
    ) -> tuple[Photo | None, Row]:
        """As :meth:`photo`, by ``relit``; what there is to say of the result."""
        from relume.image.exposure import subsample
        from relume.io import losses

        notes = (*photo.meta.notes, *losses(photo, format))
        try:
            result = relit(photo)
        except CONCERNS_ALL:
            raise
        except Exception as error:
            return None, failed(error, notes)
        row = self._change(*(subsample(p.pixels, SAMPLE_PX) for p in (photo, result)))
        if self.asked.sheet is not None:
            from relume.image import draw
            from relume.io import encode
            from relume.photo import Photo as Picture

            pair, names = [photo.pixels, result.pixels], [Path(job.name).name, "relit"]
            small = draw.panels(pair, names, height_px=SMALL_PX)
            row = replace(row, small=encode(Picture(small), "jpeg"))
        return result, replace(row, notes=notes)

    def clip(self, job: Job, *, overwrite: bool) -> Row:
        """A clip, or numbered pictures, relit in steady light.

        Raises:
            RelumeError: as :func:`relume.frames.enhance_video` and ``enhance_sequence``.
        """
        from relume.frames import enhance_sequence, enhance_video
        from relume.io.places import make_folder

        source, target = job.source, job.target
        if not (isinstance(source, Path) and isinstance(target, Path)):
            what = "clips are read and written on this machine: download it first"
            raise InputError(f"{source} -> {target}: {what}")
        numbered, began = is_numbered(source), time.monotonic()
        relit: Callable[..., ClipReport] = enhance_sequence if numbered else enhance_video
        how = {name: v for name, v in self.options.items() if name != "expose_for"}
        if numbered or not self.asked.leaves_network:
            how |= {"method": self.method, "parameters": self.parameters}
        if numbered:
            how |= {"quality": self.asked.quality, "max_megapixels": self.asked.max_megapixels}
        else:
            make_folder(target.parent)
            how |= self.asked.span
            how["fast"] = None if self.asked.leaves_network else False
        try:
            report = relit(
                source,
                target,
                runtime=self.runtime,
                exposure=self.exposure and self.exposure[0],
                overwrite=overwrite,
                progress=FRAMES.get(),
                compare=self.asked.compare,
                **how,
            )
        except OSError as error:
            raise OutputError(f"cannot write {target}: {error.strerror or error}") from error
        speed = console.speed(report.frames, time.monotonic() - began)
        speed += f"; {report.how}" if report.how else ""
        light = ""
        if report.levels is not None:
            light = ", brightness {:.2f} -> {:.2f}".format(*report.levels)
        text = f"{source} -> {target} ({console.count(report.frames, 'frame')}{light}, {speed})"
        if report.left_alone:
            which = "" if report.left_alone == report.frames else f" in {report.left_alone} frames"
            text += f": left as it is{which} (looks lit; {self.to_change_lit} changes it)"
        notes = tuple(report.notes)
        return Row(text=text, problems=notes) if numbered else Row(notes, text=text)

    def check_clips(self) -> None:
        """Raise ParameterError if this is for photos only."""
        if self.options.get("expose_for") == "faces":
            raise ParameterError("--expose-for faces is for photos: a clip is exposed as scenes")

    def prepare(self) -> None:
        """Load what the method needs, before any photo; with -v, say what runs where.

        Raises:
            WeightsError: weights that are missing or damaged.
            DeviceError: the device or precision is not there.
        """
        from relume.enhancers import describe

        if "expose_for" in self.options:
            from relume.enhancers.api import prepare
            from relume.faces.front_door import face_finder

            prepare(self.method, parameters=self.parameters, finder=face_finder, **self.options)
        runs = describe(self.method, parameters=self.parameters, runtime=self.runtime)
        if console.is_verbose():
            console.say(runs)

    def settled(self, *, elsewhere: bool) -> Relighting:
        """The same in one precision, for processes here or ``elsewhere`` that share the photos."""
        from relume.enhancers import settle

        runtime = settle(
            self.method, parameters=self.parameters, runtime=self.runtime, elsewhere=elsewhere
        )
        return replace(self, runtime=runtime)

    @property
    def brightness(self) -> float | None:
        """The brightness that is asked for, if one is."""
        level = self.options.get("brightness")
        return level if isinstance(level, float) else None

    @property
    def to_change_lit(self) -> str | None:
        """The option that changes a photo which is left as it is because it looks lit."""
        from relume.enhancers import methods

        asked = self.brightness is not None
        if asked or not self.options["protect_lit"] or not self.options["strength"]:
            return None
        if self.method == "original":
            return None
        takes = methods().info(self.method).takes_brightness
        return "--brightness" if takes else "--no-protect-lit"

    def mark(self) -> str:
        """What was asked for, as the results' names tell it: ``-fusion``, ``-b30``."""
        from relume.enhancers import methods

        options = self.options
        parts = [] if self.method == DEFAULT_METHOD else [self.method]
        for parameter in methods().info(self.method).parameters:
            value = self.parameters[parameter.name]
            if value != parameter.default:
                text = Path(value).stem if isinstance(value, str) else f"{value:g}"
                parts.append(f"{parameter.name}-{text}")
        if self.brightness is not None:
            parts.append(f"b{100 * self.brightness:g}")
        if "local" in options:
            parts.append(f"l{100 * options['local']:g}")
        if options.get("expose_for", "auto") != "auto":
            parts.append(f"for-{options['expose_for']}")
        if options.get("black", "auto") != "auto":
            parts.append(f"black-{options['black'].replace(',', '-')}")
        if "cast" in options:
            parts.append(f"cast{100 * options['cast']:g}")
        if self.exposure is not None:
            parts.append(f"exposure-{self.exposure[1]}")
        if options["strength"] != STRENGTH.default:
            parts.append(f"s{100 * options['strength']:g}")
        if options["protect_lit"] != PROTECT_LIT.default:
            parts.append("no-protect-lit")
        return "".join(f"-{part}" for part in parts)

    def _change(self, before: Image, after: Image) -> Row:
        """What a row says about brightness, from samples of the photo and its result."""
        from relume.image.exposure import left_as_lit, mean_level

        if before.shape != after.shape:
            return Row()
        levels = (mean_level(before), mean_level(after))
        as_is = bool(self.to_change_lit) and left_as_lit(before, after)
        wanted = self.brightness if self.options["strength"] == 1 else None
        short = wanted is not None and levels[1] < SHORT * wanted
        return Row(levels=levels, as_is=as_is, short=short)


@dataclass(frozen=True, kw_only=True)
class Strip(Relighting):
    """One picture of the photo and of what several brightnesses make of it, to choose from."""

    levels: tuple[Brightness, ...]
    may_replace: ClassVar[bool] = False

    def __call__(self, photo: Photo) -> Photo:
        """The panels side by side, the original first."""
        from relume.enhancers.api import enhance_each
        from relume.faces.front_door import face_finder

        relit = enhance_each(
            photo,
            self.levels,
            method=self.method,
            parameters=self.parameters,
            runtime=self.runtime,
            exposure=self.exposure and self.exposure[0],
            finder=face_finder,
            **self.options,
        )
        panels = [photo.pixels, *(one.pixels for one in relit)]
        return _side_by_side(photo, panels, ["original", *map(str, self.levels)])

    def check_clips(self) -> None:
        """Raise ParameterError: this is for photos only."""
        raise ParameterError("a strip of brightnesses is for photos: give a clip one")

    @property
    def to_change_lit(self) -> str | None:
        """None."""
        return None

    def mark(self) -> str:
        """``-strip``, behind what else was asked for."""
        return super().mark() + "-strip"


@dataclass(frozen=True, kw_only=True)
class TakenApart(Relighting):
    """One picture of a photo and of the parts that Retinex-Net sees in it."""

    may_replace: ClassVar[bool] = False

    def __call__(self, photo: Photo) -> Photo:
        """The panels side by side, the original first."""
        from relume.enhancers import decompose

        parts = decompose(photo, parameters=self.parameters, runtime=self.runtime)
        return _side_by_side(photo, parts.panels(), PARTS)

    def check_clips(self) -> None:
        """Raise ParameterError: this is for photos only."""
        raise ParameterError("--parts is for photos")

    def mark(self) -> str:
        """``-parts``, behind what else was asked for."""
        return super().mark() + "-parts"


def _side_by_side(photo: Photo, panels: Sequence[Image], captions: Sequence[str]) -> Photo:
    from relume.image import draw
    from relume.photo import Meta
    from relume.photo import Photo as Picture

    height_px = max(min(photo.pixels.shape[0], STRIP_PX), 64)
    kept = photo.meta
    meta = Meta(format=kept.format, icc=kept.icc, file_mode=kept.file_mode)
    return Picture(draw.panels(panels, captions, height_px=height_px), meta=meta)
