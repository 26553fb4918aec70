"""Networks on a GPU, by torch: only when the user asks for the device."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from relume.engine.base import Array, Runtime, check_inputs, contiguous
from relume.engine.openvino import names, read_graph
from relume.errors import DeviceError, InputError, extra_module


class TorchNetwork:
    """A ``torch.nn.Module`` behind the interface of the ONNX file ``model``.

    f32 unless bf16 is asked for (automatic mixed precision).
    """

    def __init__(self, model: Path, build: Callable[[], Any], runtime: Runtime) -> None:
        torch = extra_module("torch", f"device {runtime.device!r}", "train")
        require(torch, runtime.device)
        self.inputs, self.outputs = names(read_graph(model))
        self.name = model.name
        self.device = runtime.device
        self.precision = "bf16" if runtime.wanted_precision == "bf16" else "f32"
        self._torch = torch
        self._module = build().eval().to(runtime.device)
        # one at a time: two batches of activations would need twice the GPU's memory
        self._lock = threading.Lock()

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name; see :class:`relume.engine.Network`."""
        check_inputs(inputs, self.inputs)
        torch = self._torch
        tensors = [torch.from_numpy(contiguous(inputs[name])) for name in self.inputs]
        mixed = torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bf16")
        try:
            with self._lock, torch.inference_mode(), mixed:
                results = self._module(*(t.to(self.device) for t in tensors))
        except torch.OutOfMemoryError as error:
            raise DeviceError(
                f"{self.device} has too little memory for {self.name}; use smaller tiles"
            ) from error
        except RuntimeError as error:
            shapes = ", ".join(str(tuple(t.shape)) for t in tensors)
            reason = str(error).splitlines()[0][:200]
            raise InputError(f"{self.name} cannot take {shapes}: {reason}") from error
        results = results if isinstance(results, tuple | list) else (results,)
        return {
            name: np.asarray(result.float().cpu().numpy())
            for name, result in zip(self.outputs, results, strict=True)
        }

    def describe(self) -> str:
        """One line, such as ``net.onnx: torch 2.13 on cuda (NVIDIA H200), f32``."""
        torch = self._torch
        card = f" ({torch.cuda.get_device_name()})" if self.device == "cuda" else ""
        return f"{self.name}: torch {torch.__version__} on {self.device}{card}, {self.precision}"

    def release_memory(self) -> None:
        """Empty the cache of the device's allocator."""
        if self.device != "cpu":
            getattr(self._torch, self.device).empty_cache()


def require(torch: Any, device: str) -> None:
    """Refuse a device that this torch does not see.

    Raises:
        DeviceError: no such device here.
    """
    if device == "cuda":
        there = torch.cuda.is_available()
    elif device == "mps":
        there = torch.backends.mps.is_available()
    else:
        there = device == "cpu"
    if not there:
        raise DeviceError(
            f"device {device!r} was asked for, but torch {torch.__version__} finds none on this "
            "machine; use device cpu"
        )
