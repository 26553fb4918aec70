"""Faces: detectors, landmarkers, and the one door, :func:`detect_faces`.

Detectors and landmarkers stand in catalogues, :func:`detectors` and :func:`landmarkers`; the door
runs one of each on one or several views of a photograph and gives one answer.
"""

from __future__ import annotations

from relume.faces.api import DEFAULT_DETECTOR, DEFAULT_VIEWS, detect_faces, faces_on
from relume.faces.base import Box, Detector, Face, Landmarker
from relume.faces.boxes import box_around
from relume.faces.fusion import fuse
from relume.faces.registry import detectors, landmarkers
from relume.faces.views import View, landmark_view, needed, parse_views, render

__all__ = [
    "DEFAULT_DETECTOR",
    "DEFAULT_VIEWS",
    "Box",
    "Detector",
    "Face",
    "Landmarker",
    "View",
    "box_around",
    "detect_faces",
    "detectors",
    "faces_on",
    "fuse",
    "landmark_view",
    "landmarkers",
    "needed",
    "parse_views",
    "render",
]
