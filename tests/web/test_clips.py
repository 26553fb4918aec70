"""Clips and bursts over HTTP: jobs that end, are fetched, and leave nothing behind."""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest

from relume.web.settings import Settings

from .conftest import Service, opened, packed, picture, running

av = pytest.importorskip("av", reason="clips need PyAV (the extra video)")

MP4 = {"content-type": "video/mp4"}


def clip(frames: int = 6, size: tuple[int, int] = (96, 64)) -> bytes:
    """A dark gradient with a moving square, 25 frames a second."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        video = out.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        for n in range(frames):
            image = np.zeros((size[1], size[0], 3), np.uint8)
            image[:] = np.linspace(0, 20, size[0])[None, :, None]
            image[20:44, 10 + 2 * n : 34 + 2 * n] = 20
            out.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(video.encode(None))
    return buffer.getvalue()


def ended(client: httpx.Client, name: str) -> dict[str, Any]:
    """The state of a clip once it is done or has failed."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        state: dict[str, Any] = client.get(f"/v1/videos/{name}").json()
        if state["state"] in ("done", "failed"):
            return state
        time.sleep(0.05)
    raise AssertionError(f"still {state}")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the service keeps its clips."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def clips(folder: Path) -> Iterator[httpx.Client]:
    """A service of this test's own."""
    settings = Settings(max_clip_bytes=1 << 20, max_clip_s=1.0)
    with running(settings) as one, httpx.Client(base_url=one.url, timeout=60) as client:
        yield client


def test_a_clip_is_sent_relit_fetched_and_forgotten(clips: httpx.Client, folder: Path) -> None:
    sent = clips.post("/v1/videos?brightness=0.4", content=clip(), headers=MP4)
    assert sent.status_code == 202, sent.text
    name = sent.json()["name"]
    assert sent.headers["location"] == f"/v1/videos/{name}"
    state = ended(clips, name)
    assert (state["state"], state["frames"], state["notes"]) == ("done", 6, [])
    file = clips.get(f"/v1/videos/{name}/file")
    assert file.headers["content-type"] == "video/mp4"
    with av.open(io.BytesIO(file.content)) as relit:
        frames = [f.to_ndarray(format="rgb24") for f in relit.decode(video=0)]
    assert len(frames) == 6
    assert frames[-1].mean() == pytest.approx(102, abs=12)
    part = clips.get(f"/v1/videos/{name}/file", headers={"range": "bytes=0-9"})
    assert (part.status_code, len(part.content)) == (206, 10)
    assert len(list(folder.glob("relume-clips-*/*"))) == 1
    assert clips.delete(f"/v1/videos/{name}").status_code == 204
    assert clips.get(f"/v1/videos/{name}").status_code == 404
    assert list(folder.glob("relume-clips-*/*")) == []


def test_a_clip_that_cannot_be_relit_says_why(clips: httpx.Client, folder: Path) -> None:
    def failure(data: bytes) -> dict[str, Any]:
        sent = clips.post("/v1/videos?method=gamma", content=data, headers=MP4)
        name = sent.json()["name"]
        state = ended(clips, name)
        assert state["state"] == "failed"
        answer = clips.get(f"/v1/videos/{name}/file")
        assert answer.json() == {"error": state["error"], "detail": state["detail"]}
        assert str(folder) not in state["detail"]
        return state

    assert "no clip that can be decoded" in failure(b"hello")["detail"]
    assert failure(clip(frames=40))["error"] == "TooLong"


def test_what_is_refused_at_once(clips: httpx.Client, folder: Path) -> None:
    for path, data, kind, status, words in (
        ("/v1/videos", b"x" * (2 << 20), "video/mp4", 413, "1 MiB"),
        ("/v1/videos", b"", "video/mp4", 422, "empty"),
        ("/v1/videos", b"x", "text/plain", 415, "expected a clip"),
        ("/v1/videos?format=png", b"x", "video/mp4", 422, "comes back as MP4"),
        ("/v1/videos?brightness=3", b"x", "video/mp4", 422, "brightness"),
    ):
        answer = clips.post(path, content=data, headers={"content-type": kind})
        assert answer.status_code == status, answer.text
        assert words in answer.json()["detail"]
    assert clips.get("/v1/videos/none").status_code == 404
    assert list(folder.glob("relume-clips-*/*")) == []


