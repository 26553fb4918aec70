"""Faces: detectors, landmarkers, and the one door, :func:`detect_faces`.

Detectors and landmarkers stand in catalogues, :func:`detectors` and :func:`landmarkers`; the door
runs one of each on one or several views of a photograph and gives one answer.
"""

from __future__ import annotations

from relume.faces.boxes import box_around
from relume.faces.catalogues import detectors, landmarkers
from relume.faces.contract import Box, Detector, Face, Landmarker
from relume.faces.detect import DEFAULT_DETECTOR, detect_faces
from relume.faces.fusion import fuse

__all__ = [
    "DEFAULT_DETECTOR",
    "Box",
    "Detector",
    "Face",
    "Landmarker",
    "box_around",
    "detect_faces",
    "detectors",
    "fuse",
    "landmarkers",
]
