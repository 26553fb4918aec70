"""What every engine promises, and :func:`load`, the one way to get a network that runs."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from relume.errors import DeviceError, InputError, ParameterError, WeightsError

Array = npt.NDArray[Any]

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "f32", "bf16", "int8")
KEPT = 6
"""How many loaded networks a process keeps: the face pipelines need four at once."""


@dataclass(frozen=True)
class Runtime:
    """Where and how to run networks.

    ``device`` is auto (the CPU), cpu, cuda or mps. ``precision`` is auto, f32, bf16 or int8; auto
    is bf16 only on CPUs that multiply bf16 matrices in hardware (AMX), f32 elsewhere.
    ``threads`` is the number of CPU threads, 0 for as many as there are cores.

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
    def on_cpu(self) -> bool:
        """Whether networks run on the CPU (auto does)."""
        return self.device in ("auto", "cpu")


class Network(Protocol):
    """A loaded network: arrays by name in, arrays by name out. May be called from any thread."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs, by name, as arrays of their own.

        Raises:
            InputError: a missing or unknown input, or an array of the wrong shape.
            DeviceError: the device could not run it (out of memory, say).
        """

    def describe(self) -> str:
        """One line: what runs, on what, in which precision."""

    def release_memory(self) -> None:
        """Give back what inference took, before something else needs it; the next call takes it."""


_Key = tuple[str, int, int, Runtime]
_loaded: OrderedDict[_Key, Network] = OrderedDict()
_lock = threading.Lock()


def load(
    model: Path, *, runtime: Runtime | None = None, module: Callable[[], Any] | None = None
) -> Network:
    """The network of the ONNX file ``model``, ready to run; the same file is loaded once.

    ``module`` builds the same network as a ``torch.nn.Module`` with its weights in place; it is
    called for the devices cuda and mps only. Its forward takes and returns what the ONNX names,
    in that order.

    Raises:
        WeightsError: ``model`` is missing or not a network.
        DeviceError: the device or the precision is not there, or this network cannot use it.
        MissingExtra: the device needs torch, which is not installed.
    """
    runtime = runtime or Runtime()
    try:
        stat = model.stat()
    except OSError as error:
        raise WeightsError(f"the network {model} cannot be read: {error.strerror}") from error
    key = (str(model.resolve()), stat.st_mtime_ns, stat.st_size, runtime)
    with _lock:
        if key not in _loaded:
            _loaded[key] = _open(model, runtime, module)
            while len(_loaded) > KEPT:
                _loaded.popitem(last=False)
        _loaded.move_to_end(key)
        return _loaded[key]


def check_inputs(given: Mapping[str, Array], expected: tuple[str, ...]) -> None:
    """Refuse inputs that are not exactly the ones expected.

    Raises:
        InputError: a name too many or too few.
    """
    if set(given) != set(expected):
        raise InputError(
            f"the network takes {', '.join(expected)}, got {', '.join(sorted(given)) or 'nothing'}"
        )


def contiguous(array: Array) -> Array:
    """``array`` laid out as engines need it; float64 becomes float32."""
    return np.ascontiguousarray(array, np.float32 if array.dtype == np.float64 else None)


def _open(model: Path, runtime: Runtime, module: Callable[[], Any] | None) -> Network:
    from relume.engine.openvino import OpenVinoNetwork

    if runtime.on_cpu:
        return OpenVinoNetwork(model, runtime)
    if module is None:
        raise DeviceError(
            f"the network {model.name} runs on the CPU only, "
            f"but device {runtime.device!r} was asked for; use device cpu"
        )
    from relume.engine.torch import TorchNetwork

    return TorchNetwork(model, module, runtime)
