from dataclasses import replace

import cv2
import numpy as np
import pytest

from relume.errors import ParameterError
from relume.image.darken import XYZ_TO_SRGB, Camera, _sensed, darken, planckian, render, scene_light
from relume.image.sensor import SENSORS, expose_sensor, tukey_lambda
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


PLAIN_SUM, REAL_SUM = 545.9529, 607.0549
"""Of a picture that was darkened before there were phones' faults."""

GREY = np.full((96, 128, 3), 0.5, np.float32)


def taken(camera: Camera, image: Image = GREY, k: float = 0.2, seed: int = 0) -> Image:
    return darken(image, k, np.random.default_rng(seed), camera=camera)


def test_what_phones_do_is_off_unless_it_is_asked_for() -> None:
    """Studies and recipes were made with the plain camera: they stay what they were."""
    image = np.random.default_rng(5).random((40, 48, 3), dtype=np.float32)
    seen = darken(image, 0.1, np.random.default_rng(11))
    assert float(seen.sum()) == pytest.approx(PLAIN_SUM, abs=1e-3)
    real = darken(
        image, 0.1, np.random.default_rng(11), camera=Camera.draw_real(np.random.default_rng(4))
    )
    assert float(real.sum()) == pytest.approx(REAL_SUM, abs=1e-3)


def test_a_white_balance_that_is_complete_leaves_no_cast_and_none_leaves_the_lamps() -> None:
    warm = planckian(2700)
    assert replace(CLEAN, lamp=warm, adapted=1.0).cast == pytest.approx([1, 1, 1])
    left = replace(CLEAN, lamp=warm, adapted=0.0).cast
    assert left / left[1] == pytest.approx([warm[0], 1, warm[1]], rel=1e-5)
    assert np.dot(left, [0.299, 0.587, 0.114]) == pytest.approx(1)
    seen = taken(replace(CLEAN, lamp=warm, adapted=0.5), k=1.0)
    assert seen[..., 0].mean() > seen[..., 1].mean() > seen[..., 2].mean()


@pytest.mark.parametrize(
    ("kelvin", "x", "y"), [(2222, 0.5032, 0.4152), (2856, 0.4475, 0.4074), (6500, 0.3135, 0.3236)]
)
def test_black_bodies_have_their_published_colours(kelvin: float, x: float, y: float) -> None:
    """CIE 1931 chromaticities of the Planckian locus (illuminant A is 2856 K)."""
    red, blue = planckian(kelvin)
    light = np.linalg.inv(XYZ_TO_SRGB) @ np.array([red, 1.0, blue])
    assert light[:2] / light.sum() == pytest.approx([x, y], abs=0.003)


def test_lifted_blacks_are_coloured_and_clipped_ones_are_black() -> None:
    nothing = np.zeros((64, 64, 3), np.float32)
    lifted = taken(replace(CLEAN, black=(14 / 255, 3 / 255, 14 / 255)), nothing)
    assert lifted.mean(axis=(0, 1)) * 255 == pytest.approx([14, 3, 14], abs=1)
    clipped = taken(replace(CLEAN, black=(-0.1, -0.1, -0.1)), GREY, k=0.02)
    assert (clipped == 0).all()
    shaded = taken(replace(CLEAN, black=(10 / 255,) * 3, black_shading=1.0), nothing)
    assert shaded[30:34, 30:34].mean() * 255 == pytest.approx(10, abs=0.6)
    assert shaded[:2, :2].mean() * 255 == pytest.approx(20, abs=1.2)


def test_corners_get_less_light_and_lamps_veil_the_frame() -> None:
    shaded = taken(replace(CLEAN, shading=0.5), k=1.0)
    assert shaded[:4, :4].mean() < 0.8 * shaded[44:52, 60:68].mean()
    lamp = np.zeros((96, 128, 3), np.float32)
    lamp[40:56, 56:72] = 1
    bare, veiled = (taken(replace(CLEAN, glare=g), lamp, k=1.0) for g in (0.0, 0.05))
    assert bare[:8].mean() < 0.5 / 255
    assert veiled[:8].mean() > bare[:8].mean() + 0.5 / 255
    assert scene_light(veiled).mean() < 1.05 * scene_light(bare).mean()  # spread, not made


