"""enhance --save-edit, --edit and --cube: what was decided, as files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import relume as package
from relume.photo import Photo

from .conftest import Relume


def lamp(path: Path, gain: float = 1.0) -> Path:
    """A dark photo with a lit window, as a file."""
    rng = np.random.default_rng(4)
    room = np.kron(rng.random((6, 8, 3)) * 0.08, np.ones((20, 20, 1)))
    room[10:40, 20:60] = 0.8 + 0.15 * rng.random((30, 40, 1))
    room += rng.normal(0, 0.003, room.shape)  # else its walls hold no picture
    Photo(np.clip(room * gain, 0, 1).astype(np.float32)).save(path)
    return path


def pixels(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.asarray(package.read(path).pixels)


@pytest.mark.parametrize("options", [(), ("-b", 0.35, "-s", 0.9), ("--local", 0), ("-m", "gamma")])
def test_an_edit_gives_the_same_file_again(
    relume: Relume, tmp_path: Path, options: tuple[object, ...]
) -> None:
    photo, edit = lamp(tmp_path / "a.png"), tmp_path / "a.json"
    assert relume("enhance", photo, "-o", tmp_path / "plain.png", *options).code == 0
    made = relume("enhance", photo, "-o", tmp_path / "one.png", "--save-edit", edit, *options)
    assert made.code == 0, made.err
    again = relume("enhance", photo, "-o", tmp_path / "two.png", "--edit", edit)
    assert again.code == 0, again.err
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert np.array_equal(pixels(tmp_path / "one.png"), pixels(tmp_path / "plain.png"))


def test_a_series_is_done_as_the_one(relume: Relume, tmp_path: Path) -> None:
    photo, edit = lamp(tmp_path / "a.png"), tmp_path / "a.json"
    relume("enhance", photo, "-o", tmp_path / "one.png", "-b", 0.3, "--save-edit", edit)
    (tmp_path / "series").mkdir()
    for number, gain in enumerate((1.0, 0.6)):
        lamp(tmp_path / "series" / f"{number}.png", gain)
    done = relume("enhance", tmp_path / "series", "-o", tmp_path / "out", "--edit", edit)
    assert done.code == 0, done.err
    same, dimmer = (pixels(tmp_path / "out" / f"{n}.png").mean() for n in (0, 1))
    assert same == pytest.approx(pixels(tmp_path / "one.png").mean(), abs=1e-6)
    assert dimmer < 0.85 * same  # not brought to .3 as well


def test_the_result_is_named_after_what_the_edit_asks_for(relume: Relume, tmp_path: Path) -> None:
    photo, edit = lamp(tmp_path / "a.png"), tmp_path / "a.json"
    relume("enhance", photo, "-b", 0.3, "--save-edit", edit)
    (tmp_path / "a.relume-b30.png").unlink()
    relume("enhance", photo, "--edit", edit)
    assert (tmp_path / "a.relume-b30.png").exists()


def test_what_does_not_go_together_is_one_line(relume: Relume, tmp_path: Path) -> None:
    photo, edit, cube = lamp(tmp_path / "a.png"), tmp_path / "a.json", tmp_path / "a.cube"
    relume("enhance", photo, "-o", tmp_path / "one.png", "--save-edit", edit)
    other = tmp_path / "other.json"
    other.write_text(
        re.sub(r'"relume": "[0-9a-f]{64}"', f'"relume": "{"0" * 64}"', edit.read_text())
    )
    old = tmp_path / "old.json"
    old.write_text(json.dumps({**json.loads(edit.read_text()), "version": 0}))
    (tmp_path / "folder").mkdir()
    lamp(tmp_path / "folder" / "1.png")
    lamp(tmp_path / "folder" / "2.png")
    out = ("-o", tmp_path / "new.png")
    cases = {
        ("--edit", edit, "-b", 0.4, *out): "--brightness is part of an edit",
        ("--edit", other, *out): "other weights of relume",
        ("--edit", old, *out): "an edit of version 0; this relume reads version 1",
        ("--edit", photo, *out): "it is no text",
        ("--edit", tmp_path / "none.json", *out): "cannot read the edit",
        ("--save-edit", edit, *out): "exists already",
        ("--cube", cube, "-m", "gamma", *out): "gamma plans no exposure",
        ("--save-edit", tmp_path / "b.json", "-b", "0.2,0.3", *out): "one brightness",
    }
    for options, why in cases.items():
        result = relume("enhance", photo, *options)
        assert result.code != 0
        assert why in result.err
        assert len(result.err.splitlines()) == 1, result.err
        assert not (tmp_path / "new.png").exists()
    many = relume("enhance", tmp_path / "folder", "-o", tmp_path / "out", "--cube", cube)
    assert "--cube is for one photo" in many.err
    assert not cube.exists()


@pytest.mark.parametrize("options", [(), ("--local", 0)])
def test_a_cube_means_the_same_to_ffmpeg(
    relume: Relume, tmp_path: Path, options: tuple[object, ...]
) -> None:
    av = pytest.importorskip("av", reason="needs the extra video")
    photo, cube = lamp(tmp_path / "a.png"), tmp_path / "it's a.cube"
    done = relume("enhance", photo, "-o", tmp_path / "b.png", "--cube", cube, *options)
    assert done.code == 0, done.err
    told = re.search(r"noise removal.* left out: ([\d.]+) dB from the result", done.err)
    assert told is not None, done.err
    assert ("light by place" in done.err) == (not options)

    bytes_in = np.rint(pixels(photo) * 255).astype(np.uint8)
    frame = av.VideoFrame.from_ndarray(bytes_in, format="rgb24")
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=1
    )
    escaped = str(cube).replace("'", r"\'")
    lut = graph.add("lut3d", f"file={escaped}:interp=trilinear")
    sink = graph.add("buffersink")
    source.link_to(lut)
    lut.link_to(sink)
    graph.configure()
    graph.push(frame)
    seen = graph.pull().to_ndarray(format="rgb24") / 255
    apart = 10 * np.log10(1 / np.mean((seen - pixels(tmp_path / "b.png")) ** 2))
    assert apart == pytest.approx(float(told[1]), abs=0.3)
    assert apart > 15
