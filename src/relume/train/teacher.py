"""The face detector's frozen teacher: what YuNet says of every cell, and its features there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx

from relume.engine import Runtime, load
from relume.errors import RecipeError
from relume.faces.cells import POINTS, decode
from relume.faces.search import RawDetections
from relume.faces.yunet import YuNet
from relume.photo import Image
from relume.train.data import Floats
from relume.train.faces import strides
from relume.weights import cache_folder, path

Teacher = Callable[[Image], tuple[RawDetections, Floats]]
"""Of a square picture (P, P, 3): detections of every cell, and features (cells, 64 or none)."""
FEATURES = ("287", "291", "295")
"""What YuNet's last layers read of each stride, by its names in the network's file."""


def named(name: str) -> Teacher:
    """The teacher of a recipe; one without a name sees nothing.

    Raises:
        RecipeError: a detector that does not speak of cells.
        WeightsError: YuNet's weights are not here and cannot be fetched.
    """
    if name not in ("yunet", ""):
        raise RecipeError(f'expected teacher yunet or none at all (""), got {name!r}')
    return _yunet() if name else _blind


def _yunet() -> Teacher:
    runtime = Runtime(precision="f32", threads=1)
    yunet = YuNet(runtime=runtime)
    graph = onnx.load(path("yunet"))
    for feature in FEATURES:
        graph.graph.output.append(onnx.helper.make_empty_tensor_value_info(feature))
    file = cache_folder() / "teacher" / "yunet.onnx"
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".part")
    onnx.save(graph, partial)
    partial.replace(file)
    yunet.network = load(file, runtime=runtime)

    def look(image: Image) -> tuple[RawDetections, Floats]:
        out, columns_px = yunet.outputs(image)
        parts = [out[feature][0].reshape(len(out[feature][0]), -1).T for feature in FEATURES]
        return decode(out, columns_px, 0.0), np.concatenate(parts)

    return look


def _blind(image: Image) -> tuple[RawDetections, Floats]:
    cells = len(strides(image.shape[0]))
    zeros = np.zeros((cells, 4), np.float32)
    nothing = RawDetections(zeros, zeros[:, 0], np.zeros((cells, POINTS, 2), np.float32))
    return nothing, np.zeros((cells, 0), np.float32)
