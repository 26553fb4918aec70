"""Faces of several views as one answer: by hand, and the laws that hold for any faces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import strategies as st

from relume.faces import Box, Face
from relume.faces.base import by_score
from relume.faces.fusion import (
    MOVES_BOX_IOU,
    SAME_FACE_IOU,
    SLID_IOU,
    Cluster,
    clusters,
    weighted_points,
)
from relume.faces.search import iou

from .conftest import given


def fuse(views: Sequence[Sequence[Face]], *, lead_score: float = 0.0) -> list[Face]:
    """One answer, best score first."""
    return by_score([cluster.fused() for cluster in clusters(views, lead_score=lead_score)])


NAMES = ("original", "machine", "gamma")


@st.composite
def faces(draw: st.DrawFn, view: str) -> Face:
    """Faces that often overlap, from a little to wholly."""
    x, y = draw(st.integers(0, 24)), draw(st.sampled_from((0, 3, 40)))
    width, height = draw(st.integers(8, 30)), draw(st.integers(8, 30))
    count = draw(st.sampled_from((0, 5, 68)))
    points = np.full((count, 2), x, np.float32) if count else None
    box = (float(x), float(y), float(x + width), float(y + height))
    return Face(box, draw(st.floats(0, 1)), points, view)


def view(name: str) -> st.SearchStrategy[list[Face]]:
    return st.lists(faces(name), max_size=6)


views = st.tuples(*map(view, NAMES))
Views = tuple[list[Face], ...]


def shown(found: Sequence[Face]) -> list[tuple[Box, float]]:
    return [(face.box, face.score) for face in found]


@given(views, st.floats(0, 1))
def test_what_the_leading_view_finds_stays_found(found: Views, lead_score: float) -> None:
    """Each of its faces has an answer of its own, at its place and not with less."""
    leads = [face for face in found[0] if face.score >= lead_score]
    gathered = clusters(found, lead_score=lead_score)
    assert [c.lead for c in gathered[: len(leads)]] == leads
    for cluster in gathered[: len(leads)]:
        fused = cluster.fused()
        assert iou(fused.box, cluster.lead.box) >= 0.5
        assert fused.score >= cluster.lead.score
        assert fused.view.split("+")[0] == "original"


@given(views, st.floats(0, 1))
def test_every_face_goes_into_one_answer(found: Views, lead_score: float) -> None:
    gathered = clusters(found, lead_score=lead_score)
    members = [face for cluster in gathered for face in cluster.members]
    assert sorted(map(id, members)) == sorted(id(f) for part in found for f in part)
    for cluster in gathered:
        for member in cluster.members[1:]:
            assert iou(member.box, cluster.lead.box) > SLID_IOU
    answer = fuse(found, lead_score=lead_score)
    assert len(answer) == len(gathered)
    assert shown(answer) == shown(by_score(answer))


@given(views)
def test_a_score_and_a_box_are_made_of_the_members(found: Views) -> None:
    for cluster in clusters(found):
        fused = cluster.fused()
        corners = np.array([m.box for m in cluster.members])
        assert fused.score == max(m.score for m in cluster.members)
        assert (corners.min(axis=0) - 1e-6 <= fused.box).all()
        assert (fused.box <= corners.max(axis=0) + 1e-6).all()
        assert set(fused.view.split("+")) == {m.view for m in cluster.members}


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ({"again": 0.65}, 0.55),  # one further view alone, .1 less
        ({"again": 0.75}, 0.65),
        ({"again": 0.65, "mirrored": 0.4}, 0.6),  # a second one agrees, .2 less sure
        ({"again": 0.65, "mirrored": 0.6}, 0.65),  # never more than the best
        ({"again": 0.65, "original": 0.5}, 0.65),  # the original agrees, too
        ({"again": 0.65, "original": 0.62}, 0.65),
        ({"machine": 0.65}, 0.65),  # what was asked for counts as it is
        ({"machine": 0.65, "again": 0.7}, 0.7),
    ],
)
def test_what_only_further_views_show_needs_more(scores: dict[str, float], expected: float) -> None:
    cluster = Cluster([Face((0, 0, 30, 30), score, None, name) for name, score in scores.items()])
    assert cluster.fused({"again", "mirrored"}).score == pytest.approx(expected)
    assert cluster.fused().score == max(scores.values())


@given(views)
def test_further_views_take_nothing_away(found: Views) -> None:
    """A face scores at least what the views that were asked for give it, and no more than all."""
    for cluster in clusters(found):
        asked = [m.score for m in cluster.members if m.view != "gamma"]
        score = cluster.score({"gamma"})
        assert max(asked, default=0.0) <= score <= max(m.score for m in cluster.members)


@given(view("original"))
def test_a_single_view_comes_back_as_it_is(found: list[Face]) -> None:
    answer = fuse([found])
    assert shown(answer) == shown(by_score(found))
    for before, after in zip(by_score(found), answer, strict=True):
        assert after.view == "original"
        np.testing.assert_array_equal(after.landmarks, before.landmarks)


@given(view("original"))
def test_a_view_without_faces_changes_nothing(found: list[Face]) -> None:
    assert shown(fuse([found, [], []])) == shown(by_score(found))


@given(view("machine"), view("gamma"))
def test_the_order_of_the_other_views_does_not_matter(one: list[Face], other: list[Face]) -> None:
    lead = [Face((0, 0, 20, 20), 0.5)]
    ahead, behind = fuse([lead, one, other]), fuse([lead, other, one])
    np.testing.assert_allclose([f.box for f in ahead], [f.box for f in behind], atol=1e-9)
    assert [f.score for f in ahead] == [f.score for f in behind]


def test_merging_by_hand() -> None:
    """Weights .4 and .8 of 1.2; the second face is 4 px further to the right."""
    points = np.zeros((5, 2), np.float32)
    own = Face((0, 0, 30, 30), 0.4, points)
    seen = Face((6, 0, 36, 30), 0.8, points + np.float32(6), "machine")
    (face,) = fuse([[own], [seen]])
    assert face.box == pytest.approx((4, 0, 34, 30))
    assert (face.score, face.view) == (0.8, "original+machine")
    np.testing.assert_allclose(face.landmarks, 4)


def test_only_near_boxes_move_the_lead() -> None:
    """An IoU of 1/3: the same face, but not a better box."""
    own, seen = Face((0, 0, 30, 30), 0.4), Face((15, 0, 45, 30), 0.9, None, "machine")
    assert SAME_FACE_IOU < iou(own.box, seen.box) < MOVES_BOX_IOU
    (face,) = fuse([[own], [seen]])
    assert face.box == own.box
    assert face.score == 0.9


def test_a_mean_that_is_not_near_does_not_move_the_lead() -> None:
    """Twice as wide and twice as high have an IoU of 1/2 each, their mean one of 4/9."""
    own = Face((0, 0, 30, 30), 0.0)
    wide, high = (
        Face((0, 0, 60, 30), 0.9, None, "machine"),
        Face((0, 0, 30, 60), 0.9, None, "gamma"),
    )
    (face,) = fuse([[own], [wide], [high]])
    assert face.box == own.box


def test_faces_apart_stay_apart() -> None:
    """An IoU of 1/5, and no face at all on the original."""
    own, seen = Face((0, 0, 30, 30), 0.4), Face((20, 0, 50, 30), 0.9, None, "machine")
    assert [f.view for f in fuse([[own], [seen]])] == ["machine", "original"]
    assert fuse([[], [seen]])[0].view == "machine"
    assert fuse([[], []]) == fuse([]) == []


def test_one_man_is_one_face() -> None:
    """As met on a night street: the second view's second box slid to his chin and shoulder."""
    own = [Face((450, 398, 464, 415), 0.72)]
    relit = [
        Face((450, 395, 465, 413), 0.79, None, "machine"),
        Face((456, 403, 472, 422), 0.62, None, "machine"),
    ]
    assert iou(own[0].box, relit[1].box) < SAME_FACE_IOU
    (face,) = fuse([own, relit])
    assert face.score == 0.79
    assert iou(face.box, relit[0].box) > 0.8
    (face,) = fuse([[], relit])
    assert face.box == relit[0].box


