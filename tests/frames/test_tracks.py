"""Faces in clips: one number a face, found or followed, in memory that does not grow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from skimage import data

from relume.errors import ParameterError
from relume.faces import Face
from relume.frames import FaceTracker, FrameFaces, detect_video
from relume.photo import Image, quantise, to_image

from .conftest import night


class Marks:
    """A detector in the place of a real one: it sees the square of bright green."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, image: Image) -> list[Face]:
        self.asked += 1
        green = (image[..., 1] > 0.8) & (image[..., 0] < 0.2)
        if not green.any():
            return []
        rows, columns = np.flatnonzero(green.any(axis=1)), np.flatnonzero(green.any(axis=0))
        box = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
        return [Face(box, 0.9)]


def with_mark(x: int, *, seen: bool = True, size: int = 48) -> Image:
    """A photograph with a textured square that moves, marked green where the detector may see."""
    image = to_image(data.astronaut())[100:280, 100:340].copy()
    image[..., 1] = np.minimum(image[..., 1], 0.7)
    patch = to_image(data.chelsea())[100 : 100 + size, 100 : 100 + size] * 0.5
    if seen:
        patch[..., 1] = 0.95
        patch[..., 0] *= 0.3
    image[60 : 60 + size, x : x + size] = patch
    return image


def tracker(every: int = 5) -> tuple[FaceTracker, Marks]:
    faces, marks = FaceTracker(detector="haar", every=every), Marks()
    faces._find = marks
    return faces, marks


def test_a_face_keeps_its_number_and_moves_with_the_picture() -> None:
    faces, marks = tracker()
    for n in range(11):
        x = 20 + 3 * n
        (face,) = faces(with_mark(x))
        assert (face.track, face.found) == (1, n % 5 == 0)
        assert face.face.box[0] == pytest.approx(x, abs=4)
    assert marks.asked == 3


def test_a_face_that_is_missed_once_gets_its_number_back() -> None:
    faces, _ = tracker(every=1)
    seen = [faces(with_mark(20, seen=n != 2)) for n in range(5)]
    assert [[f.track for f in found] for found in seen] == [[1], [1], [], [1], [1]]
    for n in range(4):
        faces(with_mark(20, seen=False))
        assert len(faces._tracks) == (n < 2)  # given up, not kept for ever
    assert [f.track for f in faces(with_mark(20))] == [2]


def test_a_cut_ends_all_tracks() -> None:
    faces, marks = tracker()
    assert [f.track for f in faces(with_mark(20))] == [1]
    other = np.ascontiguousarray(with_mark(20)[::-1, ::-1])
    assert [f.track for f in faces(other)] == [2]
    assert marks.asked == 2  # at once, not at the next fifth frame


def test_in_the_dark_the_merged_relit_frames_are_searched() -> None:
    faces, marks = tracker(every=2)
    bright = with_mark(20)
    faces(bright)
    assert faces.relit is None
    assert marks.asked == 1
    faces, marks = tracker(every=1)
    frames = [night(bright, n, 0.03) for n in range(5)]
    relit = []
    for frame in frames:
        faces(frame)
        assert faces.relit is not None
        relit.append(faces.relit.copy())
    assert marks.asked == 10  # two views, five times
    assert relit[0].mean() == pytest.approx(0.25, abs=0.03)
    quiet = np.var(relit[4] - relit[3]) / np.var(relit[1] - relit[0])
    assert quiet < 0.6  # merged: frames differ by less and less


def test_what_need_not_be_relit_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [night(with_mark(20), n, 0.03) for n in range(5)]
    relit: list[Image] = []

    def relight(frame: Image) -> Image:
        relit.append(frame)
        return frame

    for detector, full_size, wanted in (
        ("haar", False, 2),  # the two that are searched
        ("relume", False, 0),  # it sees the dark itself
        ("relume", True, 5),  # all are drawn on
    ):
        faces = FaceTracker(detector=detector, every=4, full_size=full_size)
        monkeypatch.setattr(relight, "restart", lambda: None, raising=False)
        monkeypatch.setattr(faces, "_relighter", relight)
        relit.clear()
        for frame in frames:
            faces(frame)
        assert len(relit) == wanted


@pytest.mark.parametrize("k", [0.03, 0.01])
def test_a_face_is_followed_in_the_dark(k: float) -> None:
    """The mark is found once; 3 px a frame and noise of its own in each."""
    faces, marks = tracker(every=9)
    faces._find = lambda _: marks(with_mark(20))
    for n in range(6):
        x = 20 + 3 * n
        (face,) = faces(night(with_mark(x), n, k))
        assert face.face.box[0] == pytest.approx(x, abs=6)


def test_a_clips_faces_come_frame_by_frame_and_are_drawn(tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="clips need PyAV (the extra video)")
    source = tmp_path / "clip.mp4"
    with av.open(str(source), "w") as clip:
        video = clip.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 240, 180, "yuv420p"
        for n in range(7):
            picture = quantise(with_mark(20 + 2 * n, seen=False), np.uint8)
            clip.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        clip.mux(video.encode(None))
    lines: list[FrameFaces] = []
    report = detect_video(source, lines.append, detector="haar", drawing=tmp_path / "faces.mp4")
    assert report.frames == 7
    assert [line.frame for line in lines] == list(range(7))
    assert [line.as_json()["time"] for line in lines] == pytest.approx([n / 25 for n in range(7)])
    assert (lines[0].width, lines[0].height) == (240, 180)
    with av.open(str(tmp_path / "faces.mp4")) as clip:
        assert sum(1 for _ in clip.decode(video=0)) == 7
    before = source.read_bytes()
    again = detect_video(source, lines.append, detector="haar", start_s=0.1)
    assert again.frames == 4
    assert source.read_bytes() == before


def test_bad_options_are_refused() -> None:
    with pytest.raises(ParameterError, match="every must be at least 1"):
        FaceTracker(detector="haar", every=0)
    with pytest.raises(ParameterError, match="threshold"):
        FaceTracker(detector="haar", threshold=2)
