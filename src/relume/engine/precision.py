"""f32 or bf16, where nobody says which: timed once on this machine, and kept.

A CPU's flags do not tell. With the same avx512_bf16, bf16 was measured up to twice as fast as f32
on one CPU and slower on another. So the first time that a network is loaded, both run a small
sample of its inputs, and what was found is kept in the cache folder: from then on the same machine
gives the same pixels. Whoever knows better sets ``RELUME_PRECISION``, or asks for a precision.
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np

from relume.engine.base import Array, Inference
from relume.engine.kept import forget, keep, kept
from relume.errors import RelumeError

CLEARLY = 1.2
"""How many times as fast as f32 bf16 must be to be chosen."""
MOST_OFF, MEAN_OFF = 4 / 255, 1 / 255
"""How far its outputs may be from those of f32, at one place and on average."""
ROUNDS = 4

Sample = Callable[[], Mapping[str, Array]]
"""Makes the inputs on which a network is timed: some milliseconds of work."""

# Windows counts the processor's time in steps of 16 ms
_clock = time.perf_counter if sys.platform == "win32" else time.process_time

_known: dict[str, Measurement] = {}
"""By key: in a process nothing changes, even if the cache folder cannot be written."""
_one_at_a_time = threading.RLock()
"""Two measurements at once would count each other's work."""


@dataclass(frozen=True)
class Verdict:
    """A precision, f32 or bf16, and in a few words why."""

    precision: str
    why: str = ""


@dataclass(frozen=True)
class Measurement:
    """How many times as fast as f32 bf16 was, and how far off its outputs were."""

    faster: float
    most_off: float
    mean_off: float

    @property
    def verdict(self) -> Verdict:
        """bf16 if it was clearly faster and its outputs are the same to the eye."""
        if not (self.most_off <= MOST_OFF and self.mean_off <= MEAN_OFF):
            return Verdict("f32", f"bf16 is off by up to {255 * self.most_off:.1f} levels")
        if not self.faster >= CLEARLY:
            return Verdict("f32", f"bf16 measured {self.faster:.1f} x as fast")
        return Verdict("bf16", f"measured {self.faster:.1f} x as fast as f32")


def measured(identity: str, sample: Sample, prepare: Callable[[str], Inference]) -> Verdict:
    """The precision in which a network runs best here; measured if that was not done yet.

    ``identity`` is all that it may depend on: the processor, the engine's version, the network.
    ``prepare`` loads the network in a precision, to run in one thread.
    """
    key = hashlib.sha256(identity.encode()).hexdigest()[:16]
    name = f"precision/{key}.json"
    with _one_at_a_time:
        if key not in _known:
            found = _read(name)
            if found is None:
                try:
                    found = measure(sample(), prepare)
                except RelumeError as error:
                    return Verdict("f32", f"bf16 could not be measured: {error}")
                keep(name, json.dumps(asdict(found)).encode(), replace=False)
                found = _read(name) or found  # of processes that measure together, the first counts
            _known[key] = found
        return _known[key].verdict


def measure(inputs: Mapping[str, Array], prepare: Callable[[str], Inference]) -> Measurement:
    """Both precisions on the same inputs, in turns, so that a busy machine does not decide.

    The processor's time counts, not the wall clock's, and of that the least: waiting for one's turn
    is in neither. With one thread to a network, so that none waits for another.
    """
    f32, bf16 = prepare("f32"), prepare("bf16")
    exact, reduced = f32(inputs), bf16(inputs)  # the first run of each also prepares its layers
    off = [np.abs(reduced[name] - exact[name]) for name in exact]
    times: dict[Inference, list[float]] = {f32: [], bf16: []}
    for _ in range(ROUNDS):
        for run, took in times.items():
            start = _clock()
            run(inputs)
            took.append(_clock() - start)
    return Measurement(
        min(times[f32]) / max(min(times[bf16]), 1e-9),
        max(float(values.max()) for values in off),
        max(float(values.mean()) for values in off),
    )


def _read(name: str) -> Measurement | None:
    """What was kept, or None; a file that is no measurement is removed."""
    data = kept(name)
    if data is None:
        return None
    try:
        values = json.loads(data)
        return Measurement(*(float(values[field]) for field in Measurement.__dataclass_fields__))
    except (ValueError, TypeError, KeyError):
        forget(name)
        return None
