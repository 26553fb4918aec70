"""Whether a box holds light, and what detection makes of it."""

from __future__ import annotations

import numpy as np
import pytest

from relume.faces import Box, Face, View, detect_on_views, detectors
from relume.faces.light import LEAST_BOX_PX, NOISE_IS_SURER, holds_light
from relume.photo import Image

BOX: Box = (8.0, 8.0, 56.0, 56.0)
NOISE = 4 / 255
"""What pixels differ by: a chessboard of plus and minus this."""


def halves(light: float, side: int = 64) -> Image:
    """A chessboard of noise whose right half is brighter than its left by twice ``light``."""
    y, x = np.mgrid[:side, :side]
    grey = 0.1 + NOISE * (1 - 2.0 * ((x + y) % 2)) + light * np.where(x < side // 2, -1, 1)
    return np.repeat(grey[:, :, None], 3, axis=2).astype(np.float32)


@pytest.mark.parametrize(("light", "holds"), [(0.0, False), (0.95, False), (1.2, True)])
def test_parts_have_to_differ_more_than_pixels(light: float, holds: bool) -> None:
    """By hand: parts differ by d, pixels by .96 e and at the one edge by .18 d: d >= 1.08 e."""
    assert holds_light(halves(light * NOISE), BOX) is holds


def test_steps_of_8_bits_are_no_light() -> None:
    """Parts a quarter of a level apart, without noise, are what rounding leaves."""
    flat = halves(0.25 / 255) - halves(0) + np.float32(0.1)
    assert not holds_light(flat, BOX)
    assert holds_light(4 * flat, BOX)


def test_of_a_small_box_nothing_is_said() -> None:
    small = (8.0, 8.0, 56.0, 8.0 + LEAST_BOX_PX - 1)
    assert holds_light(halves(0), small)
    assert not holds_light(halves(0), (8.0, 8.0, 56.0, 8.0 + LEAST_BOX_PX))


@pytest.mark.parametrize("box", [(-20.0, 8.0, 40.0, 90.0), (24.0, -9.0, 90.0, 70.0)])
def test_what_lies_outside_does_not_count(box: Box) -> None:
    assert not holds_light(halves(0), box)
    assert holds_light(halves(0), (100.0, 100.0, 190.0, 190.0)), "too small: nothing"


class Sure:
    """Finds one face at ``BOX`` in every view but dark ones, of a score of .7."""

    info = detectors().info("haar")

    def __init__(self, from_level: float) -> None:
        self.from_level = from_level

    def __call__(self, image: Image) -> list[Face]:
        return [Face(BOX, 0.7)] if image.mean() > self.from_level else []


def views(photograph: Image, *, further: bool = True) -> list[View]:
    bright = np.full_like(photograph, 0.5)
    again = View("machine@mirrored", bright, 1, further=further)
    return [View("original", photograph, 1), View("machine", bright, 1), again]


def test_what_only_relit_noise_shows_has_to_be_surer() -> None:
    relit = Sure(0.3)
    (face,) = detect_on_views(views(halves(0)), relit)
    assert face.score == pytest.approx(0.7 - NOISE_IS_SURER)
    assert detect_on_views(views(halves(0)), relit, least=0.6) == []
    (face,) = detect_on_views(views(halves(2 * NOISE)), relit)
    assert face.score == pytest.approx(0.7), "there is light"


def test_what_the_photograph_shows_stays_found() -> None:
    (face,) = detect_on_views(views(halves(0)), Sure(0.0))
    assert face.score == pytest.approx(0.7)


def test_only_a_nearly_black_photograph_is_asked() -> None:
    """Further views say that it is one; and without the photograph there is nothing to ask."""
    (face,) = detect_on_views(views(halves(0), further=False), Sure(0.3))
    assert face.score == pytest.approx(0.7)
    (face,) = detect_on_views(views(halves(0))[1:], Sure(0.3))
    assert face.score == pytest.approx(0.7)
