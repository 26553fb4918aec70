"""A photograph in memory, and the array contract."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

import relume
from relume.errors import InputError, ParameterError
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


@pytest.mark.parametrize("dtype", [">u2", "<u2", ">f4", ">f8"])
def test_any_byte_order_goes_in_and_comes_out(dtype: str) -> None:
    grey = np.linspace(0, 0.3, 48).reshape(4, 4, 3)
    array = (grey * (65535 if "u" in dtype else 1)).astype(dtype)
    native = array.astype(array.dtype.newbyteorder("="))
    np.testing.assert_array_equal(to_image(array), to_image(native))
    result = relume.enhance(array, method="gamma:0.5")
    assert result.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(result, relume.enhance(native, method="gamma:0.5"))


def test_a_float_just_above_1_is_named() -> None:
    with pytest.raises(InputError, match=r"got 0 to 1\.0001; clip them, or divide"):
        to_image(np.array([[0.0, 1.0001]]))


def test_one_picture_is_not_several() -> None:
    picture = np.full((8, 8, 3), 20, np.uint8)
    for one in (picture, picture[0], Photo(as_float(picture))):
        with pytest.raises(InputError, match="expected several pictures, got one"):
            relume.enhance_burst(one)  # type: ignore[type-var]
        with pytest.raises(InputError, match="expected several pictures, got one"):
            next(relume.enhance_frames(one))  # type: ignore[arg-type]
    several = np.stack([picture, picture])
    for pictures in (several, iter([picture, picture])):
        assert relume.enhance_burst(pictures, method="gamma").shape == (8, 8, 3)
    assert len(list(relume.enhance_frames(several, method="gamma"))) == 2


def test_options_of_a_wrong_type_are_named() -> None:
    picture = np.full((8, 8, 3), 20, np.uint8)
    wrong = {
        r"expected the name of a method, got None": {"method": None},
        r"ensemble must be 1 to 8, got None": {"parameters": {"ensemble": None}},
        r"expected a relume\.engine\.Runtime, got 'cpu'": {"runtime": "cpu"},
        r"brightness must be .*, got \[0\.4\]": {"brightness": [0.4]},
    }
    for says, options in wrong.items():
        with pytest.raises(ParameterError, match=says):
            relume.enhance(picture, **options)  # type: ignore[arg-type]
    usual = relume.enhance(picture, method="gamma", strength=None)  # type: ignore[arg-type]
    np.testing.assert_array_equal(usual, relume.enhance(picture, method="gamma"))
    with pytest.raises(InputError, match="expected a path, an address, bytes or an open file"):
        relume.read(None)  # type: ignore[arg-type]


def test_faces_come_first_in_single_photos_only() -> None:
    dark = np.full((16, 16, 3), 20, np.uint8)
    same = [relume.enhance_burst([dark, dark], expose_for=e) for e in (None, "auto", "scene")]
    np.testing.assert_array_equal(same[0], same[1])
    np.testing.assert_array_equal(same[0], same[2])
    with pytest.raises(ParameterError, match="expose_for='faces' is for single photos"):
        relume.enhance_burst([dark, dark], expose_for="faces")


def test_a_catalogue_shows_its_names() -> None:
    methods = relume.methods()
    assert len(methods) == len(methods.names())
    assert repr(methods).startswith("<Catalog of methods: relume, relume-fast, machine, ")
