"""Clips in and out: nothing but the pictures changes, and no half file is ever left."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pil

from relume.errors import InputError, MissingExtra, OutputError, ParameterError
from relume.io.video import ClipReport, convert_clip, result_suffix
from relume.photo import Array

av = pytest.importorskip("av", reason="clips need PyAV (the extra video)")


def make_clip(
    path: Path,
    *,
    frames: int = 12,
    size: tuple[int, int] = (96, 64),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rotation: int = 0,
    uneven: bool = False,
    sound: bool = True,
    tags: tuple[int, int, int, int] = (1, 1, 1, 1),
    level: int = 200,
) -> Path:
    """A moving square before a gradient, 25 frames a second, with a tone.

    ``tags`` are primaries, transfer, matrix and range as numbers of H.273.
    """
    with av.open(str(path), "w") as clip:
        video = clip.add_stream(codec, rate=25)
        video.width, video.height = size
        video.pix_fmt = pix_fmt
        coding = video.codec_context
        coding.time_base = Fraction(1, 1000)
        coding.color_primaries, coding.color_trc, coding.colorspace, coding.color_range = tags
        if rotation:
            video.set_display_rotation(rotation)
        audio = clip.add_stream("aac", rate=48000) if sound else None
        for n in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(size, n, level), format="rgb24").reformat(
                format=pix_fmt, dst_colorspace=tags[2], dst_color_range=tags[3] or 1
            )
            frame.pts, frame.time_base = 40 * n + (n * n if uneven else 0), Fraction(1, 1000)
            clip.mux(video.encode(frame))
            if audio is not None:
                wave = np.sin(np.arange(1920) / 20, dtype=np.float32)[None] * np.float32(0.3)
                tone = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
                tone.sample_rate, tone.pts = 48000, 1920 * n
                clip.mux(audio.encode(tone))
        for stream in filter(None, (video, audio)):
            clip.mux(stream.encode(None))
    return path


def picture(size: tuple[int, int], n: int, level: int = 200) -> Array:
    width, height = size
    image = np.zeros((height, width, 3), np.uint8)
    image[:, :, 0] = np.linspace(0, level, width)
    image[:, :, 1] = np.linspace(level // 10, level * 3 // 4, height)[:, None]
    image[20:44, 10 + 2 * n : 34 + 2 * n] = (level // 5, level * 4 // 5, level)
    return image


def decoded(path: Path) -> list[tuple[float, Array, Any]]:
    """Time, RGB and frame of every frame of a clip."""
    with av.open(str(path)) as clip:
        frames = list(clip.decode(video=0))
        return [(float(f.pts * f.time_base), f.to_ndarray(format="rgb24"), f) for f in frames]


def streams(path: Path) -> list[tuple[str, str]]:
    with av.open(str(path)) as clip:
        return [(s.type, s.codec_context.name) for s in clip.streams]


def same(frames: Iterator[Array]) -> Iterator[Array]:
    return frames


def test_pictures_times_tags_and_sound_stay(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", uneven=True)
    counts: list[tuple[int, int | None]] = []
    target = tmp_path / "b.mp4"
    report = convert_clip(source, target, same, progress=lambda *c: counts.append(c))
    assert (report.frames, report.notes) == (12, [])
    assert counts[-1][0] == 12
    before, after = decoded(source), decoded(target)
    assert [t for t, _, _ in after] == pytest.approx([t for t, _, _ in before], abs=1e-3)
    for (_, a, old), (_, b, new) in zip(before, after, strict=True):
        assert np.abs(a.astype(int) - b).mean() < 2
        for tag in ("colorspace", "color_range", "color_trc", "color_primaries"):
            assert getattr(new, tag) == getattr(old, tag)
    assert streams(target) == [("video", "h264"), ("audio", "aac")]


@pytest.mark.parametrize("tags", [(2, 2, 2, 0), (5, 6, 5, 1), (1, 1, 1, 2)])
def test_colours_stay_whatever_matrix_and_range(tmp_path: Path, tags: tuple[int, ...]) -> None:
    source = make_clip(tmp_path / "a.mkv", tags=tags, frames=3)  # type: ignore[arg-type]
    seen: list[Array] = []

    def watched(frames: Iterator[Array]) -> Iterator[Array]:
        for frame in frames:
            seen.append(frame)
            yield frame

    convert_clip(source, tmp_path / "b.mkv", watched)
    after = decoded(tmp_path / "b.mkv")
    assert np.abs(seen[0].astype(int) - picture((96, 64), 0)).mean() < 4
    assert np.abs(seen[0].reshape(-1, 3).mean(0) - after[0][1].reshape(-1, 3).mean(0)).max() < 2.5
    assert (after[0][2].colorspace, after[0][2].color_range) == tags[2:]


def test_ten_bits_and_odd_sizes_stay(tmp_path: Path) -> None:
    deep = make_clip(tmp_path / "deep.mkv", pix_fmt="yuv420p10le", frames=2)
    convert_clip(deep, tmp_path / "deep2.mkv", same)
    assert decoded(tmp_path / "deep2.mkv")[0][2].format.name == "yuv420p10le"
    odd = make_clip(tmp_path / "odd.mkv", size=(97, 65), pix_fmt="yuv444p", frames=1)
    convert_clip(odd, tmp_path / "odd.mp4", same)
    assert [f.shape for _, f, _ in decoded(tmp_path / "odd.mp4")] == [(65, 97, 3)]


def test_a_part_of_a_clip(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mkv", frames=50)
    report = convert_clip(source, tmp_path / "b.mp4", same, start_s=1.0, end_s=1.4)
    times = [t for t, _, _ in decoded(tmp_path / "b.mp4")]
    assert report.frames == len(times) == 10
    assert times[0] == pytest.approx(0, abs=0.001)
    with pytest.raises(InputError, match="no frame between these times"):
        convert_clip(source, tmp_path / "c.mp4", same, start_s=9)
    with pytest.raises(ParameterError, match="must lie after the start"):
        convert_clip(source, tmp_path / "c.mp4", same, start_s=1, end_s=1)
    assert not (tmp_path / "c.mp4").exists()


def test_a_truncated_clip_keeps_what_decoded_and_says_so(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", frames=60)
    whole = tmp_path / "front.mp4"  # with its index in front, as phones' uploads have it
    with (
        av.open(str(source)) as clip,
        av.open(str(whole), "w", options={"movflags": "faststart"}) as out,
    ):
        copy = out.add_stream_from_template(clip.streams.video[0])
        for packet in clip.demux(clip.streams.video[0]):
            if packet.dts is not None:
                packet.stream = copy
                out.mux(packet)
    data = whole.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[: len(data) * 85 // 100])  # all but its last frames, which are small
    report = convert_clip(cut, tmp_path / "b.mp4", same)
    assert 10 < report.frames < 60
    assert any("breaks off after" in note for note in report.notes)
    assert len(decoded(tmp_path / "b.mp4")) == report.frames


def test_what_is_no_clip_is_refused_in_a_line(tmp_path: Path) -> None:
    def refusal(source: Path) -> str:
        with pytest.raises(InputError) as caught:
            convert_clip(source, tmp_path / "out.mp4", same)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    (tmp_path / "text.mp4").write_text("hello")
    assert "no clip that can be decoded" in refusal(tmp_path / "text.mp4")
    assert "does not exist" in refusal(tmp_path / "none.mp4")
    Pil.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "photo.mp4", format="JPEG")
    assert refusal(tmp_path / "photo.mp4").endswith(
        "photo.mp4 is a picture (JPEG), no clip: let its name end in .jpg"
    )
    make_clip(tmp_path / "piece.ts", frames=2)
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile piece.ts\n")
    assert "no clip that can be decoded" in refusal(tmp_path / "list.mp4")
    with av.open(str(tmp_path / "sound.mp4"), "w") as clip:
        audio = clip.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts = 48000, 0
        clip.mux(audio.encode(frame))
        clip.mux(audio.encode(None))
    assert "holds no video" in refusal(tmp_path / "sound.mp4")
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "full")])
def test_nothing_is_left_of_a_clip_that_was_not_finished(
    tmp_path: Path, error: BaseException
) -> None:
    source = make_clip(tmp_path / "a.mp4")
    (tmp_path / "b.mp4").write_bytes(b"older")

    def broken(frames: Iterator[Array]) -> Iterator[Array]:
        yield next(frames)
        raise error

    expected = KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else OutputError
    with pytest.raises(expected) as caught:
        convert_clip(source, tmp_path / "b.mp4", broken, overwrite=True)
    assert expected is KeyboardInterrupt or "the disk is full" in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]
    assert (tmp_path / "b.mp4").read_bytes() == b"older"


def test_no_file_is_replaced_unasked(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", frames=2)
    before = source.read_bytes()
    with pytest.raises(OutputError, match="would replace the input"):
        convert_clip(source, source, same, overwrite=True)
    (tmp_path / "b.mp4").write_bytes(b"older")
    with pytest.raises(OutputError, match="exists already"):
        convert_clip(source, tmp_path / "b.mp4", same)
    with pytest.raises(ParameterError, match=r"expected one of \.mp4"):
        convert_clip(source, tmp_path / "b.gif", same)
    assert source.read_bytes() == before


def test_streams_that_the_container_cannot_hold_are_named(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", frames=2)
    report = convert_clip(source, tmp_path / "b.webm", same)
    assert isinstance(report, ClipReport)
    assert report.notes == [
        "an audio stream (aac) is left out: the output's container cannot hold it; -o clip.mkv can"
    ]
    assert streams(tmp_path / "b.webm")[0][0] == "video"
    assert result_suffix(Path("a.avi")) == ".mkv"
    assert result_suffix(Path("a.MOV")) == ".MOV"


def test_without_the_extra_it_says_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtra, match=r"relume\[video\]"):
        convert_clip(tmp_path / "a.mp4", tmp_path / "b.mp4", same)


def test_frames_are_not_kept(tmp_path: Path) -> None:
    """At most as many frames live at once as the codec's threads hold."""
    source = make_clip(tmp_path / "a.mp4", frames=80, sound=False)
    import weakref

    alive: set[int] = set()
    most = 0

    def watched(frames: Iterator[Array]) -> Iterator[Array]:
        nonlocal most
        for n, frame in enumerate(frames):
            alive.add(n)
            weakref.finalize(frame, alive.discard, n)
            most = max(most, len(alive))
            yield frame

    convert_clip(source, tmp_path / "b.mp4", watched)
    assert most <= 3
