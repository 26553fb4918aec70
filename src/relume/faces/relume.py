"""relume's own face detector: small, shipped, and taught in the dark.

It looks at the photograph as it is. What opens up a dark one is measured here, a black level and
one gain (:mod:`relume.image.opening`), and done by the network itself.
"""

from __future__ import annotations

import numpy as np

from relume.catalog import Info, Parameter
from relume.engine import Inference, Runtime, load
from relume.faces.base import Face
from relume.faces.cells import decode, padded
from relume.faces.search import VOTES_FROM, RawDetections, search
from relume.image.opening import Opening
from relume.photo import Image, check_image
from relume.weights import path

WEIGHTS = "relume-faces"
THRESHOLD, NMS = 0.6, 0.3
SMALLEST_PX = 320
"""The longer side down to which a picture is halved: it was taught on crops of 192 px, so that a
large face is found on a small level, where noise is averaged, too."""

INFO = Info(
    name="relume",
    summary="relume's own (2026): taught in the dark, shipped, five landmarks",
    licence="MIT",
    source="relume; trained by recipes/detector.toml",
    parameters=(
        Parameter("threshold", "lowest score of a face", THRESHOLD, 0.0, 1.0),
        Parameter("nms", "most overlap (IoU) of two faces", NMS, 0.0, 1.0),
    ),
    weights=(WEIGHTS,),
)


class RelumeDetector:
    """One look at the picture's own size, and at halves of it (see ``search``)."""

    info = INFO

    def __init__(
        self,
        *,
        threshold: float = THRESHOLD,
        nms: float = NMS,
        inference: Inference | None = None,
    ) -> None:
        """Load the network, unless its ``inference`` is given.

        Raises:
            WeightsError: its weights are damaged or missing.
        """
        self.threshold, self.nms = threshold, nms
        # its scores are compared with a threshold: never in reduced precision
        self.network = inference or load(path(WEIGHTS), runtime=Runtime(precision="f32"))

    def __call__(self, image: Image) -> list[Face]:
        """The faces, best score first."""
        opening = Opening.of(check_image(image))  # of the whole, not of a tile

        def find(part: Image) -> RawDetections:
            inputs = padded(part)
            given = {
                "image": inputs,
                "black": opening.black[None],
                "gain": np.array([[opening.gain]], np.float32),
            }
            return decode(self.network(given), inputs.shape[3], min(self.threshold, VOTES_FROM))

        found = search(find, image, most_iou=self.nms, largest_px=SMALLEST_PX, merge=True)
        return found.where(found.scores >= self.threshold).faces()
