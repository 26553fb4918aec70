"""A training run from a recipe: data, phases, validation, checkpoints, export."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import torch

from relume.errors import InputError, MissingExtra, OutputError, RecipeError
from relume.train import tasks, validate
from relume.train.distributed import DistributedContext, distributed_context
from relume.train.interrupt import Interrupted, StopSignals, stop_signals
from relume.train.loop import Log, LoopHooks, Progress, Run, fit
from relume.train.phases import PHASES
from relume.train.recipe import Recipe, flatten, load

CHECKPOINT, LOG = "checkpoint.pt", "log.jsonl"
PRECISIONS = ("f32", "bf16")


def run(
    recipe_path: Path,
    *,
    pairs: Path | Sequence[Path] = (),
    out: Path,
    bright: Sequence[Path] = (),
    held: Sequence[Path] = (),
    resume: bool = False,
    start: Path | None = None,
    device: str = "auto",
    precision: str | None = None,
    progress: Callable[[Progress], None] | None = None,
    note: Callable[[str], None] | None = None,
    stop_after: tuple[int, int] | None = None,
) -> Path:
    """Train as the recipe says; returns the folder with the result.

    ``pairs`` are folders with ``low/`` and ``high/``; ``bright`` are folders of bright
    photographs to darken, ``held`` of labelled ones that a detector is only measured on. ``out``
    gets checkpoint.pt, log.jsonl, curves.png and panels, and at the end safetensors, ONNX and
    summary.json. ``start`` names the safetensors file of an earlier
    run, whose weights this one begins with instead of random ones. ``note`` is called with lines
    that the user should know. ``stop_after`` (phase, step) stops there.

    Ctrl-C and SIGTERM write a checkpoint before the next step.

    Raises:
        RecipeError: the recipe does not hold together.
        InputError: the data is not as expected, or there is nothing to resume or to start from.
        OutputError: ``out`` holds another run and ``resume`` is false.
        DeviceError: the device is not there.
        Interrupted: a signal stopped the run; the message says what was saved.
    """
    recipe = load(recipe_path)
    folders = [pairs] if isinstance(pairs, Path) else list(pairs)
    material = tasks.Material(folders, bright, held)
    tasks.check(recipe, material)
    recipe = replace(recipe, precision=precision or recipe.precision)
    if recipe.precision not in PRECISIONS:
        raise RecipeError(
            f"{recipe.name}: expected precision f32 or bf16, got {recipe.precision!r}"
        )
    if resume and start is not None:
        raise InputError(
            f"a run that is resumed goes on with its own weights, not with {start}: give either "
            "--resume or --start"
        )
    _check_folder(out, resume)
    with stop_signals() as stop:
        try:
            with distributed_context(device) as processes:
                trainer = _Trainer(recipe, out, processes, stop, progress, note)
                torch.manual_seed(recipe.seed)
                trainer.prepare(tasks.create(recipe, material, trainer.note), start)
                return trainer.train(resume, stop_after)
        except KeyboardInterrupt as error:
            raise Interrupted(_what_is_saved(out, recipe), stop.signum) from error


class _Trainer:
    """What the phases of one run share."""

    task: tasks.Task
    run: Run

    def __init__(
        self,
        recipe: Recipe,
        out: Path,
        processes: DistributedContext,
        stop: StopSignals,
        progress: Callable[[Progress], None] | None,
        note: Callable[[str], None] | None,
    ) -> None:
        self.recipe, self.out, self.processes, self.stop = recipe, out, processes, stop
        self.progress = progress if processes.is_main else None
        self._note = note if processes.is_main else None
        self.log = Log(out / LOG, active=processes.is_main)
        self.began = time.monotonic()

    def note(self, text: str) -> None:
        """A line for the user, from one process."""
        if self._note:
            self._note(text)

    def prepare(self, task: tasks.Task, start: Path | None) -> None:
        """Take the task, and the weights to begin with."""
        self.task = task
        task.net.to(self.processes.device)
        counts = {"training pairs": len(task.training), "bright photographs": len(task.bright)}
        self.run = Run(task.net, {**flatten(self.recipe), **counts})
        what = [f"{number} {name}" for name, number in counts.items() if number]
        held = f"; {len(task.validation)} are held out to validate on" if task.validation else ""
        self.note(f"training on {' and '.join(what)}{held}")
        if start is not None:
            self.run.load_weights(start)

    def train(self, resume: bool, stop_after: tuple[int, int] | None) -> Path:
        """All phases that are left, then the export."""
        if resume and (self.out / CHECKPOINT).exists():
            self.run.restore(self.out / CHECKPOINT)
        elif resume:
            self.note(f"{self.out} holds no checkpoint yet: training starts from the beginning")
        for phase in self.recipe.phases:
            self.task.source(phase)  # what does not fit a later phase is an error now
        try:
            self.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot make the folder {self.out}: {error.strerror}") from error
        self.log.rewind(self.run)
        while self.run.phase < len(self.recipe.phases):
            number = self.run.phase
            last = stop_after[1] if stop_after and stop_after[0] == number else None
            if not self._phase(number, last):
                return self.out
        if self.processes.is_main:
            self._finish()
        return self.out

    def _phase(self, number: int, stop_after: int | None) -> bool:
        phases = self.recipe.phases
        phase = phases[number]
        counts = [p.epochs * self.task.epoch_steps for p in phases]
        before, steps = sum(counts[:number]), sum(counts)

        def on_step(name: str, step: int, terms: Mapping[str, float]) -> None:
            if self.progress:
                self.progress(Progress(name, before + step, steps, terms))

        hooks = LoopHooks(
            seed=self.recipe.seed,
            checkpoint=self.out / CHECKPOINT,
            checkpoint_s=self.recipe.watch.checkpoint_s,
            log=self.log,
            stop=self.stop,
            on_epoch=lambda epoch: self._validate(number, epoch),
            on_step=on_step,
        )
        kind, bf16 = PHASES[self.recipe.network][phase.name], self.recipe.precision == "bf16"
        module = kind(self.task.net, phase.weights, bf16=bf16)
        source = self.task.source(phase)
        return fit(self.run, module, phase, source, self.processes, hooks, stop_after=stop_after)

    def _validate(self, number: int, epoch: int) -> None:
        """Validation figures and panels after an epoch, when they are due."""
        recipe, phase, pairs = self.recipe, self.recipe.phases[number], self.task.validation
        if not self.processes.is_main or not pairs:
            return
        # the whole net: a phase's module is a part of it
        last, net = epoch == phase.epochs, self.run.eval_net.eval()
        if last or epoch % recipe.watch.validate_epochs == 0:
            row = {"number": number, "phase": phase.name, "step": self.run.step - 1}
            self.log.write({**row, "epoch": epoch, "validation": self.task.figures(net, pairs)})
            validate.write_curves(self.out / LOG, self.out / "curves.png")
        if last or epoch % recipe.watch.panels_epochs == 0:
            name = f"panels-{number + 1}-{phase.name}-{epoch:03d}.jpg"
            some = pairs[:: max(1, len(pairs) // recipe.watch.panels)]
            self.task.panels(net, some[: recipe.watch.panels], self.out / name)

    def _finish(self) -> None:
        net = self.run.eval_net.cpu().eval()
        figures = self.task.figures(net, self.task.validation) if self.task.validation else {}
        files = self.task.export(net, self.out)
        summary = {
            "recipe": self.recipe.name,
            "seed": self.recipe.seed,
            "training_pairs": len(self.task.training),
            "bright_photographs": len(self.task.bright),
            "validation_pairs": [p.name for p in self.task.validation],
            "validation": figures,
            "parameters": sum(p.numel() for p in net.parameters()),
            "seconds_since_last_start": round(time.monotonic() - self.began),
            "torch": torch.__version__,
            "precision": self.recipe.precision,
            "device": str(self.processes.device),
            "files": [f.name for f in files],
        }
        (self.out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", "utf-8")


def _check_folder(out: Path, resume: bool) -> None:
    """Refuse what cannot end well, before the data is read."""
    for package in ("matplotlib", "safetensors", "onnx", "onnxscript"):
        if find_spec(package) is None:  # for the curves and the export: fail now, not in an hour
            raise MissingExtra("training", "train", package)
    if (out / CHECKPOINT).exists() and not resume:
        raise OutputError(f"{out} holds a training run: go on with --resume, or name another --out")
    if resume and not (out / CHECKPOINT).exists() and not (out / LOG).exists():
        raise InputError(f"nothing to resume: there is no training run in {out}")


def _what_is_saved(out: Path, recipe: Recipe) -> str:
    """The truth about a run that was stopped, from its checkpoint."""
    path = out / CHECKPOINT
    if not path.exists():
        return "stopped before the first step: nothing was saved"
    state = torch.load(path, map_location="cpu", weights_only=True)
    if state["phase"] == len(recipe.phases):
        return f"stopped after the last step; {path} holds the run: --resume exports it"
    phase = recipe.phases[state["phase"]].name
    at = f"step {state['step']} of phase {phase}"
    return f"stopped; {path} holds the run up to {at}: --resume goes on from there"
