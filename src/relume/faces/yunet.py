"""YuNet: a tiny, fast face detector with five landmarks.

Wu, Peng and Yu, *YuNet: A Tiny Millisecond-level Face Detector* (2023). The network runs in the
engine, in f32; its decoding follows OpenCV's ``FaceDetectorYN``, which cannot read the network of
any size (it gives the same faces on the 640x640 one, which a test holds).
"""

from __future__ import annotations

import numpy as np

from relume.catalog import Info, Parameter
from relume.engine import Array, Runtime, load
from relume.errors import WeightsError
from relume.faces.base import Face
from relume.faces.search import RawDetections, search
from relume.photo import Image, check_image
from relume.weights import path

STRIDES_PX = (8, 16, 32)
POINTS = 5

INFO = Info(
    name="yunet",
    summary="YuNet (2023): small, fast, five landmarks; the default",
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

    def __init__(self, *, threshold: float = 0.6, nms: float = 0.3) -> None:
        """Load the network.

        Raises:
            WeightsError: its weights are not here and cannot be fetched.
        """
        self.threshold = threshold
        self.nms = nms
        try:
            file = path("yunet")
        except WeightsError as error:
            raise WeightsError(
                f"{error}; or use --detector haar, which needs no weights"
            ) from error
        # its scores are the measure of everything: never in reduced precision
        self.network = load(file, runtime=Runtime(precision="f32"))

    def __call__(self, image: Image) -> list[Face]:
        """The faces, best score first."""
        check_image(image)
        return search(self._find, image, most_iou=self.nms).faces()

    def _find(self, image: Image) -> RawDetections:
        height, width = image.shape[:2]
        padded = np.zeros((1, 3, _padded(height), _padded(width)), np.float32)
        inner = padded[0, :, :height, :width]
        np.multiply(image[:, :, ::-1].transpose(2, 0, 1), np.float32(255), out=inner)
        out = self.network({self.network.inputs[0]: padded})
        columns = padded.shape[3]
        return RawDetections.joined(
            [_decode(out, stride, columns // stride, self.threshold) for stride in STRIDES_PX]
        )


def _padded(length_px: int) -> int:
    """The next multiple of the coarsest stride."""
    return -(-length_px // STRIDES_PX[-1]) * STRIDES_PX[-1]


def _decode(out: dict[str, Array], stride_px: int, columns: int, threshold: float) -> RawDetections:
    """The candidates of one stride: an anchor a cell, box and points relative to its corner."""
    classes = np.clip(out[f"cls_{stride_px}"][0, :, 0], 0, 1)
    objects = np.clip(out[f"obj_{stride_px}"][0, :, 0], 0, 1)
    scores = np.sqrt(classes * objects)
    sure = np.flatnonzero(scores >= threshold)
    rows, cols = np.divmod(sure, columns)
    cells = np.stack([cols, rows], axis=1).astype(np.float32)
    box = out[f"bbox_{stride_px}"][0, sure]
    centre = (cells + box[:, :2]) * stride_px
    half = np.exp(box[:, 2:]) * (stride_px / 2)
    points = out[f"kps_{stride_px}"][0, sure].reshape(-1, POINTS, 2)
    return RawDetections(
        np.concatenate([centre - half, centre + half], axis=1),
        scores[sure],
        (points + cells[:, None]) * stride_px,
    )
