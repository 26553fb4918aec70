"""Which found face is which true one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from relume.metrics.detection import Matches, ellipse_box_iou, iou_matrix, match_detections
from relume.study.dataset import TrueFace
from relume.study.rows import Found, Row


def match_row(row: Row, truth: Sequence[TrueFace], *, iou: float) -> Matches:
    """A row's faces matched to the true ones, one to one, best score first.

    Ellipses are compared with boxes as regions, as FDDB does; see relume.metrics.detection for
    the rule and how it differs from FDDB's.
    """
    return match_detections(overlaps(row.faces, truth), [face[4] for face in row.faces], iou=iou)


def overlaps(faces: Sequence[Found], truth: Sequence[TrueFace]) -> npt.NDArray[np.float64]:
    """Intersection over union ``(N, M)`` of N found faces with M true ones."""
    boxes = np.array([face[:4] for face in faces], np.float64).reshape(-1, 4)
    shares = np.zeros((len(faces), len(truth)))
    if not shares.size:
        return shares
    ellipses = [face.ellipse for face in truth if face.ellipse is not None]
    if not ellipses:
        return iou_matrix(boxes, [face.box for face in truth])
    # a study has labels of one kind: all are ellipses, or none is
    return ellipse_box_iou(ellipses, boxes).T


def taken(matches: Matches, *, threshold: float) -> list[int | None]:
    """For each true face the index of the found one that took it from this score on, or None."""
    found: list[int | None] = [None] * matches.n_truth
    for score, index, face in zip(matches.scores, matches.detection, matches.truth, strict=True):
        if face >= 0 and score >= threshold:
            found[face] = int(index)
    return found


def reference_faces(row: Row, *, threshold: float) -> tuple[TrueFace, ...]:
    """The true faces that a detector saw on the reference photograph, with their landmarks."""
    sure = [face for face in row.faces if face[4] >= threshold]
    points = row.landmarks or (None,) * len(sure)
    return tuple(
        TrueFace(face[:4], points=None if p is None else np.array(p, np.float64))
        for face, p in zip(sure, points, strict=True)
    )
