import tracemalloc

import cv2
import numpy as np
import pytest

from relume.image import parallel
from relume.image.detail import halve, relight_halved
from relume.photo import Image


def edges(height: int = 120, width: int = 160) -> Image:
    """Grey stripes of one pixel's width on the right, flat on the left."""
    image = np.full((height, width, 3), 0.1, np.float32)
    image[:, width // 2 :: 4] = 0.3
    return image


def enlarged(small: Image, like: Image) -> Image:
    return cv2.resize(small, like.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def test_halve_is_the_mean_of_two_by_two_pixels() -> None:
    image = np.random.default_rng(0).random((4, 6, 3), np.float32)
    np.testing.assert_allclose(halve(image)[0, 1], image[:2, 2:4].mean(axis=(0, 1)), rtol=1e-5)
    assert halve(image[:3, :5]).shape == (2, 3, 3)
    assert halve(image[:1, :1]).shape == (1, 1, 3)


@pytest.mark.parametrize("gain", [1.0, 3.0])
def test_detail_that_half_the_size_cannot_hold_is_carried_over_and_multiplied(gain: float) -> None:
    image = edges()
    small = halve(image)
    result = relight_halved(image, lambda small: small * np.float32(gain))
    wanted = image * np.float32(gain)
    part = np.s_[10:-10, 100:-10]
    without = np.abs(enlarged(small * np.float32(gain), image) - wanted)[part].mean()
    assert np.abs(result - wanted)[part].mean() < 0.2 * without


def test_noise_is_left_behind() -> None:
    rng = np.random.default_rng(0)
    noisy = (0.2 + 0.02 * rng.standard_normal((128, 128, 3))).astype(np.float32)
    assert np.abs(relight_halved(noisy, lambda small: np.full_like(small, 0.6)) - 0.6).max() < 1e-3
    same = relight_halved(noisy, np.copy)
    assert same.std() < 0.7 * noisy.std()


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 3), (33, 64)])
def test_any_size(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random((*shape, 3), np.float32)
    out = relight_halved(image, np.copy)
    assert out.shape == image.shape
    assert np.isfinite(out).all()


@pytest.mark.parametrize("shape", [(97, 61), (64, 200)])
def test_bands_leave_no_seam(monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random((*shape, 3), np.float32)
    image[:, shape[1] // 2 :] = 0.2
    whole = relight_halved(image, lambda small: 1 - small)
    monkeypatch.setattr(parallel, "BLOCK_VALUES", 300)
    assert len(parallel.row_blocks(halve(image)[..., :2])) > 4
    np.testing.assert_allclose(relight_halved(image, lambda small: 1 - small), whole, atol=1e-5)


def test_a_large_photo_takes_little_more_than_its_result() -> None:
    image = np.random.default_rng(0).random((3000, 4000, 3), np.float32)
    tracemalloc.start()
    try:
        relight_halved(image, np.copy)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.1 * image.nbytes
