"""Landmarks in nearly black photographs: the face relit for itself, and shapes held to faces."""

from __future__ import annotations

import numpy as np
import pytest

from relume.faces import Box, View, landmarkers, parse_views, place_landmarks, render_views
from relume.faces.base import Points
from relume.faces.refit import LOOKS, _shapes, most_probable, to_shape
from relume.image.darken import darken
from relume.metrics.landmarks import nme
from relume.photo import Image

from .conftest import FACE

BOX: Box = (40.0, 60.0, 140.0, 160.0)


def face(*, wide: float = 0.0) -> Points:
    """The mean face in BOX, or one some standard deviations along its first axis."""
    mean, axes = _shapes()
    shape = (mean + wide * axes[0]).reshape(68, 2)
    return np.asarray(shape * 100 + [90, 110], np.float32)


def test_the_shapes_are_a_face() -> None:
    """Eyes above nose above mouth above chin, right to left as the person has them."""
    points = face()
    eyes, nose, mouth, chin = points[36:48], points[30], points[48:60], points[8]
    assert eyes[:, 1].max() < nose[1] < mouth[:, 1].min() < chin[1]
    assert points[36, 0] < nose[0] < points[45, 0]
    x0, y0, x1, y1 = BOX
    assert (points > (x0 - 10, y0 - 10)).all()
    assert (points < (x1 + 10, y1 + 10)).all()
    np.testing.assert_allclose(to_shape(points, BOX), _shapes()[0], atol=1e-5)


@pytest.mark.parametrize("wide", [-1.5, 0.0, 1.5])
def test_points_that_agree_are_left(wide: float) -> None:
    placed = np.stack([face(wide=wide)] * 4)
    np.testing.assert_allclose(most_probable(placed, BOX), face(wide=wide), atol=0.3)


def test_points_that_disagree_are_moved_towards_faces() -> None:
    """Independent errors: the result is nearer to the truth than their mean, by a lot."""
    rng = np.random.default_rng(5)
    truth = face(wide=1.0)
    errors = []
    for _ in range(20):
        placed = truth + rng.normal(0, 8, (4, 68, 2)) + rng.normal(0, 8, (68, 2))
        errors.append((nme(placed.mean(axis=0), truth), nme(most_probable(placed, BOX), truth)))
    before, after = np.mean(errors, axis=0)
    assert after < 0.5 * before


def test_the_wilder_the_points_the_nearer_to_the_mean_face() -> None:
    rng = np.random.default_rng(6)
    noise = rng.normal(0, 1, (4, 68, 2))
    wide = face(wide=3.0)
    off = [nme(most_probable(wide + sigma * noise, BOX), face()) for sigma in (0.0, 2.0, 10.0)]
    assert off[0] > off[1] > off[2]


class Asked:
    """Puts 68 points of a grid into the box, and remembers what it was asked."""

    info = landmarkers().info("peppa")

    def __init__(self) -> None:
        self.images: list[Image] = []
        self.boxes: list[Box] = []

    def __call__(self, image: Image, box: Box) -> Points:
        self.images.append(image)
        self.boxes.append(box)
        return face() + np.float32([box[0] - BOX[0], box[1] - BOX[1]])


def night(level: float) -> Image:
    rng = np.random.default_rng(2)
    noise = rng.normal(level, 0.005, (200, 300, 3))
    brighter = noise * np.linspace(0.7, 1.3, 300)[:, None]
    return np.clip(brighter, 0, 1).astype(np.float32)


def test_a_lit_face_in_a_black_photograph_needs_no_more() -> None:
    """The photograph's median is black; the face is not."""
    image = night(0.02)
    image[60:160, 40:140] = 0.3
    asked = Asked()
    views = list(render_views(parse_views(("original", "machine")), image))
    place_landmarks(views, [BOX], asked)
    assert len(asked.images) == 1


def rendered(level: float, *names: str) -> list[View]:
    return list(render_views(parse_views(names), night(level)))


def test_a_face_in_the_black_is_relit_for_itself() -> None:
    asked = Asked()
    (points,) = place_landmarks(rendered(0.02, "original", "machine"), [BOX], asked).points
    levels = [float(image.mean()) for image in asked.images]
    assert levels == pytest.approx([brightness for brightness, _ in LOOKS], abs=0.03)
    brighter = [image[:, 150:].mean() > image[:, :50].mean() for image in asked.images]
    assert all(brighter), "what was mirrored is turned back"
    assert {image.shape for image in asked.images} == {(200, 210, 3)}, "2.4 boxes, cut by a border"
    assert asked.boxes[0] == BOX, "the cut begins at the photograph's own corner"
    np.testing.assert_allclose(points, face(), atol=0.5)


def test_the_cut_out_is_put_back_in_its_place() -> None:
    asked = Asked()
    box: Box = (180.0, 60.0, 280.0, 160.0)
    (points,) = place_landmarks(rendered(0.02, "original", "machine"), [box], asked).points
    assert asked.boxes[0] == (70.0, 60.0, 170.0, 160.0)
    np.testing.assert_allclose(points, face() + np.float32([140, 0]), atol=0.5)


@pytest.mark.parametrize(
    ("level", "views", "box"),
    [
        (0.13, ("original", "machine"), BOX),  # not dark enough
        (0.02, ("machine",), BOX),  # no photograph to cut the face out of
        (0.02, ("original", "machine@0.5"), BOX),  # who says how, gets that
        (0.02, ("original", "gamma"), BOX),
        (0.02, ("original",), BOX),
        (0.02, ("original", "machine"), (40.0, 60.0, 55.0, 75.0)),  # too small to show anything
    ],
)
def test_otherwise_one_view_is_asked(level: float, views: tuple[str, ...], box: Box) -> None:
    asked = Asked()
    place_landmarks(rendered(level, *views), [box], asked)
    assert len(asked.images) == 1


def test_landmarks_in_the_dark_are_nearer(peppa: None, astronaut: Image) -> None:
    """Against the bright photograph's, over three seeds: nearer than one view's in the mean."""
    place = landmarkers().create("peppa")
    truth = place(astronaut, FACE)
    errors = []
    for seed in range(3):
        dark = darken(astronaut, 0.006, np.random.default_rng(seed))
        views = list(render_views(parse_views(("original", "machine")), dark))
        one = views[1].points_to_photograph(place(views[1].image, views[1].from_photograph(FACE)))
        errors.append(
            (nme(one, truth), nme(place_landmarks(views, [FACE], place).points[0], truth))
        )
    one_view, relit = np.mean(errors, axis=0)
    assert relit < one_view
