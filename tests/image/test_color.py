import colorsys

import numpy as np
import pytest

from relume.image.color import (
    is_grey,
    linear_to_srgb,
    luma,
    rgb_to_ycbcr,
    srgb_to_linear,
    times,
    ycbcr_to_rgb,
)
from relume.photo import Image

SIZES = [(1, 1), (7, 5), (3, 5000), (300, 400)]


def picture(height: int, width: int) -> Image:
    return np.random.default_rng(0).random((height, width, 3), np.float32)


def test_srgb_by_the_standard() -> None:
    """Values of IEC 61966-2-1, computed by hand."""
    values = np.array([0.0, 0.04, 0.5, 1.0], np.float32).reshape(1, -1, 1).repeat(3, 2)
    expected = [0.0, 0.04 / 12.92, ((0.5 + 0.055) / 1.055) ** 2.4, 1.0]
    np.testing.assert_allclose(srgb_to_linear(values)[0, :, 0], expected, rtol=1e-5)


@pytest.mark.parametrize("size", SIZES)
def test_linear_light_and_back(size: tuple[int, int]) -> None:
    image = picture(*size)
    light = srgb_to_linear(image)
    assert light.dtype == np.float32
    assert light.shape == image.shape
    np.testing.assert_allclose(linear_to_srgb(light), image, atol=2e-6)


def test_every_level_of_16_bits_comes_back() -> None:
    levels = (np.arange(65536, dtype=np.float32) / 65535).reshape(256, 256)
    back = linear_to_srgb(srgb_to_linear(levels)) * 65535
    np.testing.assert_array_equal(np.rint(back), np.arange(65536).reshape(256, 256))


@pytest.mark.parametrize("size", SIZES)
def test_ycbcr_and_back(size: tuple[int, int]) -> None:
    image = picture(*size)
    channels = rgb_to_ycbcr(image)
    np.testing.assert_allclose(channels[:, :, 0], luma(image), atol=1e-6)
    np.testing.assert_allclose(ycbcr_to_rgb(channels), image, atol=2e-6)


def test_luma_and_chroma_of_one_colour() -> None:
    red = np.array([[[1, 0, 0]]], np.float32)
    assert luma(red)[0, 0] == pytest.approx(0.299)
    y, _, _ = colorsys.rgb_to_yiq(0.2, 0.6, 0.4)
    assert luma(np.array([[[0.2, 0.6, 0.4]]], np.float32))[0, 0] == pytest.approx(y, abs=0.005)
    cb, cr = rgb_to_ycbcr(red)[0, 0, 1:]
    assert cr == pytest.approx(1.0, abs=1e-3)  # (R - Y) 0.713 + 0.5
    assert cb == pytest.approx(0.5 - 0.564 * 0.299, abs=1e-3)


@pytest.mark.parametrize("size", SIZES)
def test_grey_is_grey_everywhere(size: tuple[int, int]) -> None:
    grey = np.repeat(picture(*size)[:, :, :1], 3, axis=2)
    assert is_grey(grey)
    for y, x, channel in ((0, 0, 1), (-1, -1, 2), (size[0] // 2, size[1] // 2, 0)):
        coloured = grey.copy()
        coloured[y, x, channel] += 0.25
        assert not is_grey(coloured)


@pytest.mark.parametrize("size", SIZES)
def test_times_a_plane(size: tuple[int, int]) -> None:
    image, plane = picture(*size), picture(*size)[:, :, 2].copy()
    before = image.copy()
    np.testing.assert_array_equal(times(image, plane), image * plane[:, :, None])
    np.testing.assert_array_equal(image, before)