@pytest.mark.parametrize("sensor", range(len(SENSORS)))
def test_sensors_keep_the_light_and_are_noisier_with_less_of_it(sensor: int) -> None:
    raw = np.full((200, 200, 3), 0.05, np.float32)
    seen = [expose_sensor(raw * k, sensor, np.random.default_rng(1)) for k in (1, 0.1)]
    black = np.abs(SENSORS[sensor].bias).max() / 15583
    assert seen[0].mean() == pytest.approx(0.05, rel=0.03, abs=black)
    assert seen[1].std() / seen[1].mean() > 2 * seen[0].std() / seen[0].mean()
    rows = [s.mean(axis=(1, 2)).std() for s in seen]
    pixels = [s.std() / np.sqrt(600) for s in seen]
    assert rows[1] > pixels[1]  # rows are shifted as a whole


def test_tukey_lambda_is_its_quantiles() -> None:
    draws = tukey_lambda(0.14, (200_000,), np.random.default_rng(0))
    assert np.quantile(draws, 0.975) == pytest.approx((0.975**0.14 - 0.025**0.14) / 0.14, rel=0.01)
    logistic = tukey_lambda(0.0, (200_000,), np.random.default_rng(0))
    assert logistic.std() == pytest.approx(np.pi / np.sqrt(3), rel=0.01)


def test_raw_bits_leave_that_many_levels() -> None:
    light = np.linspace(0, 1, 30_000, dtype=np.float32).reshape(100, 100, 3)
    for bits in (10, 12):
        held = _sensed(light.copy(), np.random.default_rng(0), replace(CLEAN, raw_bits=bits))
        assert len(np.unique(held)) == pytest.approx(2**bits, abs=3)


def test_hot_pixels_shine_where_there_is_no_light() -> None:
    nothing = np.zeros((128, 128, 3), np.float32)
    seen = taken(replace(CLEAN, hot=0.001), nothing)
    assert 3 < (seen.max(axis=2) > 0.5).sum() < 100
    assert np.median(seen) == 0


def test_colour_is_smoothed_and_light_is_not() -> None:
    plain, smooth = (taken(replace(NOISY, chroma_px=px), k=0.1) for px in (0.0, 3.0))

    def spread(image: Image) -> tuple[float, float]:
        ycc = cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb)
        return float(ycc[..., 0].std()), float(ycc[..., 1].std())

    assert spread(smooth)[1] < 0.6 * spread(plain)[1]
    assert spread(smooth)[0] == pytest.approx(spread(plain)[0], rel=0.15)


def test_a_second_jpeg_at_another_size_is_softer_and_of_the_same_size() -> None:
    texture = np.random.default_rng(3).random((96, 120, 3), dtype=np.float32)
    once, again = (
        taken(replace(CLEAN, again_quality=q, again_scale=0.6), texture, k=1.0) for q in (0, 60)
    )
    assert again.shape == once.shape
    assert again.std() < 0.8 * once.std()
    np.testing.assert_allclose(again * 255, np.rint(again * 255), atol=1e-3)


def test_phones_have_all_of_it_and_stay_reproducible() -> None:
    cameras = [Camera.draw_phone(np.random.default_rng(i)) for i in range(120)]
    for switched in (
        [c.lamp != (1.0, 1.0) for c in cameras],
        [c.glare > 0 for c in cameras],
        [c.sensor is None for c in cameras],
        [any(c.black) for c in cameras],
        [c.again_quality > 0 for c in cameras],
        [c.hot > 0 for c in cameras],
    ):
        assert set(switched) == {True, False}
    assert {c.raw_bits for c in cameras} == {10, 12, 14}
    assert all(50 <= c.jpeg_quality <= 95 for c in cameras)
    assert all(max(c.black) <= 20 / 255 for c in cameras)
    for seed in (0, 3, 8):
        camera = cameras[seed]
        first, second = (taken(camera, ramp(), k=0.1, seed=seed) for _ in range(2))
        np.testing.assert_array_equal(first, second)
