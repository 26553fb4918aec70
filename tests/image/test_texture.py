"""The photo's own texture comes back, noise does not; faint colour needs evidence."""

from __future__ import annotations

import numpy as np
import pytest

from relume.image import parallel
from relume.image.texture import FAINT, believed_colour, put_back_texture
from relume.photo import Image

GAIN = 8.0


def grey(plane: Image) -> Image:
    return np.repeat(np.asarray(plane, np.float32)[:, :, None], 3, axis=2)


def paved(height: int = 96, width: int = 128) -> tuple[Image, Image]:
    """A dark photo, even at the left and with joints at the right, and its joints."""
    joints = np.zeros((height, width), np.float32)
    joints[:, width // 2 :: 4] = 1.5 / 255
    return grey(np.float32(10 / 255) - joints), joints


def test_texture_that_was_wiped_comes_back() -> None:
    photo, joints = paved()
    wiped = grey(np.full(photo.shape[:2], GAIN * 10 / 255, np.float32))
    result = put_back_texture(photo, wiped.copy())[:, :, 0]
    inner = np.s_[8:-8, 80:-8]
    slope = np.polyfit(joints[inner].ravel(), result[inner].ravel(), 1)[0]
    assert -GAIN <= slope < -0.4 * GAIN  # by no more than a gain makes of it, half of it at least
    np.testing.assert_array_equal(result[:, :48], wiped[:, :48, 0])  # nothing was there


def test_what_was_only_multiplied_stays() -> None:
    photo, _ = paved()
    result = put_back_texture(photo, grey(GAIN * photo[:, :, 0]))
    np.testing.assert_allclose(result, photo * np.float32(GAIN), atol=2e-3)


def test_contrast_that_was_changed_on_purpose_stays() -> None:
    photo, joints = paved()
    calmer = grey(np.asarray(GAIN * (10 / 255 - joints / 2), np.float32))
    np.testing.assert_allclose(put_back_texture(photo, calmer.copy()), calmer, atol=6e-3)


def test_even_noise_stays_out() -> None:
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 1.5 / 255, (128, 128)).astype(np.float32)
    photo = grey(noise + np.float32(10 / 255))
    clean = grey(np.full((128, 128), GAIN * 10 / 255, np.float32))
    added = put_back_texture(photo, clean.copy()) - clean
    assert added.std() < 0.15 * GAIN * noise.std()


def test_what_differs_much_is_no_texture() -> None:
    """An edge that only one of the pictures has stays out: a bound of 3 hundredths."""
    photo = grey(np.full((64, 64), 10 / 255, np.float32))
    photo[:, 30:34] = 0.5
    flat = grey(np.full((64, 64), 0.5, np.float32))
    assert np.abs(put_back_texture(photo, flat.copy()) - flat).max() <= 0.0301


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 2), (33, 47)])
def test_any_size(size: tuple[int, int]) -> None:
    photo = np.random.default_rng(0).random((*size, 3), np.float32)
    assert np.isfinite(put_back_texture(photo, photo.copy())).all()
    assert believed_colour(photo, photo).shape == size


@pytest.mark.parametrize("height", [94, 95])
def test_blocks_of_rows_are_not_seen(height: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    photo: Image = rng.random((height, 40, 3), np.float32) / np.float32(10)
    after: Image = np.asarray(np.sqrt(photo), np.float32)
    whole = put_back_texture(photo, after.copy())
    monkeypatch.setattr(parallel, "BLOCK_VALUES", 40 * 2 * 10)
    np.testing.assert_allclose(put_back_texture(photo, after.copy()), whole, atol=1e-6)


def test_faint_colour_is_believed_as_far_as_it_rises_above_rounding() -> None:
    def share(photo: tuple[float, ...], result: tuple[float, ...] = (0.4, 0.4, 0.6)) -> float:
        before, after = (np.full((8, 8, 3), colour, np.float32) for colour in (photo, result))
        return float(believed_colour(before, after)[4, 4])

    assert share((0, 0, FAINT)) == pytest.approx(0.5)  # c^2 / (c^2 + c^2)
    assert share((0.1, 0.1, 0.1 + 3 * FAINT)) == pytest.approx(0.9)
    assert share((0.1, 0.2, 0.9)) > 0.999
    assert share((0.02, 0.02, 0.02)) == 0  # grey, which the network made blue
    assert share((0.02, 0.02, 0.02), (0.6, 0.4, 0.5)) == 0  # or pink
    assert share((0.02, 0.02, 0.02), (0.6, 0.45, 0.35)) == 1  # as skin is
