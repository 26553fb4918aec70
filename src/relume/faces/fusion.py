"""Faces of several views as one answer: weighted boxes fusion that never loses the original's.

After Solovyev, Wang and Gabruseva, *Weighted boxes fusion: Ensembling boxes from different object
detection models* (2021), with one difference: every face of the leading view is a cluster of its
own from the start and its score never falls, so that what the original view finds stays found.
Theirs divides scores by the number of views, which punishes the very faces that only the
brightened view can show.

Many views have many chances to be wrong. What only further views of a nearly black photograph show
is believed where two views agree, of which the second may be less sure, or where one is surer.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from relume.faces.base import Box, Face, Points, by_score
from relume.faces.search import iou, weighted_box

SAME_FACE_IOU = 0.3
"""Faces of two views that overlap more are one: the detectors' own rule within a view (NMS)."""
SLID_IOU, SLID_DISTANCE, SLID_SIZE, SLID_SCORE = 0.15, 0.65, 0.6, 0.1
"""A box that slid off a face seen better: it overlaps that more than this, its middle is nearer
than this share of their mean size, the smaller size is more than this share of the larger, and
its score is lower by more than this.

Measured on 560 photographs of FDDB at 0.03 times the light: the scores keep neighbours apart.
Without them two faces of a couple become one; with them nothing is lost of 856 true faces.
"""
MOVES_BOX_IOU = 0.5
"""Only boxes this near the cluster's first one move it: the fused box stays on its face."""
AGREES, ALONE = 0.2, 0.1
"""How much less sure a second view may be, and how much surer a single one has to be.

Measured on 336 photographs of FDDB at 0.03 and 0.01 times the light: with one relit view .858 and
.717 of the faces and .09 and .08 false alarms a photograph, with further views and the best score
.893 and .766 and .19 both, by this rule .890 and .759 and .15 both: those of bright photographs.
"""


@dataclass
class Cluster:
    """The faces of several views that are one; the first one leads."""

    members: list[Face] = field(default_factory=list)

    @property
    def lead(self) -> Face:
        """The face that opened the cluster: the leading view's, or the surest of the others."""
        return self.members[0]

    def shows(self, face: Face) -> bool:
        """Whether a face, found later or on another view, is this one."""
        overlap = iou(self.lead.box, face.box)
        if overlap > SAME_FACE_IOU:
            return True
        best = max(member.score for member in self.members)
        if overlap <= SLID_IOU or face.score >= best - SLID_SCORE:
            return False
        (x, y, size), (face_x, face_y, face_size) = map(_middle_and_size, (self.lead.box, face.box))
        distance = math.hypot(face_x - x, face_y - y)
        alike = min(size, face_size) > SLID_SIZE * max(size, face_size)
        return alike and distance < SLID_DISTANCE * (size + face_size) / 2

    def score(self, further: Collection[str] = ()) -> float:
        """The best score, of further views (by name) as far as another view agrees."""
        best: dict[str, float] = {}
        for member in self.members:
            best[member.view] = max(member.score, best.get(member.view, 0.0))
        asked = max((score for view, score in best.items() if view not in further), default=0.0)
        first, second = sorted([*best.values(), 0.0], reverse=True)[:2]
        return max(asked, min(first, max(second + AGREES, first - ALONE)))

    def fused(self, further: Collection[str] = ()) -> Face:
        """One face: boxes and landmarks averaged by score, all views' names, and the score."""
        near = [m for m in self.members if iou(m.box, self.lead.box) >= MOVES_BOX_IOU]
        views = dict.fromkeys(member.view for member in self.members)
        box = weighted_box([m.box for m in near], [m.score for m in near])
        return Face(
            # many boxes, each near the lead, can have a mean that is not
            box=box if iou(box, self.lead.box) >= MOVES_BOX_IOU else self.lead.box,
            score=self.score(further),
            landmarks=_mean_landmarks(near),
            view="+".join(views),
        )


def clusters(views: Sequence[Sequence[Face]], *, lead_score: float = 0.0) -> list[Cluster]:
    """The faces of all views gathered into one cluster for each real face.

    Faces of the leading view lead their clusters if their score is at least ``lead_score``. Its
    weaker ones queue up with the other views' by score: in the dark their boxes are the worse ones.
    """
    if len(views) < 2:
        return [Cluster([face]) for view in views for face in view]
    found = [Cluster([face]) for face in views[0] if face.score >= lead_score]
    others = [face for face in views[0] if face.score < lead_score]
    others += [face for view in views[1:] for face in view]
    for face in by_score(others):
        nearest = max(found, key=lambda c: iou(c.lead.box, face.box), default=None)
        if nearest is None or not nearest.shows(face):
            found.append(Cluster([face]))
        else:
            nearest.members.append(face)
    return found


def _middle_and_size(box: Box) -> tuple[float, float, float]:
    x0, y0, x1, y1 = box
    return (x0 + x1) / 2, (y0 + y1) / 2, math.sqrt((x1 - x0) * (y1 - y0))


def weighted_points(points: Sequence[Points], weights: Sequence[float]) -> Points:
    """The mean of landmarks of equal count by weight; a plain mean if no weight is above 0."""
    total = sum(weights)
    shares = np.array(weights) / total if total > 0 else np.full(len(points), 1 / len(points))
    return np.asarray(np.tensordot(shares, np.stack(points), axes=1), np.float32)


def _mean_landmarks(members: Sequence[Face]) -> Points | None:
    have = [(m.landmarks, m.score) for m in members if m.landmarks is not None]
    if not have:
        return None
    first = have[0][0]
    same = [(points, score) for points, score in have if points.shape == first.shape]
    return weighted_points([points for points, _ in same], [score for _, score in same])
