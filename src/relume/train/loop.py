"""The training loop: one phase, step by step, to be read from top to bottom.

What a step sees is a function of its number (see :class:`BatchSource`), and torch's own generator
is seeded by it too; so a checkpoint needs only weights, optimiser and number, and a resumed run
equals an unbroken one bit for bit on the same machine.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from relume.errors import InputError, RelumeError
from relume.train.distributed import DistributedContext
from relume.train.recipe import Phase


@dataclass(frozen=True)
class Progress:
    """What a progress bar may show after a step: ``step`` of ``steps`` in all phases together."""

    phase: str
    step: int
    steps: int
    terms: Mapping[str, float]


class BatchSource(Protocol):
    """Where batches come from."""

    @property
    def steps_per_epoch(self) -> int:
        """Steps in an epoch."""

    def batch(
        self, phase: int, step: int, *, rank: int = 0, world: int = 1
    ) -> tuple[npt.NDArray[np.float32], ...]:
        """Process ``rank``'s part of the batch of a step, by its number alone."""


@dataclass
class Run:
    """The state of a training run that a checkpoint keeps: the net, the phase, its next step.

    ``average`` is the net whose weights are the moving average, in phases that keep one.
    """

    net: nn.Module
    phase: int = 0
    step: int = 0
    optimiser: dict[str, Any] | None = None
    average: nn.Module | None = None

    @property
    def best(self) -> nn.Module:
        """The net to look at and to ship: the average where there is one."""
        return self.average or self.net

    def save(self, path: Path) -> None:
        """Write the checkpoint whole: to a temporary file, then rename."""
        state = {
            "net": self.net.state_dict(),
            "optimiser": self.optimiser,
            "phase": self.phase,
            "step": self.step,
            "average": self.average.state_dict() if self.average else None,
        }
        partial = path.with_name(path.name + ".part")
        torch.save(state, partial)
        partial.replace(path)

    def begin_from(self, path: Path) -> None:
        """Take the weights of a safetensors file that an earlier run exported.

        Raises:
            InputError: the file is missing, damaged, or of another network.
        """
        try:
            self.net.load_state_dict(load_file(str(path)))
        except (OSError, SafetensorError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"cannot start from {path}: {reason}") from error

    def restore(self, path: Path) -> None:
        """Take up the state of a checkpoint.

        Raises:
            InputError: the file is missing, damaged, or of another network.
        """
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            self.net.load_state_dict(state["net"])
            self.optimiser, self.phase, self.step = (
                state[k] for k in ("optimiser", "phase", "step")
            )
            if state["average"] is not None:
                self.average = copy.deepcopy(self.net)
                self.average.load_state_dict(state["average"])
        except FileNotFoundError:
            raise InputError(f"nothing to resume: there is no {path}") from None
        except Exception as error:  # torch raises a dozen kinds for damaged files
            raise InputError(f"cannot resume from {path}: {error}") from error


class Log:
    """Log lines as JSONL; on resuming, lines after the checkpoint's step are dropped."""

    def __init__(self, path: Path, *, active: bool) -> None:
        self.path, self.active = path, active

    def rewind(self, phase: int, step: int) -> None:
        """Keep only what happened before step ``step`` of phase number ``phase``."""
        if not self.active or not self.path.exists():
            return
        lines = [line for line in self.path.read_text("utf-8").splitlines() if line.strip()]
        rows = [(json.loads(line), line) for line in lines]
        kept = [line for row, line in rows if (row["number"], row["step"]) < (phase, step)]
        self.path.write_text("".join(line + "\n" for line in kept), "utf-8")

    def write(self, row: Mapping[str, Any]) -> None:
        """Append a line."""
        if self.active:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")


def learning_rate(phase: Phase, step: int, steps: int) -> float:
    """The learning rate of a step: a half cosine from ``phase.rate`` to ``phase.last_rate``."""
    share = step / max(1, steps - 1)
    return phase.last_rate + (phase.rate - phase.last_rate) * (1 + math.cos(math.pi * share)) / 2


