"""The training loop: one phase, step by step, to be read from top to bottom.

What a step sees is a function of its number (see :mod:`relume.train.sampler`), and torch's own
generator is seeded by it too; so a checkpoint needs only weights, optimiser and number, and a
resumed run equals an unbroken one bit for bit on the same machine.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from relume.errors import InputError, RelumeError
from relume.train.distributed import DistributedContext
from relume.train.interrupt import StopSignals
from relume.train.recipe import Phase
from relume.train.sampler import BatchSource, prefetch

LOG_EVERY = 10


@dataclass(frozen=True)
class Progress:
    """What a progress bar may show after a step: ``step`` of ``steps`` in all phases together."""

    phase: str
    step: int
    steps: int
    terms: Mapping[str, float]


@dataclass
class Run:
    """The state of a training run that a checkpoint keeps.

    ``step`` is the next step of ``phase``; ``epoch_due`` says that an epoch has ended and was not
    looked at yet. ``average`` is the net whose weights are the moving average (EMA), in phases
    that keep one. ``settings`` are what the run was begun with (see ``recipe.flatten``).
    """

    net: nn.Module
    settings: dict[str, Any] = field(default_factory=dict)
    phase: int = 0
    step: int = 0
    epoch_due: bool = False
    optimiser: dict[str, Any] | None = None
    average: nn.Module | None = None

    @property
    def eval_net(self) -> nn.Module:
        """The net to validate and to ship: the average where there is one."""
        return self.average or self.net

    def save(self, path: Path) -> None:
        """Write the checkpoint: to a temporary file, then rename."""
        state = {
            "net": self.net.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "optimiser": self.optimiser,
            "phase": self.phase,
            "step": self.step,
            "epoch_due": self.epoch_due,
            "settings": self.settings,
        }
        partial = path.with_name(path.name + ".part")
        torch.save(state, partial)
        partial.replace(path)

    def load_weights(self, path: Path) -> None:
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
            InputError: the file is damaged, or of another network or recipe.
        """
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            begun_with = state.get("settings") or self.settings  # older files have none
        except Exception as error:  # torch raises a dozen kinds for damaged files
            raise InputError(f"cannot resume from {path}: {error}") from error
        keys = sorted(begun_with.keys() | self.settings.keys())
        changes = [
            f"{key} {begun_with.get(key, 'none')} -> {self.settings.get(key, 'none')}"
            for key in keys
            if begun_with.get(key) != self.settings.get(key)
        ]
        if changes:
            raise InputError(
                f"{path.parent} was begun with other settings: {', '.join(changes)}; resume with "
                "those it was begun with, or name another --out"
            )
        try:
            self.net.load_state_dict(state["net"])
            self.optimiser, self.phase, self.step = (
                state[k] for k in ("optimiser", "phase", "step")
            )
            self.epoch_due = state.get("epoch_due", False)
            if state["average"] is not None:
                self.average = copy.deepcopy(self.net)
                self.average.load_state_dict(state["average"])
        except Exception as error:
            raise InputError(f"cannot resume from {path}: {error}") from error


class Log:
    """Log lines as JSONL; on resuming, lines after the checkpoint's step are dropped."""

    def __init__(self, path: Path, *, active: bool) -> None:
        self.path, self.active = path, active

    def rewind(self, run: Run) -> None:
        """Keep only what happened before the step that ``run`` goes on with."""
        if not self.active or not self.path.exists():
            return
        lines = [line for line in self.path.read_text("utf-8").splitlines() if line.strip()]
        rows = [(json.loads(line), line) for line in lines]
        kept = [
            line
            for row, line in rows
            # a validation that is due stands at the step before
            if (row["number"], row["step"] + (run.epoch_due and "validation" in row))
            < (run.phase, run.step)
        ]
        self.path.write_text("".join(line + "\n" for line in kept), "utf-8")

    def write(self, row: Mapping[str, Any]) -> None:
        """Append a line."""
        if self.active:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")


@dataclass(frozen=True)
class LoopHooks:
    """Where a run is kept and watched, the same for all its phases."""

    seed: int
    checkpoint: Path
    checkpoint_s: float
    log: Log
    stop: StopSignals
    on_epoch: Callable[[int], None]
    on_step: Callable[[str, int, Mapping[str, float]], None]


