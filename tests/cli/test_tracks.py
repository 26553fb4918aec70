"""``relume detect clip.mp4``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Relume, names, picture
from .test_clips import make_clip

av = pytest.importorskip("av", reason="clips need PyAV (the extra video)")


def test_a_clips_faces_are_a_line_a_frame(relume: Relume, tmp_path: Path) -> None:
    source = make_clip(tmp_path / "clip.mp4", frames=7)
    lines, drawn = tmp_path / "faces.jsonl", tmp_path / "faces.mp4"
    result = relume("detect", source, "-d", "haar", "-o", lines, "--draw", drawn, "--every", "3")
    assert result.code == 0, result.err
    assert result.out == ""
    assert f"0 faces in 7 frames -> {lines} and {drawn}" in result.err
    rows = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [row["frame"] for row in rows] == list(range(7))
    assert rows[1] == {"frame": 1, "time": 0.04, "faces": []}
    with av.open(str(drawn)) as clip:
        assert sum(1 for _ in clip.decode(video=0)) == 7
    again = relume("detect", source, "-d", "haar", "-o", lines)
    assert (again.code, "exists already" in again.err) == (1, True)


def test_without_o_it_is_a_line_a_track(relume: Relume, tmp_path: Path) -> None:
    source = make_clip(tmp_path / "clip.mp4", frames=2)
    result = relume("detect", source, "-d", "haar")
    assert (result.code, result.out) == (0, f"{source}: 0 faces\n")
    piped = relume("detect", source, "-d", "haar", "-o", "-", "-q")
    assert [json.loads(line)["frame"] for line in piped.out.splitlines()] == [0, 1]


def test_what_a_clip_does_not_take_is_refused(relume: Relume, tmp_path: Path) -> None:
    source = make_clip(tmp_path / "clip.mp4", frames=2)
    before = source.read_bytes()
    photo = tmp_path / "a.png"
    picture().save(photo)
    (tmp_path / "text.mp4").write_text("hello")
    for arguments, words in (
        ((source, "--json", "-"), "--json is for photos"),
        ((source, "--views", "original"), "--views is for photos"),
        ((source, "-o", tmp_path / "x.parquet"), "a table is for photos"),
        ((source, "-o", source, "--overwrite"), "would replace the input"),
        ((source, "--draw", source, "--overwrite"), "would replace the input"),
        ((source, "--draw", tmp_path / "x.gif"), "expected one of .mp4"),
        ((source, "--every", "0"), "every must be at least 1"),
        ((tmp_path / "text.mp4", "-o", tmp_path / "x.jsonl"), "is no clip"),
        ((photo, "--every", "2"), "--every is for a clip"),
    ):
        result = relume("detect", *arguments, "-d", "haar")
        assert result.code in (1, 2), arguments
        assert words in result.err
        assert result.err.count("\n") == 1
    assert source.read_bytes() == before
    assert names(tmp_path) == ["a.png", "clip.mp4", "text.mp4"]
