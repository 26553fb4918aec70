"""YuNet: a tiny, fast face detector with five landmarks.

Wu, Peng and Yu, *YuNet: A Tiny Millisecond-level Face Detector* (2023). The network runs in the
engine, in f32; its decoding follows OpenCV's ``FaceDetectorYN``, which cannot read the network of
any size (it gives the same faces on the 640x640 one, which a test holds).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from relume.catalog import Info, Parameter
from relume.engine import Array, Runtime, load
from relume.errors import WeightsError
from relume.faces.base import Face
from relume.faces.cells import decode, padded
from relume.faces.search import RawDetections, search
from relume.photo import Image, check_image
from relume.weights import path

INFO = Info(
    name="yunet",
    summary="YuNet (2023): small, fast, five landmarks; fetched when it is asked for",
    licence="Apache-2.0",
    source="https://github.com/ShiqiYu/libfacedetection.train",
    parameters=(
        Parameter("threshold", "lowest score of a face", 0.6, 0.0, 1.0),
        Parameter("nms", "most overlap (IoU) of two faces", 0.3, 0.0, 1.0),
    ),
    weights=("yunet",),
)


class YuNet:
    """YuNet at the picture's own size, and at halves of it if it is large (see ``search``)."""

    info = INFO

    def __init__(
        self, *, threshold: float = 0.6, nms: float = 0.3, runtime: Runtime | None = None
    ) -> None:
        """Load the network.

        Raises:
            WeightsError: its weights are not here and cannot be fetched.
        """
        self.threshold = threshold
        self.nms = nms
        try:
            file = path("yunet")
        except WeightsError as error:
            raise WeightsError(f"{error}; or use --detector relume, which is shipped") from error
        # its scores are the measure of everything: never in reduced precision
        self.network = load(file, runtime=runtime or Runtime(precision="f32"))

    def __call__(self, image: Image) -> list[Face]:
        """The faces, best score first."""
        check_image(image)
        return search(self._find, image, most_iou=self.nms).faces()

    def _find(self, image: Image) -> RawDetections:
        out, columns_px = self.outputs(image)
        return decode(out, columns_px, self.threshold)

    def outputs(self, image: Image) -> tuple[Mapping[str, Array], int]:
        """What the network says of every cell of a picture, and the picture's padded width."""
        inputs = padded(image[:, :, ::-1])
        np.multiply(inputs, np.float32(255), out=inputs)
        return self.network({self.network.inputs[0]: inputs}), inputs.shape[3]
