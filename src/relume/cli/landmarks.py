"""``relume landmarks``: 68 points in every face of a photo."""

from __future__ import annotations

from typing import Annotated

import typer

from relume.cli import console
from relume.cli.detect import finder, run_over
from relume.cli.options import (
    MegapixelsOption,
    OverwriteOption,
    QuietOption,
    ThresholdOption,
    VerboseOption,
)


def landmarks(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="PHOTO|DIR...", help="Photos or folders.", show_default=False),
    ],
    landmarker: Annotated[
        str | None,
        typer.Option("--landmarker", "-l", metavar="NAME", help="'relume methods' lists them."),
    ] = None,
    detector: Annotated[
        str | None,
        typer.Option("--detector", "-d", metavar="NAME[:PARAMS]", help="Finds the faces first."),
    ] = None,
    threshold: ThresholdOption = None,
    views: Annotated[
        str | None,
        typer.Option("--views", metavar="NAME,...", help="The views looked at: original,machine."),
    ] = None,
    draw: Annotated[
        str | None,
        typer.Option(
            "--draw", metavar="FILE|DIR", help="Write the photos with boxes and contours."
        ),
    ] = None,
    as_json: Annotated[
        str | None,
        typer.Option("--json", metavar="FILE|-", help="Write one JSON document; - is stdout."),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE|-", help="Write JSON lines, one a photo."),
    ] = None,
    overwrite: OverwriteOption = False,
    max_megapixels: MegapixelsOption = 200.0,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Find 68 landmarks (iBUG order) in every face."""
    console.be_verbose(verbose)
    from relume.faces import landmarkers

    chosen = landmarker or landmarkers().names()[0]
    run_over(
        inputs,
        finder(detector=detector, landmarker=chosen, threshold=threshold, views=views),
        draw=draw,
        as_json=as_json,
        lines=output,
        overwrite=overwrite,
        max_megapixels=max_megapixels,
        quiet=quiet,
    )
