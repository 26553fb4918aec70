"""``relume study``: does it help? Arms x detectors x landmarks, with statistics and a report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from relume.catalog import split_specs
from relume.cli import console, options
from relume.cli.command import Command, arg, local_path, opt
from relume.errors import ParameterError

if TYPE_CHECKING:
    from relume.study import Plan, Progress

PLANNED = (
    "report", "arms", "detectors", "landmarks", "labels", "groups", "reference", "darken",
    "threshold", "iou", "examples", "gt_mean", "seed",
)  # fmt: skip
"""Options that are settings of the study itself."""


@dataclass(frozen=True, kw_only=True)
class Study(Command):
    """Measure whether relighting helps.

    Every photograph goes through every arm (a method, or several views) and every detector; the
    report says what helps, with statistics.

    The same command goes on where a study was interrupted.
    """

    pictures: Path = arg(
        "DIR|RECIPE", "A folder of photographs, or a recipe (TOML).", parser=local_path
    )
    report: Path | None = opt("--report -o DIR", "The report's folder.", shown="report", local=True)
    arms: str | None = opt(
        "A,B,...",
        "Methods with parameters (gamma:0.4), views looked at together (original+machine), named "
        "if you like (soft=gamma:0.8), or folders of results (name=DIR).",
        shown="original,gamma,original+machine",
        names="methods,",
    )
    detectors: str | None = opt(
        "A,B,...", "Face detectors.", shown="yunet if it is here, else relume", names="detectors,"
    )
    landmarks: str | None = opt("NAME", "Measure landmarks too ('relume').", names="landmarkers")
    labels: Path | None = opt(
        "FILE|DIR",
        "The true faces: a CSV file of boxes (image,x0,y0,x1,y1) or ellipses "
        "(image,major_radius_px,minor_radius_px,angle_rad,center_x_px,center_y_px), a row a face, "
        "with group:NAME columns if any, or a folder of 68-point files (x,y) named like the "
        "pictures.",
        local=True,
    )
    groups: str | None = opt(
        "NAME,...",
        "Also by group: group:NAME columns of the labels; skin is measured (ITA).",
        shown="all the labels name",
    )
    reference: Path | None = opt(
        "DIR", "The same photographs in good light, under the same names.", local=True
    )
    darken: str | None = opt("K,...", "Shares of their light to darken to, as in 1,0.1,0.03.")
    threshold: float | None = opt(
        "SCORE", "Lowest score of a face that counts: 0 to 1.", shown="0.6"
    )
    iou: float | None = opt(
        "SHARE", "Lowest overlap (IoU) of a found face with a true one.", shown="0.5"
    )
    examples: int | None = opt("N", "Won and lost faces shown for each arm; 0: none.", shown="3")
    gt_mean: bool | None = opt("--gt-mean", "Also PSNR at the brightness of --reference.")
    seed: int | None = opt("N", "Seed of the darkening's noise.", shown="0")
    on: options.On = "local"
    jobs: options.StudyProcesses = None
    write_inputs: Path | None = opt(
        "DIR", "Only write the darkened photographs, into this folder.", local=True
    )
    force: bool = opt("--force", "Replace the report of another study.", default=False)
    quiet: options.Quiet = False
    verbose: options.Verbose = False

    def run(self) -> None:
        """Plan the study, run it, and say what it found."""
        from relume.study import run

        plan = self._plan()
        if self.write_inputs is not None:
            _write_inputs(plan, self.write_inputs)
            return
        where = options.parse_on(self.on, self.jobs)
        with console.progress_bar("study", quiet=self.quiet) as bar:

            def show(p: Progress) -> None:
                bar.show(p.done, p.total, f"{p.failures} failed" if p.failures else "")

            with console.stopping("stopped; the same command goes on from here"):
                done = run(plan, progress=show, on=where, force=self.force)
        if done.failures:
            console.say(
                f"{console.count(done.failures, 'photograph')} failed, left out of every "
                "comparison (the report says why)"
            )
        console.out(done.answer)
        console.out(console.one_line(str(done.index.resolve())))
        if done.failures:
            raise typer.Exit(1)

    def _plan(self) -> Plan:
        """The study that is asked for: a recipe's, with the options in place of its own."""
        from relume.study import Plan, split_arms

        lists = {"arms": split_arms, "detectors": split_specs, "groups": split_specs}
        given = {name: getattr(self, name) for name in PLANNED}
        for name, split in {**lists, "darken": _levels}.items():
            if given[name] is not None:
                given[name] = split(given[name])
        if self.pictures.suffix == ".toml" and not self.pictures.is_dir():
            return Plan.load(self.pictures, overrides=given)
        if self.write_inputs is None:
            _fill_in(given, quiet=self.quiet)
        chosen = {name: value for name, value in given.items() if value is not None}
        return Plan(pictures=self.pictures, **({"report": Path("report")} | chosen))


def _fill_in(given: dict[str, Any], *, quiet: bool) -> None:
    """Arms and detectors that were not named: what answers the question most people have."""
    from relume.faces import usual_detector
    from relume.study.plan import DEFAULT_ARMS

    if given["arms"] is not None and given["detectors"] is not None:
        return
    given["arms"] = given["arms"] or DEFAULT_ARMS
    given["detectors"] = given["detectors"] or (usual_detector(),)
    if not quiet:
        arms, detectors = (", ".join(given[name]) for name in ("arms", "detectors"))
        console.say(f"comparing {arms} with {detectors}")


def _write_inputs(plan: Plan, folder: Path) -> None:
    """The darkened photographs, with a line for each that cannot be read, and exit code 1 then."""
    from relume.errors import OutputError, OutputExists
    from relume.study import write_inputs

    failed: list[str] = []

    def fail(name: str, error: Exception) -> None:
        failed.append(name)
        console.fail(error, about=name)

    try:
        written = write_inputs(plan, folder, failed=fail)
    except OutputExists as error:
        raise OutputError(f"{error.args[0]} exists already; name another folder") from error
    console.out(console.one_line(f"{console.count(len(written), 'picture')} in {folder.resolve()}"))
    if failed:
        raise typer.Exit(1)


def _levels(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in split_specs(text))
    except ValueError:
        raise ParameterError(f"--darken takes numbers, as in 1,0.1,0.03; got {text!r}") from None
