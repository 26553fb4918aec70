"""Box algebra: non-maximum suppression, weighted means, and a detector's box from points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from relume.errors import ParameterError
from relume.faces.base import Box
from relume.metrics.detection import iou_matrix

Floats = npt.NDArray[np.float64]

# Where YuNet's boxes lie in the bounds of the 68 points: medians over 101 photographs of LFPW's
# training half (benchmarks/peppa_preprocessing.py). The brows are the topmost points, a
# detector's box reaches to the hairline.
LEFT, TOP, RIGHT, BOTTOM = 0.014, -0.353, 0.983, 0.995


def box_around(points: npt.ArrayLike) -> Box:
    """The box a detector would draw around labelled points ``(K, 2)``: from hairline to chin.

    Raises:
        ParameterError: fewer than two different points.
    """
    x0, y0, x1, y1 = bounds(points)
    width, height = x1 - x0, y1 - y0
    return (x0 + LEFT * width, y0 + TOP * height, x0 + RIGHT * width, y0 + BOTTOM * height)


def points_bounds(box: Box) -> Box:
    """Where the bounds of the 68 points lie in a detector's box: the inverse of box_around."""
    x0, y0, x1, y1 = box
    width, height = (x1 - x0) / (RIGHT - LEFT), (y1 - y0) / (BOTTOM - TOP)
    left, top = x0 - LEFT * width, y0 - TOP * height
    return (left, top, left + width, top + height)


def bounds(points: npt.ArrayLike) -> Box:
    """The smallest box that holds points ``(K, 2)``.

    Raises:
        ParameterError: fewer than two different points, or all on an upright line.
    """
    values = np.asarray(points, np.float64).reshape(-1, 2)
    low, high = values.min(axis=0), values.max(axis=0)
    if not (high > low).all():
        raise ParameterError("expected points that span an area")
    return (float(low[0]), float(low[1]), float(high[0]), float(high[1]))


def iou(first: Box, second: Box) -> float:
    """Intersection over union of two boxes."""
    return float(iou_matrix([first], [second])[0, 0])


def non_maximum_suppression(
    boxes: npt.ArrayLike, scores: npt.ArrayLike, *, most_iou: float
) -> list[int]:
    """The indices that stay, best score first: none overlaps a better one by over ``most_iou``."""
    corners = np.asarray(boxes, np.float64).reshape(-1, 4)
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    kept: list[int] = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        order = rest[iou_matrix(corners[best : best + 1], corners[rest])[0] <= most_iou]
    return kept


def weighted_box(boxes: Sequence[Box], weights: Sequence[float]) -> Box:
    """The mean of boxes by weight; a plain mean if no weight is above 0."""
    total = sum(weights)
    shares = [w / total for w in weights] if total > 0 else [1 / len(boxes)] * len(boxes)
    x0, y0, x1, y1 = (
        sum(share * box[i] for share, box in zip(shares, boxes, strict=True)) for i in range(4)
    )
    return (x0, y0, x1, y1)
