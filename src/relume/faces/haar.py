"""Viola and Jones's cascade, shipped inside OpenCV: the detector that works without any download.

Viola and Jones, *Rapid Object Detection using a Boosted Cascade of Simple Features* (CVPR 2001).
Frontal faces only, from about 20 px on. The picture is not equalised first: each window is
normalised by its own variance, and equalising would be an enhancement of its own.

**The score** is n / (n + 3) of the n raw windows that agreed on a face: 0.5 is OpenCV's usual
minimum of three, 0.6 is five (on a quarter of FDDB's folds 1-2: recall .67, precision .93). The
cascade's own stage sums order detections no better there (AP .693 against .699).
"""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import cv2.data as cascades
import numpy as np

from relume.catalog import Info, Parameter
from relume.errors import WeightsError
from relume.faces.base import Face, by_score
from relume.photo import Image, check_image, quantise

USUAL_NEIGHBOURS = 3
PYRAMID_STEP = 1.1

INFO = Info(
    name="haar",
    summary="Viola-Jones cascade inside OpenCV: frontal faces, works offline",
    licence="Apache-2.0 (OpenCV; the cascades: Intel licence, R. Lienhart)",
    source="https://docs.opencv.org/4.x/db/d28/tutorial_cascade_classifier.html",
    parameters=(
        Parameter("threshold", "lowest score of a face; 0.5 is three windows", 0.6, 0.0, 1.0),
        Parameter("cascade", "which of OpenCV's cascades", "alt2", choices=("alt2", "default")),
    ),
)


class Haar:
    """OpenCV's frontal face cascade."""

    info = INFO

    def __init__(self, *, threshold: float = 0.6, cascade: str = "alt2") -> None:
        """Read the cascade.

        Raises:
            WeightsError: this OpenCV does not carry it (5.0 dropped it).
        """
        self.threshold = threshold
        file = Path(cascades.haarcascades) / f"haarcascade_frontalface_{cascade}.xml"
        if not file.is_file():
            raise WeightsError(f"this OpenCV has no {file.name}; install opencv-python-headless 4")
        self._cascade = cv2.CascadeClassifier(str(file))
        # the classifier keeps its image pyramid between calls
        self._lock = threading.Lock()

    def __call__(self, image: Image) -> list[Face]:
        """The faces, best score first."""
        check_image(image)
        grey = quantise(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
        with self._lock:
            boxes, counts = self._cascade.detectMultiScale2(
                grey, scaleFactor=PYRAMID_STEP, minNeighbors=1
            )
        faces = []
        for (x, y, width, height), count in zip(boxes, counts, strict=True):
            score = float(count) / (float(count) + USUAL_NEIGHBOURS)
            if score >= self.threshold:
                faces.append(Face((float(x), float(y), float(x + width), float(y + height)), score))
        return by_score(faces)
