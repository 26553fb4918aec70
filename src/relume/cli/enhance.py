"""``relume enhance``: photos, clips, folders of both or a pipe, relit."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relume.cli import console, options
from relume.cli.command import Command, arg, of_enhance, opt
from relume.cli.console import PIPE
from relume.enhancers.options import (
    ALWAYS,
    DEFAULT_METHOD,
    FAST_METHOD,
    OPTIONS,
    check_options,
    given_options,
    parse_spec,
)
from relume.errors import OutputError, ParameterError
from relume.io.formats import MAX_MEGAPIXELS

if TYPE_CHECKING:
    from relume.cli.jobs import Job
    from relume.cli.relighting import Relighting
    from relume.cli.tables import Rows


def _seconds(text: str | None) -> float | None:
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


def _time(text: str | None) -> str | None:
    _seconds(text)
    return text


@dataclass(frozen=True, kw_only=True)
class Enhance(Command):
    """Relight photographs and clips taken in the dark.

    One photo becomes night.relume.jpg beside it, with what was asked for in the name
    (night.relume-b30.jpg for --brightness 0.3), or what -o names. Folders keep their structure.
    A photo that fails is one line on stderr; the others are done, and the exit code is 1.
    """

    inputs: list[str] = arg(
        "PHOTO", "Photos, clips, folders of both, numbered frames (f/%06d.png), or - for stdin."
    )
    output: str | None = opt(
        "--output -o FILE|DIR|-",
        "Where results go; - is standard output.",
        shown="beside the photos",
    )
    method: options.Method = None
    param: options.Param = None
    fast: bool | None = opt(
        "--fast/--no-fast",
        "The small network (relume-fast): six times as fast, a little softer.",
        shown="for long clips",
    )
    given: Mapping[str, Any] = of_enhance(
        *OPTIONS, more=" Several (0.2,0.35,0.5) make a strip to choose from."
    )
    exposure: Path | None = opt(
        "--exposure MAP.npy",
        "More or less light from place to place: a NumPy file of stops (h, w) of any size, +1 is "
        "twice the light.",
        local=True,
    )
    no_denoise: bool = opt("--no-denoise", "Switch the method's denoising off.", default=False)
    parts: bool = opt(
        "--parts", "Show a photo as Retinex-Net does: reflectance, illumination.", default=False
    )
    edit: Path | None = opt(
        "--edit FILE.json",
        "Do what an edit says, to the photo it was made of or to others of the series.",
        local=True,
    )
    save_edit: Path | None = opt(
        "--save-edit FILE.json",
        "Also write what was decided, for --edit.",
        local=True,
    )
    cube: Path | None = opt(
        "--cube FILE.cube",
        "Also write the change of colours as a 3D LUT for other editors.",
        local=True,
    )
    format: options.Format = None
    quality: options.Quality = None
    overwrite: options.Overwrite = False
    skip_existing: options.SkipExisting = False
    rows: str | None = opt(
        "--rows FILE", "Also write what came of each photo: a .parquet table, else JSON lines."
    )
    sheet: Path | None = opt(
        "--sheet FILE.jpg",
        "Also write one picture of all photos before and after.",
        local=True,
    )
    recursive: bool = opt("", "Go into folders below folders.", default=True)
    max_megapixels: options.Megapixels = MAX_MEGAPIXELS
    start: str | None = opt(
        "--from TIME",
        "Of a clip: where to begin, as 90 (seconds), 1:30 or 0:01:30.",
        callback=_time,
    )
    end: str | None = opt("--to TIME", "Of a clip: where to end.", callback=_time)
    compare: bool = opt("--compare", "Of a clip: before and after, side by side.", default=False)
    device: options.Device = "auto"
    precision: options.PrecisionOption = "auto"
    on: options.On = "local"
    processes: options.Processes = None
    dry_run: bool = opt("--dry-run -n", "Only say what would be written.", default=False)
    quiet: options.Quiet = False
    verbose: options.Verbose = False

    def run(self) -> None:
        """Find the photos, say what will not be done, do the rest."""
        self.relight()

    def relight(self, rows: Rows | None = None) -> None:
        """As :meth:`run`; ``rows`` are those of a run that goes on."""
        from relume.cli import finding, lists, relighting, tables
        from relume.cli.jobs import plan
        from relume.cli.relit import Relit
        from relume.cli.work import Worker

        if self.overwrite and self.skip_existing:
            raise ParameterError("--overwrite and --skip-existing contradict each other")
        work = self._work()
        piped = PIPE in (*self.inputs, self.output)
        found = finding.Found()
        if piped:
            planned = [self._piped()]
        else:
            found = lists.find(
                self.inputs, recursive=self.recursive, exclude=self.output, clips=True
            )
            planned = plan(
                found.pictures, output=self.output, format=self.format, several=found.several,
                mark=finding.MARK + work.mark(), clip_mark="-compare" * self.compare,
            )  # fmt: skip
        if len(planned) != 1:
            for_one = {"--save-edit": self.save_edit, "--cube": self.cube}
            options.refuse(for_one, "is for one photo: name no folder and no other")
        self._check_clips(planned, work)
        if self.rows is not None and not self.dry_run:
            rows = tables.Rows(
                self.rows, tables.PHOTOS, overwrite=self.overwrite, go_on=self.skip_existing
            )
        worker = Worker(
            work, self.quality, self.overwrite, self.skip_existing, self.max_megapixels, self.format
        )
        run = Relit(self, worker, planned, found, rows, piped=piped)
        if self.dry_run:
            run.preview()
            return
        if self.sheet is not None:
            from relume.io import format_of
            from relume.io.atomic import check_writable

            format_of(self.sheet)
            check_writable(self.sheet, overwrite=self.overwrite or self.skip_existing)
        run.go()
        if isinstance(work, relighting.Strip) and run.done and not self.quiet:
            level = str(work.levels[len(work.levels) // 2])
            words = ["relume", "enhance", *self.inputs, "--brightness", level]
            console.say(f"to get one of them: {shlex.join(words)}")

    @property
    def span(self) -> dict[str, float | None]:
        """Where a clip's part begins and ends, as :func:`relume.enhance_video` has it."""
        return {"start_s": _seconds(self.start) or 0.0, "end_s": _seconds(self.end)}

    @property
    def leaves_network(self) -> bool:
        """Whether nobody has chosen: long clips are for the fast network then."""
        return self.fast is None and self.method is None and not self.param

    def _work(self) -> Relighting:
        """What is to be done to every photo and clip.

        Raises:
            ParameterError: anything that does not go together, or is outside its range.
        """
        from relume.cli import relighting

        usual = "retinexnet" if self.parts and not self.fast else DEFAULT_METHOD
        method = self.method or usual
        if self.fast and method not in (DEFAULT_METHOD, FAST_METHOD):
            raise ParameterError(f"--fast is the method {FAST_METHOD}: leave out --method {method}")
        info, own, in_spec = parse_spec(FAST_METHOD if self.fast else method, self.param or ())
        name, parameters = info.name, info.check_parameters(own)
        given = dict.fromkeys(option.name for option in OPTIONS)
        given |= in_spec | given_options(self.given)
        if self.parts and name != "retinexnet":
            raise ParameterError(f"--parts is for retinexnet: {name} takes no photo apart")
        if self.no_denoise:
            parameters |= relighting.without_denoising(info)
        if self.exposure is not None and not info.takes_local:
            raise ParameterError(f"{name} takes no exposure map")
        exposure = self.exposure and (options.read_exposure(self.exposure), self.exposure.stem)
        levels = [None] if given["brightness"] is None else str(given["brightness"]).split(",")
        checked = [ALWAYS | check_options(info, {**given, "brightness": b}) for b in levels]
        what: dict[str, Any] = {
            "asked": self,
            "method": name,
            "parameters": parameters,
            "options": checked[0],
            "exposure": exposure,
            "runtime": options.parse_runtime(self.device, self.precision),
        }
        by_edit = self.edit or self.save_edit or self.cube
        if by_edit and (self.parts or len(levels) > 1):
            raise ParameterError("--edit, --save-edit and --cube are for one brightness of a photo")
        if by_edit:
            return self._by_edit(what)
        if self.parts:
            return relighting.TakenApart(**what)
        if len(levels) > 1:
            choices = tuple(one.pop("brightness") for one in checked)
            return relighting.Strip(levels=choices, **what)
        return relighting.Relighting(**what)

    def _by_edit(self, what: dict[str, Any]) -> Relighting:
        """What is done by an edit, which is read or made; ``what`` an option says, the edit says.

        Raises:
            ParameterError: options that do not go together.
            InputError: a file that is no edit.
        """
        from relume.cli.editing import Editing, read_edit
        from relume.enhancers import methods
        from relume.io.atomic import check_writable

        for target in filter(None, (self.save_edit, self.cube)):
            check_writable(target, overwrite=self.overwrite)
        edit = None
        if self.edit is not None:
            if said := self._said_by_an_edit():
                raise ParameterError(f"{said[0]} is part of an edit: leave it out beside --edit")
            edit = read_edit(self.edit)
            info = methods().info(edit.method)
            what |= {
                "method": edit.method,
                "parameters": info.check_parameters(edit.parameters),
                "options": ALWAYS | check_options(info, edit.options),
            }
        if self.cube is not None and not methods().info(what["method"]).takes_local:
            raise ParameterError(
                f"--cube: {what['method']} plans no exposure; relume and machine do"
            )
        return Editing(
            edit=edit, save_to=self.save_edit, cube_to=self.cube, overwrite=self.overwrite, **what
        )

    def _said_by_an_edit(self) -> list[str]:
        """The options that were given although an edit answers them by itself."""
        others = {
            "--method": self.method, "--param": self.param, "--exposure": self.exposure,
            "--no-denoise": self.no_denoise,
        }  # fmt: skip
        said = [name for name, value in others.items() if value]
        for name, value in given_options(self.given).items():
            said.append(f"--{'no-' * (value is False)}{name.replace('_', '-')}")
        return said

    def _piped(self) -> Job:
        """The job of one photo, read from standard input, written to standard output, or both."""
        from relume.cli.finding import Picture, named
        from relume.cli.jobs import Job, from_pipe, plan

        for_files = {
            "--dry-run": self.dry_run, "--on": self.on != "local", "--jobs": self.processes,
            "--rows": self.rows, "--skip-existing": self.skip_existing, "--sheet": self.sheet,
        }  # fmt: skip
        options.refuse(for_files, "is for files: a pipe is one photo")
        if len(self.inputs) != 1:
            raise ParameterError("- stands for one photo: name no other input beside it")
        to_stdout = self.output in (None, PIPE)
        if to_stdout and sys.stdout is not None and sys.stdout.isatty():
            raise OutputError("a picture is not written to a terminal: name -o FILE, or pipe it on")
        job = from_pipe() if self.inputs[0] == PIPE else Job(named(self.inputs)[0])
        if to_stdout:
            return job
        picture = Picture(job.source, Path(job.source.name))
        (planned,) = plan([picture], output=self.output, format=self.format, several=False)
        if (refusal := planned.refusal(overwrite=self.overwrite)) is not None:
            raise OutputError(refusal)
        return replace(planned, data=job.data)

    def _check_clips(self, planned: Sequence[Job], work: Relighting) -> None:
        """Refuse what clips do not take, and what is for clips where there are none."""
        from relume.cli.finding import is_numbered

        clips = [job for job in planned if job.is_clip]
        if not clips:
            for_clips = {"--from": self.start, "--to": self.end, "--compare": self.compare}
            options.refuse(for_clips, "is for clips (.mp4, .mov, .mkv, ...)")
            return
        work.check_clips()
        numbered = [job for job in clips if is_numbered(job.source)]
        options.refuse({"--on": self.on != "local"}, "is for photos: clips are relit here")
        if clips[0].target is None:
            raise ParameterError("a clip is written to a file: name one with -o")
        if len(clips) == len(planned):
            options.refuse({"--format": self.format}, "is for photos")
            if self.quality is not None and not numbered:
                raise ParameterError("--quality is for pictures: a clip's is always high")
        if numbered and (self.start or self.end):
            raise ParameterError("--from and --to are for clips: numbered pictures have no times")
