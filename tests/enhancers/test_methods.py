"""Each classical method against numbers worked out by hand, and what it is there for."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from relume.enhancers import baselines, curves
from relume.image.color import luma
from relume.photo import Image


def ramp(height: int = 60, width: int = 80, top: float = 0.2) -> Image:
    y, x = np.mgrid[:height, :width]
    channels = [x / width, y / height, (x + y) / (height + width)]
    return (np.stack(channels, axis=2) * top).astype(np.float32)


def test_gamma_is_the_course_projects() -> None:
    image = np.array([[[0.1, 0.2, 0.3], [0.5, 0.3, 0.2]]], np.float32)
    expected = np.sqrt((image - 0.1) / 0.4)
    np.testing.assert_allclose(curves.Gamma()(image), expected, atol=1e-6)
    plain = curves.Gamma(exponent=2, normalise=False)(image)
    np.testing.assert_allclose(plain, image**2, atol=1e-6)


def test_gamma_of_a_picture_of_one_value() -> None:
    flat = np.full((2, 2, 3), 0.25, np.float32)
    np.testing.assert_allclose(curves.Gamma()(flat), 0.5, atol=1e-6)


def test_auto_gamma_brings_the_median_to_its_target() -> None:
    dark = ramp(top=0.25)
    result = curves.AutoGamma(target=0.45)(dark)
    # a power of luma is not quite the luma of powers
    assert np.median(luma(result)) == pytest.approx(0.45, abs=0.03)
    bright = 1 - ramp(top=0.1)
    np.testing.assert_array_equal(curves.AutoGamma(target=0.45)(bright), bright)


@pytest.mark.parametrize("level", [0.05, 0.2, 0.42, 0.7])
def test_auto_exposure_meets_the_brightness_asked_for(level: float) -> None:
    result = curves.AutoExposure(brightness=level)(ramp())
    assert luma(result).mean() == pytest.approx(level, rel=0.02)


def test_auto_exposure_by_itself_never_darkens_and_is_bounded() -> None:
    bright = 1 - ramp(top=0.3)
    np.testing.assert_allclose(curves.AutoExposure()(bright), bright, atol=1e-6)
    twice = curves.AutoExposure(max_gain=2.0)(np.full((4, 4, 3), 0.02, np.float32))
    # 0.02 / 12.92 of linear light, doubled, is still on the straight part of sRGB's curve
    np.testing.assert_allclose(twice, 0.04, rtol=1e-4)


def test_brightness_rises_monotonically() -> None:
    means = [
        float(luma(curves.AutoExposure(brightness=b)(ramp())).mean())
        for b in np.linspace(0.05, 0.95, 10)
    ]
    assert (np.diff(means) > 0).all()


def test_clahe_agrees_with_opencvs_at_8_bits() -> None:
    rng = np.random.default_rng(1)
    smooth = cv2.GaussianBlur(rng.random((128, 128)).astype(np.float32), (0, 0), 6)
    values = np.rint((smooth - smooth.min()) / np.ptp(smooth) * 60).astype(np.uint8)
    theirs = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(4, 4)).apply(values)
    ours = baselines.equalise(values.astype(np.float32) / 255, clip=2.0, grid=4) * 255
    # ours keeps black at 0; theirs lifts it by the first bin
    assert np.abs(ours - theirs).mean() < 3
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.99


def test_clahe_is_monotonic_between_bins_and_keeps_black_and_white() -> None:
    fine = np.linspace(0, 1, 5000, dtype=np.float32).reshape(50, 100)
    result = baselines.equalise(fine, clip=3.0, grid=1)
    assert (np.diff(result.ravel()) > 0).all()
    assert result.min() == 0
    assert result.max() == pytest.approx(1)


def test_clahe_raises_contrast_where_it_is_low() -> None:
    low = ramp(top=0.1)
    before, after = luma(low), luma(baselines.Clahe(clip=4.0)(low))
    assert np.abs(np.diff(after)).mean() > 1.5 * np.abs(np.diff(before)).mean()


def test_fusion_brightens_the_dark_and_keeps_a_lamp() -> None:
    image = ramp(top=0.1)
    image[10:20, 10:20] = 0.9
    result = baselines.Fusion()(image)
    assert luma(result).mean() > 2 * luma(image).mean()
    assert 0.85 < np.clip(result[14:16, 14:16], 0, 1).mean() <= 1


def test_fusion_of_one_gain_is_the_picture() -> None:
    image = ramp(37, 53, top=0.8)
    np.testing.assert_allclose(baselines.Fusion(gain=1.0, exposures=3)(image), image, atol=2e-4)


def test_lime_divides_by_the_brightest_channel() -> None:
    flat = np.full((32, 32, 3), (0.04, 0.08, 0.16), np.float32)
    np.testing.assert_allclose(baselines.illumination_map(flat), 0.16, atol=1e-3)
    result = baselines.Lime(gamma=0.5, denoise=0.0)(flat)
    np.testing.assert_allclose(result, flat / np.sqrt(np.float32(0.16)), atol=2e-3)
    np.testing.assert_allclose(baselines.Lime(gamma=0.0)(flat), flat, atol=1e-3)


def test_lime_keeps_edges_of_the_illumination() -> None:
    step = np.full((64, 64, 3), 0.05, np.float32)
    step[:, 32:] = 0.8
    illumination = baselines.illumination_map(step)
    assert illumination[32, 28] < 0.1
    assert illumination[32, 36] > 0.7


def test_lime_denoises() -> None:
    rng = np.random.default_rng(0)
    noisy = np.clip(ramp() + rng.normal(0, 0.01, (60, 80, 3)), 0, 1).astype(np.float32)
    raw, clean = baselines.Lime(denoise=0.0)(noisy), baselines.Lime(denoise=1.0)(noisy)
    reference = baselines.Lime(denoise=0.0)(ramp())
    assert np.abs(clean - reference).mean() < 0.75 * np.abs(raw - reference).mean()
