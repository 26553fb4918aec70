"""``relume study``: does it help? Arms x detectors x landmarks, with statistics and a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relume.cli import console
from relume.cli.options import QuietOption, VerboseOption, parse_list
from relume.errors import ParameterError

if TYPE_CHECKING:
    from relume.study import Progress


def study(
    pictures: Annotated[
        Path,
        typer.Argument(help="A folder of photographs, or a recipe (TOML).", show_default=False),
    ],
    report: Annotated[
        Path | None,
        typer.Option(
            "--report", "-o", help="The folder the report is written to.", show_default="report"
        ),
    ] = None,
    arms: Annotated[
        str | None,
        typer.Option(
            "--arms",
            metavar="A,B,...",
            help="Methods with parameters (gamma:0.4), named if you like (soft=gamma:0.8), or "
            "folders of results (name=DIR).",
        ),
    ] = None,
    detectors: Annotated[str | None, typer.Option("--detectors", metavar="A,B,...")] = None,
    landmarks: Annotated[
        str | None, typer.Option("--landmarks", metavar="NAME", help="Measure landmarks too.")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option("--labels", help="Boxes or ellipses (CSV), or a folder of points."),
    ] = None,
    reference: Annotated[
        Path | None, typer.Option("--reference", help="Normal-light photographs of the same names.")
    ] = None,
    darken: Annotated[
        str | None,
        typer.Option("--darken", metavar="K,...", help="Exposures to darken to: 1,0.1,0.03."),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option("--threshold", help="Lowest score of a face that counts.")
    ] = None,
    iou: Annotated[
        float | None, typer.Option("--iou", help="Lowest overlap with the label.")
    ] = None,
    examples: Annotated[
        int | None,
        typer.Option("--examples", help="Won and lost faces shown for each arm; 0: none."),
    ] = None,
    gt_mean: Annotated[
        bool | None,
        typer.Option("--gt-mean", help="Also PSNR with the reference's mean.", show_default=False),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of the darkening.")] = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="Processes.", show_default="all cores"),
    ] = None,
    write_inputs: Annotated[
        Path | None,
        typer.Option(
            "--write-inputs",
            help="Only write the darkened photographs here, for another program to enhance.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write over the report of another study.")
    ] = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Measure whether relighting helps.

    Detectors and landmarks on your own photographs, with statistics and a report.

    The same command goes on where a study was interrupted.
    """
    console.be_verbose(verbose)
    from relume.study import Plan, run, split_arms

    given: dict[str, Any] = {
        "report": report,
        "arms": None if arms is None else split_arms(arms),
        "detectors": None if detectors is None else parse_list(detectors),
        "landmarks": landmarks,
        "labels": labels,
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
        options = {name: value for name, value in given.items() if value is not None}
        plan = Plan(pictures=pictures, **({"report": Path("report")} | options))
    if write_inputs is not None:
        from relume.study import write_inputs as write

        written = write(plan, write_inputs)
        console.out(f"{console.count(len(written), 'picture')} in {write_inputs.resolve()}")
        return
    with console.progress_bar("study", quiet=quiet) as bar:
        try:
            done = run(
                plan,
                progress=lambda p: bar.show(p.done, p.total, _failures(p)),
                processes=jobs,
                force=force,
            )
        except KeyboardInterrupt:
            console.say("stopped; the same command goes on from here")
            raise typer.Exit(console.INTERRUPTED) from None
    if done.failures or done.left_out:
        console.say(
            f"{console.count(done.failures, 'failure')}; {console.count(done.left_out, 'picture')} "
            "left out of every comparison (the report names them)"
        )
    console.out(done.answer)
    console.out(console.one_line(str(done.index.resolve())))


def _failures(progress: Progress) -> str:
    return console.count(progress.failures, "failure") if progress.failures else ""


def _levels(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in parse_list(text))
    except ValueError:
        raise ParameterError(f"--darken takes numbers, as in 1,0.1,0.03; got {text!r}") from None
