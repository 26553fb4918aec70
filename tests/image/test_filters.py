import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relume.errors import ParameterError
from relume.image.filters import box_filter, downscale, gaussian_blur, guided_filter
from relume.photo import Image

SIZES = [(1, 1), (1, 9), (2, 3), (3, 5000), (5000, 3), (40, 60)]


def plane(height: int, width: int, seed: int = 0) -> Image:
    return np.random.default_rng(seed).random((height, width), np.float32)


def test_box_filter_is_a_mean_over_the_mirrored_picture() -> None:
    image = plane(6, 7)
    padded = np.pad(image, 2, mode="symmetric")
    expected = [[padded[y : y + 5, x : x + 5].mean() for x in range(7)] for y in range(6)]
    np.testing.assert_allclose(box_filter(image, 2), expected, atol=1e-6)
    np.testing.assert_array_equal(box_filter(image, 0), image)


@pytest.mark.parametrize("size", SIZES)
def test_extreme_sizes(size: tuple[int, int]) -> None:
    source = plane(*size)
    colour = np.random.default_rng(1).random((*size, 3), np.float32)
    for out in (
        box_filter(source, 5),
        gaussian_blur(source, 2.0),
        guided_filter(source, source, radius_px=4, eps=0.01),
        guided_filter(source, source, radius_px=8, eps=0.01, subsample=4),
        box_filter(colour, 3)[:, :, 0],
        gaussian_blur(colour, 3)[:, :, 0],
    ):
        assert out.shape == size
        assert out.dtype == np.float32
        assert np.isfinite(out).all()


@settings(max_examples=25, deadline=None)
@given(level=st.floats(0, 1), subsample=st.integers(1, 4))
def test_flat_stays_flat(level: float, subsample: int) -> None:
    source = np.full((20, 30), level, np.float32)
    guide = np.random.default_rng(0).random((20, 30), np.float32)
    out = guided_filter(guide, source, radius_px=4, eps=1e-3, subsample=subsample)
    np.testing.assert_allclose(out, source, atol=1e-4)
    np.testing.assert_allclose(gaussian_blur(source, 2), source, atol=1e-5)


def test_grey_by_the_paper() -> None:
    """Eq. 5, 6 and 8 written out, window by window."""
    guide, source = plane(9, 8), plane(9, 8, 1)
    r, eps = 2, 0.02
    p, i = (np.pad(x, r, mode="symmetric").astype(float) for x in (source, guide))
    a, b = np.zeros((9, 8)), np.zeros((9, 8))
    for y in range(9):
        for x in range(8):
            wi, wp = i[y : y + 5, x : x + 5], p[y : y + 5, x : x + 5]
            a[y, x] = ((wi * wp).mean() - wi.mean() * wp.mean()) / (wi.var() + eps)
            b[y, x] = wp.mean() - a[y, x] * wi.mean()
    a, b = (np.pad(m, r, mode="symmetric") for m in (a, b))
    expected = [
        [
            a[y : y + 5, x : x + 5].mean() * guide[y, x] + b[y : y + 5, x : x + 5].mean()
            for x in range(8)
        ]
        for y in range(9)
    ]
    out = guided_filter(guide, source, radius_px=r, eps=eps)
    np.testing.assert_allclose(out, expected, atol=1e-5)


def test_edges_stay_and_noise_goes() -> None:
    rng = np.random.default_rng(0)
    step = np.repeat(np.r_[np.full(40, 0.2), np.full(40, 0.8)][None], 60, axis=0)
    noisy = (step + rng.normal(0, 0.02, step.shape)).astype(np.float32)
    for subsample in (1, 4):
        out = guided_filter(noisy, noisy, radius_px=8, eps=0.01, subsample=subsample)
        assert (out - step)[:, 10:30].std() < 0.01
        assert out[:, 44].mean() - out[:, 35].mean() > 0.5


def test_bad_options() -> None:
    image = plane(4, 4)
    with pytest.raises(ParameterError):
        guided_filter(plane(4, 5), image, radius_px=1, eps=0.1)
    for options in ({"radius_px": 0, "eps": 0.1}, {"radius_px": 1, "eps": 0.0}):
        with pytest.raises(ParameterError):
            guided_filter(image, image, **options)
    with pytest.raises(ParameterError):
        box_filter(image, -1)
    with pytest.raises(ParameterError):
        gaussian_blur(image, -1)
    assert gaussian_blur(image, 0) is image


@pytest.mark.parametrize("shape", [(1000, 1400), (1237, 700), (50, 40), (3, 2)])
def test_shrunk_by_whole_factors_first_is_the_area_mean(shape: tuple[int, int]) -> None:
    # a slope, so that a shift would show, and noise
    noise = 0.1 * np.random.default_rng(0).random((*shape, 3), np.float32)
    image = np.linspace(0, 0.9, shape[1], dtype=np.float32)[None, :, None] + noise
    direct = cv2.resize(image, (24, 16), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(downscale(image, 24, 16), direct, atol=0.01)
