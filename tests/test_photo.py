"""A photograph in memory, and the array contract."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

import relume
from relume.errors import InputError
from relume.photo import Photo, as_float, check_image, from_image, quantise, to_image


def test_a_photo_is_compared_hashed_and_shown() -> None:
    pixels = np.zeros((40, 60, 3), np.float32)
    photo, other = Photo(pixels), Photo(pixels)
    assert photo == photo
    assert photo != other
    assert {photo: 1}[photo] == 1
    assert repr(photo) == "Photo(shape=(40, 60, 3), depth_bits=8, format='')"


@pytest.mark.parametrize("path", ["night.jpg", Path("night.jpg")])
def test_a_path_is_no_picture(path: str | Path) -> None:
    for call in (relume.enhance, relume.detect_faces, check_image, to_image):
        with pytest.raises(InputError, match=r"got \w+; read a file with relume\.read\(path\)"):
            call(path)  # type: ignore[operator]


@pytest.mark.parametrize("thing", [PIL.Image.new("RGB", (4, 4)), [[0, 1]], None])
def test_what_is_no_array_can_become_one(thing: object) -> None:
    for call in (relume.enhance, to_image):
        with pytest.raises(InputError, match=r"got \w+; make one with numpy\.asarray"):
            call(thing)  # type: ignore[operator]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_whole_numbers_survive_the_way_there_and_back(dtype: type) -> None:
    every = np.arange(np.iinfo(dtype).max + 1, dtype=dtype).reshape(16, -1)
    image = as_float(every)
    assert image.min() == 0
    assert image.max() == 1
    np.testing.assert_array_equal(image, (every / np.iinfo(dtype).max).astype(np.float32))
    np.testing.assert_array_equal(quantise(image, dtype), every)
    np.testing.assert_array_equal(from_image(to_image(every), every), every)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_values_outside_the_range_are_clamped_and_rounded(dtype: type) -> None:
    values = np.array([-7.0, 0.0, 0.5, 1.0, 1.004, 9.0], np.float32)
    top = 1 if dtype is np.float32 else np.iinfo(dtype).max
    expected = [0, 0, top / 2 if top == 1 else round(top / 2), top, top, top]
    np.testing.assert_array_equal(quantise(values, dtype), np.array(expected, dtype))
