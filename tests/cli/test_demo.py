"""``relume demo`` and the picture it makes when scikit-image is not there."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

from relume.cli import sample as drawn
from relume.cli.sample import sample, scene
from relume.photo import check_image

from .conftest import Relume, names


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawn, "HEIGHT_PX", 80)
    monkeypatch.setattr(drawn, "WIDTH_PX", 120)


def test_the_scene_is_a_bright_photo_and_always_the_same() -> None:
    picture = check_image(scene())
    assert picture.shape == (80, 120, 3)
    assert 0.35 < picture.mean() < 0.75
    assert picture.min() >= 0
    assert picture.max() <= 1
    assert np.array_equal(picture, scene())


def test_without_scikit_image_the_scene_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    picture, title = sample()
    assert title == "a drawn scene"
    assert np.array_equal(picture, scene())


def test_demo_writes_and_names_before_and_after(
    relume: Relume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "skimage", None)
    for _ in range(2):  # a second demo replaces the first one's picture
        result = relume("demo", "--method", "gamma:0.4", "--k", 0.1)
        assert result.code == 0, result.err
        assert result.out == f"{tmp_path / 'relume-demo.png'}\n"
    assert names(tmp_path) == ["relume-demo.png"]
    with Pil.open("relume-demo.png") as image:
        shown = np.asarray(image.convert("L")).astype(float)
    half = shown.shape[1] // 2
    assert shown[:, half + 3 :].mean() > 1.5 * shown[:, : half - 3].mean()


def test_another_file_is_not_replaced(
    relume: Relume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    mine = tmp_path / "mine.png"
    mine.write_bytes(b"mine")
    result = relume("demo", "--method", "gamma", "-o", mine)
    assert result.code == 1
    assert mine.read_bytes() == b"mine"
    assert relume("demo", "--method", "gamma", "--k", 0).code == 2
