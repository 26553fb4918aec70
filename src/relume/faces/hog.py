"""dlib's HOG detector: frontal faces from 80 px on (the extra ``dlib``)."""

from __future__ import annotations

import math
import threading

import numpy as np

from relume.catalog import Info, Parameter
from relume.errors import MissingExtra
from relume.faces.base import Face, by_score
from relume.photo import Image, check_image, quantise

STEEPNESS = 2.0
LEAST_MARGIN = -1.0
"""Lower margins are not asked for: the candidates there are everywhere."""

INFO = Info(
    name="hog",
    summary="dlib's HOG and SVM: frontal faces from 80 px on",
    licence="BSL-1.0",
    source="http://dlib.net/face_detector.py.html",
    parameters=(
        Parameter("threshold", "lowest score; 0.5 is the SVM's own decision", 0.6, 0.0, 1.0),
        Parameter("upsample", "doublings of the picture: smaller faces, 4 x the time", 0, 0, 3),
    ),
    extra="dlib",
)


class Hog:
    """dlib's frontal face detector; the score is the logistic of twice the SVM's margin."""

    info = INFO

    def __init__(self, *, threshold: float = 0.6, upsample: int = 0) -> None:
        """Build the detector, which dlib carries inside.

        Raises:
            MissingExtra: dlib is not installed.
        """
        try:
            import dlib
        except ImportError as error:
            raise MissingExtra("the detector 'hog'", "dlib", "dlib") from error
        self.threshold = threshold
        self.upsample = upsample
        self._detector = dlib.get_frontal_face_detector()
        self._lock = threading.Lock()

    def __call__(self, image: Image) -> list[Face]:
        """The faces, best score first."""
        check_image(image)
        pixels = np.ascontiguousarray(quantise(image, np.uint8))
        with self._lock:
            boxes, margins, _ = self._detector.run(pixels, self.upsample, self._least_margin())
        faces = []
        for box, margin in zip(boxes, margins, strict=True):
            score = 1.0 / (1.0 + math.exp(-STEEPNESS * margin))
            if score >= self.threshold:
                # dlib's right and bottom are the last pixel inside
                corners = (box.left(), box.top(), box.right() + 1, box.bottom() + 1)
                x0, y0, x1, y1 = map(float, corners)
                faces.append(Face((x0, y0, x1, y1), score))
        return by_score(faces)

    def _least_margin(self) -> float:
        if self.threshold <= 0:
            return LEAST_MARGIN
        if self.threshold >= 1:
            return 0.0
        margin = math.log(self.threshold / (1.0 - self.threshold)) / STEEPNESS
        return min(0.0, max(LEAST_MARGIN, margin))
