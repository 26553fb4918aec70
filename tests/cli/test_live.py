"""``relume live``, as a program between pipes."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av")

from relume.cli.main import main  # noqa: E402

WIDTH, HEIGHT = 64, 48
LENGTH = 3 * WIDTH * HEIGHT


def dark(count: int) -> bytes:
    rng = np.random.default_rng(1)
    ramp = np.linspace(6, 24, WIDTH)[None, None, :, None]
    noisy = ramp + rng.normal(0, 2, (count, HEIGHT, WIDTH, 3))
    return np.clip(noisy, 0, 255).astype(np.uint8).tobytes()


def start(*words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "relume", "live", *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)


def run(data: bytes, *words: str) -> tuple[int, bytes, str]:
    program = start(*words)
    out, said = program.communicate(data, timeout=120)
    return program.returncode, out, said.decode()


def mean(frames: bytes) -> float:
    return float(np.frombuffer(frames, np.uint8).mean())


def test_frames_go_through_a_pipe_and_come_out_bright() -> None:
    code, out, said = run(dark(4), "-", "--size", "64x48", "-o", "-", "--brightness", "0.4")
    assert (code, len(out)) == (0, 4 * LENGTH)
    assert mean(out) == pytest.approx(0.4 * 255, abs=8)
    assert "- -> standard output (4 frames, " in said


def test_a_pipe_that_ends_within_a_frame_says_so() -> None:
    code, out, said = run(dark(2) + b"rest", "-", "--size", "64x48", "-o", "-")
    assert (code, len(out)) == (0, 2 * LENGTH)
    assert "note: -: the pipe ended within a frame (4 of the 9,216 bytes" in said


def test_a_clip_is_recorded_from_a_pipe(tmp_path: Path) -> None:
    target = tmp_path / "bright.mp4"
    code, out, said = run(dark(5), "-", "--size", "64x48", "--rate", "10", "-o", str(target))
    assert (code, out) == (0, b""), said
    with av.open(str(target)) as clip:
        shown = list(clip.decode(video=0))
    assert [frame.time for frame in shown] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert shown[0].to_ndarray(format="rgb24").mean() > 40


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent in another way")
def test_ctrl_c_ends_a_pipe() -> None:
    program = start("-", "--size", "64x48", "-o", "-")
    assert program.stdin is not None
    assert program.stdout is not None
    program.stdin.write(dark(1))
    program.stdin.flush()
    assert len(program.stdout.read(LENGTH)) == LENGTH
    program.send_signal(signal.SIGINT)
    _, said = program.communicate(timeout=60)
    assert program.returncode == 130, said
    assert "Traceback" not in said.decode()


def test_ctrl_c_leaves_a_whole_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.frombuffer(dark(3), np.uint8).reshape(3, HEIGHT, WIDTH, 3)

    def interrupted(*_: object, **__: object) -> Iterator[np.ndarray]:
        yield from pixels
        raise KeyboardInterrupt

    monkeypatch.setattr("relume.cli.live._frames", lambda *_: iter(pixels))
    monkeypatch.setattr("relume.frames.enhance_frames", interrupted)
    target = tmp_path / "bright.mkv"
    with pytest.raises(SystemExit) as end:
        main(["live", "camera", "-o", str(target)])
    assert end.value.code == 130
    with av.open(str(target)) as clip:
        assert len(list(clip.decode(video=0))) == 3
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["-", "-o", "-"], "say their size, as --size 1280x720"),
        (["-", "--size", "64", "-o", "-"], "expected a size as 640x360"),
        (["/dev/video98", "-o", "-"], "there is no camera /dev/video98"),
        (["none.mp4", "-o", "-"], "cannot open none.mp4"),
        (["-", "--size", "64x48", "-o", "a.gif"], "cannot write a clip as a.gif"),
        (["-", "--size", "64x48", "-o", "-", "-m", "nothing"], "unknown method 'nothing'"),
    ],
)
def test_what_cannot_be_is_one_line(words: list[str], why: str) -> None:
    code, out, said = run(b"", *words)
    assert code in (1, 2)
    assert out == b""
    assert why in said
    assert len(said.strip().splitlines()) == 1


def test_without_windows_it_says_what_else_to_do() -> None:
    if "opencv-python-headless" not in _installed():
        pytest.skip("this OpenCV may have windows")
    code, _, said = run(dark(1), "-", "--size", "64x48")
    assert code == 1
    assert "record with -o FILE.mp4" in said


def _installed() -> set[str]:
    from importlib.metadata import distributions

    return {d.name for d in distributions()}
