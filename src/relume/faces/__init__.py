"""Faces: detectors, landmarkers, and the one door, :func:`detect_faces`.

Detectors and landmarkers stand in catalogues, :func:`detectors` and :func:`landmarkers`; the door
runs one of each on one or several views of a photograph and gives one answer.
"""

from __future__ import annotations

from relume.faces.api import (
    Detection,
    detect,
    detect_faces,
    detect_on_views,
    place_landmarks,
)
from relume.faces.base import ORIGINAL, Box, Detector, Face, Landmarker, Points, Quality
from relume.faces.front_door import enhance
from relume.faces.registry import (
    RELIT,
    USUAL_LANDMARKER,
    detectors,
    landmarkers,
    usual_detector,
    usual_views,
)
from relume.faces.search import box_around
from relume.faces.views import (
    View,
    landmark_view,
    parse_views,
    render_full_size,
    render_views,
    select_views,
)

__all__ = [
    "ORIGINAL",
    "RELIT",
    "USUAL_LANDMARKER",
    "Box",
    "Detection",
    "Detector",
    "Face",
    "Landmarker",
    "Points",
    "Quality",
    "View",
    "box_around",
    "detect",
    "detect_faces",
    "detect_on_views",
    "detectors",
    "enhance",
    "landmark_view",
    "landmarkers",
    "parse_views",
    "place_landmarks",
    "render_full_size",
    "render_views",
    "select_views",
    "usual_detector",
    "usual_views",
]
