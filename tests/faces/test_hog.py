"""dlib's detector: absent, and with a stand-in that finds what it is told."""

from __future__ import annotations

import math
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from relume.errors import MissingExtra
from relume.faces import detectors
from relume.photo import Image


class Box:
    """dlib's rectangle: right and bottom are the last pixel inside."""

    def __init__(self, *corners: int) -> None:
        self.corners = corners

    def left(self) -> int:
        return self.corners[0]

    def top(self) -> int:
        return self.corners[1]

    def right(self) -> int:
        return self.corners[2]

    def bottom(self) -> int:
        return self.corners[3]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[np.ndarray, int, float]]:
    """The arguments of every call of a dlib that finds two faces."""
    calls: list[tuple[np.ndarray, int, float]] = []

    def run(pixels: np.ndarray, upsample: int, margin: float) -> object:
        calls.append((pixels, upsample, margin))
        return [Box(10, 20, 19, 29), Box(0, 0, 79, 79)], [0.0, math.log(3) / 2], [0, 0]

    found = SimpleNamespace(get_frontal_face_detector=lambda: SimpleNamespace(run=run))
    monkeypatch.setitem(sys.modules, "dlib", found)
    return calls


def picture() -> Image:
    return np.full((90, 90, 3), 0.5, np.float32)


def test_boxes_are_half_open_and_scores_logistic(
    asked: list[tuple[np.ndarray, int, float]],
) -> None:
    """A margin of 0 is 1/2, one of ln(3) / 2 is 3/4 at a steepness of 2."""
    sure, doubtful = detectors().create("hog", {"threshold": 0.5, "upsample": 2})(picture())
    assert sure.box == (0, 0, 80, 80)
    assert sure.score == pytest.approx(0.75)
    assert (doubtful.box, doubtful.score) == ((10, 20, 20, 30), 0.5)
    pixels, upsample, margin = asked[0]
    assert (pixels.dtype, pixels.shape, upsample, margin) == (np.uint8, (90, 90, 3), 2, 0)


@pytest.mark.parametrize(
    ("threshold", "margin", "count"),
    [(0.0, -1.0, 2), (0.01, -1.0, 2), (0.25, -math.log(3) / 2, 2), (0.6, 0.0, 1), (1.0, 0.0, 0)],
)
def test_only_margins_that_count_are_asked_for(
    asked: list[tuple[np.ndarray, int, float]], threshold: float, margin: float, count: int
) -> None:
    assert len(detectors().create("hog", {"threshold": threshold})(picture())) == count
    assert asked[0][2] == pytest.approx(margin)


def test_without_dlib_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(MissingExtra) as caught:
        detectors().create("hog")
    assert str(caught.value) == (
        "the detector 'hog' needs the package 'dlib', which is not installed; "
        "install it with: pip install 'relume[dlib]'"
    )
