"""``relume train``: a recipe and photographs in, a network out."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relume.cli import console, options
from relume.cli.options import opt
from relume.errors import ParameterError

if TYPE_CHECKING:
    from relume.train.loop import Progress


LINE_S = 60.0
"""How often training says how far it is where nobody sees a bar: in a pipe, in a log."""


def train(
    recipe: Annotated[
        Path,
        typer.Argument(
            metavar="RECIPE",
            help="A TOML file, as in recipes/.",
            show_default=False,
            parser=options.local_path,
        ),
    ],
    pairs: Annotated[
        list[Path] | None,
        opt("--pairs", "DIR", help="A folder with low/ and high/; may be repeated.", shown=False),
    ] = None,
    out: Annotated[
        Path | None,
        opt(
            *("--out", "-o", "DIR"),
            help="Where the run is kept.",
            shown="runs/RECIPE",
            local=True,
        ),
    ] = None,
    bright: Annotated[
        list[Path] | None,
        opt(
            *("--bright", "DIR"),
            help="A folder of bright photographs to darken; may be repeated.",
            shown=False,
        ),
    ] = None,
    held: Annotated[
        list[Path] | None,
        opt(
            *("--held", "DIR"),
            help="Photographs with a faces.csv, to measure a detector on; may be repeated.",
            shown=False,
        ),
    ] = None,
    resume: Annotated[bool, opt("--resume", help="Go on from the last checkpoint.")] = False,
    start: Annotated[
        Path | None,
        opt(
            *("--start", "FILE"),
            help="Begin with the weights of this safetensors file.",
            shown=False,
            local=True,
        ),
    ] = None,
    device: options.DeviceOption = options.Device.auto,
    precision: Annotated[
        options.Precision, opt("--precision", help="f32 or bf16; auto takes the recipe's.")
    ] = options.Precision.auto,
    stop_after: Annotated[
        str | None,
        opt(
            *("--stop-after", "PHASE:STEP"),
            help="Stop there with a checkpoint; phases count from 1.",
        ),
    ] = None,
    quiet: options.QuietOption = False,
    verbose: options.VerboseOption = False,
) -> None:
    """Train a network as a recipe says.

    Several processes: torchrun --nproc-per-node=N -m relume train ...
    """
    console.be_verbose(verbose)
    stop = None if stop_after is None else _phase_and_step(stop_after)
    into = out or Path("runs") / recipe.stem
    is_main = os.environ.get("RANK", "0") == "0"  # of torchrun's processes one speaks
    with console.progress_bar("training", quiet=quiet or not is_main, line_s=LINE_S) as bar:
        try:
            from relume.train import run

            result = run(
                recipe,
                pairs=tuple(pairs or ()),
                out=into,
                bright=tuple(bright or ()),
                held=tuple(held or ()),
                resume=resume,
                start=start,
                device=device.value,
                precision=None if precision is options.Precision.auto else precision.value,
                progress=lambda p: bar.show(p.step + 1, p.steps, _note(p)),
                note=lambda text: console.say(console.one_line(f"note: {text}")),
                stop_after=stop,
            )
        except KeyboardInterrupt as error:
            if is_main:
                console.say(console.one_line(str(error) or "stopped: nothing was saved"))
            raise typer.Exit(128 + getattr(error, "signum", signal.SIGINT)) from None
    if is_main:
        console.out(console.one_line(str(result.resolve())))


def _note(progress: Progress) -> str:
    """Short, so that the line fits a terminal of 80 columns; log.jsonl has all terms."""
    return f"{progress.phase} loss {progress.terms['total']:.4f}"


def _phase_and_step(text: str) -> tuple[int, int]:
    phase, colon, step = text.partition(":")
    if not (colon and phase.isdecimal() and step.isdecimal() and int(phase) > 0):
        raise ParameterError(f"--stop-after takes PHASE:STEP, as in 1:200, got {text!r}")
    return int(phase) - 1, int(step)
