"""Opening up a dark photograph: black to black, white to white, and a bright one left alone."""

from __future__ import annotations

import numpy as np
import pytest

from relume.image.color import luma
from relume.image.opening import LEVEL, MOST_BLACK, Opening


def ramp(top: float, bottom: float = 0.0) -> np.ndarray:
    """100 x 100 grey values from ``bottom`` to ``top``."""
    values = np.linspace(bottom, top, 10_000, dtype=np.float32).reshape(100, 100)
    return np.repeat(values[:, :, None], 3, axis=2)


def test_a_bright_photograph_is_left_as_it_is() -> None:
    image = ramp(1.0)
    opening = Opening.of(image)
    assert opening.gain == 1
    # the half percent of its darkest pixels are black already, to within their own level
    assert np.abs(opening(image) - image).max() < 0.006


@pytest.mark.parametrize("top", [0.3, 0.05, 0.01])
def test_a_dark_one_is_brought_to_the_level(top: float) -> None:
    image = ramp(top, 0.2 * top)
    opened = Opening.of(image)(image)
    assert float(luma(opened).mean()) == pytest.approx(LEVEL, rel=0.01)
    assert opened.min() == 0
    assert (np.diff(opened[:, :, 0].ravel()) >= 0).all()


def test_the_curve_by_hand() -> None:
    # 1 - (1 - x) ** 3 of .1 and .5, after a black level of .2 in blue: (.6 - .2) / .8 = .5
    opening = Opening(np.float32([0, 0, 0.2]), 3.0)
    image = np.float32([[[0.1, 0.5, 0.6], [0, 1, 0.2]]])
    expected = [[[0.271, 0.875, 0.875], [0, 1, 0]]]
    assert np.allclose(opening(image), expected, atol=1e-6)


def test_a_veil_of_one_channel_is_taken_off_and_a_flat_picture_is_finite() -> None:
    image = ramp(0.05) + np.float32([0.02, 0, 0])
    assert Opening.of(image).black[0] - Opening.of(image).black[1] == pytest.approx(0.02, abs=1e-4)
    flat = np.full((4, 4, 3), 0.9, np.float32)
    opening = Opening.of(flat)
    assert opening.black.max() <= MOST_BLACK
    assert np.isfinite(opening(flat)).all()
    black = np.zeros((3, 5, 3), np.float32)
    assert (Opening.of(black)(black) == 0).all()
