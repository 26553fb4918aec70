"""Peppa: the mirror table, the square crop by hand, and its error on labelled photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import relume
from relume.errors import WeightsError
from relume.faces import Box, box_around
from relume.faces.base import MIRRORED as ORDERS
from relume.faces.peppa import CROP, INPUT_PX, Peppa, square_crop
from relume.metrics.landmarks import nme
from relume.photo import Image

from .conftest import FACE, SHARED

MIRRORED = np.array(ORDERS[68])
LABELLED = SHARED / "data" / "lfpw68" / "test"
EVERY = 12
Face = tuple[Image, "np.ndarray"]


@pytest.fixture(scope="module")
def faces() -> list[Face]:
    """Every 12th photograph with its 68 points."""
    if not LABELLED.is_dir():
        pytest.skip("no labelled photographs at ../shared/data/lfpw68/test")
    files = sorted(LABELLED.glob("*.jpg"))[::EVERY]
    return [
        (relume.read(file).pixels, np.loadtxt(file.with_suffix(".csv"), delimiter=",", skiprows=1))
        for file in files
    ]


def error(place: Peppa, faces: list[Face], *, shift: float = 0.0) -> list[float]:
    """The error of every face, with boxes beside their places by a share of their size."""
    found = []
    for image, points in faces:
        x0, y0, x1, y1 = box_around(points)
        dx, dy = shift * (x1 - x0), shift * (y1 - y0)
        found.append(nme(place(image, (x0 + dx, y0 + dy, x1 + dx, y1 + dy)), points))
    return found


def test_the_mirror_table_is_its_own_inverse() -> None:
    assert sorted(MIRRORED) == list(range(68))
    np.testing.assert_array_equal(MIRRORED[MIRRORED], np.arange(68))


def test_the_mirror_table_by_hand() -> None:
    """Jaw, brows, nose, eyes, lips; what lies on the middle line stays."""
    pairs = {
        0: 16, 8: 8, 17: 26, 21: 22, 27: 27, 30: 30, 31: 35, 33: 33, 36: 45, 37: 44, 39: 42,
        40: 47, 41: 46, 48: 54, 51: 51, 55: 59, 57: 57, 60: 64, 61: 63, 65: 67, 66: 66,
    }  # fmt: skip
    assert {i: int(MIRRORED[i]) for i in pairs} == pairs


def crop_of_bounds(image: Image, bounds: Box) -> tuple[Image, float, np.ndarray]:
    """The crop of a face whose points have these bounds."""
    return square_crop(image, box_around([bounds[:2], bounds[2:]]))


def test_the_square_by_hand() -> None:
    """Around (60, 70), 1.3 times the longer side of 100 px."""
    pixels, side_px, corner = crop_of_bounds(np.zeros((200, 200, 3), np.float32), (30, 20, 90, 120))
    assert side_px == pytest.approx(100 * CROP)
    np.testing.assert_allclose(corner, (60 - 65, 70 - 65), atol=1e-4)
    assert (pixels.shape, pixels.dtype) == ((INPUT_PX, INPUT_PX, 3), np.float32)


def test_the_crops_pixels_by_hand() -> None:
    """A ramp in red from left to right, in green downwards: every pixel tells where it is from."""
    image = np.zeros((200, 200, 3), np.float32)
    image[:, :, 0] = (np.arange(200) + 0.5) / 200
    image[:, :, 1] = (np.arange(200)[:, None] + 0.5) / 200
    pixels, side_px, corner = crop_of_bounds(image, (60, 50, 130, 150))
    blue, green, red = pixels.transpose(2, 0, 1)
    middles = (np.arange(INPUT_PX) + 0.5) * side_px / INPUT_PX
    np.testing.assert_allclose(red, np.tile((middles + corner[0]) * 255 / 200, (160, 1)), atol=0.05)
    np.testing.assert_allclose(green.T, np.tile((middles + corner[1]) * 255 / 200, (160, 1)),
                               atol=0.05)  # fmt: skip
    assert not blue.any()


def test_outside_the_picture_it_is_grey() -> None:
    pixels, _, _ = crop_of_bounds(np.ones((50, 50, 3), np.float32), (-25, 0, 25, 50))
    assert (pixels[:, :75] == 127).all()
    assert (pixels[40:120, 85:120] == 255).all()


def test_a_mirrored_picture_has_mirrored_points(peppa: None, astronaut: Image) -> None:
    place = Peppa()
    x0, y0, x1, y1 = FACE
    width = astronaut.shape[1]
    other = place(np.ascontiguousarray(astronaut[:, ::-1]), (width - x1, y0, width - x0, y1))
    other = other[MIRRORED]
    other[:, 0] = width - other[:, 0]
    np.testing.assert_allclose(other, place(astronaut, FACE), atol=0.5)


@pytest.mark.parametrize("mirror", [True, False])
def test_the_error_on_labelled_photographs(peppa: None, faces: list[Face], mirror: bool) -> None:
    errors = error(Peppa(mirror=mirror), faces)
    assert np.mean(errors) < 0.06
    assert max(errors) < 0.12


def test_a_second_pass_mends_a_misplaced_box(peppa: None, faces: list[Face]) -> None:
    once, twice = (error(Peppa(passes=passes), faces, shift=0.15) for passes in (1, 2))
    assert np.mean(twice) < np.mean(once) - 0.005


def test_without_its_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELUME_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match="peppa_68 could not be fetched") as caught:
        Peppa()
    assert "\n" not in str(caught.value)
