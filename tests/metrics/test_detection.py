"""Overlap of boxes and ellipses, one-to-one matching, rates and average precision."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from relume.errors import ParameterError
from relume.metrics.detection import (
    Matches,
    Scored,
    average_precision,
    detection_rates,
    ellipse_bounds,
    ellipse_box_iou,
    found_at_false_alarms,
    iou_matrix,
    match_detections,
    score_at_false_alarms,
)

coordinate = st.floats(-50, 50, width=32)
side = st.floats(0.5, 60, width=32)


@st.composite
def boxes(draw: st.DrawFn) -> list[float]:
    x, y = draw(coordinate), draw(coordinate)
    return [x, y, x + draw(side), y + draw(side)]


@given(boxes(), boxes())
def test_iou_is_symmetric_and_between_0_and_1(a: list[float], b: list[float]) -> None:
    forth, back = iou_matrix([a], [b])[0, 0], iou_matrix([b], [a])[0, 0]
    assert forth == pytest.approx(back)
    assert 0 <= forth <= 1 + 1e-12
    assert iou_matrix([a], [a])[0, 0] == pytest.approx(1)


def test_iou_of_nothing_has_the_right_shape() -> None:
    assert iou_matrix([], [[0, 0, 1, 1]]).shape == (0, 1)
    assert ellipse_box_iou([[2, 1, 0, 0, 0]], []).shape == (1, 0)


@given(
    st.tuples(st.floats(5, 40), st.floats(5, 40), st.floats(-3.2, 3.2), coordinate, coordinate),
    boxes(),
)
@example((5.0, 5.0, 0.0, 3.3e-25, 3.3e-25), [0.0, 0.0, 1.0, 1.0])  # a corner at the very centre
def test_ellipse_overlap_is_what_counting_pixels_finds(
    ellipse: tuple[float, ...], box: list[float]
) -> None:
    major, minor, angle, x, y = ellipse
    # on the grid's lines: a thin box between them would be counted wrong
    box = [math.floor(2 * side_px) / 2 for side_px in box]
    grid = np.arange(-120, 120, 0.5) + 0.25
    px, py = np.meshgrid(grid, grid)
    u = (px - x) * np.cos(angle) + (py - y) * np.sin(angle)
    v = (py - y) * np.cos(angle) - (px - x) * np.sin(angle)
    in_ellipse = (u / major) ** 2 + (v / minor) ** 2 <= 1
    in_box = (px >= box[0]) & (px < box[2]) & (py >= box[1]) & (py < box[3])
    counted = (in_ellipse & in_box).sum() / (in_ellipse | in_box).sum()
    assert ellipse_box_iou([ellipse], [box])[0, 0] == pytest.approx(counted, abs=0.02)


def test_an_upright_box_around_an_upright_ellipse_overlaps_by_a_quarter_of_pi() -> None:
    ellipse = [[30.0, 20.0, math.pi / 2, 100.0, 100.0]]
    np.testing.assert_allclose(ellipse_bounds(ellipse), [[80, 70, 120, 130]])
    assert ellipse_box_iou(ellipse, ellipse_bounds(ellipse))[0, 0] == pytest.approx(math.pi / 4)


def test_the_angle_turns_as_opencv_draws_it() -> None:
    canvas = cv2.ellipse(np.zeros((100, 100), np.uint8), (50, 50), (40, 10), 30, 0, 360, 1, -1)
    rows, columns = canvas.nonzero()
    bounds = ellipse_bounds([[40, 10, math.radians(30), 50, 50]])[0]
    drawn = [columns.min(), rows.min(), columns.max(), rows.max()]
    np.testing.assert_allclose(bounds, drawn, atol=1.5)
    low_right = ellipse_box_iou([[40, 10, math.radians(30), 50, 50]], [[50, 50, 90, 80]])[0, 0]
    low_left = ellipse_box_iou([[40, 10, math.radians(30), 50, 50]], [[10, 50, 50, 80]])[0, 0]
    assert low_right > 2 * low_left


def test_each_label_is_taken_once_and_the_best_score_chooses_first() -> None:
    overlaps = [[0.6, 0.0], [0.9, 0.0], [0.0, 0.5]]
    matches = match_detections(overlaps, [0.7, 0.9, 0.8])
    assert matches.scores.tolist() == [0.9, 0.8, 0.7]
    assert matches.detection.tolist() == [1, 2, 0]
    assert matches.truth.tolist() == [0, -1, -1]  # 0.5 is not above 0.5
    assert matches.found(0.95).tolist() == []
    assert matches.found(0.9).tolist() == [0]


@given(st.integers(0, 6), st.integers(0, 6), st.integers(0, 2**32 - 1))
def test_greedy_matching_agrees_with_the_best_assignment_without_duplicates(
    n: int, m: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    overlaps = rng.uniform(0, 0.49, (n, m))
    for i in range(min(n, m)):  # every detection lies on at most one label
        overlaps[i, i] = rng.uniform(0, 1)
    matches = match_detections(overlaps, rng.uniform(size=n))
    rows, columns = linear_sum_assignment(np.where(overlaps > 0.5, overlaps, 0), maximize=True)
    assert (matches.truth >= 0).sum() == (overlaps[rows, columns] > 0.5).sum()


@given(st.integers(0, 2**32 - 1))
def test_what_is_found_at_a_high_threshold_is_found_at_a_lower_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    matches = match_detections(rng.uniform(0, 1, (8, 5)), rng.uniform(size=8))
    assert set(matches.found(0.7)) <= set(matches.found(0.3))


def matched(scores: list[float], hits: list[int], n_truth: int) -> Matches:
    truth = np.where(np.array(hits, bool), np.arange(len(hits)), -1)
    return Matches(np.array(scores, float), np.arange(len(hits)), truth, n_truth)


def test_rates_at_a_threshold() -> None:
    pictures = [matched([0.9, 0.8, 0.5], [1, 0, 1], 3), matched([0.7], [0], 1)]
    rates = detection_rates(pictures, 0.6)
    assert (rates.recall, rates.fp_per_image) == (0.25, 1.0)
    assert rates.precision == pytest.approx(1 / 3)
    nothing = detection_rates([matched([], [], 0)], 0.6)
    assert math.isnan(nothing.recall)
    assert math.isnan(nothing.precision)
    assert nothing.fp_per_image == 0


def test_average_precision_by_hand() -> None:
    # precision 1, 1/2, 2/3 at recall 1/4, 1/4, 2/4; made falling: 1, 2/3, 2/3
    pictures = [matched([0.9, 0.8, 0.5], [1, 0, 1], 3), matched([], [], 1)]
    assert average_precision(pictures) == pytest.approx(0.25 * 1 + 0.25 * 2 / 3)
    assert average_precision([matched([], [], 2)]) == 0
    assert math.isnan(average_precision([matched([0.9], [0], 0)]))


def test_average_precision_is_the_area_under_the_falling_curve() -> None:
    rng = np.random.default_rng(1)
    hits = rng.random(200) < 0.6
    scores = rng.random(200) + 0.5 * hits
    points = [
        (hits[scores >= t].sum() / hits.sum(), hits[scores >= t].mean()) for t in np.unique(scores)
    ]
    recalls = (np.arange(20_000) + 0.5) / 20_000
    area = np.mean([max(p for r, p in points if r >= recall) for recall in recalls])
    order = np.argsort(-scores)
    ours = average_precision([matched(list(scores[order]), list(hits[order]), int(hits.sum()))])
    assert ours == pytest.approx(area, abs=1e-4)


def test_equal_scores_enter_together() -> None:
    one = average_precision([matched([0.5, 0.5], [1, 0], 1)])
    other = average_precision([matched([0.5, 0.5], [0, 1], 1)])
    assert one == other == 0.5


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ParameterError, match="rows of 4"):
        iou_matrix([[0, 0, 1]], [[0, 0, 1, 1]])
    with pytest.raises(ParameterError, match="overlaps of shape"):
        match_detections(np.zeros((2, 1)), [0.5])


def test_scored_counts_what_lies_on_a_face_and_what_lies_on_nothing() -> None:
    labels, ignored = [(0, 0, 10, 10), (50, 50, 60, 60)], [(100, 0, 110, 10)]
    boxes = [
        (0, 0, 10, 10),  # on the first
        (0, 0, 10, 5),  # on it, too: IoU .5
        (6, 0, 16, 10),  # IoU .25: neither found nor false
        (100, 0, 110, 10),  # on what does not count
        (200, 0, 210, 10),  # on nothing
    ]
    scored = Scored.of(boxes, [0.7, 0.9, 0.8, 0.95, 0.6], labels, ignored)
    assert scored.best.tolist() == [0.9, 0.0]
    assert scored.false.tolist() == [0.6]
    nothing = Scored.of([], [], labels)
    assert nothing.best.tolist() == [0.0, 0.0]
    assert not len(nothing.false)
    assert Scored.of(boxes, [0.5] * 5, []).false.tolist() == [0.5] * 5


def test_found_at_equal_false_alarms() -> None:
    """Four pictures at .25 a picture may keep one false box: the second one bars the way."""
    false = [[0.9], [0.6], [0.5], [0.4]]
    best = [[0.95], [0.65], [0.55], [0.35]]
    pictures = [Scored(np.array(b), np.array(f)) for b, f in zip(best, false, strict=True)]
    assert score_at_false_alarms(pictures, 0.25) == 0.6
    assert found_at_false_alarms(pictures, 0.25) == 0.5
    assert found_at_false_alarms(pictures, 0.0) == 0.25
    assert score_at_false_alarms(pictures, 5.0) == 0.3
    assert found_at_false_alarms(pictures, 5.0) == 1.0
    surer = [Scored(p.best * 1.05, p.false * 1.05) for p in pictures]
    assert found_at_false_alarms(surer, 0.25) == 0.5  # being surer of everything gains nothing
    assert np.isnan(found_at_false_alarms([Scored(np.array([]), np.array([0.5]))], 0.25))
