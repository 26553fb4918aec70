from dataclasses import replace

import cv2
import numpy as np
import pytest

from relume.errors import ParameterError
from relume.image.darken import Camera, darken, render, scene_light
from relume.photo import Image

CLEAN = Camera(red_gain=2.0, blue_gain=1.7, shot=1e-8, read=1e-10, jpeg_quality=97)
NOISY = Camera(red_gain=2.0, blue_gain=1.7, shot=0.01, read=1e-4, jpeg_quality=97)


def ramp() -> Image:
    row = np.linspace(0.05, 0.95, 64, dtype=np.float32)
    return np.repeat(np.repeat(row[None, :, None], 48, 0), 3, 2)


def test_without_noise_full_light_changes_nothing_but_rounding() -> None:
    out = darken(ramp(), 1.0, np.random.default_rng(0), camera=CLEAN)
    assert np.abs(out - ramp()).max() < 4 / 255


def test_light_is_scaled_in_linear_space() -> None:
    """A grey of 0.5 is linear 0.5 ** 2.2 behind the tone curve (whose fixed point 0.5 is)."""
    grey = np.full((32, 32, 3), 0.5, np.float32)
    k = 0.25
    linear = 0.5**2.2 * k
    x = linear ** (1 / 2.2)
    out = darken(grey, k, np.random.default_rng(0), camera=CLEAN)
    assert out.mean() == pytest.approx(3 * x**2 - 2 * x**3, abs=1.5 / 255)


def test_darker_is_darker_and_noise_is_noise() -> None:
    levels = [
        darken(ramp(), k, np.random.default_rng(0), camera=NOISY).mean()
        for k in (1, 0.3, 0.1, 0.03)
    ]
    assert levels == sorted(levels, reverse=True)
    grey = np.full((64, 64, 3), 0.5, np.float32)
    noisy = darken(grey, 0.3, np.random.default_rng(0), camera=NOISY)
    clean = darken(grey, 0.3, np.random.default_rng(0), camera=CLEAN)
    assert noisy.std() > 5 * clean.std()


def test_the_same_generator_gives_the_same_picture_and_another_another() -> None:
    first = darken(ramp(), 0.1, np.random.default_rng(7))
    np.testing.assert_array_equal(first, darken(ramp(), 0.1, np.random.default_rng(7)))
    assert (first != darken(ramp(), 0.1, np.random.default_rng(8))).any()


def test_cameras_follow_the_published_ranges() -> None:
    rng = np.random.default_rng(0)
    cameras = [Camera.draw(rng) for _ in range(300)]
    assert all(1.9 <= c.red_gain <= 2.4 and 1.5 <= c.blue_gain <= 1.9 for c in cameras)
    assert all(1e-4 <= c.shot <= 0.012 for c in cameras)
    assert {c.jpeg_quality for c in cameras} <= set(range(80, 98))


@pytest.mark.parametrize("k", [0.0, -1.0, 1.5])
def test_an_exposure_outside_its_range_is_an_error(k: float) -> None:
    with pytest.raises(ParameterError, match="exposure k"):
        darken(ramp(), k, np.random.default_rng(0))


def test_values_stay_in_range_and_8_bit() -> None:
    out = darken(np.ones((8, 8, 3), np.float32), 0.5, np.random.default_rng(1))
    assert out.dtype == np.float32
    assert out.min() >= 0
    assert out.max() <= 1
    np.testing.assert_allclose(out * 255, np.rint(out * 255), atol=1e-3)


def test_correlated_noise_keeps_its_strength_and_is_smooth() -> None:
    grey = np.full((128, 128, 3), 0.5, np.float32)

    def noise(correlation_px: float) -> Image:
        camera = replace(NOISY, correlation_px=correlation_px)
        out = darken(grey, 1.0, np.random.default_rng(0), camera=camera)[:, :, 1]
        return out - out.mean()

    white, smooth = noise(0.0), noise(1.0)
    assert smooth.std() == pytest.approx(white.std(), rel=0.25)
    along = [float((n[:, 1:] * n[:, :-1]).mean() / n.var()) for n in (white, smooth)]
    assert along[0] < 0.2
    assert along[1] > 0.5


def test_real_cameras_have_faults_and_stay_reproducible() -> None:
    cameras = [Camera.draw_real(np.random.default_rng(i)) for i in range(100)]
    assert {c.motion_px > 0 for c in cameras} == {True, False}
    assert {c.red_error != 0 for c in cameras} == {True, False}
    moved = replace(CLEAN, motion_px=4, red_error=0.1)
    first = darken(ramp(), 0.5, np.random.default_rng(3), camera=moved)
    np.testing.assert_array_equal(
        first, darken(ramp(), 0.5, np.random.default_rng(3), camera=moved)
    )
    assert first[:, :, 0].mean() > first[:, :, 2].mean()


def test_rendering_is_darkening_without_noise() -> None:
    dark = darken(ramp(), 0.25, np.random.default_rng(0), camera=CLEAN)
    assert np.abs(render(scene_light(ramp()), -2.0) - dark).max() < 4 / 255
    assert np.abs(render(scene_light(ramp())) - ramp()).max() < 1e-5


def test_stops_are_of_every_place() -> None:
    stops = np.zeros(ramp().shape[:2], np.float32)
    stops[:, :32] = -1
    light = scene_light(ramp())
    expected = np.where(stops[:, :, None] == 0, render(light), render(light, -1.0))
    np.testing.assert_array_equal(render(light, stops), expected)


def test_light_beyond_white_keeps_its_hue() -> None:
    lamp = np.full((4, 4, 3), [2.0, 1.0, 0.4], np.float32)
    shown = render(lamp)[0, 0]
    assert shown[0] > 0.98
    assert shown[0] > shown[1] + 0.1 > shown[2] + 0.3  # orange still, where clipping makes yellow
    assert (np.diff([float(render(lamp * k)[0, 0, 2]) for k in (1, 2, 4, 16)]) > 0).all()


def test_rounding_above_white_is_white() -> None:
    assert np.isfinite(scene_light(np.full((2, 2, 3), 1.0000001, np.float32))).all()


def test_a_phone_smooths_and_sharpens() -> None:
    grey = np.full((80, 80, 3), 0.5, np.float32)
    plain = darken(grey, 0.2, np.random.default_rng(0), camera=NOISY)
    smoothed = darken(grey, 0.2, np.random.default_rng(0), camera=replace(NOISY, smoothing=25.0))
    assert smoothed.std() < 0.9 * plain.std()
    edge = grey.copy()
    edge[:, 40:] = 0.25
    sharp = darken(edge, 1.0, np.random.default_rng(0), camera=replace(CLEAN, sharpening=1.0))
    assert sharp[:, 38:40].max() > 0.5 + 4 / 255


def test_blotches_are_coarse() -> None:
    grey = np.full((120, 120, 3), 0.5, np.float32)

    def kept_by_blurring(camera: Camera) -> float:
        noise = darken(grey, 0.5, np.random.default_rng(0), camera=camera)
        return float(cv2.blur(noise, (7, 7)).std() / noise.std())

    assert kept_by_blurring(replace(NOISY, blotches=1.0, blotch_px=8.0)) > 2 * kept_by_blurring(
        NOISY
    )
