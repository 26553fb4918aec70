"""``relume enhance clip.mp4``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from relume.cli.clips import seconds
from relume.errors import ParameterError
from relume.photo import Array

from .conftest import Relume, names

av = pytest.importorskip("av", reason="clips need PyAV (the extra video)")


def make_clip(path: Path, *, frames: int, level: int = 20) -> Path:
    """A dark gradient with a moving square, 96x64, 25 frames a second."""
    with av.open(str(path), "w") as clip:
        video = clip.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        for n in range(frames):
            image = np.zeros((64, 96, 3), np.uint8)
            image[:] = np.linspace(0, level, 96)[None, :, None]
            image[20:44, 10 + 2 * n : 34 + 2 * n] = level
            clip.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        clip.mux(video.encode(None))
    return path


def decoded(path: Path) -> list[Array]:
    with av.open(str(path)) as clip:
        return [f.to_ndarray(format="rgb24") for f in clip.decode(video=0)]


def test_a_clip_becomes_a_brighter_one_beside_it(relume: Relume, tmp_path: Path) -> None:
    source = make_clip(tmp_path / "clip.mp4", level=20, frames=6)
    result = relume("enhance", source)
    assert result.code == 0, result.err
    target = tmp_path / "clip.relume.mp4"
    assert f"-> {target} (6 frames" in result.err
    assert decoded(target)[3].mean() > 2 * decoded(source)[3].mean()
    again = relume("enhance", source)
    assert (again.code, "exists already" in again.err) == (1, True)


def test_a_part_compared(relume: Relume, tmp_path: Path) -> None:
    source = make_clip(tmp_path / "clip.mp4", level=20, frames=20)
    result = relume(
        "enhance", source, "-o", tmp_path / "new" / "x.mkv", "-b", "0.4",
        "--from", "0:00.2", "--to", "0.4", "--compare", "-q",
    )  # fmt: skip
    assert (result.code, result.err) == (0, "")
    frames = decoded(tmp_path / "new" / "x.mkv")
    assert len(frames) == 5
    shown = frames[-1]
    assert shown.shape == (64, 192, 3)
    assert shown[:, :96].mean() < 20
    assert shown[:, 96:].mean() == pytest.approx(102, abs=12)


def test_what_does_not_go_together_is_refused(relume: Relume, tmp_path: Path) -> None:
    source = make_clip(tmp_path / "clip.mp4", frames=2)
    photo = tmp_path / "a.png"
    from PIL import Image as Pil

    Pil.fromarray(np.zeros((8, 8, 3), np.uint8)).save(photo)
    for arguments, words in (
        ((source, photo), "clips and photos do not go together"),
        ((photo, "--compare"), "are for clips"),
        ((source, "-b", "0.3,0.5"), "a strip of brightnesses is for photos"),
        ((source, "--from", "soon"), "expected a time as"),
        ((source, "-o", tmp_path / "x.gif"), "expected one of .mp4"),
        ((source, "-o", source, "--overwrite"), "would replace the input"),
    ):
        result = relume("enhance", *arguments)
        assert result.code in (1, 2)
        assert words in result.err
        assert result.err.count("\n") == 1
    assert names(tmp_path) == ["a.png", "clip.mp4"]


def test_of_several_clips_the_bad_one_is_a_line(relume: Relume, tmp_path: Path) -> None:
    good, bad = make_clip(tmp_path / "good.mp4", frames=2), tmp_path / "bad.mp4"
    bad.write_text("hello")
    result = relume("enhance", bad, good, "-o", tmp_path / "out", "-m", "gamma:0.5")
    assert result.code == 1
    assert "bad.mp4 is no clip" in result.err
    assert names(tmp_path / "out") == ["good.mp4"]
    dry = relume("enhance", good, "--dry-run")
    assert dry.out == f"{good} -> {tmp_path / 'good.relume.mp4'}\n"


def test_times() -> None:
    assert [seconds(t) for t in ("90", "1:30", "1:02:03.5", None)] == [90, 90, 3723.5, None]
    with pytest.raises(ParameterError):
        seconds("1:2:3:4")
