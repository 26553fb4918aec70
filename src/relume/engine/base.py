"""What every engine promises, and where and how it is asked to run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from relume.errors import InputError, ParameterError, WeightsError

Array = npt.NDArray[Any]
Inference = Callable[[Mapping[str, Array]], Mapping[str, Array]]
"""What a :class:`Network` does: arrays by name in, arrays by name out."""

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "f32", "bf16")
PRECISION_VARIABLE = "RELUME_PRECISION"


@dataclass(frozen=True)
class Runtime:
    """Where and how to run networks.

    ``device`` is auto (the CPU), cpu, cuda or mps. ``precision`` is auto, f32 or bf16; auto is what
    $RELUME_PRECISION says, else bf16 on CPUs where it is clearly faster: those that multiply bf16
    matrices in hardware (AMX), and those where relume's networks were measured to be. ``threads``
    is the number of CPU threads, 0 for as many as there are cores.

    Raises:
        ParameterError: an unknown device or precision, or a negative number of threads.
    """

    device: str = "auto"
    precision: str = "auto"
    threads: int = 0

    def __post_init__(self) -> None:
        if self.device not in DEVICES:
            raise ParameterError(f"device must be {' | '.join(DEVICES)}, got {self.device!r}")
        if self.precision not in PRECISIONS:
            raise ParameterError(
                f"precision must be {' | '.join(PRECISIONS)}, got {self.precision!r}"
            )
        if self.threads < 0:
            raise ParameterError(f"threads must be 0 (all cores) or more, got {self.threads}")

    @property
    def wanted_precision(self) -> str:
        """The precision that the caller asked for, else the environment; auto if neither did.

        Raises:
            ParameterError: the environment asks for an unknown one.
        """
        given = os.environ.get(PRECISION_VARIABLE) or "auto"
        if given not in PRECISIONS:
            raise ParameterError(
                f"{PRECISION_VARIABLE} must be {' | '.join(PRECISIONS)}, got {given!r}"
            )
        return given if self.precision == "auto" else self.precision

    @property
    def on_cpu(self) -> bool:
        """Whether networks run on the CPU (auto does)."""
        return self.device in ("auto", "cpu")


class Network(Protocol):
    """A loaded network: arrays by name in, arrays by name out. May be called from any thread.

    ``precision`` is f32 or bf16.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    precision: str

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs, by name, as arrays of their own.

        Raises:
            InputError: a missing or unknown input, or an array of the wrong shape.
            DeviceError: the device could not run it (out of memory, say).
        """

    def describe(self) -> str:
        """One line: what runs, on what, in which precision."""

    def release_memory(self) -> None:
        """Free the memory that inference took; the next call allocates it again."""


def check_inputs(given: Mapping[str, Array], expected: tuple[str, ...]) -> None:
    """Refuse inputs that are not exactly the ones expected.

    Raises:
        InputError: a name too many or too few.
    """
    if set(given) != set(expected):
        raise InputError(
            f"the network takes {', '.join(expected)}, got {', '.join(sorted(given)) or 'nothing'}"
        )


def check_interface(
    network: Network, model: Path, kind: str, inputs: Iterable[str], outputs: Iterable[str]
) -> None:
    """Refuse a network from the file ``model`` that is not of this ``kind`` ("a Retinex-Net").

    Raises:
        WeightsError: other inputs or outputs.
    """
    inputs, outputs = sorted(inputs), sorted(outputs)
    if sorted(network.inputs) != inputs or sorted(network.outputs) != outputs:
        raise WeightsError(
            f"{model} is not {kind}: expected {', '.join(inputs)} -> {', '.join(outputs)}, "
            f"got {', '.join(network.inputs)} -> {', '.join(network.outputs)}"
        )


def contiguous(array: Array) -> Array:
    """``array`` laid out as engines need it; float64 becomes float32."""
    return np.ascontiguousarray(array, np.float32 if array.dtype == np.float64 else None)
