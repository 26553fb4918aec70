"""Clips as a player shows them: upright, HDR as SDR, piece after piece, with their sound."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from relume.image.tonemap import HLG, PQ, ToneMap, pq_code
from relume.io.shown import upright
from relume.io.video import ClipFrames, convert_clip
from relume.photo import Array

from .test_video import decoded, make_clip, picture, same, streams

av = pytest.importorskip("av", reason="clips need PyAV (the extra video)")

ONE = 1 << 16


@pytest.mark.parametrize(
    ("matrix", "shown"),
    [
        ((ONE, 0, 0, 0, ONE), [[1, 2, 3], [4, 5, 6]]),
        ((0, ONE, 0, -ONE, 0), [[4, 1], [5, 2], [6, 3]]),  # a quarter to the right
        ((0, -ONE, 0, ONE, 0), [[3, 6], [2, 5], [1, 4]]),
        ((-ONE, 0, 0, 0, -ONE), [[6, 5, 4], [3, 2, 1]]),
        ((-ONE, 0, 0, 0, ONE), [[3, 2, 1], [6, 5, 4]]),  # a front camera's mirror
        ((ONE, 0, 0, 0, -ONE), [[4, 5, 6], [1, 2, 3]]),
        ((0, ONE, 0, ONE, 0), [[1, 4], [2, 5], [3, 6]]),
        ((0, -ONE, 0, -ONE, 0), [[6, 3], [5, 2], [4, 1]]),
    ],
)
def test_the_display_matrix_in_all_eight_ways(
    matrix: tuple[int, ...], shown: list[list[int]]
) -> None:
    stored = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)[:, :, None].repeat(3, axis=2)
    assert upright(stored, np.array([*matrix, 0, 0, 0, 1 << 30]))[:, :, 0].tolist() == shown


@pytest.mark.parametrize("turn", [90, -90, 180])
def test_frames_are_upright_and_the_result_plays_upright(tmp_path: Path, turn: int) -> None:
    level = make_clip(tmp_path / "level.mp4", frames=2, sound=False)
    turned = make_clip(tmp_path / "turned.mp4", frames=2, sound=False, rotation=turn)
    assert decoded(turned)[0][2].rotation == turn or turn == 180
    seen: list[Array] = []

    def watched(frames: ClipFrames) -> ClipFrames:
        def each() -> object:
            for frame in frames:
                seen.append(frame)
                yield frame

        return each()  # type: ignore[return-value]

    convert_clip(turned, tmp_path / "out.mp4", watched)
    expected = np.rot90(decoded(level)[0][1], turn // 90)  # counter-clockwise, as FFmpeg counts
    assert np.abs(seen[0].astype(int) - expected).mean() < 3
    _, result, frame = decoded(tmp_path / "out.mp4")[0]
    assert frame.rotation == 0
    assert np.abs(result.astype(int) - expected).mean() < 2


def test_pixels_that_are_no_squares_are_turned_too(tmp_path: Path) -> None:
    source = tmp_path / "wide.mp4"
    with av.open(str(source), "w") as clip:
        video = clip.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        video.codec_context.sample_aspect_ratio = Fraction(4, 3)
        video.set_display_rotation(90)
        clip.mux(video.encode(av.VideoFrame.from_ndarray(picture((96, 64), 0), format="rgb24")))
        clip.mux(video.encode(None))
    convert_clip(source, tmp_path / "out.mp4", same)
    with av.open(str(tmp_path / "out.mp4")) as clip:
        context = clip.streams.video[0].codec_context
        size = context.width, context.height, context.sample_aspect_ratio
    assert size == (64, 96, Fraction(3, 4))


def test_two_pieces_put_together_are_as_long_as_both(tmp_path: Path) -> None:
    piece = make_clip(tmp_path / "piece.ts", frames=25)
    both = tmp_path / "both.ts"
    both.write_bytes(2 * piece.read_bytes())
    report = convert_clip(both, tmp_path / "out.mkv", same)
    times = [time for time, _, _ in decoded(tmp_path / "out.mkv")]
    assert (report.frames, len(times), report.notes) == (50, 50, [])
    assert np.diff(times) == pytest.approx([0.04] * 49, abs=0.03)  # the sound is a little longer
    assert np.delete(np.diff(times), 24) == pytest.approx([0.04] * 48, abs=2e-3)
    with av.open(str(tmp_path / "out.mkv")) as clip:
        sound = [float(p.pts * p.time_base) for p in clip.demux(audio=0) if p.pts is not None]
    with av.open(str(piece)) as clip:
        count = sum(p.size > 0 for p in clip.demux(audio=0))
    assert len(sound) >= 2 * count - 3  # none but what overlaps at the seam
    assert max(np.diff(sound)) < 0.1
    # the second half begins where it did in the file
    part = convert_clip(both, tmp_path / "part.mkv", same, start_s=1.4)
    assert part.frames == pytest.approx(15, abs=1)
    last = decoded(tmp_path / "part.mkv")[-1][1].astype(int)
    assert np.abs(last - decoded(piece)[-1][1]).mean() < 2


def test_frames_are_not_darkened_by_rounding(tmp_path: Path) -> None:
    """Of a dark clip a level is a tenth of its light."""
    source = make_clip(tmp_path / "dark.mkv", frames=1, sound=False, level=40)
    seen: list[Array] = []
    convert_clip(source, None, lambda frames: (seen.append(f) or f for f in frames))  # type: ignore[func-returns-value]
    bias = (seen[0].astype(float) - picture((96, 64), 0, 40)).mean(axis=(0, 1))
    assert np.abs(bias).max() < 0.8  # 1.6 with the rounding


def test_a_name_with_colons_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_clip(tmp_path / "a.mp4", frames=2).rename(tmp_path / "clip-12:30:00.mp4")
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("clip-12:30:00.mp4", "./clip-12:30:00.mp4")):
        target = Path(f"out-12:30:0{number}.mp4")
        assert convert_clip(Path(name), target, same).frames == 2
        assert len(decoded(tmp_path / target)) == 2


def test_the_first_packet_of_sound_stays(tmp_path: Path) -> None:
    """Its time less the clip's start, which is rounded to microseconds, may be below 0."""
    source = make_clip(tmp_path / "a.ts", frames=25)
    for suffix in (".mkv", ".mp4"):
        target = tmp_path / f"out{suffix}"
        convert_clip(source, target, same)
        packets = []
        for path in (source, target):
            with av.open(str(path)) as clip:
                sound = [p for p in clip.demux(audio=0) if p.size]
                packets.append((len(sound), float(sound[0].pts * sound[0].time_base)))
        assert packets[1][0] == packets[0][0]
        if suffix == ".mkv":
            assert packets[1][1] == pytest.approx(packets[0][1], abs=1e-3)


