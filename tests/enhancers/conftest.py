from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _own_cache(own_cache: None) -> None: ...


def write_retinexnet(path: Path, *, spoil: float = 1.0) -> Path:
    """A small network of random weights with Retinex-Net's interface and its stride of 8.

    It sees 9 px to each side, so halos and alignment matter to it. ``spoil`` multiplies the relit
    illumination (NaN, say).
    """
    onnx = pytest.importorskip("onnx", reason="the tests build a small network with onnx")
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(5)

    def tensor(name: str, values: object, kind: type = np.float32) -> object:
        return numpy_helper.from_array(np.asarray(values, kind), name)

    def value(name: str, channels: int) -> object:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, "h", "w"])

    constants = [
        tensor("w1", rng.normal(0, 0.4, (4, 3, 3, 3))),
        tensor("w2", np.abs(rng.normal(0, 0.2, (1, 8, 3, 3)))),
        tensor("parts", [3, 1], np.int64),
        tensor("scales", [1, 1, 8, 8]),
        tensor("spoil", [spoil]),
    ]
    node = helper.make_node
    nodes = [
        node("Conv", ["image", "w1"], ["features"], pads=[1, 1, 1, 1]),
        node("Sigmoid", ["features"], ["maps"]),
        node("Split", ["maps", "parts"], ["reflectance", "illumination"], axis=1),
        node("AveragePool", ["maps"], ["low"], kernel_shape=[8, 8], strides=[8, 8]),
        node("Resize", ["low", "", "scales"], ["up"], mode="nearest",
             coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
        node("Concat", ["maps", "up"], ["both"], axis=1),
        node("Conv", ["both", "w2"], ["relit"], pads=[1, 1, 1, 1]),
        node("Mul", ["relit", "spoil"], ["relit_illumination"]),
    ]  # fmt: skip
    outputs = [value("reflectance", 3), value("illumination", 1), value("relit_illumination", 1)]
    graph = helper.make_graph(nodes, "small", [value("image", 3)], outputs, constants)
    opset = helper.make_opsetid("", 18)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=10)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture(scope="session")
def small_retinexnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_retinexnet(tmp_path_factory.mktemp("net") / "small.onnx")


def write_picture_net(
    path: Path,
    shape: Sequence[int | str],
    *,
    gain: float | Sequence[float] = 1.0,
    offset: float = 0.0,
    stride: int = 1,
    shrink: int = 1,
    channels_out: int = 3,
    kind: str = "FLOAT",
    inputs: int = 1,
    outputs: int = 1,
) -> Path:
    """A picture-to-picture network: values times ``gain`` (of each channel) plus ``offset``.

    With ``stride`` a branch is pooled and enlarged again, which needs sizes in multiples of it.
    ``shrink``, ``channels_out``, ``inputs`` and ``outputs`` make it one that does not do.
    """
    onnx = pytest.importorskip("onnx", reason="the tests build a small network with onnx")
    from onnx import TensorProto, helper, numpy_helper

    behind = shape[-1] == 3 and shape[1:2] != (3,)
    gains = np.atleast_1d(np.asarray(gain, np.float32)) / (1 if stride == 1 else 2)
    constants = [
        numpy_helper.from_array(gains if behind else gains.reshape(-1, 1, 1), "gain"),
        numpy_helper.from_array(np.array([offset], np.float32), "offset"),
        numpy_helper.from_array(np.array([1, 1, stride, stride], np.float32), "scales"),
        numpy_helper.from_array(np.array([0], np.int64), "first"),
    ]
    node, nodes = helper.make_node, [helper.make_node("Cast", ["image"], ["values"], to=1)]
    last = "values"
    if stride > 1:
        sides = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
        nodes += [
            node("MaxPool", [last], ["low"], **sides),
            node("Resize", ["low", "", "scales"], ["up"], mode="nearest",
                 coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
            node("Add", [last, "up"], ["both"]),
        ]  # fmt: skip
        last = "both"
    if shrink > 1:
        sides = {"kernel_shape": [shrink, shrink], "strides": [shrink, shrink]}
        nodes.append(node("MaxPool", [last], ["shrunk"], **sides))
        last = "shrunk"
    if channels_out == 1:
        nodes.append(node("Gather", [last, "first"], ["one"], axis=1))
        last = "one"
    nodes += [node("Mul", [last, "gain"], ["lit"]), node("Add", ["lit", "offset"], ["sum"])]
    names = ["photo", *(f"photo{n}" for n in range(1, outputs))]
    nodes += [node("Cast", ["sum"], [name], to=getattr(TensorProto, kind)) for name in names]
    others = [f"image{n}" for n in range(1, inputs)]
    element = getattr(TensorProto, kind)
    given = [helper.make_tensor_value_info(n, element, shape) for n in ("image", *others)]
    free = [None] * len(shape)
    results = [helper.make_tensor_value_info(name, element, free) for name in names]
    graph = helper.make_graph(nodes, "picture", given, results, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture(scope="session")
def picture_net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that doubles every value."""
    net = tmp_path_factory.mktemp("net") / "double.onnx"
    return write_picture_net(net, (1, 3, "h", "w"), gain=2.0, stride=8)
