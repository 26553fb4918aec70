"""Detections against labels: overlap, one-to-one matching, recall, precision, AP.

**Boxes and ellipses.** FDDB labels faces as ellipses and calls a detection right if the
intersection over union of the two *regions* is above 0.5 (Jain and Learned-Miller, *FDDB*, 2010,
the discrete score). FDDB's own program counts pixels; here the areas are exact: an affine map
takes the ellipse to the unit circle and the box to a parallelogram, and keeps ratios of areas.
A perfect upright box around an upright ellipse reaches pi/4 = 0.785, which is why a threshold
above 0.5 makes no sense there.

**Matching** is one to one and greedy: detections in falling order of score each take the free
label they overlap most, if by more than the threshold. FDDB prescribes the assignment of the
greatest total overlap instead, for every threshold anew; greedy matching has the property that
what is matched at a high threshold stays matched at a lower one, which average precision needs,
and on boxes without duplicates (after non-maximum suppression) the two agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from relume.errors import ParameterError
from relume.metrics.statistics import Estimate, paired_bootstrap

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

ROWS_AT_ONCE = 64
"""Resamples whose curves are held at once: 64 x some thousand detections x 8 bytes."""


def iou_matrix(first: npt.ArrayLike, second: npt.ArrayLike) -> Floats:
    """Intersection over union ``(N, M)`` of boxes ``(N, 4)`` with boxes ``(M, 4)``.

    >>> float(iou_matrix([[0, 0, 2, 2]], [[1, 0, 3, 2]])[0, 0].round(4))
    0.3333
    """
    a, b = _rows(first, 4), _rows(second, 4)
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    overlap = np.clip(high - low, 0.0, None).prod(axis=2)
    area_a = np.clip(a[:, 2:] - a[:, :2], 0.0, None).prod(axis=1)
    area_b = np.clip(b[:, 2:] - b[:, :2], 0.0, None).prod(axis=1)
    union = area_a[:, None] + area_b[None, :] - overlap
    iou: Floats = np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)
    return iou


def ellipse_box_iou(ellipses: npt.ArrayLike, boxes: npt.ArrayLike) -> Floats:
    """Exact intersection over union ``(N, M)`` of ellipses ``(N, 5)`` with boxes ``(M, 4)``.

    An ellipse is FDDB's row (major radius, minor radius, angle of the major axis to the x axis
    in radians, centre x, centre y), in image coordinates, y downwards.
    """
    ellipse_rows, box_rows = _rows(ellipses, 5), _rows(boxes, 4)
    iou = np.zeros((len(ellipse_rows), len(box_rows)))
    for i, (major, minor, angle, x, y) in enumerate(ellipse_rows):
        axes = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        to_circle = axes / np.array([[major], [minor]])
        for j, (x0, y0, x1, y1) in enumerate(box_rows):
            corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]) - (x, y)
            overlap = _circle_polygon_area(corners @ to_circle.T) * major * minor
            union = np.pi * major * minor + (x1 - x0) * (y1 - y0) - overlap
            iou[i, j] = overlap / union
    return iou


def ellipse_bounds(ellipses: npt.ArrayLike) -> Floats:
    """The smallest upright boxes ``(N, 4)`` around ellipses ``(N, 5)``."""
    major, minor, angle, x, y = _rows(ellipses, 5).T
    half_width = np.hypot(major * np.cos(angle), minor * np.sin(angle))
    half_height = np.hypot(major * np.sin(angle), minor * np.cos(angle))
    return np.stack([x - half_width, y - half_height, x + half_width, y + half_height], axis=1)


@dataclass(frozen=True)
class Matches:
    """One picture's detections, best score first, with the label each one is matched to.

    ``scores`` is ``(N,)`` falling, ``detection`` the index of each in the order they were given,
    ``truth`` the index of its label or -1 for a false alarm, ``n_truth`` the number of labels.
    """

    scores: Floats
    detection: Indices
    truth: Indices
    n_truth: int

    def found(self, threshold: float) -> Indices:
        """The labels found by detections with at least this score, ascending."""
        return np.sort(self.truth[(self.scores >= threshold) & (self.truth >= 0)])

    def found_by(self, threshold: float) -> list[int | None]:
        """For each label the detection that took it, from this score on, or None."""
        found: list[int | None] = [None] * self.n_truth
        for score, index, label in zip(self.scores, self.detection, self.truth, strict=True):
            if label >= 0 and score >= threshold:
                found[label] = int(index)
        return found


def match_detections(
    overlaps: npt.ArrayLike, scores: npt.ArrayLike, *, iou: float = 0.5
) -> Matches:
    """Match detections to labels one to one, greedily by score; see the module's text.

    ``overlaps`` is ``(N, M)``, N detections by M labels, ``scores`` ``(N,)``. Overlap must be
    *above* ``iou``. Equal scores keep the order they were given in.

    Raises:
        ParameterError: shapes that do not fit together.
    """
    score = np.asarray(scores, np.float64).reshape(-1)
    overlap = np.asarray(overlaps, np.float64)
    if overlap.ndim != 2 or len(overlap) != len(score):
        raise ParameterError(
            f"expected overlaps of shape ({len(score)}, number of labels), got {overlap.shape}"
        )
    order = np.argsort(-score, kind="stable")
    free = np.ones(overlap.shape[1], bool)
    truth = np.full(len(score), -1, np.intp)
    for rank, i in enumerate(order):
        usable = np.where(free, overlap[i], -1.0)
        if usable.size and usable.max() > iou:
            truth[rank] = usable.argmax()
            free[truth[rank]] = False
    return Matches(score[order], order, truth, overlap.shape[1])


@dataclass(frozen=True)
class DetectionRates:
    """What a detector found at one score threshold over a set of pictures.

    ``recall`` is NaN without labels, ``precision`` NaN without detections.
    """

    recall: float
    precision: float
    fp_per_image: float


def detection_rates(matches: Sequence[Matches], threshold: float) -> DetectionRates:
    """Recall, precision and false alarms a picture of all detections with at least this score."""
    n_truth = sum(m.n_truth for m in matches)
    found = sum(len(m.found(threshold)) for m in matches)
    every = sum(int((m.scores >= threshold).sum()) for m in matches)
    nan = float("nan")
    return DetectionRates(
        recall=found / n_truth if n_truth else nan,
        precision=found / every if every else nan,
        fp_per_image=(every - found) / len(matches) if matches else nan,
    )


def average_precision(matches: Sequence[Matches]) -> float:
    """The average precision of :class:`WeightedPrecision` with every picture counted once."""
    if not matches:
        return float("nan")
    return float(WeightedPrecision(matches)(np.ones((1, len(matches))))[0])


LEAST_SCORE = 0.3
"""The lowest score that counts at equal false alarms: below it boxes are noise."""
ON_FACE, AWAY = 0.4, 0.25
"""The overlap (IoU) from which a box shows a face, and below which it is away from it."""


@dataclass(frozen=True)
class Scored:
    """What a detector showed in one picture, to be counted at equal false alarms.

    ``best`` holds for every labelled face the best score of a box that lies on it, 0 if none does;
    ``false`` the scores of the boxes that lie on nothing labelled or ignored.
    """

    best: Floats
    false: Floats

    @classmethod
    def of(
        cls,
        boxes: npt.ArrayLike,
        scores: npt.ArrayLike,
        labels: npt.ArrayLike,
        ignored: npt.ArrayLike = (),
        *,
        on: float = ON_FACE,
        off: float = AWAY,
    ) -> Scored:
        """Boxes ``(N, 4)`` of these ``scores``, ``labels`` ``(M, 4)``, and regions ``(K, 4)``.

        A box lies on a face from an IoU of ``on`` and is false below ``off`` to every region; what
        lies between is neither.
        """
        ignore = iou_matrix(boxes, ignored)
        return cls.by_overlap(iou_matrix(boxes, labels), scores, ignore, on=on, off=off)

    @classmethod
    def by_overlap(
        cls,
        overlaps: Floats,
        scores: npt.ArrayLike,
        ignored: Floats,
        *,
        on: float = ON_FACE,
        off: float = AWAY,
    ) -> Scored:
        """:meth:`of`, from the overlaps ``(N, M)`` with labels and ``(N, K)`` with regions."""
        score = np.asarray(scores, np.float64).reshape(-1)
        best = np.where(overlaps >= on, score[:, None], 0.0).max(axis=0, initial=0.0)
        away = np.concatenate([overlaps, ignored], axis=1)
        return cls(best, score[away.max(axis=1, initial=0.0) < off])


def score_at_false_alarms(pictures: Sequence[Scored], rate: float) -> float:
    """The score above which at most ``rate`` false alarms a picture are left, never below 0.3."""
    false = np.sort(np.concatenate([p.false for p in pictures]))[::-1]
    index = int(rate * len(pictures))
    return max(float(false[index]), LEAST_SCORE) if index < len(false) else LEAST_SCORE


def found_at_false_alarms(pictures: Sequence[Scored], rate: float) -> float:
    """The share of labelled faces found at ``rate`` false alarms a picture; NaN without labels.

    Two ways of showing a picture can be compared by it: what finds more by being surer of
    everything gains nothing. The detector has to run at a threshold of 0.3 or lower.
    """
    best = np.concatenate([p.best for p in pictures])
    if not len(best):
        return float("nan")
    return float((best > score_at_false_alarms(pictures, rate)).mean())


class WeightedPrecision:
    """The average precision of fixed matches under a weight for each picture.

    A bootstrap's resample is a weight for each picture, and the curves of many resamples are summed
    at once: recomputed from lists of pictures, a ladder of exposures takes minutes.
    """

    def __init__(self, matches: Sequence[Matches]) -> None:
        pictures = np.repeat(np.arange(len(matches)), [len(m.scores) for m in matches])
        scores = np.concatenate([m.scores for m in matches])
        hits = np.concatenate([m.truth >= 0 for m in matches])
        order = np.argsort(-scores, kind="stable")
        self._pictures = pictures[order]
        self._hits = hits[order].astype(np.float64)
        self._last_of_equals = np.append(scores[order][1:] != scores[order][:-1], True)
        self._n_truth = np.array([m.n_truth for m in matches], np.float64)

    def __call__(self, weights: Floats) -> Floats:
        """The average precision ``(R,)`` for each row of weights ``(R, pictures)``.

        Area under the precision-recall curve, precision made falling (PASCAL VOC 2010, all
        points). Detections of equal score enter together, so that their order does not matter.
        NaN without labels.
        """
        n_truth = weights @ self._n_truth
        if not len(self._pictures):
            return np.where(n_truth > 0, 0.0, np.nan)
        counted = weights[:, self._pictures]
        hits = np.cumsum(counted * self._hits, axis=1)[:, self._last_of_equals]
        all_ = np.cumsum(counted, axis=1)[:, self._last_of_equals]
        precision = np.divide(hits, all_, out=np.zeros_like(hits), where=all_ > 0)
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        area = (envelope * np.diff(hits, axis=1, prepend=0.0)).sum(axis=1)
        found: Floats = np.divide(area, n_truth, out=np.full_like(area, np.nan), where=n_truth > 0)
        return found


def precision_difference(
    arm: Sequence[Matches], original: Sequence[Matches], *, seed: int
) -> Estimate:
    """Average precision of ``arm`` less that of ``original``, pictures resampled in pairs."""
    curves = WeightedPrecision(arm), WeightedPrecision(original)
    n = len(original)

    def difference(rows: Indices) -> Floats:
        values = []
        for start in range(0, len(rows), ROWS_AT_ONCE):
            chunk = rows[start : start + ROWS_AT_ONCE]
            weights = np.zeros((len(chunk), n))
            np.add.at(weights, (np.arange(len(chunk))[:, None], chunk), 1.0)
            values.append(curves[0](weights) - curves[1](weights))
        return np.concatenate(values)

    return paired_bootstrap(difference, n, seed=seed)


def _circle_polygon_area(corners: Floats) -> float:
    """Area of the unit circle inside a convex or concave polygon of corners ``(K, 2)``.

    Each edge and the centre span a triangle; the circle cuts from it a sector, a triangle, or
    both; the signed parts add up.
    """
    total = 0.0
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        total += _circle_triangle_area(start, end)
    return abs(total)


def _circle_triangle_area(start: Floats, end: Floats) -> float:
    """Signed area of the unit circle inside the triangle (0, start, end)."""
    edge = end - start
    a, b, c = edge @ edge, start @ edge, start @ start - 1.0
    root = b * b - a * c
    if a == 0 or root <= 0:
        return _sector(start, end)
    near = np.clip((-b - np.sqrt(root)) / a, 0.0, 1.0)
    far = np.clip((-b + np.sqrt(root)) / a, 0.0, 1.0)
    if near >= far:
        return _sector(start, end)
    # a rounding error at the centre would be a sector of any angle: ends stay what they are
    enter = start if near == 0 else start + near * edge
    leave = end if far == 1 else start + far * edge
    chord = 0.5 * float(enter[0] * leave[1] - enter[1] * leave[0])
    return _sector(start, enter) + chord + _sector(leave, end)


def _sector(start: Floats, end: Floats) -> float:
    """Signed area of the unit circle's sector between two directions."""
    cross = start[0] * end[1] - start[1] * end[0]
    return 0.5 * float(np.arctan2(cross, start @ end))


def _rows(values: npt.ArrayLike, width: int) -> Floats:
    rows = np.asarray(values, np.float64)
    if rows.size == 0:
        return np.zeros((0, width))
    if rows.ndim != 2 or rows.shape[1] != width:
        raise ParameterError(
            f"expected rows of {width} numbers, got an array of shape {rows.shape}"
        )
    return rows
