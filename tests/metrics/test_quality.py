"""PSNR, SSIM and CIEDE2000 against scikit-image, and what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest
from skimage import color, data, metrics

from relume.errors import InputError
from relume.metrics import (
    ciede2000,
    color_difference,
    psnr,
    psnr_gt_mean,
    srgb_to_lab,
    ssim,
    with_mean_of,
)
from relume.photo import Image, to_image


@pytest.fixture(scope="module")
def pair() -> tuple[Image, Image]:
    reference = to_image(data.astronaut()[:150, 100:300])
    noise = np.random.default_rng(0).normal(0, 0.05, reference.shape)
    return np.clip(reference * 0.7 + noise, 0, 1).astype(np.float32), reference


def test_psnr_is_scikit_images(pair: tuple[Image, Image]) -> None:
    expected = metrics.peak_signal_noise_ratio(pair[1], pair[0], data_range=1.0)
    assert psnr(*pair) == pytest.approx(expected, abs=1e-3)


def test_psnr_of_equal_pictures_is_infinite(pair: tuple[Image, Image]) -> None:
    assert psnr(pair[0], pair[0]) == math.inf


def test_ssim_is_scikit_images(pair: tuple[Image, Image]) -> None:
    expected = metrics.structural_similarity(
        pair[0].astype(np.float64),
        pair[1].astype(np.float64),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1.0,
        channel_axis=2,
    )
    assert ssim(*pair) == pytest.approx(expected, abs=1e-9)
    assert ssim(pair[0], pair[0]) == pytest.approx(1.0)


def test_gt_mean_forgives_brightness_and_only_that(pair: tuple[Image, Image]) -> None:
    _, reference = pair
    darker = reference * np.float32(0.5)
    assert psnr_gt_mean(darker, reference) > 60 > psnr(darker, reference)
    black = np.zeros_like(reference)
    assert np.array_equal(with_mean_of(black, reference), black)


def test_lab_and_ciede2000_are_scikit_images(pair: tuple[Image, Image]) -> None:
    lab = [color.rgb2lab(image.astype(np.float64)) for image in pair]
    np.testing.assert_allclose(srgb_to_lab(pair[0]), lab[0], atol=2e-3)
    expected = color.deltaE_ciede2000(lab[0], lab[1])
    np.testing.assert_allclose(ciede2000(lab[0], lab[1]), expected, atol=1e-9)
    assert color_difference(*pair) == pytest.approx(expected.mean(), abs=1e-3)


# Sharma et al. (2005), table 1: pairs that break wrong implementations of hue
SHARMA = [
    ((50, 2.5, 0), (50, 0, -2.5), 4.3065),
    ((50, -1, 2), (50, 0, 0), 2.3669),
    ((50, 2.49, -0.001), (50, -2.49, 0.0009), 7.1792),
    ((50, 2.49, -0.001), (50, -2.49, 0.0011), 7.2195),
    ((50, 2.5, 0), (73, 25, -18), 27.1492),
    ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
]


@pytest.mark.parametrize(("first", "second", "expected"), SHARMA)
def test_ciede2000_gives_the_papers_numbers(
    first: tuple[float, ...], second: tuple[float, ...], expected: float
) -> None:
    one, other = np.array(first, float), np.array(second, float)
    assert float(ciede2000(one, other)) == pytest.approx(expected, abs=1e-4)
    assert float(ciede2000(other, one)) == pytest.approx(expected, abs=1e-4)


def test_colour_difference_of_black_is_finite() -> None:
    black, white = np.zeros((2, 2, 3), np.float32), np.ones((2, 2, 3), np.float32)
    assert color_difference(black, black) == 0
    assert color_difference(black, white) == pytest.approx(100, abs=0.01)


@pytest.mark.parametrize("metric", [psnr, ssim, psnr_gt_mean, color_difference])
def test_different_sizes_are_refused(metric, pair: tuple[Image, Image]) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match="one size"):
        metric(pair[0], pair[1][1:])


def test_ssim_refuses_pictures_smaller_than_its_window() -> None:
    tiny = np.zeros((10, 40, 3), np.float32)
    with pytest.raises(InputError, match="11x11"):
        ssim(tiny, tiny)
