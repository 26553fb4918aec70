"""CenterFace, as a frozen rival of a study: its weights are a file that the user names.

Xu, Yan, Yang and Zhao, *CenterFace: Joint Face Detection and Alignment Using Face as Point* (2019).
Each cell of 4 px says how likely a face's middle lies in it, and that face's size and points.
"""

from __future__ import annotations

import numpy as np

from relume.catalog import Info, Parameter
from relume.engine import Runtime
from relume.enhancers.base import own_network
from relume.errors import WeightsError
from relume.faces.base import Face
from relume.faces.cells import padded
from relume.faces.search import RawDetections, search
from relume.photo import Image, check_image

STRIDE_PX = 4
INFO = Info(
    name="centerface",
    summary="CenterFace (2019): five landmarks, from a file, as in centerface:FILE",
    licence="MIT",
    source="https://github.com/Star-Clouds/CenterFace; the file: docs/relight-or-learn.md",
    parameters=(
        Parameter("file", "centerface.onnx", ""),
        Parameter("threshold", "lowest score of a face", 0.6, 0.0, 1.0),
        Parameter("nms", "most overlap (IoU) of two faces", 0.3, 0.0, 1.0),
    ),
    needs_file=True,
)


class CenterFace:
    """CenterFace at the picture's own size, and at halves of it if it is large."""

    info = INFO

    def __init__(self, *, file: str = "", threshold: float = 0.6, nms: float = 0.3) -> None:
        """Load the network.

        Raises:
            ParameterError: no .onnx file is named.
            WeightsError: it is missing, or another network.
        """
        from relume.engine.openvino import open_network  # as late as `load` does it

        self.threshold, self.nms = threshold, nms
        model = own_network(file, "centerface")
        if not model.is_file():
            raise WeightsError(f"there is no {model}; docs/relight-or-learn.md says how to get it")
        # its scores are the measure of a study: never in reduced precision
        self.network = open_network(model, Runtime(precision="f32"), any_size=True)
        if (len(self.network.inputs), len(self.network.outputs)) != (1, 4):
            raise WeightsError(f"{model} is not CenterFace: expected one input and four outputs")

    def __call__(self, image: Image) -> list[Face]:
        """The faces, best score first."""
        return search(self._find, check_image(image), most_iou=self.nms).faces()

    def _find(self, image: Image) -> RawDetections:
        inputs = padded(image)
        np.multiply(inputs, np.float32(255), out=inputs)
        out = self.network({self.network.inputs[0]: inputs})
        heat, size, offset, points = (out[name][0] for name in self.network.outputs)
        rows, columns = np.nonzero(heat[0] >= self.threshold)
        at = np.s_[:, rows, columns]
        # rows come before columns in all of it
        half = np.exp(size[at].T) * (STRIDE_PX / 2)  # (N, 2)
        middle = (np.stack([rows, columns], axis=1) + offset[at].T + 0.5) * STRIDE_PX
        corner = (middle - half).astype(np.float32)
        landmarks = corner[:, None] + points[at].T.reshape(-1, 5, 2) * (2 * half)[:, None]
        return RawDetections(
            np.concatenate([corner, (middle + half).astype(np.float32)], axis=1)[:, [1, 0, 3, 2]],
            np.minimum(heat[0][rows, columns], 1),
            landmarks[:, :, ::-1],
        )
