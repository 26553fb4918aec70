from __future__ import annotations

import sys
import types

import numpy as np
import pytest

from relume.errors import InputError, MissingExtra, ParameterError
from relume.image.denoise import METHODS, denoise_reflectance, noise_variance
from relume.photo import Image

WORKING = ("guided", "nlm")


def scene(height: int = 96, width: int = 128) -> Image:
    """Two flat colours and a coloured edge of equal luma."""
    image = np.full((height, width, 3), (0.3, 0.35, 0.4), np.float32)
    image[:, width // 2 :] = (0.7, 0.6, 0.5)
    image[height // 2 :, : width // 4] = (0.6, 0.1988, 0.4)  # the same luma as its neighbour
    return image


def light(height: int = 96, width: int = 128) -> Image:
    """Illumination that falls from top (0.8) to bottom (0.05)."""
    return np.repeat(np.linspace(0.8, 0.05, height, dtype=np.float32)[:, None], width, axis=1)


def noisy(sigma: float = 0.008) -> Image:
    """A reflectance with the noise that dividing by the illumination makes."""
    rng = np.random.default_rng(4)
    noise = rng.normal(0, sigma, (96, 128, 3)) / light()[:, :, None]
    return np.clip(scene() + noise, 0, 1).astype(np.float32)


def error(a: Image, b: Image) -> float:
    return float(np.sqrt(np.mean((a - b) ** 2)))


@pytest.mark.parametrize(("method", "gain"), [("guided", 0.5), ("nlm", 0.9)])
def test_takes_noise_away(method: str, gain: float) -> None:
    clean = denoise_reflectance(noisy(), light(), method=method)
    assert error(clean, scene()) < gain * error(noisy(), scene())


@pytest.mark.parametrize(("method", "times"), [("guided", 4), ("nlm", 2)])
def test_smooths_more_where_there_was_less_light(method: str, times: float) -> None:
    change = np.abs(denoise_reflectance(noisy(), light(), method=method) - noisy()).mean((1, 2))
    assert change[72:].mean() > times * change[:24].mean()


@pytest.mark.parametrize("method", WORKING)
def test_keeps_edges_of_luma_and_of_colour(method: str) -> None:
    clean = denoise_reflectance(noisy(), light(), method=method)
    step = clean[20:40, 66:70].mean((0, 1)) - clean[20:40, 58:62].mean((0, 1))
    np.testing.assert_allclose(step, (0.4, 0.25, 0.1), atol=0.06)
    colour = clean[52:70, 26:30].mean((0, 1)) - clean[52:70, 34:38].mean((0, 1))
    assert colour[0] > 0.2
    assert colour[1] < -0.1


def test_a_clean_picture_passes() -> None:
    clean = denoise_reflectance(scene(), light())
    assert error(clean, scene()) < 0.005


def test_noise_is_estimated_from_the_picture() -> None:
    for sigma in (0.004, 0.016):
        detail = (np.random.default_rng(0).normal(0, sigma, (96, 128)) / light()).astype(np.float32)
        estimate = np.sqrt(noise_variance(detail, light()))
        np.testing.assert_allclose(estimate * light(), sigma, rtol=0.15)


@pytest.mark.parametrize("method", ["guided", "nlm"])
def test_strength_grows_from_nothing(method: str) -> None:
    image = noisy()
    assert denoise_reflectance(image, light(), method=method, strength=0) is image
    changes = [
        error(denoise_reflectance(image, light(), method=method, strength=s), image)
        for s in (0.5, 1.0, 2.0)
    ]
    assert changes == sorted(changes)
    faint = denoise_reflectance(image, light(), method="guided", strength=0.01)
    assert error(faint, image) < 0.05


def test_none_does_nothing() -> None:
    image = noisy()
    assert denoise_reflectance(image, light(), method="none") is image


@pytest.mark.parametrize("method", WORKING)
@pytest.mark.parametrize("size", [(1, 1), (1, 2), (3, 5), (5, 3), (3, 700), (17, 31)])
def test_any_size(method: str, size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random((*size, 3), dtype=np.float32)
    before = image.copy()
    result = denoise_reflectance(image, np.full(size, 0.1, np.float32), method=method)
    assert result.shape == image.shape
    assert result.dtype == np.float32
    assert np.isfinite(result).all()
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("method", WORKING)
def test_black(method: str) -> None:
    black = np.zeros((40, 50, 3), np.float32)
    np.testing.assert_array_equal(denoise_reflectance(black, black[:, :, 0], method=method), black)


def test_bm3d_is_the_users_own_and_the_message_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bm3d", None)
    with pytest.raises(MissingExtra, match=r"licence forbids commercial use.*pip install bm3d"):
        denoise_reflectance(noisy(), light(), method="bm3d")


def test_bm3d_is_called_with_the_noise_of_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for the package, which is not ours to install."""
    asked = []

    def bm3d_rgb(image: Image, sigma: float) -> Image:
        asked.append(sigma)
        return np.zeros_like(image)

    module = types.ModuleType("bm3d")
    module.bm3d_rgb = bm3d_rgb  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "bm3d", module)
    result = denoise_reflectance(noisy(), light(), method="bm3d")
    assert 0.01 < asked[0] < 0.05
    np.testing.assert_allclose(result[80:], 0, atol=1e-6)
    assert result[:10].mean() > 0.2


def test_wrong_use() -> None:
    with pytest.raises(ParameterError, match=f"denoise must be one of {', '.join(METHODS)}"):
        denoise_reflectance(noisy(), light(), method="median")
    with pytest.raises(ParameterError, match="0 to 2"):
        denoise_reflectance(noisy(), light(), strength=3)
    with pytest.raises(InputError, match="illumination of shape"):
        denoise_reflectance(noisy(), light(10, 10))
