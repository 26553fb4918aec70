import tracemalloc

import cv2
import numpy as np
import pytest

from relume.image import parallel
from relume.image.color import luma
from relume.image.detail import halve, keep_lit_detail, relight_halved
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


def lit_wall(width: int = 200) -> Image:
    """A lit wall with a texture, and the dark from column 120 on."""
    rng = np.random.default_rng(4)
    wall = np.full((120, width, 3), [0.6, 0.5, 0.3], np.float32)
    wall *= 1 + 0.15 * np.sin(np.arange(width, dtype=np.float32) / 1.5)[None, :, None]
    wall[:, 120:] = 0.02
    return np.clip(wall + rng.normal(0, 0.004, wall.shape), 0, 1).astype(np.float32)


def flattened(picture: Image) -> Image:
    """The dark lifted, and half of all contrast lost."""
    soft = cv2.blur(picture, (9, 9))
    return np.asarray(0.3 + 0.6 * (soft + 0.5 * (picture - soft)), np.float32)


def test_a_lit_texture_gets_its_contrast_back() -> None:
    before = lit_wall()
    after = flattened(before)
    kept = keep_lit_detail(before, after.copy(), 1.0)
    wall = np.s_[20:-20, 20:90]
    old, lost, now = (luma(x)[wall].std() for x in (before, after, kept))
    assert lost < 0.5 * old
    assert now == pytest.approx(old, rel=0.1)
    assert luma(kept)[wall].mean() == pytest.approx(luma(after)[wall].mean(), abs=0.01)
    hues = [x / x.max(axis=2, keepdims=True) for x in (after, kept)]
    np.testing.assert_allclose(*hues, atol=1e-5)


def test_a_lit_texture_gets_no_rim_beside_the_dark() -> None:
    before = lit_wall()
    before[:, :120] = [0.6, 0.5, 0.3]
    after = np.where(before > 0.1, before, np.float32(0.3))  # only the edge has lost contrast
    kept = keep_lit_detail(before, after.copy(), 1.0)
    assert np.abs(kept - after).max() < 0.02


def test_the_dark_gets_no_noise_back() -> None:
    noisy = np.random.default_rng(0).normal(0.06, 0.01, (90, 120, 3)).clip(0, 1)
    after = np.full((90, 120, 3), 0.4, np.float32)
    kept = keep_lit_detail(noisy.astype(np.float32), after.copy(), 1.0)
    np.testing.assert_array_equal(kept, after)


def test_detail_is_kept_in_blocks_as_in_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    before = lit_wall()
    whole = keep_lit_detail(before, flattened(before), 0.7)
    monkeypatch.setattr("relume.image.parallel.BLOCK_VALUES", before.size // 7)
    parts = keep_lit_detail(before, flattened(before), 0.7)
    np.testing.assert_allclose(parts, whole, atol=1e-5)
