from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _cache_of_its_own(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiled test networks stay out of the user's cache folder."""
    monkeypatch.setenv("RELUME_CACHE", str(tmp_path_factory.getbasetemp() / "relume-cache"))


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
