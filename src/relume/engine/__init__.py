"""The engine: run a network, on the device and in the precision asked for.

OpenVINO runs ONNX files on CPUs, which is the default and needs no torch. For ``device="cuda"``
or ``"mps"`` torch runs the same network, built by the caller. An engine never falls back
silently: a device or precision that is not there is a :class:`~relume.errors.DeviceError`.
"""

from __future__ import annotations

from relume.engine.runtime import Array, Network, Runtime, load

__all__ = ["Array", "Network", "Runtime", "load"]
