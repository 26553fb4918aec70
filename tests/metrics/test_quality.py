"""PSNR and SSIM against scikit-image, and what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest
from skimage import data, metrics

from relume.errors import InputError
from relume.metrics.quality import (
    agreement,
    dark_noise,
    fog,
    holes,
    lit_detail,
    psnr,
    psnr_gt_mean,
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


@pytest.mark.parametrize("metric", [psnr, ssim, psnr_gt_mean])
def test_different_sizes_are_refused(metric, pair: tuple[Image, Image]) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match="one size"):
        metric(pair[0], pair[1][1:])


def test_ssim_refuses_pictures_smaller_than_its_window() -> None:
    tiny = np.zeros((10, 40, 3), np.float32)
    with pytest.raises(InputError, match="11x11"):
        ssim(tiny, tiny)


def test_lit_detail_counts_the_brightest_that_are_not_clipped() -> None:
    rng = np.random.default_rng(0)
    photo = np.full((80, 100, 3), 0.1, np.float32)
    lamp = (slice(10, 30), slice(10, 30))
    photo[lamp] += rng.uniform(0.3, 0.7, (20, 20, 1)).astype(np.float32)
    photo[50:60, 50:60] = 1.0  # clipped: it has nothing to keep
    assert lit_detail(photo, photo) == pytest.approx(1)
    halved = photo.copy()
    halved[lamp] = 0.5 + (photo[lamp] - 0.5) / 2
    assert 0.5 < lit_detail(photo, halved) < 0.85  # the border of the lamp keeps more than half
    flat = photo.copy()
    flat[5:35, 5:35] = 0.9
    assert lit_detail(photo, flat) < 0.2
    assert lit_detail(np.ones_like(photo), photo) == 1


def test_holes_are_black_amid_light() -> None:
    lit = np.full((100, 100, 3), 0.5, np.float32)
    assert holes(lit) == 0
    lit[50:54, 50:54] = 0.03
    assert holes(lit) == pytest.approx(16 / 10_000)
    assert holes(np.full((100, 100, 3), 0.02, np.float32)) == 0  # a night's sky is no hole
    lit[50:54, 50:54, 2] = 0.1  # a colour is something
    assert holes(lit) == 0


def test_agreement_forgives_noise_and_not_tiles() -> None:
    rng = np.random.default_rng(0)
    grey = np.full((128, 128, 3), 0.5, np.float32)
    noisy = np.clip(grey + rng.normal(0, 0.05, grey.shape), 0, 1).astype(np.float32)
    tiles = grey.copy()
    tiles[32:64, 32:64] += np.float32(0.05)
    assert psnr(noisy, grey) < psnr(tiles, grey)
    assert agreement(noisy, grey) > agreement(tiles, grey) + 3
    assert agreement(grey, grey) == math.inf


def test_fog_is_what_lies_over_a_pictures_blacks() -> None:
    photo = np.repeat(np.linspace(0, 0.2, 200, dtype=np.float32)[None, :, None], 60, 0)
    photo = np.repeat(photo, 3, 2)
    clear = photo * 4
    veiled = np.asarray(0.3 + clear * 0.7, np.float32)
    assert fog(photo, clear) < 0.1
    assert fog(photo, veiled) == pytest.approx(0.3 + 0.7 * fog(photo, clear), abs=1e-3)
    assert fog(np.zeros_like(photo), veiled) == 0  # nothing is held


def test_noise_is_measured_where_the_photo_is_dark_and_flat() -> None:
    """Left of four quarters dark and flat, dark and drawn, lit, lit; noise is added to each."""
    rng = np.random.default_rng(4)
    photo = np.full((128, 256, 3), 0.02, np.float32)
    photo[:, 64:128:16] = 0.05
    photo[:, 128:] = 0.6
    noise = rng.normal(0, 0.02, (128, 256, 1)).astype(np.float32)
    elsewhere = np.broadcast_to(noise, photo.shape).copy()
    elsewhere[:, :64] = 0
    assert dark_noise(photo, photo) < 1e-6
    assert dark_noise(photo, photo + elsewhere) < 1e-6
    assert dark_noise(photo, photo + noise) == pytest.approx(0.02, rel=0.03)
    assert math.isnan(dark_noise(photo[:15], photo[:15]))
