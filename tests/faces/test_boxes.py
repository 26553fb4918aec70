"""Box algebra, against values by hand and by its laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st

from relume.errors import ParameterError
from relume.faces import Box, Face, box_around
from relume.faces.base import by_score
from relume.faces.search import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    RawDetections,
    bounds,
    iou,
    non_maximum_suppression,
    points_bounds,
    weighted_box,
)

from .conftest import given


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    x, y = draw(st.integers(-20, 60)), draw(st.integers(-20, 60))
    width, height = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    return (float(x), float(y), float(x + width), float(y + height))


scores = st.floats(0, 1)
scored = st.lists(st.tuples(boxes(), scores), max_size=12)


def test_parts_of_a_surer_face_are_left_out() -> None:
    """An eye in a face; a face beside it; one in a less sure one; one of half its size."""
    boxes = np.array(
        [
            [0, 0, 100, 100],  # the face
            [20, 20, 50, 50],  # within it: a part
            [90, 0, 130, 40],  # a quarter of it within
            [0, 0, 100, 60],  # more than half as large
            [300, 0, 340, 40],  # surer than what it lies in
            [290, 0, 400, 100],
        ],
        np.float32,
    )
    scores = np.array([0.9, 0.8, 0.7, 0.65, 0.6, 0.5], np.float32)
    found = RawDetections(boxes, scores, np.zeros((6, 5, 2), np.float32))
    np.testing.assert_array_equal(found.without_parts().boxes, boxes[[0, 2, 3, 4, 5]])
    nothing = found.where([])
    assert len(nothing.without_parts().scores) == 0


def test_bounds_hold_all_points() -> None:
    assert bounds([[3, 9], [1, 4], [2, 20]]) == (1.0, 4.0, 3.0, 20.0)


@pytest.mark.parametrize("points", [[[1, 1]], [[1, 1], [1, 5]], [[1, 5], [9, 5]]])
def test_points_without_an_area_have_no_box(points: list[list[int]]) -> None:
    with pytest.raises(ParameterError, match="span an area"):
        box_around(points)


def test_a_detectors_box_reaches_above_the_points() -> None:
    """Bounds of 100 x 200 px at (10, 50)."""
    box = box_around([[10, 50], [110, 250]])
    assert box == pytest.approx(
        (10 + 100 * LEFT, 50 + 200 * TOP, 10 + 100 * RIGHT, 50 + 200 * BOTTOM)
    )
    assert box[1] < 0 < box[0], "brows are the topmost points, the box starts at the hairline"


@given(boxes())
def test_points_bounds_undo_box_around(box: Box) -> None:
    corners = [box[:2], box[2:]]
    assert points_bounds(box_around(corners)) == pytest.approx(box, abs=1e-6)
    assert box_around(np.reshape(points_bounds(box), (2, 2))) == pytest.approx(box, abs=1e-6)


def test_iou_by_hand() -> None:
    """Two of 2 x 2 that share one pixel: 1 / (4 + 4 - 1)."""
    assert iou((0, 0, 2, 2), (1, 1, 3, 3)) == pytest.approx(1 / 7)
    assert iou((0, 0, 2, 2), (2, 0, 4, 2)) == 0, "half open: side by side is apart"


@given(boxes(), boxes())
def test_iou_is_a_symmetric_share(one: Box, other: Box) -> None:
    assert iou(one, other) == pytest.approx(iou(other, one))
    assert 0 <= iou(one, other) <= 1
    assert iou(one, one) == 1


def test_suppression_by_hand() -> None:
    """The second overlaps the third, the better one, by 3/5; the first stands alone."""
    found = [(50, 0, 54, 1), (0, 0, 4, 1), (1, 0, 5, 1)]
    assert non_maximum_suppression(found, [0.7, 0.8, 0.9], most_iou=0.5) == [2, 0]
    assert non_maximum_suppression(found, [0.7, 0.8, 0.9], most_iou=0.6) == [2, 1, 0]
    assert non_maximum_suppression([], [], most_iou=0.5) == []


@given(scored, st.floats(0, 1))
def test_suppression_keeps_the_best_and_nothing_near_them(
    found: list[tuple[Box, float]], most: float
) -> None:
    kept = non_maximum_suppression([b for b, _ in found], [s for _, s in found], most_iou=most)
    assert [found[i][1] for i in kept] == sorted((found[i][1] for i in kept), reverse=True)
    for place, i in enumerate(kept):
        assert all(iou(found[i][0], found[j][0]) <= most for j in kept[:place])
    for i in set(range(len(found))) - set(kept):
        assert any(
            found[j][1] >= found[i][1] and iou(found[j][0], found[i][0]) > most for j in kept
        )


def test_weighted_box_by_hand() -> None:
    two = [(0.0, 0.0, 4.0, 4.0), (4.0, 8.0, 8.0, 12.0)]
    assert weighted_box(two, [3, 1]) == (1.0, 2.0, 5.0, 6.0)
    assert weighted_box(two, [0, 0]) == (2.0, 4.0, 6.0, 8.0)


@given(st.lists(st.tuples(boxes(), scores), min_size=1, max_size=8))
def test_a_weighted_box_lies_among_its_boxes(found: list[tuple[Box, float]]) -> None:
    mean = weighted_box([b for b, _ in found], [s for _, s in found])
    corners = np.array([b for b, _ in found])
    assert (corners.min(axis=0) - 1e-9 <= mean).all()
    assert (mean <= corners.max(axis=0) + 1e-9).all()


@pytest.mark.parametrize(
    ("box", "score", "landmarks", "said"),
    [
        ((0, 0, 0, 5), 0.5, None, "with an area"),
        ((0, 5, 5, 4), 0.5, None, "with an area"),
        ((0, 0, float("nan"), 5), 0.5, None, "with an area"),
        ((0, 0, float("inf"), 5), 0.5, None, "with an area"),
        ((0, 0, 5, 5), 1.01, None, "score in"),
        ((0, 0, 5, 5), float("nan"), None, "score in"),
        ((0, 0, 5, 5), 0.5, np.zeros(10, np.float32), "landmarks of shape"),
        ((0, 0, 5, 5), 0.5, np.zeros((68, 3), np.float32), "landmarks of shape"),
    ],
)
def test_what_is_no_face(box: Box, score: float, landmarks: np.ndarray | None, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        Face(box, score, landmarks)


def test_the_order_of_faces_is_fixed() -> None:
    """Best first; between equals the box decides."""
    one, other, best = Face((5, 0, 9, 9), 0.5), Face((1, 0, 9, 9), 0.5), Face((7, 0, 9, 9), 0.6)
    assert by_score([one, other, best]) == by_score([best, other, one]) == [best, other, one]


def test_json_is_cut_to_the_picture() -> None:
    """A face cut by the border reaches past it by 17.8 px; corners have names."""
    points = np.array([[-3.456, 7.0]], np.float32)
    face = Face((-17.8, 5.04, 45.0, 60.0), 0.87654, points, "original+machine")
    assert face.as_json(40, 50) == {
        "box": {"x0": 0.0, "y0": 5.0, "x1": 40, "y1": 50},
        "score": 0.877,
        "view": "original+machine",
        "landmarks": [[-3.5, 7.0]],
    }
    assert Face((0, 0, 1, 1), 0.5).as_json(9, 9)["landmarks"] is None
