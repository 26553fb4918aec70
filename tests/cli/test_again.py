"""What a lost worker may have left: the same item, done by another, replaces it; no other does."""

from __future__ import annotations

from pathlib import Path

from relume.cli.jobs import Job
from relume.cli.search import Search, Target
from relume.cli.writing import Writer
from relume.faces import Detection
from relume.photo import Photo


class Unchanged:
    to_change_lit = None

    def __call__(self, photo: Photo) -> Photo:
        return photo

    def prepare(self) -> None:
        pass


def test_a_result(night: Path, tmp_path: Path) -> None:
    job = Job(night, tmp_path / "out.jpg")
    write = Writer(Unchanged()).start()
    assert write(job).error is None
    job.target.write_bytes(b"of a lost worker, or of somebody else")
    assert "exists already" in str(write(job).error)
    assert write(job.once_more()).error is None
    assert job.target.read_bytes().startswith(b"\xff\xd8\xff")


def test_a_drawing(night: Path, tmp_path: Path) -> None:
    target = Target(str(night), tmp_path / "drawn.jpg")
    nothing = Detection([], 40, 30, "yunet", 0.6, ("original",))
    search = Search(lambda photo: nothing, None, False, 50).start()
    assert search(target).error is None
    (tmp_path / "drawn.jpg").write_bytes(b"of a lost worker, or of somebody else")
    assert "exists already" in str(search(target).error)
    assert search(target.once_more()).error is None
    assert (tmp_path / "drawn.jpg").read_bytes().startswith(b"\xff\xd8\xff")
