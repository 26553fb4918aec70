"""``relume enhance clip.mp4``: clips and numbered pictures, relit one after the other."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from relume.cli import console
from relume.cli.console import PIPE
from relume.cli.jobs import MARK, is_folder
from relume.errors import OutputError, ParameterError, RelumeError

if TYPE_CHECKING:
    from relume.catalog import Value
    from relume.engine import Runtime
    from relume.io.video import ClipReport
    from relume.photo import Image

FromOption = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="TIME",
        help="Of a clip: where to begin, as 90 (seconds), 1:30 or 0:01:30.",
    ),
]
ToOption = Annotated[
    str | None, typer.Option("--to", metavar="TIME", help="Of a clip: where to end.")
]
CompareOption = Annotated[
    bool, typer.Option("--compare", help="Of a clip: before and after, side by side.")
]


class Relighting(Protocol):
    """What is done to every frame."""

    @property
    def method(self) -> str:
        """The method's name."""

    @property
    def parameters(self) -> Mapping[str, Value]:
        """Its parameters."""

    @property
    def options(self) -> Mapping[str, Any]:
        """The options of :func:`relume.enhance`."""

    @property
    def runtime(self) -> Runtime | None:
        """Where networks run."""

    @property
    def exposure(self) -> tuple[Image, str] | None:
        """A map of stops and the name of its file."""

    def mark(self) -> str:
        """What was asked for, as the results' names tell it."""

    def prepare(self) -> None:
        """Whatever can fail for all frames alike."""


