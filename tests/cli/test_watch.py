"""relume watch: what appears is done once, when it is whole; restarts, errors, two watchers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import relume
from relume.cli.watch import LOCK, ROWS, Arrivals
from relume.photo import Photo

pytest.importorskip("watchfiles", reason="needs the extra watch")
pytestmark = pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent to a process")


def save(path: Path) -> Path:
    ramp = np.linspace(0.02, 0.12, 64, dtype=np.float32)[None, :, None]
    path.parent.mkdir(parents=True, exist_ok=True)
    Photo(np.broadcast_to(ramp, (48, 64, 3)).copy()).save(path)
    return path


def until(true: Callable[[], bool]) -> None:
    """Wait; a minute is for machines that do much else."""
    for _ in range(600):
        if true():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come about")


class Watcher:
    """The command, running."""

    def __init__(self, folder: Path, output: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "relume", "watch", str(folder), "-o", str(output),
             "-m", "gamma", "--settle", "0.2"],
            stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        assert self.process.stderr is not None
        self.first = self.process.stderr.readline()

    def end(self) -> tuple[int, str]:
        """Ctrl-C; its exit code and what it said."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        _, said = self.process.communicate(timeout=60)
        return self.process.returncode, said


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Watcher]]:
    running: list[Watcher] = []

    def started() -> Watcher:
        running.append(Watcher(tmp_path / "in", tmp_path / "out"))
        return running[-1]

    (tmp_path / "in").mkdir()
    yield started
    for watcher in running:
        if watcher.process.poll() is None:
            watcher.process.kill()
        watcher.process.communicate()


def rows(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "out" / ROWS).read_text("utf-8").splitlines()]


@pytest.mark.slow
def test_what_comes_is_done_once_and_a_restart_goes_on(
    tmp_path: Path, start: Callable[[], Watcher]
) -> None:
    there, out = save(tmp_path / "in" / "a.png"), tmp_path / "out"
    first = start()
    until((out / "a.png").exists)
    save(tmp_path / "away" / "b.png").rename(there.with_name("b.png"))
    save(tmp_path / "in" / "2026" / "it's c.png")
    bad = there.with_name("bad.jpg")
    bad.write_bytes(b"\xff\xd8\xff\xe0 no picture")
    until(lambda: (out / ROWS).exists() and len(rows(tmp_path)) == 4)
    assert (out / "b.png").exists()
    assert (out / "2026" / "it's c.png").exists()
    code, said = first.end()
    assert code == 130
    assert said.count("bad.jpg") == 1
    assert {Path(str(r["photo"])).name: r["status"] for r in rows(tmp_path)} == {
        "a.png": "done", "b.png": "done", "it's c.png": "done", "bad.jpg": "failed"
    }  # fmt: skip
    assert relume.read(out / "a.png").pixels.mean() > relume.read(there).pixels.mean() + 0.05

    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    second = start()
    save(there.with_name("d.png"))
    until((out / "d.png").exists)
    save(bad.with_suffix(".jpeg")).rename(bad)  # mended: it is tried again
    until((out / "bad.jpg").exists)
    code, said = second.end()
    assert code == 130
    assert "no picture" not in said
    assert "error" not in said
    assert before.items() <= {p: p.stat().st_mtime_ns for p in out.rglob("*.png")}.items()


@pytest.mark.slow
def test_two_watchers_and_a_folder_that_vanishes(
    tmp_path: Path, start: Callable[[], Watcher]
) -> None:
    first = start()
    second = start()
    assert second.process.wait(60) == 1
    assert "another relume watch writes into" in second.first
    shutil.rmtree(tmp_path / "in")
    assert first.process.wait(60) == 1
    assert "is gone; watching ends" in first.end()[1]


def test_wrong_folders_are_one_line(relume: Callable[..., object], tmp_path: Path) -> None:
    cases = {
        (str(tmp_path / "none"), str(tmp_path / "out")): "is no folder",
        (str(tmp_path), str(tmp_path)): "into another folder",
    }
    for (folder, output), why in cases.items():
        result = relume("watch", folder, "-o", output)
        assert result.code in (1, 2)  # type: ignore[attr-defined]
        assert why in result.err  # type: ignore[attr-defined]
        assert len(result.err.splitlines()) == 1  # type: ignore[attr-defined]


def test_a_file_is_given_when_it_has_settled_and_again_only_when_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    arrivals = Arrivals(tmp_path, tmp_path / "out", 2.0)
    photo, part = tmp_path / "a.jpg", tmp_path / ".a.jpg.part"
    photo.write_bytes(b"1")
    for name in (part, tmp_path / "notes.txt", tmp_path / "out" / "a.jpg", tmp_path / LOCK):
        name.parent.mkdir(exist_ok=True)
        name.write_bytes(b"1")
        arrivals.note([name])
    arrivals.note([photo])
    assert arrivals.settled() == []  # seen for the first time
    now = 101.0
    photo.write_bytes(b"12")  # still being written
    assert arrivals.settled() == []
    now = 102.5
    assert arrivals.settled() == []  # unchanged for 1.5 s
    now = 103.0
    assert arrivals.settled() == [photo]
    arrivals.note([photo])  # touched by a reader, say
    now = 110.0
    arrivals.settled()
    now = 120.0
    assert arrivals.settled() == []
    photo.write_bytes(b"123")
    arrivals.note([photo])
    arrivals.settled()
    now = 130.0
    assert arrivals.settled() == [photo]
    arrivals.note([photo])
    photo.unlink()
    assert arrivals.settled() == []


def test_what_failed_before_is_tried_again_only_when_it_changed(tmp_path: Path) -> None:
    photo = tmp_path / "a.jpg"
    photo.write_bytes(b"1")
    os.utime(photo, (1000, 1000))
    arrivals = Arrivals(tmp_path, tmp_path / "out", 0.0, failed={str(photo): 2000.0})
    for changed, expected in ((1000, []), (3000, [photo])):
        os.utime(photo, (changed, changed))
        arrivals.note([photo])
        arrivals.settled()
        assert arrivals.settled() == expected
