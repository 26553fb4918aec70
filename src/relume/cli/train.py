"""``relume train``: a recipe and photographs in, a network out."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from relume.cli import console, options
from relume.cli.command import Command, arg, local_path, opt
from relume.errors import ParameterError

if TYPE_CHECKING:
    from relume.train.loop import Progress


LINE_S = 60.0
"""How often training says how far it is where nobody sees a bar: in a pipe, in a log."""


@dataclass(frozen=True, kw_only=True)
class Train(Command):
    """Train a network as a recipe says.

    Several processes: torchrun --nproc-per-node=N -m relume train ...
    """

    recipe: Path = arg("RECIPE", "A TOML file, as in recipes/.", parser=local_path)
    pairs: list[Path] | None = opt("--pairs DIR", "A folder with low/ and high/; may be repeated.")
    out: Path | None = opt(
        "--out -o DIR", "Where the run is kept.", shown="runs/RECIPE", local=True
    )
    bright: list[Path] | None = opt(
        "--bright DIR", "A folder of bright photographs to darken; may be repeated."
    )
    held: list[Path] | None = opt(
        "--held DIR",
        "Photographs with a faces.csv, to measure a detector on; may be repeated.",
    )
    resume: bool = opt("--resume", "Go on from the last checkpoint.", default=False)
    start: Path | None = opt(
        "--start FILE", "Begin with the weights of this safetensors file.", local=True
    )
    device: options.Device = "auto"
    precision: options.Precision = opt(
        "--precision", "f32 or bf16; auto takes the recipe's.", default="auto"
    )
    stop_after: str | None = opt(
        "--stop-after PHASE:STEP", "Stop there with a checkpoint; phases count from 1."
    )
    quiet: options.Quiet = False
    verbose: options.Verbose = False

    def run(self) -> None:
        """Train, and name the folder of the run."""
        stop = None if self.stop_after is None else _phase_and_step(self.stop_after)
        is_main = os.environ.get("RANK", "0") == "0"  # of torchrun's processes one speaks
        hidden = self.quiet or not is_main
        with console.progress_bar("training", quiet=hidden, line_s=LINE_S) as bar:
            try:
                from relume.train import run

                result = run(
                    self.recipe,
                    pairs=tuple(self.pairs or ()),
                    out=self.out or Path("runs") / self.recipe.stem,
                    bright=tuple(self.bright or ()),
                    held=tuple(self.held or ()),
                    resume=self.resume,
                    start=self.start,
                    device=self.device,
                    precision=None if self.precision == "auto" else self.precision,
                    progress=lambda p: bar.show(p.step + 1, p.steps, _note(p)),
                    note=lambda text: console.say(f"note: {text}"),
                    stop_after=stop,
                )
            except KeyboardInterrupt as error:
                if is_main:
                    console.say(str(error) or "stopped: nothing was saved")
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
