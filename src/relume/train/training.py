"""A training run from a recipe: data, phases, watching, checkpoints, export."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from relume.errors import InputError, MissingExtra, OutputError, RecipeError
from relume.train import tasks, validate
from relume.train.distributed import DistributedContext, joined
from relume.train.loop import Log, LoopHooks, Progress, Run, fit
from relume.train.recipe import Recipe, load

CHECKPOINT, LOG = "checkpoint.pt", "log.jsonl"
LOG_EVERY = 10
PRECISIONS = ("f32", "bf16")


def run(
    recipe_path: Path,
    *,
    pairs: Path | Sequence[Path],
    out: Path,
    bright: Sequence[Path] = (),
    resume: bool = False,
    start: Path | None = None,
    device: str = "auto",
    precision: str | None = None,
    progress: Callable[[Progress], None] | None = None,
    stop_after: tuple[int, int] | None = None,
) -> Path:
    """Train as the recipe says; returns the folder with the result.

    ``pairs`` are folders with ``low/`` and ``high/``; ``bright`` are folders of bright
    photographs to darken. ``out`` gets checkpoint.pt, log.jsonl, curves.png and panels, and at
    the end safetensors, ONNX and summary.json. ``start`` names the safetensors file of an earlier
    run, whose weights this one begins with instead of random ones. ``stop_after`` (phase, step)
    interrupts there, as a test of resuming does.

    Raises:
        RecipeError: the recipe does not hold together.
        InputError: the data is not as expected, or there is nothing to resume or to start from.
        OutputError: ``out`` holds another run and ``resume`` is false.
        DeviceError: the device is not there.
    """
    recipe = load(recipe_path)
    tasks.check(recipe, bright)
    precision = precision or recipe.precision
    if precision not in PRECISIONS:
        raise RecipeError(f"{recipe.name}: expected precision f32 or bf16, got {precision!r}")
    if resume and start is not None:
        raise InputError(
            f"a run that is resumed goes on with its own weights, not with {start}: give either "
            "--resume or --start"
        )
    with joined(device) as processes:
        _prepare(out, resume, processes)
        torch.manual_seed(recipe.seed)
        folders = [pairs] if isinstance(pairs, Path) else list(pairs)
        task = tasks.create(recipe, folders, bright)
        trainer = _Trainer(recipe, task, out, processes, precision, progress)
        if start is not None:
            trainer.run.begin_from(start)
        return trainer.go(resume, stop_after)


class _Trainer:
    """What the phases of one run share."""

    def __init__(
        self,
        recipe: Recipe,
        task: tasks.Task,
        out: Path,
        processes: DistributedContext,
        precision: str,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self.recipe, self.task, self.out, self.processes = recipe, task, out, processes
        self.precision, self.progress = precision, progress
        task.net.to(processes.device)
        self.run = Run(task.net)
        self.log = Log(out / LOG, active=processes.leads)
        self.began = time.monotonic()

    def go(self, resume: bool, stop_after: tuple[int, int] | None) -> Path:
        if resume:
            self.run.restore(self.out / CHECKPOINT)
            self.log.rewind(self.run.phase, self.run.step)
        while self.run.phase < len(self.recipe.phases):
            number = self.run.phase
            stop = stop_after[1] if stop_after and stop_after[0] == number else None
            if not self._phase(number, stop):
                return self.out
        if self.processes.leads:
            self._finish()
        return self.out

    def _phase(self, number: int, stop_after: int | None) -> bool:
        phase = self.recipe.phases[number]
        supply = self.task.supply(phase)
        counts = [p.epochs * self.task.supply(p).steps_per_epoch for p in self.recipe.phases]
        before, steps = sum(counts[:number]), sum(counts)

        def tick(name: str, step: int, terms: Mapping[str, float]) -> None:
            if self.progress and self.processes.leads:
                self.progress(Progress(name, before + step, steps, terms))

        keeping = LoopHooks(
            seed=self.recipe.seed,
            checkpoint=self.out / CHECKPOINT,
            checkpoint_s=self.recipe.watch.checkpoint_s,
            log=self.log,
            log_every=LOG_EVERY,
            at_epoch=lambda epoch: self._look(number, epoch),
            tick=tick,
        )
        module = self.task.module(phase, bf16=self.precision == "bf16")
        return fit(self.run, module, phase, supply, self.processes, keeping, stop_after=stop_after)

    def _look(self, number: int, epoch: int) -> None:
        """Validation and panels after an epoch, when they are due."""
        recipe, phase, pairs = self.recipe, self.recipe.phases[number], self.task.validation
        if not self.processes.leads or not pairs:
            return
        last, net = epoch == phase.epochs, self.run.best.eval()  # whole: a phase is a part of it
        if last or epoch % recipe.watch.validate_epochs == 0:
            row = {"number": number, "phase": phase.name, "step": self.run.step - 1}
            self.log.write({**row, "epoch": epoch, "validation": self.task.figures(net)})
            validate.write_curves(self.out / LOG, self.out / "curves.png")
        if last or epoch % recipe.watch.panels_epochs == 0:
            name = f"panels-{number + 1}-{phase.name}-{epoch:03d}.jpg"
            shown = pairs[:: max(1, len(pairs) // recipe.watch.panels)]
            self.task.panels(net, shown[: recipe.watch.panels], self.out / name)

    def _finish(self) -> None:
        net = self.run.best.cpu().eval()
        figures = self.task.figures(net) if self.task.validation else {}
        files = self.task.export(net, self.out)
        summary = {
            "recipe": self.recipe.name,
            "seed": self.recipe.seed,
            "training_pairs": len(self.task.training),
            "validation_pairs": [p.name for p in self.task.validation],
            "validation": figures,
            "parameters": sum(p.numel() for p in net.parameters()),
            "seconds_since_last_start": round(time.monotonic() - self.began),
            "torch": torch.__version__,
            "precision": self.precision,
            "device": str(self.processes.device),
            "files": [f.name for f in files],
        }
        (self.out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", "utf-8")


def _prepare(out: Path, resume: bool, processes: DistributedContext) -> None:
    try:
        import matplotlib  # noqa: F401  the curves are part of a run: fail now, not in an hour
    except ImportError:
        raise MissingExtra("training", "train", "matplotlib") from None
    if processes.leads and not resume and (out / LOG).exists():
        raise OutputError(f"{out} holds a training run: go on with --resume, or name another --out")
    out.mkdir(parents=True, exist_ok=True)
