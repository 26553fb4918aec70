"""Errors of facial landmarks, and their curves.

Errors are fractions of the distance between the outer eye corners (0.05 is 5 %). A missed face
has the error ``inf``: it counts as a failure and adds nothing to the curve's area.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from relume.errors import ParameterError

Floats = npt.NDArray[np.float64]

OUTER_EYE_CORNERS = (36, 45)
"""iBUG-68, 0-based: the subject's right and left outer eye corners."""
POINTS = 68


def nme(points: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Normalised mean error: mean point distance over the outer eye distance of the truth.

    Both are ``(68, 2)`` in iBUG order (Sagonas et al., *300 Faces in-the-Wild Challenge*, 2013).

    Raises:
        ParameterError: another shape, or outer eye corners that coincide.
    """
    found, true = _points(points), _points(truth)
    right, left = OUTER_EYE_CORNERS
    eyes = np.linalg.norm(true[left] - true[right])
    if eyes <= 0:
        raise ParameterError("the labelled outer eye corners (points 36 and 45) coincide")
    return float(np.linalg.norm(found - true, axis=1).mean() / eyes)


def failure_rate(errors: npt.ArrayLike, *, limit: float = 0.08) -> float:
    """Share of faces with an error above ``limit``, missed faces included; NaN without faces."""
    values = np.asarray(errors, np.float64)
    return float((values > limit).mean()) if values.size else float("nan")


def error_curve_area(errors: npt.ArrayLike, *, limit: float = 0.08) -> float:
    """Area under the cumulative error curve from 0 to ``limit``, over ``limit``: 1 is perfect.

    Exact for the step curve: the mean of ``max(0, 1 - error / limit)``. NaN without faces.

    >>> error_curve_area([0.04, float("inf")])
    0.25
    """
    values = np.asarray(errors, np.float64)
    if not values.size:
        return float("nan")
    return float(np.clip(1.0 - values / limit, 0.0, None).mean())


def _points(points: npt.ArrayLike) -> Floats:
    values = np.asarray(points, np.float64)
    if values.shape != (POINTS, 2):
        raise ParameterError(f"expected {POINTS} points of shape (68, 2), got {values.shape}")
    return values
