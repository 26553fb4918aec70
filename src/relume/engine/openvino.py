"""ONNX files on the CPU, by OpenVINO.

Compiled networks are kept in the cache folder, so that a second start is fast. The precision is
set here, because OpenVINO's own choice (bf16 wherever the CPU knows the type) is slower than f32
and less exact on some of them (``relume.engine.precision``).
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from relume.engine.base import PRECISION_VARIABLE, Array, Runtime, check_inputs, contiguous
from relume.engine.cpu import cpu_flags, cpu_model, has_amx_bf16, thread_limit
from relume.engine.kept import keep, kept
from relume.engine.precision import Sample, Verdict, measured
from relume.errors import DeviceError, InputError, WeightsError
from relume.executor import cores
from relume.image.parallel import free_memory
from relume.weights.manifest import sha256_of

_TELEMETRY = "openvino_telemetry"


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """Have OpenVINO find its telemetry missing: else every import calls Google Analytics."""
    before = sys.modules.get(_TELEMETRY)
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[_TELEMETRY]
        if before is not None:
            sys.modules[_TELEMETRY] = before


with _without_telemetry():
    import openvino

HINTS = {"f32": openvino.Type.f32, "bf16": openvino.Type.bf16}
Names = tuple[tuple[str, ...], tuple[str, ...]]
"""Of the inputs and of the outputs."""
LAYERS_KEPT = 256
"""How many prepared layers a network keeps, each for one size: those of several sizes of picture.

600 random sizes of relume's network took 253 MB instead of 656, and a tenth more of the CPU.
"""


def open_network(
    model: Path, runtime: Runtime, sample: Sample | None = None, *, any_size: bool = False
) -> OpenVinoNetwork:
    """The network of a file, in the precision asked for, or in the one that suits this CPU.

    Only a network with a ``sample`` of its inputs can be timed; another runs in f32, but for CPUs
    whose flags tell (AMX). ``any_size`` frees one that was exported for pictures of one size:
    it takes (1, C, H, W).

    Raises:
        WeightsError: not a network.
        DeviceError: the precision is not there.
    """
    verdict = _verdict(model, runtime, sample)
    runtime = replace(runtime, precision=verdict.precision)
    return OpenVinoNetwork(model, runtime, verdict.why, any_size=any_size)


class OpenVinoNetwork:
    """A network compiled for the CPU: one inference at a time, as each uses all threads.

    ``why`` tells in a few words why the runtime's precision was chosen.
    """

    def __init__(
        self, model: Path, runtime: Runtime, why: str = "", *, any_size: bool = False
    ) -> None:
        self.name = model.name
        self.precision, self.why = runtime.precision, why
        # left to itself OpenVINO counts the machine's cores, whatever part of it this process has
        most = cores() if cores() < (os.cpu_count() or 1) else 0
        limit = runtime.threads or thread_limit() or most
        self.threads = limit or cores()
        compiled, (self.inputs, self.outputs) = _compiled(model, self.precision, limit, any_size)
        # compiled, a port may have names beside the one it had: of layers that fell away before it
        self._shapes = {name: port.partial_shape for port in compiled.inputs for name in port.names}
        self._request = compiled.create_infer_request()
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
                # inputs are read where they are, outputs are copied: the request overwrites its own
                results = self._request.infer(arrays, share_inputs=True, share_outputs=False)
            except RuntimeError as error:
                raise DeviceError(f"{self.name} failed on the CPU: {_reason(error)}") from error
            return {name: np.asarray(results[name]) for name in self.outputs}

    def describe(self) -> str:
        """One line, such as ``net.onnx: OpenVINO 2026.4 on CPU, f32, 2 threads (avx2)``."""
        flags = " ".join(cpu_flags()) or "flags unknown"
        why = f" ({self.why})" if self.why else ""
        return (
            f"{self.name}: OpenVINO {_version()} on CPU, {self.precision}{why}, "
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


def names(graph: openvino.Model) -> Names:
    """The names of a network's inputs and outputs, in its own order."""
    return (
        tuple(port.any_name for port in graph.inputs),
        tuple(port.any_name for port in graph.outputs),
    )


@functools.cache
def core() -> openvino.Core:
    """The process's one OpenVINO."""
    return openvino.Core()


