from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from relume.errors import InputError, ParameterError
from relume.image.draw import ORANGE, SKY, before_after, draw_faces, panels, stacked
from relume.photo import Image

SIZES = [(1, 1), (2, 3), (40, 30), (3, 5000), (5000, 3)]


@dataclass
class Found:
    box: tuple[float, float, float, float]
    score: float = 0.9
    landmarks: npt.NDArray[np.float32] | None = None


def picture(height: int, width: int) -> Image:
    return np.random.default_rng(0).random((height, width, 3), np.float32)


def landmarks(count: int) -> npt.NDArray[np.float32]:
    return np.random.default_rng(1).uniform(20, 80, (count, 2)).astype(np.float32)


def test_rows_of_different_widths_stand_below_each_other_on_white() -> None:
    out = stacked([np.zeros((2, 3, 3), np.float32), np.full((1, 5, 3), 0.5, np.float32)])
    assert out.shape == (3, 5, 3)
    assert (out[:2, :3] == 0).all()
    assert (out[:2, 3:] == 1).all()
    assert (out[2] == 0.5).all()


def test_no_face_changes_nothing() -> None:
    image = picture(30, 40)
    out = draw_faces(image, [])
    np.testing.assert_array_equal(out, image)
    assert out is not image


def test_a_box_is_drawn_where_it_is_and_nowhere_else() -> None:
    image = np.zeros((100, 120, 3), np.float32)
    kept = image.copy()
    out = draw_faces(image, [Found((30, 40, 71, 91))])
    np.testing.assert_array_equal(image, kept)
    assert out.dtype == np.float32
    sky = np.asarray(SKY, np.float32) / 255
    for y, x in ((90, 50), (60, 30), (60, 70)):
        np.testing.assert_allclose(out[y, x], sky, atol=0.1)
    inside = out[45:86, 35:66]
    np.testing.assert_array_equal(inside, 0)
    np.testing.assert_array_equal(out[:, 80:], 0)
    assert (out[25:40, 28:60] > 0.3).any()  # the score, above the box


@pytest.mark.parametrize("count", [5, 68, 1, 98])
def test_landmarks_are_drawn(count: int) -> None:
    image = np.zeros((100, 100, 3), np.float32)
    box = (10.0, 10.0, 90.0, 90.0)
    bare = draw_faces(image, [Found(box)])
    out = draw_faces(image, [Found(box, landmarks=landmarks(count))])
    changed = (out != bare).any(axis=2)
    for x, y in landmarks(count)[:: max(1, count // 5)]:
        x, y = round(float(x)), round(float(y))
        assert changed[y - 2 : y + 3, x - 2 : x + 3].any()


@pytest.mark.parametrize("size", SIZES)
def test_extreme_sizes_and_boxes(size: tuple[int, int]) -> None:
    image = picture(*size)
    faces = [
        Found((-1e7, -50.5, 1e9, 60)),
        Found((0.2, 0.2, 0.7, 0.7), 0.0, landmarks(68)),
        Found((1e6, 1e6, 2e6, 2e6), 1.0),
    ]
    out = draw_faces(image, faces)
    assert out.shape == image.shape
    assert np.isfinite(out).all()
    assert out.min() >= 0
    assert out.max() <= 1
    both = before_after(image, image)
    assert both.shape[0] == image.shape[0]
    assert both.shape[1] > 2 * image.shape[1]
    strip = panels([image, image], ["one", "a long caption " * 20], height_px=50)
    assert strip.shape[0] < 120
    assert strip.shape[1] < 700
    assert strip.min() >= 0
    assert strip.max() <= 1


def test_scores_of_small_faces_hide_no_neighbour() -> None:
    """A crowd of faces of 20 px, 24 px apart: what is inside a box stays to be seen."""
    image = np.zeros((150, 200, 3), np.float32)
    crowd = [Found((x, y, x + 20, y + 20)) for y in range(20, 120, 24) for x in range(20, 160, 24)]
    out = draw_faces(image, crowd)
    for face in crowd:
        x0, y0, x1, y1 = (int(v) for v in face.box)
        np.testing.assert_array_equal(out[y0 + 3 : y1 - 3, x0 + 3 : x1 - 3], 0)
    assert (out[:18] > 0.3).any(), "the outer ones have room for their scores"


def test_every_face_has_its_colour() -> None:
    image = np.zeros((100, 200, 3), np.float32)
    faces = [Found((20, 40, 60, 90), 0.9), Found((120, 40, 160, 90), 0.7)]
    out = draw_faces(image, faces, [SKY, ORANGE])
    np.testing.assert_allclose(out[89, 40], np.asarray(SKY, np.float32) / 255, atol=0.1)
    np.testing.assert_allclose(out[89, 140], np.asarray(ORANGE, np.float32) / 255, atol=0.1)


def test_lines_grow_with_the_picture() -> None:
    def ink(scale: int) -> float:
        image = np.zeros((300 * scale, 300 * scale, 3), np.float32)
        out = draw_faces(image, [Found((60 * scale, 100 * scale, 240 * scale, 280 * scale))])
        return float((out[200 * scale] > 0.3).any(axis=1).sum())

    assert ink(4) >= 3 * ink(1)


def test_panels_hold_pictures_in_order_and_captions() -> None:
    pictures = [np.full((20, 30, 3), level, np.float32) for level in (0.1, 0.5, 0.9)]
    strip = panels(pictures, ["input", "", "result"], height_px=100)
    row = strip[strip.shape[0] // 2, :, 0]
    seen = row[np.r_[True, np.diff(row) != 0]]
    levels = [float(v) for v in seen if v < 1]
    assert levels == pytest.approx([0.1, 0.5, 0.9])
    top = strip[:20]
    third = strip.shape[1] // 3
    assert (top[:, :third] < 0.5).any()
    assert (top[:, third + 10 : 2 * third - 10] == 1).all()


def test_panels_keep_proportions() -> None:
    strip = panels([picture(50, 100)], [""], height_px=200)
    coloured = (strip[strip.shape[0] // 2] < 1).any(axis=1).sum()
    assert coloured == pytest.approx(400, abs=4)


def test_before_and_after() -> None:
    before, after = np.zeros((200, 300, 3), np.float32), np.full((200, 300, 3), 0.5, np.float32)
    out = before_after(before, after)
    assert (out[:100, :300] == 0).all()
    assert (out[:100, -300:] == 0.5).all()
    assert (out[:100, 300] == 1).all()
    assert (out[150:, :300] > 0.9).any()  # the label
    np.testing.assert_array_equal(before, 0)


def test_bad_input() -> None:
    with pytest.raises(ParameterError, match="captions"):
        panels([picture(4, 4)], [])
    with pytest.raises(ParameterError, match="captions"):
        panels([], [])
    with pytest.raises(ParameterError):
        panels([picture(4, 4)], ["a"], height_px=3)
    with pytest.raises(ParameterError, match="one size"):
        before_after(picture(4, 4), picture(4, 5))
    with pytest.raises(InputError):
        draw_faces(np.zeros((4, 4)), [])
