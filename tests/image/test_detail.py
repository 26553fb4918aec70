import cv2
import numpy as np
import pytest

from relume.image import parallel
from relume.image.detail import half, restore_detail
from relume.photo import Image


def edges(height: int = 120, width: int = 160) -> Image:
    """Grey stripes of one pixel's width on the right, flat on the left."""
    image = np.full((height, width, 3), 0.1, np.float32)
    image[:, width // 2 :: 4] = 0.3
    return image


def enlarged(small: Image, like: Image) -> Image:
    return cv2.resize(small, like.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def test_half_is_the_mean_of_two_by_two_pixels() -> None:
    image = np.random.default_rng(0).random((4, 6, 3), np.float32)
    np.testing.assert_allclose(half(image)[0, 1], image[:2, 2:4].mean(axis=(0, 1)), rtol=1e-5)
    assert half(image[:3, :5]).shape == (2, 3, 3)
    assert half(image[:1, :1]).shape == (1, 1, 3)


@pytest.mark.parametrize("gain", [1.0, 3.0])
def test_detail_that_half_the_size_cannot_hold_is_carried_over_and_multiplied(gain: float) -> None:
    image = edges()
    small = half(image)
    result = restore_detail(small * np.float32(gain), small, image)
    wanted = image * np.float32(gain)
    part = np.s_[10:-10, 100:-10]
    without = np.abs(enlarged(small * np.float32(gain), image) - wanted)[part].mean()
    assert np.abs(result - wanted)[part].mean() < 0.2 * without


def test_noise_is_left_behind() -> None:
    rng = np.random.default_rng(0)
    noisy = (0.2 + 0.02 * rng.standard_normal((128, 128, 3))).astype(np.float32)
    flat = np.full_like(half(noisy), 0.6)
    assert np.abs(restore_detail(flat, half(noisy), noisy) - 0.6).max() < 1e-3
    same = restore_detail(half(noisy), half(noisy), noisy)
    assert same.std() < 0.7 * noisy.std()


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 3), (33, 64)])
def test_any_size(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random((*shape, 3), np.float32)
    out = restore_detail(half(image), half(image), image)
    assert out.shape == image.shape
    assert np.isfinite(out).all()


@pytest.mark.parametrize("shape", [(97, 61), (64, 200)])
def test_bands_leave_no_seam(monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random((*shape, 3), np.float32)
    image[:, shape[1] // 2 :] = 0.2
    small = half(image)
    whole = restore_detail(1 - small, small, image)
    monkeypatch.setattr(parallel, "BLOCK_VALUES", 3000)
    assert len(parallel.row_blocks(image)) > 4
    np.testing.assert_allclose(restore_detail(1 - small, small, image), whole, atol=1e-5)
