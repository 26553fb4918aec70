"""What a lost worker may have left: the same item, done by another, replaces it; no other does."""

from __future__ import annotations

from pathlib import Path

import pytest

from relume.cli.jobs import Job
from relume.cli.search import Search
from relume.cli.work import Row, Worker
from relume.faces import Detection
from relume.photo import Photo

from .conftest import Relume


class Unchanged:
    takes_shards = False

    def photo(self, photo: Photo, job: Job, format: str) -> tuple[Photo, Row]:
        return photo, Row()

    def prepare(self) -> None:
        pass


def test_a_result(night: Path, tmp_path: Path) -> None:
    job = Job(night, tmp_path / "out.jpg")
    write = Worker(Unchanged()).start()
    assert write(job).error is None
    job.target.write_bytes(b"of a lost worker, or of somebody else")
    assert "exists already" in str(write(job).error)
    assert write(job.once_more()).error is None
    assert job.target.read_bytes().startswith(b"\xff\xd8\xff")


def test_a_drawing(night: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = Job(night, tmp_path / "drawn.jpg")
    nothing = Detection([], 40, 30, "yunet", 0.6, ("original",))
    monkeypatch.setattr("relume.faces.detect", lambda photo: nothing)
    search = Worker(Search({})).start()
    assert search(target).error is None
    (tmp_path / "drawn.jpg").write_bytes(b"of a lost worker, or of somebody else")
    assert "exists already" in str(search(target).error)
    assert search(target.once_more()).error is None
    assert (tmp_path / "drawn.jpg").read_bytes().startswith(b"\xff\xd8\xff")


def test_what_another_run_has_done_meanwhile_is_there_already(night: Path, tmp_path: Path) -> None:
    """Two runs with --skip-existing into one folder, which planned before either had begun."""
    job = Job(night, tmp_path / "out.jpg")
    write = Worker(Unchanged(), skip_existing=True).start()
    assert not write(job).there
    before = job.target.stat()
    row = write(job)
    assert (row.there, row.error) == (True, None)
    assert job.target.stat().st_ino == before.st_ino

    class Late(Unchanged):
        def photo(self, photo: Photo, job: Job, format: str) -> tuple[Photo, Row]:
            job.target.write_bytes(b"the other run's")
            return photo, Row()

    late = Job(night, tmp_path / "late.jpg")
    row = Worker(Late(), skip_existing=True).start()(late)
    assert (row.there, row.error) == (True, None)
    assert late.target.read_bytes() == b"the other run's"


def test_two_runs_into_one_folder(
    relume: Relume, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    words = ("enhance", album, "-o", out, "-m", "gamma", "--skip-existing")

    def other(self: Worker, job: Job) -> Row:
        out.mkdir(exist_ok=True)
        if job.source.name == "b.png":
            job.target.write_bytes(b"the other run's")
        return write(self, job)

    write = Worker.__call__
    monkeypatch.setattr(Worker, "__call__", other)
    result = relume(*words)
    assert result.code == 0, result.err
    assert "2 photos enhanced" in result.err
    assert "1 there already" in result.err
