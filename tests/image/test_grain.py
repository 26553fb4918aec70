"""Grain: how much of it comes back, and that light, colours and lit places stay."""

import numpy as np

from relume import enhance
from relume.image.color import luma
from relume.image.filters import gaussian_blur
from relume.image.grain import put_back_grain
from relume.photo import Image


def noisy(sigma: float = 0.01) -> Image:
    """A dark ramp (96, 128, 3) with an edge and the noise of a camera."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(0.02, 0.08, 128, dtype=np.float32)[None, :, None] * np.ones((96, 1, 3))
    ramp[:, 64:] *= 2
    return np.clip(ramp + rng.normal(0, sigma, ramp.shape), 0, 1).astype(np.float32)


def grain(image: Image) -> float:
    grey = luma(image)
    return float((grey - gaussian_blur(grey, 1.5))[8:-8, 8:56].std())


def test_all_of_it_is_the_photos_luma_as_bright_as_the_result() -> None:
    """By hand: a photo relit four times, without its noise, has four times the noise again."""
    clean, photo = noisy(0.0), noisy()
    result = put_back_grain(photo, 4 * clean, 1.0)
    assert abs(grain(result) / grain(photo) - 4) < 0.25
    wanted, got = (gaussian_blur(luma(one), 10.0)[20:-20, 20:44] for one in (4 * clean, result))
    np.testing.assert_allclose(got, wanted, atol=0.004)
    half = put_back_grain(photo, 4 * clean, 0.5)
    np.testing.assert_allclose(half, (4 * clean + result) / 2, atol=1e-5)


def test_colours_keep_no_noise_and_what_was_left_alone_stays() -> None:
    clean, photo = noisy(0.0), noisy()
    result = put_back_grain(photo, 4 * clean, 1.0)
    chroma = result - luma(result)[:, :, None]
    np.testing.assert_allclose(chroma, 0, atol=1e-5)
    np.testing.assert_allclose(put_back_grain(photo, photo, 1.0), photo, atol=1e-5)


def test_denoising_is_turned_down() -> None:
    photo = noisy()
    shares = (1, 0.5, 0)
    relit = [enhance(photo, brightness=0.3, parameters={"denoise": share}) for share in shares]
    np.testing.assert_array_equal(relit[0], enhance(photo, brightness=0.3))
    amounts = [grain(image) for image in relit]
    assert amounts[1] > 2 * amounts[0]
    assert amounts[2] > 1.5 * amounts[1]
    levels = [float(luma(image).mean()) for image in relit]
    assert max(levels) - min(levels) < 0.01