def _compiled(
    model: Path, precision: str, threads: int, any_size: bool
) -> tuple[openvino.CompiledModel, Names]:
    """The network of a file, compiled, and its names; kept, so that the next start is fast.

    Not by OpenVINO's own cache: processes that start together map each other's half-written files.

    Raises:
        WeightsError: not a network that OpenVINO reads.
        DeviceError: OpenVINO cannot prepare it.
    """
    config: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": HINTS[precision],
        "PERFORMANCE_HINT": "LATENCY",
        # pinned, the processes of a folder or a study would all sit on the same first core
        "ENABLE_CPU_PINNING": False,
        # by default all that was ever prepared, and every new size of picture adds to it
        "CPU_RUNTIME_CACHE_CAPACITY": LAYERS_KEPT,
    }
    if threads:
        config["INFERENCE_NUM_THREADS"] = threads
    place = _place(model, precision, threads, any_size)
    blob, known = _unpacked(kept(place))
    if known is not None:
        with suppress(RuntimeError):
            return core().import_model(io.BytesIO(blob), "CPU", config), known
    graph = read_graph(model)
    if any_size:
        if len(graph.inputs) != 1:
            raise WeightsError(f"{model} takes {len(graph.inputs)} inputs; expected one picture")
        graph.reshape(openvino.PartialShape([1, graph.inputs[0].partial_shape[1], -1, -1]))
    try:
        compiled = core().compile_model(graph, "CPU", config)
        blob = compiled.export_model().getvalue()
    except RuntimeError as error:
        raise DeviceError(f"OpenVINO cannot prepare the network: {_reason(error)}") from error
    keep(place, _packed(blob, names(graph)))
    return compiled, names(graph)


def _place(model: Path, precision: str, threads: int, any_size: bool) -> str:
    """Where the compiled network is kept, by all that it depends on: it is code for one CPU."""
    try:
        parts = [sha256_of(model), str(openvino.__version__), *cpu_flags(), precision, str(threads)]
        parts += ["any size"] * any_size
    except OSError as error:
        raise WeightsError(f"the network {model} cannot be read: {error.strerror}") from error
    return f"compiled/{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:32]}"


def _packed(blob: bytes, known: Names) -> bytes:
    """A compiled network as it is kept: its names, which it does not keep itself, and a sha256."""
    content = json.dumps(known).encode() + b"\n" + blob
    return hashlib.sha256(content).digest() + content


def _unpacked(data: bytes | None) -> tuple[bytes, Names | None]:
    """What was packed; names are None where it is damaged: OpenVINO would believe anything."""
    digest, content = (data or b"")[:32], (data or b"")[32:]
    if not content or hashlib.sha256(content).digest() != digest:
        return b"", None
    known, _, blob = content.partition(b"\n")
    inputs, outputs = json.loads(known)
    return blob, (tuple(inputs), tuple(outputs))


def _verdict(model: Path, runtime: Runtime, sample: Sample | None) -> Verdict:
    """The precision to run in, f32 or bf16, and why."""
    wanted = runtime.wanted_precision
    if wanted == "bf16" and not has_bf16():
        raise DeviceError("this CPU has no bf16 instructions; use precision f32 or auto")
    if wanted != "auto":
        return Verdict(wanted, "" if runtime.precision == wanted else PRECISION_VARIABLE)
    if not has_bf16():
        return Verdict("f32", "this CPU has no bf16")
    if has_amx_bf16():
        return Verdict("bf16", "AMX")
    if sample is None:
        return Verdict("f32", "bf16 only if asked for")
    identity = "\n".join([cpu_model(), *cpu_flags(), _version(), sha256_of(model)])
    return measured(
        identity,
        sample,
        lambda precision: OpenVinoNetwork(model, Runtime(precision=precision, threads=1)),
    )


def has_bf16() -> bool:
    """Whether this CPU has instructions for bf16, fast or not."""
    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _version() -> str:
    return str(openvino.__version__.split("-")[0])


def _reason(error: Exception) -> str:
    """The line of OpenVINO's long exceptions that says why: the last that is no source position."""
    lines = [line.strip() for line in str(error).splitlines()]
    reasons = [x for x in lines if x and not x.startswith(("Exception from", "src/", "at "))]
    return (reasons or lines or [type(error).__name__])[-1][:200]
