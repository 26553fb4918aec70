"""``relume enhance clip.mp4``."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil
from PIL.PngImagePlugin import PngInfo

from relume.cli.enhance import _seconds as seconds
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
    Pil.fromarray(np.zeros((8, 8, 3), np.uint8)).save(photo)
    for arguments, words in (
        ((photo, "--compare"), "is for clips"),
        ((source, "-b", "0.3,0.5"), "a strip of brightnesses is for photos"),
        ((source, "--expose-for", "faces"), "--expose-for faces is for photos"),
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


def shoot(folder: Path, numbers: Sequence[int], *, level: int = 20) -> None:
    """Numbered dark pictures of one scene, 48x32, with a text in each."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, level, 48)[None, :, None] * np.ones((32, 1, 3))
    for number in numbers:
        noisy = (ramp + rng.integers(0, 4, ramp.shape)).astype(np.uint8)
        about = PngInfo()
        about.add_text("Title", f"frame {number}")
        Pil.fromarray(noisy).save(folder / f"{number:06d}.png", pnginfo=about)


def test_numbered_pictures_are_one_clip(relume: Relume, tmp_path: Path) -> None:
    shoot(tmp_path / "f", (3, 4, 5, 7, 10))
    (tmp_path / "f" / "cover.png").write_bytes(b"not one of them")
    out = tmp_path / "out" / "%03d.png"
    result = relume("enhance", tmp_path / "f" / "%06d.png", "-o", out, "-b", "0.4")
    assert result.code == 0, result.err
    assert "(5 frames" in result.err
    assert names(tmp_path / "out") == ["003.png", "004.png", "005.png", "007.png", "010.png"]
    relit = [np.asarray(Pil.open(p), float) for p in sorted((tmp_path / "out").iterdir())]
    assert all(frame.mean() == pytest.approx(102, abs=10) for frame in relit)
    alone = tmp_path / "alone.png"
    assert relume("enhance", tmp_path / "f" / "000010.png", "-o", alone, "-b", "0.4").code == 0
    first = relit[3]  # merged, the last differs less from the one before than it does by itself
    single = np.asarray(Pil.open(alone), float)
    assert np.abs(relit[4] - first).mean() < 0.6 * np.abs(single - first).mean()
    again = relume("enhance", tmp_path / "f" / "%06d.png", "-o", out)
    assert (again.code, "003.png exists already" in again.err) == (1, True)


def test_numbered_pictures_into_a_folder_or_beside(relume: Relume, tmp_path: Path) -> None:
    shoot(tmp_path / "f", (1, 2))
    pattern = tmp_path / "f" / "%d.png"
    assert relume("enhance", pattern, "-o", tmp_path / "new", "-m", "gamma:0.5", "-q").code == 0
    assert names(tmp_path / "new") == ["1.png", "2.png"]
    beside = relume("enhance", pattern, "-m", "gamma:0.5", "--compare")
    assert beside.code == 0, beside.err
    with Pil.open(tmp_path / "f" / "1.relume-gamma-compare.png") as image:
        assert image.size == (96, 32)


def test_a_bad_picture_among_the_numbered_is_named_and_left_out(
    relume: Relume, tmp_path: Path
) -> None:
    shoot(tmp_path / "f", (1, 2, 3))
    (tmp_path / "f" / "000002.png").write_bytes(b"damaged")
    pattern, out = tmp_path / "f" / "%06d.png", tmp_path / "out" / "%d.png"
    result = relume("enhance", pattern, "-o", out, "-m", "gamma:0.5", "-q")
    assert result.code == 1
    assert "error: left out: " in result.err
    assert "000002.png" in result.err
    assert names(tmp_path / "out") == ["1.png", "3.png"]


def test_what_numbered_pictures_cannot_be(relume: Relume, tmp_path: Path) -> None:
    shoot(tmp_path / "f", (1, 2))
    pattern = tmp_path / "f" / "%06d.png"
    before = (tmp_path / "f" / "000001.png").read_bytes()
    for arguments, words in (
        ((pattern, "-o", pattern, "--overwrite"), "would replace the input"),
        ((pattern, "-o", tmp_path / "one.png"), "expected a name with a number"),
        ((pattern, "--from", "1"), "numbered pictures have no times"),
        ((tmp_path / "none" / "%d.png",), "no pictures"),
        ((pattern, "-o", tmp_path / "%d.mp4"), "cannot tell the format"),
    ):
        result = relume("enhance", *arguments)
        assert result.code in (1, 2), arguments
        assert words in result.err
        assert result.err.count("\n") == 1
    assert (tmp_path / "f" / "000001.png").read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("command", ["enhance", "detect"])