@dataclass(frozen=True)
class ClipRun:
    """What a command asks for of clips."""

    output: str | None
    start: str | None
    end: str | None
    compare: bool
    overwrite: bool
    quiet: bool
    quality: int | None
    max_megapixels: float

    def takes(self, inputs: Sequence[str]) -> bool:
        """Whether the inputs are clips, or names of numbered pictures.

        Raises:
            ParameterError: clips and photos mixed, or options of clips for photos.
        """
        from relume.io.video import is_clip

        paths = [Path(name) for name in inputs]
        clips = [_is_sequence(p) or (is_clip(p) and not p.is_dir()) for p in paths]
        if any(clips) and not all(clips):
            raise ParameterError("clips and photos do not go together: run them one by one")
        if not any(clips) and (self.start or self.end or self.compare):
            raise ParameterError("--from, --to and --compare are for clips (.mp4, .mov, .mkv, ...)")
        return any(clips)

    def go(
        self, inputs: Sequence[str], work: object, *, dry_run: bool, skip_existing: bool
    ) -> None:
        """Relight every clip; one that fails is a line, the others are done.

        Raises:
            RelumeError: the only clip failed, or what was asked for cannot be.
            typer.Exit: Ctrl-C, or a clip among several failed.
        """
        if not hasattr(work, "method"):
            raise ParameterError("a strip of brightnesses is for photos: give a clip one")
        relighting: Relighting = work  # type: ignore[assignment]
        if relighting.options.get("expose_for") == "faces":
            raise ParameterError("--expose-for faces is for photos: a clip is exposed as scenes")
        if self.quality is not None and not all(_is_sequence(Path(name)) for name in inputs):
            raise ParameterError("--quality is for pictures: a clip's is always high")
        span = {"start_s": seconds(self.start) or 0.0, "end_s": seconds(self.end)}
        if any(span.values()) and any(_is_sequence(Path(name)) for name in inputs):
            raise ParameterError("--from and --to are for clips: numbered pictures have no times")
        if self.output == PIPE:
            raise ParameterError("a clip is written to a file: name one with -o")
        from relume.io import why_unreadable

        failed = 0
        for name in inputs:
            source, target = Path(name), self._target(Path(name), relighting, len(inputs) > 1)
            if skip_existing and target.exists():
                if not self.quiet:
                    console.say(console.one_line(f"{target} is there already"))
                continue
            if dry_run:
                if not _is_sequence(source) and (why := why_unreadable(source)):
                    failed += 1
                    console.fail(why, about=source)
                    continue
                console.out(console.one_line(f"{source} -> {target}"))
                continue
            try:
                self._relight(source, target, relighting, span)
            except ParameterError:
                raise
            except RelumeError as error:
                if len(inputs) == 1:
                    raise
                failed += 1
                console.trace(error)
                console.fail(console.reason(error), about=source)
        if failed:
            raise typer.Exit(1)

    def _target(self, source: Path, work: Relighting, several: bool) -> Path:
        from relume.io.video import is_clip, result_suffix

        sequence = _is_sequence(source)
        suffix = source.suffix if sequence else result_suffix(source)
        if self.output is None:
            compared = "-compare" if self.compare else ""
            return source.with_name(f"{source.stem}{MARK}{work.mark()}{compared}{suffix}")
        if several and (is_clip(Path(self.output)) or "%" in Path(self.output).name):
            raise ParameterError(f"-o {self.output} names one clip, but there are several")
        if sequence and (not Path(self.output).suffix or Path(self.output).is_dir()):
            return Path(self.output) / source.name
        if is_folder(self.output, several):
            return Path(self.output) / f"{source.stem}{suffix}"
        return Path(self.output)

    def _relight(
        self, source: Path, target: Path, work: Relighting, span: dict[str, float | None]
    ) -> None:
        from relume.frames import enhance_sequence, enhance_video
        from relume.io.places import make_folder

        relit: Callable[..., ClipReport] = enhance_video
        more: dict[str, Any] = dict(span)
        sequence = _is_sequence(source)
        if sequence:
            relit = enhance_sequence
            more = {"quality": self.quality, "max_megapixels": self.max_megapixels}
        work.prepare()
        began, name = time.monotonic(), console.one_line(source.name)
        try:
            if not sequence:
                make_folder(target.parent)
            with (
                console.ending_in_order(),
                console.progress_bar("relighting", quiet=self.quiet) as bar,
            ):

                def show(done: int, total: int | None) -> None:
                    speed = done / max(time.monotonic() - began, 1e-3)
                    bar.show(done, total, f"{speed:.1f} frames/s, {name}")

                report = relit(
                    source,
                    target,
                    method=work.method,
                    parameters=work.parameters,
                    runtime=work.runtime,
                    exposure=work.exposure and work.exposure[0],
                    compare=self.compare,
                    overwrite=self.overwrite,
                    progress=show,
                    **more,
                    **{name: v for name, v in work.options.items() if name != "expose_for"},
                )
        except KeyboardInterrupt:
            console.say(f"stopped: {target} was not {'finished' if sequence else 'written'}")
            raise typer.Exit(console.INTERRUPTED) from None
        except OSError as error:
            raise OutputError(f"cannot write {target}: {error.strerror or error}") from error
        for note in report.notes:
            if sequence:
                console.fail(note)
            elif not self.quiet:
                console.say(console.one_line(f"note: {source}: {note}"))
        if not self.quiet:
            took = time.monotonic() - began
            speed = report.frames / max(took, 1e-3)
            done = console.count(report.frames, "frame")
            console.say(
                console.one_line(
                    f"{source} -> {target} ({done}, {took:.1f} s, {speed:.1f} frames/s)"
                )
            )
        if sequence and report.notes:
            raise typer.Exit(1)


def _is_sequence(path: Path) -> bool:
    if "%" not in path.name:
        return False
    from relume.frames import is_sequence

    return is_sequence(path)


def seconds(text: str | None) -> float | None:
    """A time as ``90``, ``1:30``, ``0:01:30.5``, in seconds.

    Raises:
        ParameterError: anything else.
    """
    if text is None:
        return None
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d+)?", text):
        raise ParameterError(f"expected a time as 10, 0:10 or 1:02:03.5, got {text!r}")
    total = 0.0
    for part in text.split(":"):
        total = 60 * total + float(part)
    return total
