"""Export of trained networks: safetensors for torch, ONNX for every other runtime."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from relume.nets.detector import DETECTOR_OUTPUTS, DetectorOutputs, FaceNet
from relume.nets.fast import FastNet
from relume.nets.landmarks import LANDMARK_OUTPUTS, LandmarkNet, LandmarkOutputs
from relume.nets.picture import PhotoNet
from relume.nets.retinexnet import RetinexNet
from relume.nets.sizes import (
    DETECTOR_STRIDES_PX,
    LANDMARKS_PX,
    PICTURE_STRIDE_PX,
    RETINEX_STRIDE_PX,
    THUMBNAIL_PX,
)
from relume.train.phases import RelumeNet

OPSET = 18
LEAST_HALVED = 256
"""Smaller weights (biases, scales) stay as they are: they weigh nothing."""


def export_retinexnet(net: RetinexNet, folder: Path, *, name: str = "retinexnet") -> list[Path]:
    """Write ``name``.safetensors and ``name``.onnx into ``folder``.

    The ONNX graph takes ``image`` (1, 3, H, W), H and W multiples of 8, and gives
    ``reflectance``, ``illumination`` and ``relit_illumination``; both sizes are dynamic. The
    safetensors file says in its metadata how to build the module.
    """
    net = net.eval()
    shape = {"skips": net.enhance.skips, "padding": str(net.decom.shallow.padding_mode)}
    tensors = write_safetensors(net, folder / f"{name}.safetensors", metadata=shape)
    graph = folder / f"{name}.onnx"
    write_onnx(
        net,
        {"image": torch.rand(1, 3, 64, 96)},
        ["reflectance", "illumination", "relit_illumination"],
        graph,
        dynamic={"image": {2: RETINEX_STRIDE_PX, 3: RETINEX_STRIDE_PX}},
    )
    return [tensors, graph]


def export_relume(net: RelumeNet, folder: Path) -> list[Path]:
    """Write relume.safetensors and three ONNX files into ``folder``.

    relume.onnx takes ``image`` (1, 3, H, W), H and W multiples of 16, ``thumbnail``
    (1, 3, 96, 96) of the whole photo, ``brightness`` (1, 1) and ``gain`` (1, 1, H, W), and gives
    ``photo``; relume-exposure.onnx takes ``thumbnail`` and gives ``brightness``.
    relume-photo.onnx, for other programs, takes an ``image`` (1, 3, H, W) of any size and
    ``brightness``, and gives ``photo``.
    """
    net = net.eval()
    tensors = write_safetensors(net, folder / "relume.safetensors")
    small = torch.rand(1, 3, THUMBNAIL_PX, THUMBNAIL_PX)
    picture, exposure = folder / "relume.onnx", folder / "relume-exposure.onnx"
    _write_picture(net.picture, picture)
    write_onnx(net.exposure, {"thumbnail": small}, ["brightness"], exposure, dynamic={})
    photo = folder / "relume-photo.onnx"
    write_onnx(
        PhotoNet(net.picture),
        {"image": torch.rand(1, 3, 100, 150), "brightness": torch.tensor([[0.4]])},
        ["photo"],
        photo,
        dynamic={"image": {2: 1, 3: 1}},
    )
    return [tensors, picture, exposure, photo]


def export_fast(net: FastNet, folder: Path) -> list[Path]:
    """Write relume-fast.safetensors and relume-fast.onnx, which takes what relume.onnx takes."""
    net = net.eval()
    tensors, graph = folder / "relume-fast.safetensors", folder / "relume-fast.onnx"
    write_safetensors(net, tensors)
    _write_picture(net, graph)
    return [tensors, graph]


def _write_picture(net: torch.nn.Module, path: Path) -> None:
    write_onnx(
        net,
        {
            "image": torch.rand(1, 3, 64, 96),
            "thumbnail": torch.rand(1, 3, THUMBNAIL_PX, THUMBNAIL_PX),
            "brightness": torch.tensor([[0.4]]),
            "gain": torch.rand(1, 1, 64, 96) + 0.5,
        },
        ["photo"],
        path,
        dynamic={name: {2: PICTURE_STRIDE_PX, 3: PICTURE_STRIDE_PX} for name in ("image", "gain")},
    )


def export_detector(net: FaceNet, folder: Path) -> list[Path]:
    """Write relume-faces.safetensors and relume-faces.onnx into ``folder``.

    The ONNX graph takes ``image`` (1, 3, H, W), H and W multiples of 32, ``black`` (1, 3) and
    ``gain`` (1, 1), and gives ``cls``, ``bbox`` and ``kps`` of each stride (relume.faces.cells).
    Its weights are stored in 16 bits, and are of 32 again before anything is computed.
    """
    net = net.eval()
    tensors = write_safetensors(net, folder / "relume-faces.safetensors")
    graph = folder / "relume-faces.onnx"
    inputs = {
        "image": torch.rand(1, 3, 96, 64),
        "black": torch.zeros(1, 3),
        "gain": torch.full((1, 1), 2.0),
    }
    stride_px = DETECTOR_STRIDES_PX[-1]
    dynamic = {"image": {2: stride_px, 3: stride_px}}
    write_onnx(DetectorOutputs(net), inputs, DETECTOR_OUTPUTS, graph, dynamic=dynamic)
    _store_half(graph)
    return [tensors, graph]


def export_landmarks(net: LandmarkNet, folder: Path) -> list[Path]:
    """Write relume-landmarks.safetensors and relume-landmarks.onnx into ``folder``.

    The ONNX graph takes ``image`` (N, 3, 96, 96), ``black`` (N, 3) and ``gain`` (N, 1) of N faces,
    and gives ``points`` (N, 68, 2) and ``sigma`` (N, 68), shares of the square's side. Its weights
    are stored in 16 bits, and are of 32 again before anything is computed.
    """
    net = net.eval()
    tensors = write_safetensors(net, folder / "relume-landmarks.safetensors")
    graph = folder / "relume-landmarks.onnx"
    inputs = {
        "image": torch.rand(2, 3, LANDMARKS_PX, LANDMARKS_PX),
        "black": torch.zeros(2, 3),
        "gain": torch.full((2, 1), 2.0),
    }
    dynamic = {name: {0: 1} for name in inputs}
    write_onnx(LandmarkOutputs(net), inputs, LANDMARK_OUTPUTS, graph, dynamic=dynamic)
    _store_half(graph)
    return [tensors, graph]


def _store_half(path: Path) -> None:
    """Write the large weights of an ONNX file as float16, each with a cast to float32 after it."""
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(path)
    graph = model.graph
    for number, tensor in enumerate(list(graph.initializer)):
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < LEAST_HALVED:
            continue
        name = f"{tensor.name}.half"
        half = numpy_helper.from_array(values.astype(np.float16), name)
        cast = helper.make_node("Cast", [name], [tensor.name], to=onnx.TensorProto.FLOAT)
        graph.initializer.remove(tensor)
        graph.initializer.append(half)
        graph.node.insert(number, cast)
    onnx.checker.check_model(model)
    partial = path.with_name(path.name + ".part")
    onnx.save(model, partial)
    partial.replace(path)


def write_safetensors(
    net: torch.nn.Module, path: Path, *, metadata: dict[str, str] | None = None
) -> Path:
    """Write the weights of ``net`` as one safetensors file."""
    partial = path.with_name(path.name + ".part")
    save_file({k: v.contiguous() for k, v in net.state_dict().items()}, partial, metadata=metadata)
    return partial.replace(path)


def write_onnx(
    net: torch.nn.Module,
    inputs: dict[str, torch.Tensor],
    outputs: list[str],
    path: Path,
    *,
    dynamic: dict[str, dict[int, int]],
) -> None:
    """Write ``net`` as one ONNX file.

    ``dynamic`` names, for each input, the axes of free size and what the size is a multiple of.
    """
    shapes = {name: {axis: f"{name}_{axis}" for axis in axes} for name, axes in dynamic.items()}
    partial = path.with_name(path.name + ".part")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracing exporter warns of its successor
        torch.onnx.export(
            net,
            tuple(inputs.values()),
            str(partial),
            input_names=list(inputs),
            output_names=outputs,
            dynamic_axes=shapes,
            opset_version=OPSET,
            dynamo=False,
        )
    partial.replace(path)
