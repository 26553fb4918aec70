"""Exposure maps that a user gives: planes of stops, of any size."""

from __future__ import annotations

import numpy as np

from relume.errors import ParameterError
from relume.exposure import constants as c
from relume.image.color import luma
from relume.image.filters import downscale, enlarged, guided_filter
from relume.photo import Array, Image


def check_stops(exposure: Array) -> Image:
    """An exposure map as float32 (h, w).

    Raises:
        ParameterError: not a plane of finite stops between -8 and 8.
    """
    if not isinstance(exposure, np.ndarray) or exposure.ndim != 2 or not exposure.size:
        what = getattr(exposure, "shape", type(exposure).__name__)
        raise ParameterError(f"exposure must be an array (h, w) of stops, got {what}")
    if exposure.dtype.kind not in "fiu":
        raise ParameterError(f"exposure must be numbers of stops, got {exposure.dtype}")
    stops = exposure.astype(np.float32)
    if not (np.abs(stops) <= c.MOST_STOPS).all():
        raise ParameterError(f"exposure must be stops from -{c.MOST_STOPS:g} to {c.MOST_STOPS:g}")
    return stops


def fit_stops(stops: Image, image: Image) -> Image:
    """An exposure map (h, w) at the size of ``image``; a smaller one follows the photo's edges."""
    height, width = image.shape[:2]
    if stops.shape == (height, width):
        return stops
    if stops.shape[0] > height and stops.shape[1] > width:
        return downscale(stops, width, height)
    large = enlarged(stops, width, height)
    radius = round(max(height / stops.shape[0], width / stops.shape[1]))
    if radius < 2 or min(height, width) < c.MAP_LEAST_PX:
        return large
    root = np.sqrt(luma(image))
    subsample = max(1, radius // c.MAP_SUBSAMPLE)
    return guided_filter(root, large, radius_px=radius, eps=c.EDGE_EPS, subsample=subsample)
