"""``relume study``: does it help? Arms x detectors x landmarks, with statistics and a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relume.catalog import split_specs
from relume.cli import console
from relume.cli.options import (
    OnOption,
    QuietOption,
    StudyProcessesOption,
    VerboseOption,
    local_path,
    opt,
    parse_on,
)
from relume.errors import ParameterError

if TYPE_CHECKING:
    from relume.study import Plan, Progress


def study(
    pictures: Annotated[
        Path,
        typer.Argument(
            metavar="DIR|RECIPE",
            help="A folder of photographs, or a recipe (TOML).",
            show_default=False,
            parser=local_path,
        ),
    ],
    report: Annotated[
        Path | None,
        opt("--report", "-o", "DIR", help="The report's folder.", shown="report", local=True),
    ] = None,
    arms: Annotated[
        str | None,
        opt(
            "A,B,...",
            help="Methods with parameters (gamma:0.4), views looked at together "
            "(original+machine), named if you like (soft=gamma:0.8), or folders of results "
            "(name=DIR).",
            shown="original,gamma,original+machine",
            names="methods,",
        ),
    ] = None,
    detectors: Annotated[
        str | None,
        opt(
            "A,B,...",
            help="Face detectors.",
            shown="yunet if it is here, else relume",
            names="detectors,",
        ),
    ] = None,
    landmarks: Annotated[
        str | None, opt("NAME", help="Measure landmarks too ('peppa').", names="landmarkers")
    ] = None,
    labels: Annotated[
        Path | None,
        opt(
            "FILE|DIR",
            help="The true faces: a CSV file of boxes (image,x0,y0,x1,y1) or ellipses "
            "(image,major_radius_px,minor_radius_px,angle_rad,center_x_px,center_y_px), a row a "
            "face, with group:NAME columns if any, or a folder of 68-point files (x,y) named "
            "like the pictures.",
            local=True,
        ),
    ] = None,
    groups: Annotated[
        str | None,
        opt(
            "NAME,...",
            help="Also by group: group:NAME columns of the labels; skin is measured (ITA).",
            shown="all the labels name",
        ),
    ] = None,
    reference: Annotated[
        Path | None,
        opt("DIR", help="The same photographs in good light, under the same names.", local=True),
    ] = None,
    darken: Annotated[
        str | None, opt("K,...", help="Shares of their light to darken to, as in 1,0.1,0.03.")
    ] = None,
    threshold: Annotated[
        float | None, opt("SCORE", help="Lowest score of a face that counts: 0 to 1.", shown="0.6")
    ] = None,
    iou: Annotated[
        float | None,
        opt("SHARE", help="Lowest overlap (IoU) of a found face with a true one.", shown="0.5"),
    ] = None,
    examples: Annotated[
        int | None,
        opt("N", help="Won and lost faces shown for each arm; 0: none.", shown="3"),
    ] = None,
    gt_mean: Annotated[
        bool | None, opt("--gt-mean", help="Also PSNR at the brightness of --reference.")
    ] = None,
    seed: Annotated[int | None, opt("N", help="Seed of the darkening's noise.", shown="0")] = None,
    on: OnOption = "local",
    jobs: StudyProcessesOption = None,
    write_inputs: Annotated[
        Path | None,
        opt("DIR", help="Only write the darkened photographs, into this folder.", local=True),
    ] = None,
    force: Annotated[bool, opt("--force", help="Replace the report of another study.")] = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Measure whether relighting helps.

    Every photograph goes through every arm (a method, or several views) and every detector; the
    report says what helps, with statistics.

    The same command goes on where a study was interrupted.
    """
    console.be_verbose(verbose)
    from relume.study import Plan, run, split_arms

    given: dict[str, Any] = {
        "report": report,
        "arms": None if arms is None else split_arms(arms),
        "detectors": None if detectors is None else split_specs(detectors),
        "landmarks": landmarks,
        "labels": labels,
        "groups": None if groups is None else split_specs(groups),
        "reference": reference,
        "darken": None if darken is None else _levels(darken),
        "threshold": threshold,
        "iou": iou,
        "examples": examples,
        "gt_mean": gt_mean,
        "seed": seed,
    }
    if pictures.suffix == ".toml" and not pictures.is_dir():
        plan = Plan.load(pictures, overrides=given)
    else:
        if write_inputs is None:
            _fill_in(given, quiet=quiet)
        options = {name: value for name, value in given.items() if value is not None}
        plan = Plan(pictures=pictures, **({"report": Path("report")} | options))
    if write_inputs is not None:
        _write_inputs(plan, write_inputs)
        return
    where = parse_on(on, jobs)
    with console.progress_bar("study", quiet=quiet) as bar:

        def show(p: Progress) -> None:
            bar.show(p.done, p.total, f"{p.failures} failed" if p.failures else "")

        try:
            done = run(plan, progress=show, on=where, force=force)
        except KeyboardInterrupt:
            console.say("stopped; the same command goes on from here")
            raise typer.Exit(console.INTERRUPTED) from None
    if done.failures:
        console.say(
            f"{console.count(done.failures, 'photograph')} failed, left out of every comparison "
            "(the report says why)"
        )
    console.out(done.answer)
    console.out(console.one_line(str(done.index.resolve())))
    if done.failures:
        raise typer.Exit(1)


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
        console.say(console.one_line(f"comparing {arms} with {detectors}"))


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
