"""What a detector without anchor boxes says of each cell of its levels, and the faces in it.

YuNet's convention, which relume's own detector shares: of the cell in column i and row j of the
level of stride s, the network gives the face's centre as ((i + dx) s, (j + dy) s), its width and
height as exp(w) s and exp(h) s, and each of its points like the centre.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from relume.engine import Array
from relume.faces.search import Floats, RawDetections
from relume.nets.sizes import DETECTOR_STRIDES_PX as STRIDES_PX
from relume.photo import Image

POINTS = 5


@dataclass(frozen=True)
class Level:
    """A network's outputs at one stride, cells row by row.

    ``scores`` (N,) in [0, 1], ``boxes`` (N, 4) and ``points`` (N, 10) as the network gives them.
    """

    stride_px: int
    columns: int
    scores: Floats
    boxes: Floats
    points: Floats

    def detections(self, threshold: float) -> RawDetections:
        """Those with at least this score, in pixels."""
        sure = np.flatnonzero(self.scores >= threshold)
        rows, cols = np.divmod(sure, self.columns)
        cells = np.stack([cols, rows], axis=1).astype(np.float32)
        box = self.boxes[sure]
        centre = (cells + box[:, :2]) * self.stride_px
        half = np.exp(box[:, 2:]) * (self.stride_px / 2)
        points = self.points[sure].reshape(-1, POINTS, 2)
        return RawDetections(
            np.concatenate([centre - half, centre + half], axis=1),
            self.scores[sure],
            (points + cells[:, None]) * self.stride_px,
        )


def levels(out: Mapping[str, Array], columns_px: int) -> Iterator[Level]:
    """The levels of a network's outputs for one picture of this padded width.

    A score is ``cls``, or the geometric mean of ``cls`` and ``obj`` where there are both.
    """
    for stride_px in STRIDES_PX:
        scores = np.clip(out[f"cls_{stride_px}"][0, :, 0], 0, 1)
        if (objects := out.get(f"obj_{stride_px}")) is not None:
            scores = np.sqrt(scores * np.clip(objects[0, :, 0], 0, 1))
        boxes, points = out[f"bbox_{stride_px}"][0], out[f"kps_{stride_px}"][0]
        yield Level(stride_px, columns_px // stride_px, scores, boxes, points)


def decode(out: Mapping[str, Array], columns_px: int, threshold: float) -> RawDetections:
    """All possible faces of one picture with at least this score, in its pixels."""
    return RawDetections.joined([x.detections(threshold) for x in levels(out, columns_px)])


def padded(image: Image) -> Image:
    """``(1, 3, H, W)`` of ``(H, W, 3)``, H and W the next multiples of the coarsest stride."""
    height, width = (-(-n // STRIDES_PX[-1]) * STRIDES_PX[-1] for n in image.shape[:2])
    out = np.zeros((1, 3, height, width), np.float32)
    out[0, :, : image.shape[0], : image.shape[1]] = image.transpose(2, 0, 1)
    return out
