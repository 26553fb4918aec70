"""Landmarks in the dark: placed on the face relit for itself, several times, and held to faces.

In nearly black photographs a landmark network sees little but what denoising left, and its points
wander. Three things bring them back: the surroundings of the face alone are relit, several times
and differently; the points are averaged; and the mean is moved towards what faces look like, as far
as the points disagree. That is the most probable shape under a normal distribution of shapes, and
of errors whose size is measured on the face itself:

    x = m + C (C + e I)^-1 (y - m),   e = DOUBT * variance of the points over the looks,

in units of the box. ``m`` and ``C`` (``weights/face-shapes.npz``) are the mean and the covariance
of the 68 points that Peppa places on bright photographs (``benchmarks/face_shapes.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt

from relume.engine import Runtime
from relume.faces.base import Box, Landmarker, Placed, Points, SureLandmarker
from relume.faces.views import View, is_nearly_black, landmark_view, relight
from relume.photo import Image
from relume.weights import path

LOOKS = ((0.15, False), (0.2, False), (0.2, True), (0.3, False), (0.3, True), (0.45, False))
"""The brightnesses that a face is relit at, as it is or mirrored: other errors, to be averaged.

Measured on every 16th of LFPW's training photographs at 0.01 times the light: an NME of 12.9 % on
one view, 9.8 at four brightnesses, 9.5 with these.
"""
AROUND = 2.4
"""Side of the square that is relit, over the longer side of the box."""
DOUBT = 120.0
"""The error of the mean over the disagreement of the points that it is the mean of.

Much above 1, because what misleads the network is in the dark picture and so in every relit one.
Measured on the same photographs: from 60 to 240 the NME differs by 0.5 points, where boxes are a
little off by 0.2.
"""
SMALLEST_PX = 16
"""Faces with a smaller box get the points of one view: there is nothing to average."""
LEAST_VARIANCE = 3e-5

Floats = npt.NDArray[np.float64]


def place_landmarks(
    views: Sequence[View],
    boxes: Sequence[Box],
    landmarker: Landmarker,
    *,
    runtime: Runtime | None = None,
) -> Placed:
    """The 68 points of the faces in boxes of the photograph, on what shows them best.

    A landmarker that was taught in the dark looks at the photograph itself, if that is among the
    views. Another looks at the view that shows most; where a face is nearly black, and the
    photograph and its plain machine view are among the views, at the face relit for itself.
    """
    shown = landmark_view(views)
    own = next((view for view in views if view.is_whole_photograph), None)
    if isinstance(landmarker, SureLandmarker):
        view = own or shown
        placed = landmarker.place(view.image, [view.from_photograph(box) for box in boxes])
        points = [view.points_to_photograph(points) for points in placed.points]
        sigma = None if placed.sigma is None else placed.sigma / np.float32(view.scale)
        return Placed(_stacked(points), sigma)
    return Placed(_stacked([_refit(shown, own, box, landmarker, runtime) for box in boxes]))


def _stacked(points: Sequence[Points]) -> Points:
    return np.asarray(points, np.float32).reshape(-1, 68, 2)


def _refit(
    shown: View, own: View | None, box: Box, landmarker: Landmarker, runtime: Runtime | None
) -> Points:
    """The points of one face, on the view that shows most or on the face relit for itself."""
    if own is None or not shown.is_plain_machine or not _is_black(own.image, box):
        return shown.points_to_photograph(landmarker(shown.image, shown.from_photograph(box)))
    around, corner = _surroundings(own.image, box)
    x0, y0, x1, y1 = (float(value) for value in np.subtract(box, np.tile(corner, 2)))
    placed = []
    for brightness, mirrored in LOOKS:
        turned = np.ascontiguousarray(around[:, ::-1]) if mirrored else around
        view = relight(turned, shown.name, brightness, runtime=runtime)
        if mirrored:
            view = replace(view, image=np.ascontiguousarray(view.image[:, ::-1]))
        found = landmarker(view.image, view.from_photograph((x0, y0, x1, y1)))
        placed.append(view.points_to_photograph(found) + corner)
    return most_probable(np.stack(placed), box)


def _is_black(image: Image, box: Box) -> bool:
    """Whether a face is nearly black, and large enough to show more."""
    x0, y0, x1, y1 = (max(round(value), 0) for value in box)
    face = image[y0:y1, x0:x1]
    return min(face.shape[:2]) >= SMALLEST_PX and is_nearly_black(face)


def most_probable(placed: npt.NDArray[np.floating], box: Box) -> Points:
    """The likeliest 68 points of the face in ``box``, given those placed on V views (V, 68, 2)."""
    mean, axes = _shapes()
    middle, size = _frame(box)
    shapes = ((placed - middle) / size).reshape(len(placed), -1)
    error = DOUBT * float(shapes.var(axis=0, ddof=1).mean()) + LEAST_VARIANCE
    # C = A'A: the same as the formula above, in as many dimensions as there are axes
    inner = axes @ axes.T + error * np.eye(len(axes))
    shape = mean + np.linalg.solve(inner, axes @ (shapes.mean(axis=0) - mean)) @ axes
    return np.asarray(shape.reshape(68, 2) * size + middle, np.float32)


def to_shape(points: npt.ArrayLike, box: Box) -> Floats:
    """Points (68, 2) in units of their box, as a vector (136,): what the statistics are of."""
    middle, size = _frame(box)
    return ((np.asarray(points, np.float64) - middle) / size).reshape(-1)


@cache
def _shapes() -> tuple[Floats, Floats]:
    """The mean shape (136,), and axes (K, 136) each as long as its standard deviation."""
    with np.load(path("face-shapes")) as file:
        return file["mean"].astype(np.float64), file["axes"].astype(np.float64)


def _frame(box: Box) -> tuple[Floats, float]:
    x0, y0, x1, y1 = box
    return np.array([(x0 + x1) / 2, (y0 + y1) / 2]), (x1 - x0 + y1 - y0) / 2


def _surroundings(image: Image, box: Box) -> tuple[Image, Floats]:
    """What lies around a face, cut out of the photograph, and its corner in it."""
    height, width = image.shape[:2]
    middle, _ = _frame(box)
    half = AROUND / 2 * max(box[2] - box[0], box[3] - box[1])
    x0, y0 = (int(max(value - half, 0)) for value in middle)
    x1, y1 = int(min(middle[0] + half, width)), int(min(middle[1] + half, height))
    return np.ascontiguousarray(image[y0:y1, x0:x1]), np.array([x0, y0], np.float64)
