"""The cascade inside OpenCV: its score and its cascades."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from relume.errors import WeightsError
from relume.faces.haar import Haar
from relume.photo import Image


def test_the_score_counts_windows(astronaut: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """n / (n + 3): half a point is OpenCV's usual minimum of three."""

    class Told:
        def __init__(self, file: str) -> None: ...

        def detectMultiScale2(self, *given: object, **options: object) -> object:  # noqa: N802
            assert options["minNeighbors"] == 1
            return [(0, 0, 9, 9), (5, 6, 20, 30), (1, 1, 9, 9)], [3, 9, 2]

    monkeypatch.setattr(cv2, "CascadeClassifier", Told)
    sure, usual = Haar(threshold=0.5)(astronaut)
    assert (sure.box, sure.score) == ((5, 6, 25, 36), 0.75)
    assert (usual.box, usual.score) == ((0, 0, 9, 9), 0.5)


def test_an_opencv_without_cascades(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cv2.data.haarcascades", str(tmp_path))
    with pytest.raises(WeightsError, match="install opencv-python-headless 4"):
        Haar()
