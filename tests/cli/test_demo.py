"""``relume demo`` and the sample it relights."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil
from skimage import data

import relume.enhancers as enhancers
from relume.image.darken import darken
from relume.io import decode
from relume.photo import to_image

from .conftest import Relume, names


def test_the_sample_is_the_portrait_darkened_by_our_recipe() -> None:
    shipped = decode(files("relume.cli").joinpath("sample.jpg").read_bytes()).pixels
    made = darken(to_image(data.astronaut()), 0.05, np.random.default_rng(2018))
    assert shipped.mean() == pytest.approx(0.047, abs=0.001)
    # other builds of libjpeg and other processors round a few values the other way
    assert np.abs(shipped - made).mean() < 0.25 / 255


def test_demo_writes_and_names_before_and_after(
    relume: Relume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):  # a second demo replaces the first one's picture
        result = relume("demo", "--method", "gamma:0.4")
        assert result.code == 0, result.err
        assert result.out == f"{tmp_path / 'relume-demo.png'}\n"
    assert names(tmp_path) == ["relume-demo.png"]
    with Pil.open("relume-demo.png") as image:
        shown = np.asarray(image.convert("L")).astype(float)
    half = shown.shape[1] // 2
    assert shown[:, half + 3 :].mean() > 1.5 * shown[:, : half - 3].mean()


@pytest.mark.parametrize("name", ["mine.png", "mine.xyz"])
def test_what_cannot_be_written_is_refused_before_the_work(
    relume: Relume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def work(*args: object, **kwargs: object) -> None:
        raise AssertionError("relit before the output was checked")

    monkeypatch.setattr(enhancers, "enhance", work)
    mine = tmp_path / name
    mine.write_bytes(b"mine")
    result = relume("demo", "--method", "gamma", "-o", mine)
    assert result.code == 1
    assert result.err.startswith("error: ")
    assert mine.read_bytes() == b"mine"
