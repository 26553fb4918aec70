"""The engine: run a network, on the device and in the precision asked for.

OpenVINO runs ONNX files on CPUs, which is the default and needs no torch. For ``device="cuda"``
or ``"mps"`` torch runs the same network, built by the caller. An engine never falls back
silently: a device or precision that is not there is a :class:`~relume.errors.DeviceError`.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from relume.engine.base import Array, Inference, Network, Runtime
from relume.engine.precision import Sample
from relume.errors import DeviceError, WeightsError

__all__ = ["Array", "Inference", "Network", "Runtime", "Sample", "load"]

MAX_LOADED = 6
"""How many loaded networks a process keeps: the face pipelines need four at once."""

Key = tuple[str, int, int, Runtime, str]

_loaded: OrderedDict[Key, Network] = OrderedDict()
_opening: dict[Key, threading.Lock] = {}
_lock = threading.Lock()
"""Of both; held for moments only: to compile and time a network takes seconds, and others run."""


def load(
    model: Path,
    *,
    runtime: Runtime | None = None,
    module: Callable[[], Any] | None = None,
    sample: Sample | None = None,
) -> Network:
    """The network of the ONNX file ``model``, ready to run; the same file is loaded once.

    ``module`` builds the same network as a ``torch.nn.Module`` with its weights in place; it is
    called for the devices cuda and mps only. Its forward takes and returns what the ONNX names,
    in that order. ``sample`` makes a small input on which f32 and bf16 are compared where neither
    is asked for (``relume.engine.precision``); without it, such a network runs in f32.

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
    key = (str(model.absolute()), stat.st_mtime_ns, stat.st_size, runtime, runtime.wanted_precision)
    if (network := _known(key)) is not None:
        return network
    with _lock:
        opening = _opening.setdefault(key, threading.Lock())
    with opening:  # whoever waited here finds it loaded
        if (network := _known(key)) is not None:
            return network
        network = _open(model, runtime, module, sample)
        with _lock:
            _loaded[key] = network
            _opening.pop(key, None)
            while len(_loaded) > MAX_LOADED:
                _loaded.popitem(last=False)
    return network


def _known(key: Key) -> Network | None:
    """A network that is loaded, which is then the one used last."""
    with _lock:
        if key in _loaded:
            _loaded.move_to_end(key)
        return _loaded.get(key)


def _open(
    model: Path, runtime: Runtime, module: Callable[[], Any] | None, sample: Sample | None
) -> Network:
    # engines are imported when they are needed: `import relume` loads neither
    if runtime.on_cpu:
        from relume.engine.openvino import open_network

        return open_network(model, runtime, sample)
    if module is None:
        raise DeviceError(
            f"the network {model.name} runs on the CPU only, "
            f"but device {runtime.device!r} was asked for; use device cpu"
        )
    from relume.engine.torch import TorchNetwork

    return TorchNetwork(model, module, runtime)
