"""``relume detect`` and ``relume landmarks``, with a detector that finds what it is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pil

import relume.faces
from relume.faces import Face

from .conftest import Relume, names

POINTS = np.column_stack([np.linspace(10, 28, 68), np.linspace(8, 24, 68)]).astype(np.float32)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The options of every call of detect_faces, which finds one face."""
    calls: list[dict[str, Any]] = []

    def find(photo: object, **options: Any) -> list[Face]:
        calls.append(options)
        points = POINTS if options.get("landmarks") else None
        return [Face((8.0, 6.0, 30.25, 26.0), 0.875, points, "original")]

    monkeypatch.setattr(relume.faces, "detect_faces", find)
    return calls


def test_text(relume: Relume, night: Path, asked: list[dict[str, Any]]) -> None:
    result = relume("detect", night)
    assert result.code == 0
    assert result.out.splitlines() == [
        f"{night}: 1 face",
        "  box 8, 6, 30, 26  score 0.88  view original",
    ]
    assert asked == [{}], "what was not asked for is left to the library's defaults"


def test_options_reach_the_library(
    relume: Relume, night: Path, asked: list[dict[str, Any]]
) -> None:
    options = ("--detector", "haar", "--threshold", 0.5, "--views", "original,machine")
    assert relume("detect", night, *options, "--landmarks", "peppa").code == 0
    assert asked == [
        {
            "detector": "haar",
            "landmarks": "peppa",
            "threshold": 0.5,
            "views": ("original", "machine"),
        }
    ]


def test_json_on_stdout(relume: Relume, night: Path, asked: list[dict[str, Any]]) -> None:
    found = json.loads(relume("landmarks", night, "--json", "-").out)
    assert (found["photo"], found["width"], found["height"]) == (str(night), 40, 30)
    (face,) = found["faces"]
    assert face["box"] == [8.0, 6.0, 30.25, 26.0]
    assert face["score"] == 0.875
    assert np.allclose(face["landmarks"], POINTS, atol=0.01)
    assert asked[0]["landmarks"] == relume_default()


def relume_default() -> str:
    return relume.faces.landmarkers().names()[0]


def test_a_folder_as_json_lines(
    relume: Relume, album: Path, tmp_path: Path, asked: list[dict[str, Any]]
) -> None:
    (album / "bad.jpg").write_bytes(b"no picture")
    lines = tmp_path / "faces.jsonl"
    result = relume("detect", album, "-o", lines)
    assert result.code == 1
    assert result.out == ""
    rows = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [Path(r["photo"]).name for r in rows] == ["a.jpg", "b.png", "bad.jpg", "c.jpg"]
    assert ["error" in r for r in rows] == [False, False, True, False]
    again = relume("detect", album, "-o", lines)
    assert again.code == 1
    assert "exists already" in again.err


def test_drawing(relume: Relume, night: Path, tmp_path: Path, asked: list[dict[str, Any]]) -> None:
    drawn = tmp_path / "drawn.png"
    assert relume("landmarks", night, "--draw", drawn).code == 0
    with Pil.open(drawn) as image, Pil.open(night) as original:
        assert image.size == original.size
        assert not np.array_equal(np.asarray(image), np.asarray(original))
    refused = relume("detect", night, "--draw", night, "--detector", "haar")
    assert refused.code == 1
    assert refused.err.startswith("error: ")


def test_a_folder_is_drawn_into_a_folder(
    relume: Relume, album: Path, tmp_path: Path, asked: list[dict[str, Any]]
) -> None:
    assert relume("detect", album, "--draw", tmp_path / "drawn").code == 0
    assert names(tmp_path / "drawn") == ["2018/c.jpg", "a.jpg", "b.png"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--detector", "yunett"), "yunet"),
        (("--landmarks", "pepa"), "peppa"),
        (("--threshold", "2"), "--threshold must be 0 to 1"),
        (("--json", "-", "-o", "-"), "give one of them"),
    ],
)
def test_wrong_options(relume: Relume, night: Path, args: tuple[str, ...], said: str) -> None:
    result = relume("detect", night, *args)
    assert result.code == 2
    assert said in result.err
    assert result.err.count("\n") == 1


def test_the_real_detector_finds_nothing_in_a_gradient(relume: Relume, night: Path) -> None:
    found = json.loads(relume("detect", night, "--detector", "haar", "--json", "-").out)
    assert found["faces"] == []