def test_a_cover_is_not_taken_for_the_clip(tmp_path: Path) -> None:
    source = tmp_path / "cover.mkv"
    with av.open(str(source), "w") as clip:
        cover = clip.add_stream("mjpeg", rate=25)
        cover.width, cover.height, cover.pix_fmt = 320, 240, "yuvj420p"
        video = clip.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        grey = av.VideoFrame.from_ndarray(np.full((240, 320, 3), 99, np.uint8), format="rgb24")
        clip.mux(cover.encode(grey.reformat(format="yuvj420p")))
        clip.mux(cover.encode(None))
        for n in range(5):
            frame = av.VideoFrame.from_ndarray(picture((96, 64), n), format="rgb24")
            clip.mux(video.encode(frame))
        clip.mux(video.encode(None))
    report = convert_clip(source, tmp_path / "out.mkv", same)
    assert report.frames == 5
    assert report.notes == ["a second video stream is left out"]
    assert streams(tmp_path / "out.mkv") == [("video", "h264")]


def test_frames_that_change_in_size_are_shown_as_the_first(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mkv", frames=4, sound=False)

    def cropped(frames: ClipFrames) -> object:
        for n, frame in enumerate(frames):
            yield frame if n < 2 else frame[:32, :48]

    report = convert_clip(source, tmp_path / "b.mkv", cropped)  # type: ignore[arg-type]
    assert [f.shape for _, f, _ in decoded(tmp_path / "b.mkv")] == [(64, 96, 3)] * 4
    assert report.notes == ["its frames change in size: all are shown at 96x64"]


def hdr_clip(path: Path, codes: Array, transfer: int) -> Path:
    """A 10-bit clip of two frames whose columns have these codes in [0, 1], BT.2020."""
    image = np.repeat(np.repeat(codes[None, :, None], 16, axis=1), 3, axis=2)
    image = np.ascontiguousarray(np.repeat(np.rint(65535 * image).astype(np.uint16), 32, axis=0))
    with av.open(str(path), "w") as clip:
        video = clip.add_stream("libx264", rate=25)
        video.height, video.width = image.shape[:2]
        video.pix_fmt = "yuv420p10le"
        video.options = {"crf": "4"}
        coding = video.codec_context
        coding.color_primaries, coding.color_trc, coding.colorspace, coding.color_range = (
            *(9, transfer, 9, 1),
        )
        for n in range(2):
            frame = av.VideoFrame.from_ndarray(image, format="rgb48le")
            frame = frame.reformat(format="yuv420p10le", dst_colorspace=9, dst_color_range=1)
            frame.pts = n
            clip.mux(video.encode(frame))
        clip.mux(video.encode(None))
    return path


def srgb(linear: float) -> float:
    return 12.92 * linear if linear < 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055


@pytest.mark.parametrize("kind", [PQ, HLG])
def test_hdr_clips_become_sdr(tmp_path: Path, kind: str) -> None:
    nits = np.array([0, 1, 5, 20, 50, 80])
    if kind == PQ:
        codes, transfer = pq_code(nits), 16
    else:  # grey: nits = 1000 scene ** 1.2, and below code .5 scene = code ** 2 / 3
        codes, transfer = np.sqrt(3 * (nits / 1000) ** (1 / 1.2)), 18
        codes = codes[codes <= 0.5]
        nits = nits[: len(codes)]
    source = hdr_clip(tmp_path / "hdr.mkv", codes, transfer)
    assert decoded(source)[0][2].color_trc == transfer
    report = convert_clip(source, tmp_path / "sdr.mp4", same)
    assert report.notes == [f"it is HDR ({kind}): shown as SDR, highlights rolled off"]
    _, shown, frame = decoded(tmp_path / "sdr.mp4")[0]
    assert (frame.color_primaries, frame.color_trc, frame.colorspace) == (1, 1, 1)
    assert frame.format.name == "yuv420p"
    # below the knee nothing is bent: 203 nits would be white
    expected = [255 * srgb(n / 203) for n in nits]
    assert shown[16, 8::16].mean(axis=1) == pytest.approx(expected, abs=3)


def test_highlights_are_rolled_off_as_bt2390_says() -> None:
    """Worked out by hand for a peak of 1000 nits: the knee is at 91 nits, 203 become 160."""
    mapped = ToneMap(PQ)
    codes = np.rint(65535 * pq_code(np.array([50.0, 203.0, 1000.0, 4000.0]))).astype(np.uint16)
    grey = np.repeat(codes[None, :, None], 3, axis=2)
    shown = mapped(grey)[0, :, 0] / 65535
    assert shown == pytest.approx([srgb(50 / 203), srgb(160 / 203), 1, 1], abs=4e-3)
    brighter = ToneMap(PQ, peak_nits=4000)(grey)[0, :, 0] / 65535
    assert brighter[1] < shown[1]
    assert brighter[3] == pytest.approx(1, abs=1e-3)
    assert ToneMap(PQ, peak_nits=100)(grey)[0, 1, 0] == 65535  # SDR in an HDR clip stays as it is


def test_hlgs_reference_white_is_as_pqs() -> None:
    """75 % of HLG and 58 % of PQ are 203 nits (BT.2408)."""
    hlg = ToneMap(HLG)(np.full((1, 1, 3), round(0.75 * 65535), np.uint16))
    pq = ToneMap(PQ)(np.full((1, 1, 3), round(0.5807 * 65535), np.uint16))
    assert hlg[0, 0] == pytest.approx(pq[0, 0], rel=0.005)


def test_colours_of_bt2020_keep_their_hue() -> None:
    """BT.709's red in BT.2020 (BT.2087: .6274, .0691, .0164 of it) is red alone again."""
    red = 100 * np.array([0.6274, 0.0691, 0.0164])
    shown = ToneMap(PQ)(np.rint(65535 * pq_code(red)).astype(np.uint16)[None, None])[0, 0] / 65535
    assert shown == pytest.approx([srgb(100 / 203), 0, 0], abs=0.02)


def interlaced_clip(path: Path) -> Path:
    """A white bar that moves by 4 px a field, 6 frames of 25 a second; combs where it moves."""

    def at(x: int) -> Array:
        frame = np.full((96, 128, 3), 20, np.uint8)
        frame[:, x : x + 30] = 120
        return frame

    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.bit_rate = 8_000_000
        stream.options = {"flags": "+ilme+ildct", "g": "1"}
        stream.codec_context.color_primaries = stream.codec_context.colorspace = 1
        for number in range(6):
            pixels = at(8 * number)
            pixels[1::2] = at(8 * number + 4)[1::2]
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def combs(frame: Array) -> float:
    return float(np.abs(np.diff(frame.astype(float), axis=0)).mean())


def test_an_interlaced_clip_loses_its_combs_and_keeps_its_times(tmp_path: Path) -> None:
    source = interlaced_clip(tmp_path / "tape.mpg")
    before = decoded(source)
    assert all(frame.interlaced_frame for _, _, frame in before)
    assert min(combs(pixels) for _, pixels, _ in before) > 3
    report = convert_clip(source, tmp_path / "out.mp4", same)
    after = decoded(tmp_path / "out.mp4")
    assert max(combs(pixels) for _, pixels, _ in after) < 1
    assert [time for time, *_ in after] == pytest.approx([time for time, *_ in before], abs=1e-3)
    assert report.frames == 6
    assert "the clip is interlaced: whole frames are made of its fields" in report.notes
    assert not any(frame.interlaced_frame for _, _, frame in after)


def test_a_clip_that_is_not_interlaced_is_not_filtered(tmp_path: Path) -> None:
    report = convert_clip(make_clip(tmp_path / "a.mp4"), tmp_path / "out.mp4", same)
    assert not any("interlaced" in note for note in report.notes)
