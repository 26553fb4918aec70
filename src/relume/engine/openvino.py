"""ONNX files on the CPU, by OpenVINO.

Compiled networks are kept in the cache folder, so that a second start is fast. The precision is
set here, because OpenVINO's own choice (bf16 wherever the CPU knows the type) is slower than f32
and less exact on CPUs without AMX.
"""

from __future__ import annotations

import functools
import hashlib
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import openvino

from relume.engine.base import Array, Runtime, check_inputs, contiguous
from relume.engine.cpu import cpu_flags, has_amx_bf16, thread_limit
from relume.errors import DeviceError, InputError, WeightsError
from relume.image.parallel import free_memory
from relume.weights import cache_folder

HINTS = {"f32": openvino.Type.f32, "bf16": openvino.Type.bf16}


class OpenVinoNetwork:
    """A network compiled for the CPU: one inference at a time, as each uses all threads."""

    def __init__(self, model: Path, runtime: Runtime) -> None:
        graph = read_graph(model)
        self.inputs, self.outputs = names(graph)
        self.name = model.name
        self.precision = _precision(runtime.precision)
        limit = runtime.threads or thread_limit()
        self.threads = limit or (os.cpu_count() or 1)
        self._shapes = {port.any_name: port.partial_shape for port in graph.inputs}
        self._request = _compile(graph, self.precision, limit).create_infer_request()
        self._lock = threading.Lock()

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name; see :class:`relume.engine.Network`."""
        check_inputs(inputs, self.inputs)
        arrays = {name: contiguous(array) for name, array in inputs.items()}
        for name, array in arrays.items():
            if not self._shapes[name].compatible(openvino.PartialShape(list(array.shape))):
                raise InputError(
                    f"{self.name} takes {name} of shape {self._shapes[name]}, got {array.shape}"
                )
        with self._lock:
            try:
                results = self._request.infer(arrays)
            except RuntimeError as error:
                raise DeviceError(f"{self.name} failed on the CPU: {_reason(error)}") from error
            # the request overwrites its tensors in the next call
            return {name: np.array(results[name]) for name in self.outputs}

    def describe(self) -> str:
        """One line, such as ``net.onnx: OpenVINO 2026.4 on CPU, f32, 2 threads (avx2)``."""
        version = openvino.__version__.split("-")[0]
        flags = " ".join(cpu_flags()) or "flags unknown"
        return (
            f"{self.name}: OpenVINO {version} on CPU, {self.precision}, "
            f"{self.threads} thread{'s' if self.threads > 1 else ''} ({flags})"
        )

    def release_memory(self) -> None:
        """Free the tensors: inputs, outputs and those between the layers."""
        with self._lock:
            compiled = self._request.get_compiled_model()
            self._request = compiled.create_infer_request()
            compiled.release_memory()
        free_memory()


def read_graph(model: Path) -> openvino.Model:
    """The network in a file, not compiled yet.

    Raises:
        WeightsError: not a network that OpenVINO reads.
    """
    try:
        return core().read_model(model)
    except RuntimeError as error:
        raise WeightsError(f"{model} is not a network: {_reason(error)}") from error


def names(graph: openvino.Model) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of a network's inputs and outputs, in its own order."""
    return (
        tuple(port.any_name for port in graph.inputs),
        tuple(port.any_name for port in graph.outputs),
    )


@functools.cache
def core() -> openvino.Core:
    """The process's one OpenVINO, with its model cache switched on if the folder is writable."""
    one = openvino.Core()
    # the processor is part of the folder's name: a cache moved with a home folder or a disk image
    # must not hand code compiled for one CPU to another
    traits = hashlib.sha256(" ".join(cpu_flags()).encode()).hexdigest()[:8]
    folder = cache_folder() / "openvino" / f"{openvino.__version__.split('-')[0]}-{traits}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return one
    if os.access(folder, os.W_OK):
        one.set_property({"CACHE_DIR": str(folder)})
    return one


def _compile(graph: openvino.Model, precision: str, threads: int) -> Any:
    config: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": HINTS[precision],
        "PERFORMANCE_HINT": "LATENCY",
        # pinned, the processes of a folder or a study would all sit on the same first core
        "ENABLE_CPU_PINNING": False,
    }
    if threads:
        config["INFERENCE_NUM_THREADS"] = threads
    try:
        return core().compile_model(graph, "CPU", config)
    except RuntimeError as error:
        raise DeviceError(f"OpenVINO cannot prepare the network: {_reason(error)}") from error


def _precision(given: str) -> str:
    """The precision to run in, f32 or bf16."""
    if given == "auto":
        return "bf16" if has_amx_bf16() else "f32"
    if given == "bf16" and "BF16" not in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise DeviceError("this CPU has no bf16 instructions; use precision f32 or auto")
    return given


def _reason(error: Exception) -> str:
    """The line of OpenVINO's long exceptions that says why: the last that is no source position."""
    lines = [line.strip() for line in str(error).splitlines()]
    reasons = [x for x in lines if x and not x.startswith(("Exception from", "src/", "at "))]
    return (reasons or lines or [type(error).__name__])[-1][:200]
