"""``relume detect`` and ``relume landmarks``, with a detector that finds what it is told."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pil

import relume.faces
from relume import __version__
from relume.faces import Detection, Face
from relume.faces.registry import _keep_built
from relume.image.draw import ORANGE, SKY
from relume.photo import Photo

from .conftest import Relume, names

POINTS = np.column_stack([np.linspace(10, 28, 68), np.linspace(8, 24, 68)]).astype(np.float32)


@dataclass
class Found:
    """What the detector of these tests finds, and the options of all its calls."""

    options: list[dict[str, Any]]
    faces: list[Face]
    views: tuple[str, ...] = ("original",)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Found:
    """A detector that finds one face everywhere."""
    found = Found([], [Face((8.0, 6.0, 30.25, 26.0), 0.875)])

    def detect(photo: Photo, **options: Any) -> Detection:
        found.options.append(options)
        points = POINTS if options.get("landmarks") else None
        faces = [replace(face, landmarks=points) for face in found.faces]
        height, width = photo.pixels.shape[:2]
        return Detection(faces, width, height, "yunet", 0.6, found.views)

    monkeypatch.setattr(relume.faces, "usual_detector", lambda: "yunet")
    monkeypatch.setattr(relume.faces, "detect", detect)
    return found


def test_text(relume: Relume, night: Path, found: Found) -> None:
    result = relume("detect", night)
    assert result.code == 0
    assert result.out.splitlines() == [
        f"{night}: 1 face",
        "  box 8, 6, 30, 26  score 0.88  view original",
    ]
    assert found.options == [{}], "what was not asked for is left to the library's defaults"


def test_options_reach_the_library(relume: Relume, night: Path, found: Found) -> None:
    options = ("--detector", "haar", "--threshold", 0.5, "--views", "original,machine")
    assert relume("detect", night, *options, "--landmarks", "peppa").code == 0
    assert found.options == [
        {
            "detector": "haar",
            "landmarks": "peppa",
            "threshold": 0.5,
            "views": ("original", "machine"),
        }
    ]


def test_json_on_stdout(relume: Relume, night: Path, found: Found) -> None:
    text = relume("landmarks", night, "--json", "-").out
    data = json.loads(text)
    (face,) = data.pop("faces")
    assert data == {
        "photo": str(night), "width": 40, "height": 30, "detector": "yunet", "threshold": 0.6,
        "views": ["original"], "version": __version__,
    }  # fmt: skip
    assert face["box"] == {"x0": 8.0, "y0": 6.0, "x1": 30.2, "y1": 26.0}
    assert (face["score"], face["view"]) == (0.875, "original")
    np.testing.assert_allclose(face["landmarks"], POINTS, atol=0.051)
    assert len(text.splitlines()) == 3, "a line for the photo, for each face, and for the end"
    assert found.options == [{"landmarks": "relume"}]
    assert json.loads(relume("detect", night, "--json", "-").out)["faces"][0]["landmarks"] is None


def test_too_dark_to_be_sure_is_said(relume: Relume, tmp_path: Path) -> None:
    """ "0 faces" of a black photo is no answer; of a bright one it is."""
    for name, level in (("black.png", 0), ("bright.png", 128)):
        Pil.new("RGB", (40, 30), (level,) * 3).save(tmp_path / name)
    black = relume("detect", tmp_path / "black.png", "--detector", "haar")
    assert black.code == 0
    assert "black.png: 0 faces\n  too dark to be sure: " in black.out
    bright = relume("detect", tmp_path / "bright.png", "--detector", "haar")
    assert "too dark" not in bright.out + bright.err


def test_json_without_faces(relume: Relume, night: Path, found: Found) -> None:
    found.faces = []
    assert json.loads(relume("detect", night, "--json", "-").out)["faces"] == []


def test_a_photo_from_stdin(relume: Relume, night: Path, tmp_path: Path, found: Found) -> None:
    data = json.loads(relume("detect", "-", "--json", "-", stdin=night.read_bytes()).out)
    assert (data["photo"], data["width"], len(data["faces"])) == ("standard input", 40, 1)
    drawn = tmp_path / "drawn.png"
    assert relume("detect", "-", "--draw", drawn, stdin=night.read_bytes()).code == 0
    with Pil.open(drawn) as image:
        assert image.size == (40, 30)
    both = relume("detect", "-", night, stdin=night.read_bytes())
    assert (both.code, "name no other input" in both.err) == (2, True)
    broken = relume("detect", "-", stdin=b"no picture")
    assert broken.code == 1
    assert "standard input" in broken.err


def test_what_could_not_be_read_is_not_counted(
    relume: Relume, album: Path, tmp_path: Path, found: Found
) -> None:
    """Of four files three hold no picture: no faces were looked for in them."""
    for name in ("a.jpg", "b.png", "2018/c.jpg"):
        (album / name).write_bytes(b"no picture")
    Pil.new("RGB", (40, 30)).save(album / "d.png")
    result = relume("detect", album, "--json", tmp_path / "faces.json")
    assert result.code == 1
    assert result.err.splitlines()[-1].startswith("1 face in 1 photo; 3 photos failed -> ")
    assert len(json.loads((tmp_path / "faces.json").read_text())) == 4


def test_a_folder_as_json_lines(relume: Relume, album: Path, tmp_path: Path, found: Found) -> None:
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


def drawn_pixels(relume: Relume, night: Path, tmp_path: Path, *options: object) -> Any:
    target = tmp_path / "drawn.png"
    result = relume("detect", night, "--draw", target, "--overwrite", *options)
    assert result.code == 0, result.err
    assert "blue: seen on the photo as it is; orange: seen only when relit" in result.err
    with Pil.open(target) as image:
        return np.asarray(image.convert("RGB"), np.float32)


def test_drawing(relume: Relume, night: Path, tmp_path: Path, found: Found) -> None:
    """On the photo; relit where that is dark, by the view that was looked at; or as asked."""
    with Pil.open(night) as image:
        own = np.asarray(image.convert("RGB"), np.float32)
    outside = np.s_[29:, :]  # a row without ink
    plain = drawn_pixels(relume, night, tmp_path, "--views", "original")
    assert not np.array_equal(plain, own)
    np.testing.assert_array_equal(plain[outside], own[outside])
    for views in (("original",), ("original", "gamma:0.4@0.5")):
        found.views = views
        relit = drawn_pixels(relume, night, tmp_path)
        assert relit[outside].mean() > own[outside].mean() + 10
    forced = drawn_pixels(relume, night, tmp_path, "--draw-on", "original")
    np.testing.assert_array_equal(forced[outside], own[outside])
    refused = relume("detect", night, "--draw", night)
    assert refused.code == 1
    assert refused.err.startswith("error: ")


@pytest.mark.parametrize(
    ("view", "colour"),
    [("original", SKY), ("machine+original@2", SKY), ("machine", ORANGE), ("a+b@2", ORANGE)],
)
def test_colours_say_which_view_showed_the_face(
    relume: Relume, night: Path, tmp_path: Path, found: Found, view: str, colour: Any
) -> None:
    found.faces = [Face((8.0, 6.0, 30.0, 26.0), 0.9, None, view)]
    drawn = drawn_pixels(relume, night, tmp_path)
    np.testing.assert_allclose(drawn[25, 20], colour, atol=40)


def test_a_folder_is_drawn_into_a_folder(
    relume: Relume, album: Path, tmp_path: Path, found: Found
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
    data = json.loads(relume("detect", night, "--detector", "haar", "--json", "-").out)
    assert data["faces"] == []


@pytest.mark.parametrize(
    ("options", "threshold"),
    [
        (("--detector", "haar:0.9"), 0.9),
        (("--detector", "haar:threshold=0.9"), 0.9),
        (("--detector", "haar:0.9", "--threshold", 0.7), 0.7),
        (("--detector", "haar:cascade=default"), 0.6),
    ],
)
def test_the_threshold_that_counted_is_written(
    relume: Relume, night: Path, options: tuple[object, ...], threshold: float
) -> None:
    data = json.loads(relume("detect", night, *options, "--json", "-").out)
    assert data["threshold"] == threshold


def test_without_yunet_and_without_a_network_the_shipped_detector_looks(
    relume: Relume, night: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RELUME_CACHE", str(tmp_path / "empty"))
    for proxy in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")

    def refuse(*where: object, **options: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    _keep_built.cache_clear()  # a test before this one may have loaded YuNet
    result = relume("detect", night, "--json", "-")
    assert result.code == 0
    assert json.loads(result.out)["detector"] == "relume"
    assert result.err.startswith("note: faces are looked for with relume; --detector yunet ")
    asked = relume("detect", night, "--detector", "yunet")
    assert asked.code == 1
    assert "use --detector relume" in asked.err
