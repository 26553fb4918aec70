"""Clips that are hardly any, and runs that end too soon: a clear line, and never half a file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from relume.errors import UnreadableInput
from relume.io.video import convert_clip

from .test_video import decoded, make_clip, same, streams

av = pytest.importorskip("av", reason="clips need PyAV (the extra video)")

CLUSTER = b"\x1f\x43\xb6\x75"
"""What Matroska's pictures begin with."""


def test_one_frame_is_a_clip_and_none_is_not(tmp_path: Path) -> None:
    one = make_clip(tmp_path / "one.mp4", frames=1, sound=False)
    assert convert_clip(one, tmp_path / "b.mp4", same).frames == 1
    assert len(decoded(tmp_path / "b.mp4")) == 1
    head, cluster, _ = make_clip(tmp_path / "a.mkv", sound=False).read_bytes().partition(CLUSTER)
    assert cluster
    empty = tmp_path / "empty.mkv"  # a video stream without a picture
    empty.write_bytes(head)
    with pytest.raises(UnreadableInput, match="no clip that can be decoded"):
        convert_clip(empty, tmp_path / "c.mp4", same)
    assert not (tmp_path / "c.mp4").exists()


def test_transparency_is_dropped_and_said(tmp_path: Path) -> None:
    source = tmp_path / "alpha.mov"
    with av.open(str(source), "w") as clip:
        video = clip.add_stream("png", rate=25)
        video.width, video.height, video.pix_fmt = 48, 32, "rgba"
        pixels = np.full((32, 48, 4), 100, np.uint8)
        for _ in range(3):
            clip.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgba")))
        clip.mux(video.encode(None))
    report = convert_clip(source, tmp_path / "b.mp4", same)
    assert report.notes == ["the clip's transparency is dropped"]
    assert decoded(tmp_path / "b.mp4")[0][1].mean() == pytest.approx(100, abs=3)


def test_subtitles_stay(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mkv", frames=25, sound=False)
    (tmp_path / "words.srt").write_text("1\n00:00:00,200 --> 00:00:00,800\nIt is dark.\n")
    both = tmp_path / "both.mkv"
    with (
        av.open(str(source)) as clip,
        av.open(str(tmp_path / "words.srt")) as words,
        av.open(str(both), "w") as out,
    ):
        copies = [(s, out.add_stream_from_template(s)) for s in (clip.streams[0], words.streams[0])]
        for (_, copy), packets in zip(copies, (clip.demux(), words.demux()), strict=True):
            for packet in packets:
                if packet.size:
                    packet.stream = copy
                    out.mux(packet)
    report = convert_clip(both, tmp_path / "b.mkv", same)
    assert report.notes == []
    assert streams(tmp_path / "b.mkv") == [("video", "h264"), ("subtitle", "srt")]
    with av.open(str(tmp_path / "b.mkv")) as clip:
        packets = [p for p in clip.demux(clip.streams.subtitles[0]) if p.size]
        assert [bytes(p) for p in packets] == [b"It is dark."]
        assert float(packets[0].pts * packets[0].time_base) == pytest.approx(0.2, abs=0.01)


SLOW = """
import sys, time
from pathlib import Path
from relume.io.video import convert_clip

def slow(frames):
    for n, frame in enumerate(frames):
        yield frame
        if n == 5:
            print("working", flush=True)
            time.sleep(60)

convert_clip(Path(sys.argv[1]), Path(sys.argv[2]), slow)
"""


def test_a_process_that_is_killed_leaves_no_file_of_the_results_name(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", frames=40)
    command = [sys.executable, "-c", SLOW, str(source), str(tmp_path / "b.mp4")]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    assert run.stdout.readline() == "working\n"
    run.send_signal(signal.SIGKILL)
    run.wait()
    run.stdout.close()
    left = [path.name for path in tmp_path.iterdir() if path.name != "a.mp4"]
    assert all(name.startswith(".b.") and ".part" in name for name in left)


FULL = """
import resource, signal, sys
from pathlib import Path
from relume.errors import RelumeError
from relume.io.video import convert_clip

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    convert_clip(Path(sys.argv[1]), Path(sys.argv[2]), lambda frames: frames)
except RelumeError as error:
    print(error)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs resource limits")
def test_a_disk_that_is_full_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (20, 160, 240, 3), np.uint8)
    source = tmp_path / "a.mkv"
    with av.open(str(source), "w") as clip:
        video = clip.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 240, 160, "yuv420p"
        for picture in noise:
            clip.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        clip.mux(video.encode(None))
    for target in ("b.mp4", "b.mkv"):
        command = [sys.executable, "-c", FULL, str(source), str(tmp_path / target)]
        out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        assert "cannot write" in out.stdout, out.stderr
        assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]