def step_seed(seed: int, phase: int, step: int) -> int:
    """The seed of torch's generator for one step."""
    return int(np.random.SeedSequence([seed, phase, step]).generate_state(1)[0])


@dataclass(frozen=True)
class LoopHooks:
    """Where a run is kept and watched, the same for all its phases."""

    seed: int
    checkpoint: Path
    checkpoint_s: float
    log: Log
    log_every: int
    at_epoch: Callable[[int], None]
    tick: Callable[[str, int, Mapping[str, float]], None]


def fit(
    run: Run,
    module: nn.Module,
    phase: Phase,
    supply: BatchSource,
    processes: DistributedContext,
    keeping: LoopHooks,
    *,
    stop_after: int | None = None,
) -> bool:
    """Train ``module`` through ``phase`` from ``run.step`` on; True when the phase is finished.

    ``module`` maps a batch to loss terms, ``total`` among them. ``keeping.at_epoch(n)`` is called
    when n epochs are done; ``stop_after`` ends early at that step, with a checkpoint, as an
    interruption would.

    Raises:
        RelumeError: the loss is no longer finite.
    """
    module.to(processes.device).train()
    learning = [p for p in module.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(learning, lr=phase.rate, weight_decay=phase.decay)
    if run.optimiser is not None:
        optimiser.load_state_dict(run.optimiser)
    if phase.ema and run.average is None:
        run.average = copy.deepcopy(run.net).eval()
    parallel = processes.wrap(module)
    steps = phase.epochs * supply.steps_per_epoch
    saved_at = time.monotonic()
    while run.step < steps:
        if stop_after is not None and run.step >= stop_after:
            _keep(run, optimiser, keeping, processes)
            return False
        torch.manual_seed(step_seed(keeping.seed, run.phase, run.step))
        rate = learning_rate(phase, run.step, steps)
        for group in optimiser.param_groups:
            group["lr"] = rate
        batch = supply.batch(run.phase, run.step, rank=processes.rank, world=processes.world)
        terms = parallel(*(torch.from_numpy(part).to(processes.device) for part in batch))
        optimiser.zero_grad(set_to_none=True)
        terms["total"].backward()
        if phase.clip:
            nn.utils.clip_grad_norm_(learning, phase.clip)
        optimiser.step()
        if run.average is not None:
            _follow(run.average, run.net, min(phase.ema, (1 + run.step) / (10 + run.step)))
        if run.step % keeping.log_every == 0 or run.step == steps - 1:
            _report(run, phase, rate, terms, processes, keeping)
        run.step += 1
        if run.step % supply.steps_per_epoch == 0:
            keeping.at_epoch(run.step // supply.steps_per_epoch)
            module.train()  # who looks at the net puts it into eval mode
        if time.monotonic() - saved_at > keeping.checkpoint_s:
            _keep(run, optimiser, keeping, processes)
            saved_at = time.monotonic()
    run.phase, run.step, run.optimiser = run.phase + 1, 0, None
    if processes.leads:
        run.save(keeping.checkpoint)
    return True


def _report(
    run: Run,
    phase: Phase,
    rate: float,
    terms: Mapping[str, torch.Tensor],
    processes: DistributedContext,
    keeping: LoopHooks,
) -> None:
    shown = {k: float(processes.mean(v.detach())) for k, v in terms.items()}
    if not math.isfinite(shown["total"]):
        raise RelumeError(f"the loss is {shown['total']} at step {run.step}: lower the rate")
    row = {"number": run.phase, "phase": phase.name, "step": run.step, "rate": rate}
    keeping.log.write({**row, "loss": shown})
    keeping.tick(phase.name, run.step, shown)


@torch.no_grad()
def _follow(average: nn.Module, net: nn.Module, keep: float) -> None:
    for slow, fast in zip(average.parameters(), net.parameters(), strict=True):
        slow.lerp_(fast, 1 - keep)


def _keep(
    run: Run, optimiser: torch.optim.Optimizer, keeping: LoopHooks, processes: DistributedContext
) -> None:
    run.optimiser = optimiser.state_dict()
    if processes.leads:
        run.save(keeping.checkpoint)
