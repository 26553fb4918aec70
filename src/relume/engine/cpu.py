"""What this machine's CPU can do, as far as it matters for precision."""

from __future__ import annotations

import functools
import platform
import re
import subprocess
from pathlib import Path

RELEVANT = (
    "avx2", "avx512f", "avx512_bf16", "avx512_vnni", "avx_vnni", "amx_bf16", "amx_int8",
    "asimd", "bf16", "i8mm",
)  # fmt: skip
"""The flags that decide which precision is fast, as Linux spells them."""

IDENTITY = ("vendor_id", "cpu family", "model", "model name", "cpu implementer", "cpu part")
"""The lines of Linux's /proc/cpuinfo, in lower case, that name a model of CPU."""

_limit = 0


def limit_threads(threads: int) -> None:
    """How many threads networks that are loaded from now on use in this process; 0: all cores.

    For a worker beside others. What asks for a number of its own gets that.
    """
    global _limit
    _limit = threads


def thread_limit() -> int:
    """What :func:`limit_threads` set."""
    return _limit


@functools.cache
def cpu_flags() -> tuple[str, ...]:
    """The relevant instruction sets, sorted; empty where the system does not tell."""
    found = set(re.findall(r"[a-z0-9_]+", _flag_text().lower()))
    return tuple(sorted(found & set(RELEVANT)))


def has_amx_bf16() -> bool:
    """Whether bf16 matrix products run in hardware tiles: there bf16 is faster than f32.

    With avx512_bf16 alone it depends: Retinex-Net at 600x400 took .91 s instead of .50 s on one
    CPU, and half the time on another (``relume.engine.precision``).
    """
    return "amx_bf16" in cpu_flags()


@functools.cache
def cpu_model() -> str:
    """What tells this CPU from others with the same flags, as the system calls it."""
    lines = _cpuinfo()
    if lines is None:
        return platform.processor()
    first = lines[: lines.index("")] if "" in lines else lines
    return ", ".join(
        value.strip()
        for name, _, value in (line.partition(":") for line in first)
        if name.strip().lower() in IDENTITY
    )


def _flag_text() -> str:
    lines = _cpuinfo()
    if lines is None:
        return _sysctl() if platform.system() == "Darwin" else ""
    # every core repeats the line; one is enough
    return next((x for x in lines if x.lower().startswith(("flags", "features"))), "")


@functools.cache
def _cpuinfo() -> tuple[str, ...] | None:
    """The lines of /proc/cpuinfo; None on systems that have none."""
    try:
        return tuple(Path("/proc/cpuinfo").read_text("ascii", errors="replace").splitlines())
    except OSError:
        return None


def _sysctl() -> str:
    """macOS: the leaf-7 features of Intel Macs; Apple silicon has NEON (asimd) without asking."""
    if platform.machine() == "arm64":
        return "asimd"
    command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.leaf7_features"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return result.stdout