def test_sigterm_leaves_no_half_clip(
    relume: Relume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    source = make_clip(tmp_path / "clip.mp4", frames=4)

    def ended(_: object, frame: Array) -> object:
        if len(names(tmp_path)) > 1:  # something is being written
            os.kill(os.getpid(), signal.SIGTERM)
        return frame if command == "enhance" else []

    monkeypatch.setattr("relume.frames.ClipRelighter.__call__", ended)
    monkeypatch.setattr("relume.frames.FaceTracker.__call__", ended)
    words = {
        "enhance": ("-m", "gamma:0.5", "-o", tmp_path / "out.mp4"),
        "detect": ("-d", "haar", "-o", tmp_path / "out.jsonl", "--draw", tmp_path / "out.mp4"),
    }
    assert relume(command, source, *words[command]).code == 128 + signal.SIGTERM
    assert names(tmp_path) == ["clip.mp4"]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.fixture
def phone(tmp_path: Path) -> Path:
    """A folder as phones have them: photos and clips, out of order."""
    folder = tmp_path / "phone"
    (folder / "more").mkdir(parents=True)
    for name in ("p10.png", "p2.png"):
        Pil.fromarray(np.full((24, 32, 3), 9, np.uint8)).save(folder / name)
    make_clip(folder / "more" / "v1.mp4", frames=3)
    return folder


def test_a_folder_of_photos_and_clips_is_done_as_a_whole(
    relume: Relume, phone: Path, tmp_path: Path
) -> None:
    out, rows = tmp_path / "out", tmp_path / "rows.jsonl"
    words = ("enhance", phone, "-o", out, "-m", "gamma:0.5", "--rows", rows)
    result = relume(*words)
    assert result.code == 0, result.err
    assert names(out) == ["more/v1.mp4", "p10.png", "p2.png"]
    assert f"{phone}/more/v1.mp4 -> {out}/more/v1.mp4 (3 frames" in result.err
    assert "2 photos and 1 clip enhanced" in result.err
    done = [json.loads(line) for line in rows.read_text().splitlines()]
    order = ["p2.png", "p10.png", "v1.mp4"]
    assert [Path(row["photo"]).name for row in done] == order, "as people count"
    assert {row["status"] for row in done} == {"done"}
    (out / "more" / "v1.mp4").unlink()
    again = relume(*words, "--skip-existing")
    assert "1 clip enhanced" in again.err
    assert "2 there already" in again.err
    both = relume("enhance", phone / "p2.png", phone / "more" / "v1.mp4", "-m", "gamma:0.5")
    assert both.code == 0, both.err
    assert "1 photo and 1 clip enhanced -> beside the photos" in both.err
    assert (phone / "more" / "v1.relume-gamma.mp4").is_file()
    dry = relume("enhance", phone, "-n", "-m", "gamma:0.5", "-o", tmp_path / "other")
    assert [Path(line.partition(" -> ")[0]).name for line in dry.out.splitlines()] == order
    assert relume("enhance", phone, "-b", "0.2,0.3", "-o", tmp_path / "x").code == 2


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_faces_of_a_folder_of_photos_and_clips(
    relume: Relume, phone: Path, tmp_path: Path, ending: str
) -> None:
    text = relume("detect", phone, "-d", "haar")
    assert text.code == 0, text.err
    heads = [line for line in text.out.splitlines() if not line.startswith(" ")]
    assert [Path(line.partition(": ")[0]).name for line in heads] == ["p2.png", "p10.png", "v1.mp4"]
    table, drawn = tmp_path / f"faces.{ending}", tmp_path / "drawn"
    words = ("detect", phone, "-d", "haar", "-o", table)
    result = relume(*words, "--draw", drawn)
    assert result.code == 0, result.err
    assert f"0 faces in 2 photos and 1 clip -> {table}" in result.err
    assert names(drawn) == ["more/v1.mp4", "p10.png", "p2.png"]
    if ending == "parquet":
        rows = pytest.importorskip("pyarrow.parquet").read_table(table).to_pylist()
    else:
        rows = [json.loads(line) for line in table.read_text().splitlines()]
    told = [(Path(row["photo"]).name, row.get("frame")) for row in rows]
    assert told == [("p2.png", None), ("p10.png", None), *(("v1.mp4", n) for n in range(3))]
    before = table.read_bytes()
    again = relume(*words, "--skip-existing")
    assert "3 photos there already" in again.err
    assert table.read_bytes() == before or ending == "parquet"


def test_a_sheet_holds_no_more_than_a_jpeg_can(
    relume: Relume, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relume.cli.relit.MOST_ON_SHEET", 2)
    sheet = tmp_path / "sheet.jpg"
    result = relume("enhance", album, "-m", "gamma", "-o", tmp_path / "out", "--sheet", sheet)
    assert f"the first 2 photos before and after -> {sheet}" in result.err


def test_a_sheet_of_before_and_after(relume: Relume, album: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.jpg"
    result = relume("enhance", album, "-m", "gamma", "-o", tmp_path / "out", "--sheet", sheet)
    assert result.code == 0, result.err
    assert f"3 photos before and after -> {sheet}" in result.err
    with Pil.open(sheet) as image:
        pixels = np.asarray(image.convert("L"), float)
    left, right = np.array_split(pixels[40:200, : pixels.shape[1] // 3], 2, axis=1)
    assert right.mean() > left.mean() + 20, "the relit one stands at the right"
    again = relume("enhance", album, "-m", "gamma", "-o", tmp_path / "o", "--sheet", sheet)
    assert (again.code, "exists already" in again.err) == (1, True)
    assert not (tmp_path / "o").exists()


def test_addresses_are_addresses_everywhere(
    relume: Relume, phone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No path is made of s3://..., which would be a folder of that name here."""
    monkeypatch.setattr("relume.io.places._check_package", lambda *_: None)
    monkeypatch.setattr("relume.io.places.Place.files", lambda *_, **__: [])
    monkeypatch.setattr("relume.io.places.Place.is_dir", lambda *_: False)
    monkeypatch.chdir(tmp_path)
    clip, photo, far = phone / "more" / "v1.mp4", phone / "p2.png", "s3://bucket/x"
    for words in (
        ("enhance", f"{far}.mp4", "-o", "out.mp4", "-m", "gamma"),
        ("enhance", clip, "-o", f"{far}.mp4", "-m", "gamma"),
        ("enhance", photo, "--sheet", f"{far}.jpg"),
        ("enhance", photo, "--exposure", f"{far}.npy"),
        ("detect", clip, "-o", f"{far}.jsonl"),
        ("detect", clip, "--draw", f"{far}.mp4"),
        ("detect", photo, "--json", f"{far}.json"),
        ("study", phone, "-o", far),
        ("demo", "-o", f"{far}.png"),
        ("train", f"{far}.toml", "--pairs", phone),
    ):
        result = relume(*words)
        assert result.code in (1, 2), words
        assert "s3://bucket/x" in result.err, words
        assert result.err.count("\n") == 1, result.err
    assert names(tmp_path) == ["phone/more/v1.mp4", "phone/p10.png", "phone/p2.png"]


def test_fast_is_said_and_is_the_method_of_that_name(relume: Relume, tmp_path: Path) -> None:
    source = make_clip(tmp_path / "clip.mp4", level=20, frames=3)
    result = relume("enhance", source, "--fast")
    assert result.code == 0, result.err
    assert result.err.strip().endswith("; relume-fast)")
    assert (tmp_path / "clip.relume-relume-fast.mp4").exists()
    refused = relume("enhance", source, "--fast", "-m", "gamma")
    assert refused.code == 2
    assert "leave out --method gamma" in refused.err


def test_a_long_clip_is_fast_unless_it_is_told_otherwise(
    relume: Relume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relume.frames.clip.LONG_MP", 0.001)
    source = make_clip(tmp_path / "clip.mp4", level=20, frames=3)
    assert "; relume-fast, as it is long)" in relume("enhance", source).err
    assert "relume-fast" not in relume("enhance", source, "--no-fast", "--overwrite").err
