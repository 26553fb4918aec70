"""relume's own 68 points: the square it looks at, a batch of faces, and what sigma is of."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from relume.engine import Array
from relume.errors import InputError
from relume.faces import Box, View, place_landmarks
from relume.faces.base import MIRRORED, Face, SureLandmarker
from relume.faces.landmarks import CROP, RelumeLandmarker, cut, square
from relume.faces.quality import MEAN_DISTANCE, quality, quality_of
from relume.faces.search import box_around, points_bounds
from relume.nets.sizes import LANDMARKS_PX
from relume.photo import Image

BOX: Box = (40.0, 60.0, 140.0, 160.0)


def brightest(inputs: Mapping[str, Array]) -> dict[str, Array]:
    """A network that puts every point on the brightest pixel; sigma grows with the point's number.

    Point 36 lies a tenth of the crop to the left of it, so that sides can be told apart.
    """
    grey = inputs["image"].mean(axis=1)  # (N, 96, 96)
    count, side, _ = grey.shape
    rows, columns = np.divmod(grey.reshape(count, -1).argmax(axis=1), side)
    spot = (np.stack([columns, rows], axis=1) + 0.5) / side
    points = np.repeat(spot[:, None], 68, axis=1).astype(np.float32)
    points[:, 36, 0] -= 0.1
    sigma = np.repeat(np.arange(68, dtype=np.float32)[None] / 1000, count, axis=0)
    return {"points": points, "sigma": sigma}


def spotted(*spots: tuple[int, int]) -> Image:
    image = np.full((240, 320, 3), 0.2, np.float32)
    for x, y in spots:
        image[y - 2 : y + 3, x - 2 : x + 3] = 1
    return image


def test_the_square_is_around_the_points_of_the_box() -> None:
    points = np.float32([[10, 20], [90, 20], [50, 120]])
    corner, side_px = square(box_around(points))
    assert points_bounds(box_around(points)) == pytest.approx((10, 20, 90, 120))
    assert side_px == round(CROP * 100)
    assert corner == (50 - 70, 70 - 70)


def test_outside_of_the_picture_its_border_goes_on() -> None:
    image = np.zeros((50, 60, 3), np.float32)
    image[:, 0] = 0.5
    part = cut(image, (-LANDMARKS_PX // 2, -20), LANDMARKS_PX)
    assert (part[:, : LANDMARKS_PX // 2 + 1] == 0.5).all()
    assert (part[:, LANDMARKS_PX // 2 + 1 :] == 0).all()
    assert (cut(image, (-500, 10), 30) == 0.5).all(), "wholly outside"


def test_a_larger_square_is_averaged() -> None:
    """Noise of 2 x 2 pixels is halved, and none of it is left out."""
    noise = np.random.default_rng(0).normal(0.5, 0.1, (192, 192, 3)).astype(np.float32)
    small = cut(noise, (0, 0), 192)
    assert small.mean() == pytest.approx(float(noise.mean()), abs=1e-4)
    assert small.std() == pytest.approx(0.05, rel=0.05)


@pytest.mark.parametrize("mirror", [False, True])
def test_points_of_all_faces_lie_in_the_photograph(mirror: bool) -> None:
    first, second = (90, 110), (240, 100)
    boxes = [BOX, (200.0, 60.0, 280.0, 150.0)]
    place = RelumeLandmarker(mirror=mirror, inference=brightest)
    placed = place.place(spotted(first, second), boxes)
    for spot, points, box in zip((first, second), placed.points, boxes, strict=True):
        side_px = square(box)[1]
        assert np.abs(points[30] - (np.float32(spot) + 0.5)).max() < side_px / LANDMARKS_PX + 1
        # the mirrored picture's point 36 is the photograph's 45, on the other side
        left = points[30, 0] - points[36, 0]
        right = points[45, 0] - points[30, 0]
        assert left == pytest.approx(0.1 * side_px * (0.5 if mirror else 1), abs=1.5)
        assert right == pytest.approx(0.05 * side_px if mirror else 0, abs=1.5)
    numbers = np.arange(68)
    expected = (numbers + numbers[list(MIRRORED[68])]) / 2 if mirror else numbers
    assert placed.sigma is not None
    assert placed.sigma[0] == pytest.approx(expected / 1000 * square(BOX)[1], abs=1e-4)
    assert (place(spotted(first, second), BOX) == placed.points[0]).all()


def test_no_faces_are_no_points() -> None:
    placed = RelumeLandmarker(inference=brightest).place(spotted(), [])
    assert placed.points.shape == (0, 68, 2)
    assert placed.sigma is not None
    assert placed.sigma.shape == (0, 68)


def test_a_wrong_picture_is_refused() -> None:
    with pytest.raises(InputError):
        RelumeLandmarker(inference=brightest)(np.zeros((5, 5), np.float32), BOX)


def test_it_looks_at_the_photograph_and_not_at_what_was_relit() -> None:
    place = RelumeLandmarker(mirror=False, inference=brightest)
    assert isinstance(place, SureLandmarker)
    own, relit = spotted((90, 110)), spotted((100, 120))
    large = np.repeat(np.repeat(relit, 2, axis=0), 2, axis=1)
    views = [View("original", own, 1.0), View("machine", large, 2.0)]
    points = place_landmarks(views, [BOX], place).points
    assert points[0, 30] == pytest.approx([90.5, 110.5], abs=2)
    # where there is no photograph, at the view, and back in the photograph's pixels
    placed = place_landmarks(views[1:], [BOX], place)
    assert placed.points[0, 30] == pytest.approx([100.5, 120.5], abs=2)
    assert placed.sigma is not None
    assert placed.sigma[0, 67] == pytest.approx(0.067 * square(BOX)[1], rel=0.02)


def test_what_sigma_says_is_the_error_that_is_expected() -> None:
    image = spotted((90, 110))
    points = np.zeros((68, 2), np.float32)
    points[36], points[45] = (60, 100), (100, 100)
    face = Face(BOX, 0.9, points, sigma=np.full(68, 2, np.float32))
    told, guessed = quality_of(image, face), quality(image, BOX)
    assert told is not None
    assert guessed is not None
    assert told.expected_nme == pytest.approx(MEAN_DISTANCE * 2 / 40)
    assert told.clarity == guessed.clarity
    assert quality_of(image, Face(BOX, 0.9, points)) == guessed
    assert face.as_json(320, 240)["sigma"] == [2.0] * 68
    assert "sigma" not in Face(BOX, 0.9, points).as_json(320, 240)