def fit(
    run: Run,
    module: nn.Module,
    phase: Phase,
    source: BatchSource,
    processes: DistributedContext,
    hooks: LoopHooks,
    *,
    stop_after: int | None = None,
) -> bool:
    """Train ``module`` through ``phase`` from ``run.step`` on; True when the phase is finished.

    ``module`` maps a batch to loss terms, ``total`` among them. ``hooks.on_epoch(n)`` is called
    when n epochs are done; ``stop_after`` ends early at that step, with a checkpoint.

    Raises:
        RelumeError: the loss is no longer finite.
        KeyboardInterrupt: a signal asked to stop; the checkpoint is written.
    """
    device, stop = processes.device, hooks.stop
    module.to(device).train()
    parameters = [p for p in module.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=phase.rate, weight_decay=phase.decay)
    if run.optimiser is not None:
        optimiser.load_state_dict(run.optimiser)
    if phase.ema and run.average is None:
        run.average = copy.deepcopy(run.net).eval()
    model = processes.wrap(module)
    epoch_steps = source.steps_per_epoch
    steps = phase.epochs * epoch_steps

    def make(step: int) -> tuple[torch.Tensor, ...]:
        parts = source.batch(run.phase, step, rank=processes.rank, world=processes.world)
        return tuple(torch.from_numpy(part) for part in parts)

    def save() -> None:
        _check_finite(run)
        run.optimiser = optimiser.state_dict()
        if processes.is_main:
            run.save(hooks.checkpoint)

    saved_at = time.monotonic()
    try:
        with closing(prefetch(make, range(run.step, steps))) as batches:
            while run.step < steps or run.epoch_due:
                if run.epoch_due:
                    hooks.on_epoch(run.step // epoch_steps)
                    module.train()  # validation puts the net into eval mode
                    run.epoch_due = False
                    continue
                if run.step == stop_after:
                    save()
                    return False
                if processes.any(stop.requested):
                    raise KeyboardInterrupt
                with stop.deferred():  # a signal waits until the step is whole
                    # patches (B, 3, P, P) twice, then (B, 3, 96, 96) and (B, 1) for relume's net
                    batch = [part.to(device) for part in next(batches)]
                    torch.manual_seed(step_seed(hooks.seed, run.phase, run.step))
                    rate = learning_rate(phase, run.step, steps)
                    terms = _update(model, batch, optimiser, rate, phase.clip)
                    if run.average is not None:
                        keep = min(phase.ema, (1 + run.step) / (10 + run.step))
                        _update_ema(run.average, run.net, keep)
                    if run.step % LOG_EVERY == 0 or run.step == steps - 1:
                        _report(run, phase, rate, terms, processes, hooks)
                    run.step += 1
                    run.epoch_due = run.step % epoch_steps == 0
                    if time.monotonic() - saved_at > hooks.checkpoint_s:
                        save()
                        saved_at = time.monotonic()
    except KeyboardInterrupt:
        with stop.deferred():
            save()
        raise
    with stop.deferred():
        _check_finite(run)
        run.phase, run.step, run.optimiser = run.phase + 1, 0, None
        if processes.is_main:
            run.save(hooks.checkpoint)
    return True


def _update(
    model: nn.Module,
    batch: list[torch.Tensor],
    optimiser: torch.optim.Optimizer,
    rate: float,
    clip: float,
) -> Mapping[str, torch.Tensor]:
    """One step of the optimiser; the loss terms of the batch, scalars by name."""
    for group in optimiser.param_groups:
        group["lr"] = rate
    terms: Mapping[str, torch.Tensor] = model(*batch)
    optimiser.zero_grad(set_to_none=True)
    terms["total"].backward()
    if clip:
        nn.utils.clip_grad_norm_(optimiser.param_groups[0]["params"], clip)
    optimiser.step()
    return terms


def learning_rate(phase: Phase, step: int, steps: int) -> float:
    """The learning rate of a step: a half cosine from ``phase.rate`` to ``phase.last_rate``."""
    share = step / max(1, steps - 1)
    return phase.last_rate + (phase.rate - phase.last_rate) * (1 + math.cos(math.pi * share)) / 2


def step_seed(seed: int, phase: int, step: int) -> int:
    """The seed of torch's generator for one step."""
    return int(np.random.SeedSequence([seed, phase, step]).generate_state(1)[0])


def _report(
    run: Run,
    phase: Phase,
    rate: float,
    terms: Mapping[str, torch.Tensor],
    processes: DistributedContext,
    hooks: LoopHooks,
) -> None:
    loss = {k: float(processes.mean(v.detach())) for k, v in terms.items()}
    if not math.isfinite(loss["total"]):
        raise RelumeError(f"the loss is {loss['total']} at step {run.step}: lower the rate")
    row = {"number": run.phase, "phase": phase.name, "step": run.step, "rate": rate}
    hooks.log.write({**row, "loss": loss})
    hooks.on_step(phase.name, run.step, loss)


def _check_finite(run: Run) -> None:
    """Refuse to save weights that nothing can be made of over those of an earlier step.

    The loss that tells is looked at every few steps only.

    Raises:
        RelumeError: a weight that is no number.
    """
    nets = [net for net in (run.net, run.average) if net is not None]
    if not all(torch.isfinite(value).all() for net in nets for value in net.state_dict().values()):
        raise RelumeError(
            f"the weights are no longer finite at step {run.step}: lower the rate; the last "
            "checkpoint is kept"
        )


@torch.no_grad()
def _update_ema(average: nn.Module, net: nn.Module, keep: float) -> None:
    for slow, fast in zip(average.parameters(), net.parameters(), strict=True):
        slow.lerp_(fast, 1 - keep)
    # the statistics of batch normalisation are of the weights they were gathered with
    for slow, fast in zip(average.buffers(), net.buffers(), strict=True):
        if slow.is_floating_point():
            slow.lerp_(fast, 1 - keep)
        else:
            slow.copy_(fast)