def test_a_clip_can_be_stopped_and_photos_go_on_meanwhile(
    clips: httpx.Client, folder: Path, night: bytes
) -> None:
    large = clip(frames=24, size=(640, 360))
    name = clips.post("/v1/videos", content=large, headers=MP4).json()["name"]
    early = clips.get(f"/v1/videos/{name}/file")
    assert (early.status_code, early.json()["error"]) == (409, "NotDone")
    photo = clips.post("/v1/enhance?method=gamma", files={"file": ("a.jpg", night)})
    assert photo.status_code == 200
    assert clips.delete(f"/v1/videos/{name}").status_code == 204
    following = clips.post("/v1/videos?method=gamma", content=clip(), headers=MP4).json()["name"]
    assert ended(clips, following)["state"] == "done"
    assert [path.name for path in folder.glob("relume-clips-*/*")] == [following]


def test_nothing_is_left_when_the_service_ends(folder: Path) -> None:
    with running(Settings()) as one, httpx.Client(base_url=one.url, timeout=60) as client:
        client.post("/v1/videos", content=clip(frames=24, size=(640, 360)), headers=MP4)
        assert len(list(folder.glob("relume-clips-*"))) == 1
    assert list(folder.glob("relume-clips-*")) == []


def test_a_burst_is_merged(service: Service) -> None:
    with httpx.Client(base_url=service.url, timeout=60) as client:
        frames = [("file", (f"IMG_{n}.jpg", packed(picture(), quality=90 + n))) for n in range(3)]
        merged = client.post("/v1/burst?method=gamma:0.4&format=png", files=frames)
        assert merged.status_code == 200, merged.text
        assert opened(merged.content).size == (60, 40)
        assert "IMG_0.relume.png" in merged.headers["content-disposition"]
        assert merged.headers["x-relume-left-out"] == ""
        frames[1] = ("file", ("other.jpg", packed(picture(50, 40))))
        sizes = client.post("/v1/burst", files=frames)
        assert (sizes.status_code, sizes.headers["x-relume-left-out"]) == (200, "2")
        sizes = client.post("/v1/burst", files=frames[:2])
        assert sizes.status_code == 422
        assert "must have one size" in sizes.json()["detail"]
        many = client.post("/v1/burst", files=17 * frames[:1])
        assert many.status_code == 422
        assert "not 1 to 16" in many.json()["detail"]
        large = [("file", ("a.png", packed(picture(2000, 1500), "PNG"))) for _ in range(2)]
        too_much = client.post("/v1/burst?method=gamma", files=large)
        assert too_much.status_code == 413  # each would do, but not both


def test_faces_come_first_in_photos_only(clips: httpx.Client) -> None:
    frames = [("file", (f"{n}.jpg", packed(picture()))) for n in range(2)]
    ways = {
        "burst": lambda query: clips.post(f"/v1/burst?{query}", files=frames),
        "videos": lambda query: clips.post(f"/v1/videos?{query}", content=clip(2), headers=MP4),
    }
    for name, post in ways.items():
        refused = post("expose_for=faces")
        assert refused.status_code == 422, name
        assert "expose_for=faces is for photos" in refused.json()["detail"]
        for value in ("scene", "auto"):
            taken = post(f"expose_for={value}")
            assert taken.status_code in (200, 202), taken.text
            if name == "videos":
                assert ended(clips, taken.json()["name"])["state"] == "done"


def test_a_service_that_relights_no_clips_says_so_before_it_takes_one(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    answer = client.post("/v1/videos", content=clip(), headers=MP4)
    assert answer.status_code == 501
    assert answer.json()["error"] == "MissingExtra"
    assert "'av' is not installed" in answer.json()["detail"]


def test_a_clip_without_room_is_refused_before_it_is_sent(
    clips: httpx.Client, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = clip()
    room = {"free": 2 * len(data)}  # itself would fit, its result would not
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(**room))
    answer = clips.post("/v1/videos", content=data, headers=MP4)
    assert (answer.status_code, answer.json()["error"]) == (503, "NoRoom")
    assert answer.json()["detail"].startswith("the service has 0 MiB of scratch room, too little")
    assert answer.headers["retry-after"] == "60"
    assert not [path for path in folder.rglob("*") if path.is_file()]
    room["free"] = 3 * len(data)
    name = clips.post("/v1/videos", content=data, headers=MP4).json()["name"]
    assert ended(clips, name)["state"] == "done"