CROWD = {
    "in a row, a quarter hidden": [(x, 0, x + 40, 50) for x in range(0, 300, 30)],
    "in rows": [(x, y, x + 20, y + 24) for x in range(0, 100, 18) for y in range(0, 100, 22)],
    "a child before its mother": [(0, 0, 100, 100), (60, 60, 105, 105)],
    "a face behind another": [(0, 0, 40, 50), (24, -20, 56, 20)],
    "profiles, cheek to cheek": [(0, 0, 40, 50), (27, 2, 67, 52)],
}


@pytest.mark.parametrize("crowd", CROWD)
@pytest.mark.parametrize("seen", ["by both", "by turns", "relit only"])
def test_neighbours_stay_apart(crowd: str, seen: str) -> None:
    """Whichever view shows which, at the scores that real ones have: none is far below another."""
    boxes = CROWD[crowd]
    scores = [0.9 - 0.08 * (i % 2) for i in range(len(boxes))]
    own = [Face(box, score) for box, score in zip(boxes, scores, strict=True)]
    relit = [Face(face.box, min(1.0, face.score + 0.02), None, "machine") for face in own]
    if seen == "by turns":
        own, relit = own[::2], relit[1::2]
    if seen == "relit only":
        own = []
    found = fuse([own, relit])
    np.testing.assert_allclose(sorted(face.box for face in found), sorted(boxes))


def test_weak_neighbours_stay_apart_where_they_overlap_little() -> None:
    """A box slides by a part of a face, not by a whole one, and keeps its size."""
    lead = Face((0, 0, 40, 50), 0.95)
    for box in ((33, 0, 73, 50), (0, 40, 40, 90), (15, 15, 35, 40), (26, -24, 66, 26)):
        assert len(fuse([[lead], [Face(box, 0.61, None, "machine")]])) == 2, box


def test_weak_faces_of_the_leading_view_queue_up() -> None:
    """In the dark their boxes are the worse ones: the surer view's face leads."""
    weak, seen = Face((0, 0, 30, 30), 0.4), Face((13, 0, 43, 30), 0.9, None, "machine")
    assert fuse([[weak], [seen]])[0].box == weak.box
    (face,) = fuse([[weak], [seen]], lead_score=0.5)
    assert face.box == seen.box
    assert face.view == "machine+original"


def test_landmarks_of_another_kind_are_not_averaged() -> None:
    five, many = np.ones((5, 2), np.float32), np.full((68, 2), 9, np.float32)
    own = Face((0, 0, 30, 30), 0.4, five)
    (face,) = fuse([[own], [Face((0, 0, 30, 30), 0.8, many, "machine")]])
    np.testing.assert_array_equal(face.landmarks, five)
    (face,) = fuse([[Face(own.box, 0.4)], [Face(own.box, 0.8, many, "machine")]])
    np.testing.assert_array_equal(face.landmarks, many)


def test_weighted_points_by_hand() -> None:
    near, far = np.zeros((2, 2), np.float32), np.full((2, 2), 8, np.float32)
    np.testing.assert_allclose(weighted_points([near, far], [0.9, 0.3]), 2)
    np.testing.assert_allclose(weighted_points([near, far], [0, 0]), 4)
