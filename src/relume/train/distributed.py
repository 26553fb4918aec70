"""One process or several: what ``torchrun`` says of itself, and what training makes of it."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed.nn  # now, as its functions' defaults would keep a group that exists
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from relume.errors import DeviceError


@dataclass(frozen=True)
class DistributedContext:
    """This process's rank among those that train together, and the device it uses."""

    rank: int
    world: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Whether this process writes the files and shows the progress."""
        return self.rank == 0

    def wrap(self, module: nn.Module) -> nn.Module:
        """``module`` with its gradients averaged over all processes."""
        if self.world == 1:
            return module
        ids = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=ids)

    def any(self, flag: bool) -> bool:
        """Whether ``flag`` is true in one process at least."""
        if self.world == 1:
            return flag
        return bool(self.mean(torch.tensor(float(flag), device=self.device)))

    def mean(self, value: torch.Tensor) -> torch.Tensor:
        """``value`` averaged over all processes."""
        if self.world > 1:
            value = value.clone()
            distributed.all_reduce(value)
            value /= self.world
        return value


@contextmanager
def distributed_context(device: str) -> Iterator[DistributedContext]:
    """Join the other processes of ``torchrun`` (gloo on CPU, NCCL on CUDA), if there are any.

    Raises:
        DeviceError: CUDA is asked for and not there, or there are fewer GPUs than processes.
    """
    world, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    local = int(os.environ.get("LOCAL_RANK", 0))
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device not in ("cpu", "cuda"):
        raise DeviceError(f"training runs on cpu or cuda, got {device!r}")
    if device == "cuda" and torch.cuda.device_count() <= local:
        count = torch.cuda.device_count()
        raise DeviceError(f"expected a CUDA device for process {local}, found {count}; use cpu")
    target = torch.device("cuda", local) if device == "cuda" else torch.device("cpu")
    if target.type == "cpu":
        keep_freed_memory()
    if world > 1:
        distributed.init_process_group("nccl" if target.type == "cuda" else "gloo")
    try:
        yield DistributedContext(rank, world, target)
        if world > 1:
            distributed.barrier()  # one that leaves first cuts the others' connections
    finally:
        if world > 1:
            # wrapped modules are cycles, and hold the group: gloo's threads end with its last
            # holder, and one that outlives the interpreter's end aborts the process
            gc.collect()
            distributed.destroy_process_group()


def keep_freed_memory() -> None:
    """Tell glibc to keep freed memory: page faults of big activations cost half of the CPU time."""
    if sys.platform != "linux":
        return
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD
    except (OSError, AttributeError):  # another C library: slower, not wrong
        return
