"""How well a photograph shows its faces: by hand, in the dark, and what a user is told."""

from __future__ import annotations

import numpy as np
import pytest

from relume.faces import Face, detect
from relume.faces.api import Detection
from relume.faces.quality import clarity, hidden_share, quality, warning
from relume.image.darken import darken
from relume.photo import Image

from .conftest import FACE

HALF = (0.0, 0.0, 40.0, 40.0)


def noisy(level: float, sigma: float, *, step: float = 0.0) -> Image:
    """A flat picture of 160 x 160 px with noise, its right half brighter by ``step``."""
    image = np.full((160, 160, 3), level, np.float32)
    image[:, 80:] += np.float32(step)
    noise = np.random.default_rng(4).normal(0, sigma, (160, 160, 1)).astype(np.float32)
    return np.clip(image + noise, 0, 1)


def test_the_light_and_the_noise_by_hand() -> None:
    got = quality(noisy(0.3, 0.03), HALF)
    assert got is not None
    assert got.level == pytest.approx(0.3, abs=0.01)
    assert got.noise == pytest.approx(0.1, rel=0.2)
    assert quality(noisy(0.3, 0.03), (200.0, 0.0, 300.0, 40.0)) is None


def test_clarity_is_contrast_over_noise() -> None:
    """Two halves .1 apart have a deviation of .05; the noise is .02."""
    assert clarity(noisy(0.3, 0.02, step=0.1)) == pytest.approx(2.5, rel=0.2)
    assert clarity(noisy(0.3, 0.02)) < 0.5, "noise alone is no contrast"


def test_less_light_is_less_clear(astronaut: Image) -> None:
    qualities = [
        quality(darken(astronaut, k, np.random.default_rng(3)), FACE) for k in (1, 0.1, 0.01, 0.003)
    ]
    clear = [q.clarity for q in qualities if q is not None]
    errors = [q.expected_nme for q in qualities if q is not None]
    assert clear == sorted(clear, reverse=True)
    assert errors == sorted(errors)
    assert 0.03 < errors[0] < 0.07
    assert errors[-1] > 1.2 * errors[0]


def test_a_bright_photograph_hides_nothing(astronaut: Image) -> None:
    assert hidden_share(astronaut) == 0
    assert hidden_share(noisy(0.3, 0.1)) == 0
    assert warning(0.0) is None


def test_a_black_photograph_may_hide_faces(astronaut: Image) -> None:
    assert hidden_share(noisy(0.01, 0.01)) == 0.5
    assert hidden_share(np.zeros((60, 80, 3), np.float32)) == 0.5
    dark = darken(astronaut, 0.003, np.random.default_rng(0))
    assert hidden_share(dark) > 0
    assert "half of the faces or more" in (warning(0.5) or "")
    assert "3 faces in 10" in (warning(0.3) or "")


def test_what_is_told(astronaut: Image) -> None:
    """Faces have their quality; only where it is too dark is there a warning."""
    bright = detect(astronaut, detector="haar").as_json("a.jpg")
    assert "warning" not in bright
    assert set(bright["faces"][0]["quality"]) == {"level", "noise", "clarity", "expected_nme"}
    black = detect(np.zeros((60, 80, 3), np.uint8), detector="haar")
    assert black.faces == []
    assert black.warning is not None
    assert black.as_json("b.jpg")["warning"] == black.warning


def test_without_a_measurement_nothing_is_told() -> None:
    told = Detection([Face(HALF, 0.9)], 160, 160, "haar", 0.6, ("original",)).as_json("c.jpg")
    assert "warning" not in told
    assert "quality" not in told["faces"][0]
