import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relume.errors import ParameterError
from relume.image.color import luma, srgb_to_linear
from relume.image.exposure import (
    LitProtection,
    _lit_share,
    bend,
    bend_to,
    expose,
    gain_for,
    lit_level,
    mean_level,
    scale_to,
    subsample,
)
from relume.photo import Image

GAINS = st.floats(0.01, 1000)


def ramp(count: int = 1024) -> Image:
    row = np.linspace(0, 1, count, dtype=np.float32)
    return np.repeat(row[None, :, None], 3, axis=2)


def flat(level: float, size: tuple[int, int] = (8, 8)) -> Image:
    return np.full((*size, 3), level, np.float32)


def test_mean_level_is_of_grey() -> None:
    image = np.zeros((2, 2, 3), np.float32)
    image[0, 0] = (1, 0, 0)
    assert mean_level(image) == pytest.approx(0.299 / 4)
    assert mean_level(flat(0.25, (3, 500))) == pytest.approx(0.25)


@settings(max_examples=80, deadline=None)
@given(gain=GAINS)
def test_exposing_keeps_order_black_and_range(gain: float) -> None:
    out = expose(ramp(), gain)[0, :, 0]
    assert out.dtype == np.float32
    assert out[0] == 0
    assert (np.diff(out) >= 0).all()
    assert out[-1] <= 1
    assert gain < 1 or out[-1] == pytest.approx(1, abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(gain=GAINS)
def test_below_the_shoulder_light_is_multiplied(gain: float) -> None:
    light, out = srgb_to_linear(ramp()), srgb_to_linear(expose(ramp(), gain))
    low = light * gain < 0.79
    np.testing.assert_allclose(out[low], light[low] * gain, rtol=1e-3, atol=1e-5)


def test_nothing_jumps_with_the_gain() -> None:
    before = expose(ramp(), 0.5)
    for gain in np.geomspace(0.5, 200, 200)[1:]:
        after = expose(ramp(), float(gain))
        assert np.abs(after - before).max() < 0.04, gain
        before = after
    np.testing.assert_allclose(expose(ramp(), 1 + 1e-6), ramp(), atol=1e-5)
    np.testing.assert_array_equal(expose(ramp(), 1.0), ramp())


def test_the_shoulder_is_smooth() -> None:
    """No kink: the slope in linear light falls steadily from the gain to what is left at white."""
    light = np.linspace(0, 1, 4000)
    encoded = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    image = np.repeat(encoded.astype(np.float32)[None, :, None], 3, axis=2)
    slope = np.gradient(srgb_to_linear(expose(image, 3.0))[0, :, 0].astype(float), light)[5:-5]
    assert np.abs(np.diff(slope)).max() < 0.1
    assert (np.diff(slope) < 0.02).all()


@pytest.mark.parametrize("gain", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_gains(gain: float) -> None:
    with pytest.raises(ParameterError, match="gain"):
        expose(ramp(), gain)


def protect_lit(original: Image, enhanced: Image) -> Image:
    return LitProtection.of(original).blend(original, enhanced)


def test_a_dark_photo_is_untouched_and_a_lit_one_almost_unchanged() -> None:
    dark, lit = flat(0.05), flat(0.45)
    np.testing.assert_array_equal(protect_lit(dark, flat(0.5)), flat(0.5))
    assert np.abs(protect_lit(lit, flat(0.7)) - lit).max() < 0.02


def test_the_gate_is_smooth() -> None:
    levels = np.linspace(0.05, 0.5, 400)
    gains = [float((protect_lit(flat(x), flat(x + 0.3)) - flat(x)).mean()) for x in levels]
    assert gains[0] == pytest.approx(0.3, abs=1e-4)
    assert gains[-1] < 0.02
    assert (np.diff(gains) <= 1e-4).all()
    assert np.abs(np.diff(gains)).max() < 0.01


def test_a_lamp_does_not_make_a_night_photo_well_lit() -> None:
    night = flat(0.04, (40, 40))
    night[:12, :12] = 1.0
    assert mean_level(night) > 0.12
    assert lit_level(night) < 0.1


def test_a_lamp_is_not_blown_out() -> None:
    """Texture between 0.85 and 0.95 survives an enhancement that makes all of it white."""
    night = flat(0.03, (64, 64))
    night[20:30, 20:30] = np.linspace(0.85, 0.95, 10, dtype=np.float32)[:, None, None]
    enhanced = expose(night, 16)
    enhanced[20:30, 20:30] = 1.0
    out = protect_lit(night, enhanced)
    lamp = out[20:30, 25, 0]
    assert np.ptp(lamp) > 0.03
    assert lamp.max() < 0.975
    np.testing.assert_array_equal(out[40:], enhanced[40:])


def test_without_a_lamp_white_may_be_white() -> None:
    dark = flat(0.1, (300, 400))
    dark[100, 100] = 1.0  # a hot pixel
    np.testing.assert_array_equal(protect_lit(dark, np.ones_like(dark)), np.ones_like(dark))


def test_a_lamp_takes_effect_smoothly() -> None:
    means = []
    for lamp in np.linspace(0.3, 1, 141):
        dark = flat(0.1, (32, 32))
        dark[:8, :8] = lamp
        means.append(float(protect_lit(dark, np.ones_like(dark)).mean()))
    assert np.abs(np.diff(means)).max() < 0.005


@settings(max_examples=50, deadline=None)
@given(gain=st.floats(1, 300))
def test_a_glow_keeps_its_order(gain: float) -> None:
    """From the dark to the heart of a lamp the protected picture never gets darker: no rings."""
    dark = np.concatenate([ramp(512), flat(0.0, (1, 4096))], axis=1)
    for enhanced in (expose(dark, gain), np.minimum(dark * np.float32(gain), 1)):
        glow = luma(protect_lit(dark, enhanced))[0, :512]
        assert np.diff(glow).min() > -2e-4
        assert glow.max() <= 1 + 1e-5


def test_the_share_is_a_share_and_of_one_pixel_only() -> None:
    rng = np.random.default_rng(0)
    before = rng.random((20, 30, 3), np.float32)
    after = rng.random((20, 30, 3), np.float32)
    share = _lit_share(before, after, 0.12)
    assert share.min() >= 0
    assert share.max() <= 1
    assert (share[luma(after) <= luma(before)] == 0).all()
    before[5, 5] = after[5, 5] = 0
    changed = _lit_share(before, after, 0.12) != share
    changed[5, 5] = False
    assert not changed.any()


@pytest.mark.parametrize("size", [(1, 1), (3, 5000), (5000, 3), (300, 400)])
def test_extreme_sizes(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random((*size, 3), np.float32) * np.float32(0.2)
    out = protect_lit(image, expose(image, 8))
    assert out.shape == image.shape
    assert np.isfinite(out).all()


def test_a_sample_has_every_nth_pixel() -> None:
    image = ramp()
    np.testing.assert_array_equal(subsample(image, 10**9), image)
    large = np.random.default_rng(0).random((400, 300, 3), np.float32)
    np.testing.assert_array_equal(subsample(large, 7500), large[::4, ::4])


@pytest.mark.parametrize(("level", "asked"), [(0.2, 0.22), (0.3, 0.3), (0.5, 0.4)])
def test_a_level_is_met_by_one_factor_or_by_a_curve(level: float, asked: float) -> None:
    image = np.random.default_rng(2).random((30, 30, 3), np.float32) * np.float32(2 * level)

    def scaled(factor: float) -> float:
        return mean_level(np.minimum(image * np.float32(factor), 1))

    met = scale_to(image.copy(), asked, scaled)
    assert mean_level(np.minimum(met, 1)) == pytest.approx(asked, rel=0.01)
    np.testing.assert_allclose(met, image * (met.max() / image.max()), rtol=1e-5)
    lightest = image.max(axis=2)

    def bent(gain: float) -> Image:
        return image * bend(lightest, gain)[:, :, None]

    curved = bend_to(image.copy(), asked, lambda gain: mean_level(bent(gain)))
    assert mean_level(curved) == pytest.approx(asked, rel=0.01)
    assert curved.max() <= 1
    assert (np.diff(curved.max(axis=2).ravel()[np.argsort(lightest.ravel())]) > -1e-6).all()
    hues = [x / np.maximum(x.max(axis=2, keepdims=True), 1e-6) for x in (image, curved)]
    np.testing.assert_allclose(*hues, atol=1e-5)


def test_what_cannot_be_met_is_left_or_brought_as_near_as_allowed() -> None:
    black = np.zeros((4, 4, 3), np.float32)
    assert scale_to(black, 0.5, lambda factor: 0.0) is black
    grey = np.full((4, 4, 3), 0.1, np.float32)
    np.testing.assert_allclose(scale_to(grey, 0.9, lambda f: 0.1 * f), 0.16, rtol=1e-3)
    assert gain_for(lambda gain: 0.25 * gain, 0.5, most=8) == pytest.approx(2, rel=1e-3)
