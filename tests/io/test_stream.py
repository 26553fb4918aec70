import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av")

from relume.errors import (  # noqa: E402
    InputError,
    OutputError,
    OutputExists,
    ParameterError,
    UnreadableInput,
)
from relume.io.stream import (  # noqa: E402
    is_live,
    parse_size,
    raw_frames,
    raw_sink,
    recording,
    stream_frames,
)


def frames(count: int, height: int = 32, width: int = 48) -> list[np.ndarray]:
    ramp = np.linspace(0, 200, width, dtype=np.float32)
    empty = np.zeros((height, width, 3), np.uint8)
    return [empty + (ramp + 5 * n).astype(np.uint8)[None, :, None] for n in range(count)]


def record(target: Path, count: int = 5, **options: object) -> Path:
    with recording(target, **{"rate": 25, "overwrite": False, **options}) as film:  # type: ignore[arg-type]
        for frame in frames(count):
            film(frame)
    return target


def times(path: Path) -> list[float]:
    with av.open(str(path)) as clip:
        return [frame.time for frame in clip.decode(video=0)]


@pytest.mark.parametrize("text", ["640", "640x", "x480", "640*480", "-1x10", "8x480", "640x99999"])
def test_a_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="expected"):
        parse_size(text)
    assert parse_size("640X360") == (640, 360)


def test_what_is_live() -> None:
    assert is_live("/dev/video0")
    assert is_live("rtsp://camera.local/main")
    assert not is_live("-")
    assert not is_live("clip.mp4")


def test_a_pipe_carries_frames_there_and_back() -> None:
    pipe, notes = io.BytesIO(), []
    with raw_sink(pipe) as write:
        for frame in frames(3):
            write(frame)
    assert pipe.tell() == 3 * 32 * 48 * 3
    pipe.seek(0)
    back = list(raw_frames(pipe, (48, 32), notes.append))
    np.testing.assert_array_equal(back, frames(3))
    assert notes == []


def test_a_pipe_that_sends_little_by_little() -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 0, 100))

    slow = Slow(frames(1)[0].tobytes() * 2)
    assert len(list(raw_frames(slow, (48, 32), lambda _: None))) == 2


def test_a_pipe_that_ends_within_a_frame_is_told_and_keeps_the_others() -> None:
    notes: list[str] = []
    pipe = io.BytesIO(frames(1)[0].tobytes() + b"12")
    assert len(list(raw_frames(pipe, (48, 32), notes.append))) == 1
    assert notes == ["the pipe ended within a frame (2 of the 4,608 bytes of a frame of 48x32), which is dropped"]  # noqa: E501  # fmt: skip


@pytest.mark.parametrize(("data", "why"), [(b"", "before the first frame"), (b"12", "--size")])
def test_a_pipe_without_a_frame_is_an_error(data: bytes, why: str) -> None:
    with pytest.raises(UnreadableInput, match=why):
        list(raw_frames(io.BytesIO(data), (48, 32), lambda _: None))


def test_deep_frames_become_eight_bit() -> None:
    pipe = io.BytesIO()
    with raw_sink(pipe) as write:
        write(np.full((2, 2, 3), 0xABCD, np.uint16))
    assert set(pipe.getvalue()) == {0xAB}


def test_a_recording_at_a_rate_can_be_played(tmp_path: Path) -> None:
    clip = record(tmp_path / "a.mp4")
    assert times(clip) == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])
    shown = list(stream_frames(str(clip)))
    assert len(shown) == 5
    for frame, before in zip(shown, frames(5), strict=True):
        assert np.abs(frame.astype(int) - before).mean() < 3


def test_a_recording_without_a_rate_keeps_when_frames_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    came = iter([10.0, 10.5, 10.5, 12.0, 12.1])
    with (
        recording(tmp_path / "a.mkv", rate=None, overwrite=False) as film,
        monkeypatch.context() as patched,
    ):
        patched.setattr("relume.io.stream.time.monotonic", lambda: next(came))
        for frame in frames(5):
            film(frame)
    clip = tmp_path / "a.mkv"
    assert times(clip) == pytest.approx([0, 0.5, 0.501, 2.0, 2.1])


def test_a_recording_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no frame came"):
        record(tmp_path / "a.mp4", 0)

    def film_two_sizes() -> None:
        with recording(tmp_path / "a.mp4", rate=25, overwrite=False) as film:
            film(frames(1, 64, 64)[0])
            film(frames(1)[0])

    with pytest.raises(InputError, match="changed to 48x32"):
        film_two_sizes()
    assert not list(tmp_path.iterdir())


def test_a_recording_replaces_only_what_it_may(tmp_path: Path) -> None:
    clip = record(tmp_path / "a.mp4")
    with pytest.raises(OutputExists):
        record(clip)
    record(clip, 2, overwrite=True)
    assert len(times(clip)) == 2
    with pytest.raises(ParameterError, match=r"a\.gif"):
        record(tmp_path / "a.gif")


def test_odd_sides_are_kept(tmp_path: Path) -> None:
    with recording(tmp_path / "a.mp4", rate=25, overwrite=False) as film:
        film(frames(1, 33, 49)[0])
    assert next(stream_frames(str(tmp_path / "a.mp4"))).shape == (33, 49, 3)


def source_error(source: str) -> str:
    def first() -> Iterator[np.ndarray]:
        yield next(stream_frames(source))

    with pytest.raises(UnreadableInput) as error:
        list(first())
    return str(error.value)


def test_what_cannot_be_opened_says_why(tmp_path: Path) -> None:
    assert "there is no camera /dev/video98: there is" in source_error("/dev/video98")
    assert "cannot open" in source_error(str(tmp_path / "none.mp4"))
    assert "cannot open rtsp://127.0.0.1:9/" in source_error("rtsp://127.0.0.1:9/")
    (tmp_path / "text.mp4").write_text("no clip")
    assert "cannot open" in source_error(str(tmp_path / "text.mp4"))
