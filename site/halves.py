"""An ONNX file in half the bytes, for the site's build: ``python halves.py relume.onnx > out``.

Its large float32 tensors become float16, each with a cast back that a runtime folds when it loads
the file: computing stays as it was, with weights that are rounded to 11 bits.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LEAST_VALUES = 64
"""Smaller tensors stay exact: thresholds, scales, shapes."""


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model, changed in place.

    Raises:
        ValueError: a weight that no half can hold.
    """
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < LEAST_VALUES:
            continue
        with np.errstate(over="ignore"):
            values = numpy_helper.to_array(tensor).astype(np.float16)
        if not np.isfinite(values).all():
            raise ValueError(f"{tensor.name} has values that do not fit into halves")
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values, f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model


if __name__ == "__main__":
    file = onnx.load_model_from_string(Path(sys.argv[1]).read_bytes())
    sys.stdout.buffer.write(halved(file).SerializeToString())
