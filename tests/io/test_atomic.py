import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from relume.errors import OutputError
from relume.io import atomic
from relume.io.atomic import sweep, whole_file, write_atomic


def held(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_writes_with_the_usual_permissions(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a.jpg", b"new", overwrite=False)
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    assert (tmp_path / "a.jpg").read_bytes() == b"new"
    assert (tmp_path / "a.jpg").stat().st_mode == plain.stat().st_mode
    assert held(tmp_path) == ["a.jpg", "plain"]


def test_an_existing_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"old")
    with pytest.raises(OutputError, match="exists already"):
        write_atomic(path, b"new", overwrite=False)
    assert path.read_bytes() == b"old"
    write_atomic(path, b"new", overwrite=True)
    assert path.read_bytes() == b"new"
    assert held(tmp_path) == ["a.jpg"]


@pytest.mark.parametrize("has_links", [True, False])
def test_a_file_that_appears_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool
) -> None:
    path = tmp_path / "a.jpg"
    link = os.link

    def late(source: Path, target: Path) -> None:
        path.write_bytes(b"somebody else's")
        if not has_links:
            raise OSError(errno.EPERM, "no links here")
        link(source, target)

    monkeypatch.setattr(atomic.os, "link", late)
    with pytest.raises(OutputError, match="exists already"):
        write_atomic(path, b"new", overwrite=False)
    assert path.read_bytes() == b"somebody else's"
    assert held(tmp_path) == ["a.jpg"]


def test_without_links_it_still_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(source: Path, target: Path) -> None:
        raise OSError(errno.ENOTSUP, "no links here")

    monkeypatch.setattr(atomic.os, "link", none)
    write_atomic(tmp_path / "a.jpg", b"new", overwrite=False)
    assert (tmp_path / "a.jpg").read_bytes() == b"new"
    assert held(tmp_path) == ["a.jpg"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EACCES, "no permission"),
        (errno.EROFS, "read-only"),
    ],
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_disk_that_refuses_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str, overwrite: bool
) -> None:
    path = tmp_path / "a.jpg"
    if overwrite:
        path.write_bytes(b"old")
    before = held(tmp_path)

    class Full:
        def __enter__(self) -> "Full":
            return self

        def __exit__(self, *_: object) -> None: ...

        def write(self, data: bytes) -> None:
            raise OSError(number, os.strerror(number))

    def opened(self: Path, mode: str) -> Full:
        return Full()

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", opened)
        with pytest.raises(OutputError, match=words) as raised:
            write_atomic(path, b"new", overwrite=overwrite)
    assert "\n" not in str(raised.value)
    assert held(tmp_path) == before
    assert not overwrite or path.read_bytes() == b"old"


@pytest.mark.parametrize("overwrite", [False, True])
def test_ctrl_c_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overwrite: bool
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(atomic.os, "link", interrupted)
    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "a.jpg", b"new", overwrite=overwrite)
    assert held(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing/a.jpg", "folder does not exist"),
        ("file/a.jpg", "part of the path is not a folder"),
        ("folder", "it is a folder"),
        ("n" * 300 + ".jpg", "name is too long"),
        ("a\0b.jpg", "NUL"),
    ],
)
def test_impossible_targets_are_one_line(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    for overwrite in (False, True):
        with pytest.raises(OutputError, match=words) as raised:
            write_atomic(tmp_path / name, b"new", overwrite=overwrite)
        assert "\n" not in str(raised.value)
    assert held(tmp_path) == ["file", "folder"]


def test_permissions_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"old")
    path.chmod(0o640)
    write_atomic(path, b"new", overwrite=True, mode=0o600)
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
@pytest.mark.parametrize(
    ("mode", "umask", "expected"),
    [(0o600, 0o022, 0o600), (0o666, 0o027, 0o640), (0o444, 0o022, 0o644), (0o777, 0o022, 0o644)],
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_new_file_is_no_more_open_than_asked(
    tmp_path: Path, mode: int, umask: int, expected: int, overwrite: bool
) -> None:
    before = os.umask(umask)
    try:
        write_atomic(tmp_path / "a.jpg", b"new", overwrite=overwrite, mode=mode)
    finally:
        os.umask(before)
    assert (tmp_path / "a.jpg").stat().st_mode & 0o777 == expected


@pytest.mark.parametrize("writable", [True, False])
def test_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path: Path, writable: bool) -> None:
    (tmp_path / "out").mkdir()
    original, link = tmp_path / "original.jpg", tmp_path / "out" / "link.jpg"
    original.write_bytes(b"old")
    if not writable:
        original.chmod(0o400)
    link.symlink_to(original)
    write_atomic(link, b"new", overwrite=True)
    assert original.read_bytes() == b"old"
    assert not link.is_symlink()
    assert link.read_bytes() == b"new"
    assert held(tmp_path / "out") == ["link.jpg"]


def test_a_second_name_of_a_file_is_replaced_and_the_first_stays(tmp_path: Path) -> None:
    original, name = tmp_path / "original.jpg", tmp_path / "name.jpg"
    original.write_bytes(b"old")
    os.link(original, name)
    write_atomic(name, b"new", overwrite=True)
    assert original.read_bytes() == b"old"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_a_link_to_an_open_file_is_written_through(tmp_path: Path) -> None:
    """/dev/stdout is a link into /proc: replaced, it would be gone for everybody."""
    with (tmp_path / "stdout").open("wb") as file:
        link = Path(f"/proc/self/fd/{file.fileno()}")
        write_atomic(link, b"new", overwrite=True)
    assert (tmp_path / "stdout").read_bytes() == b"new"


def test_a_dangling_link_counts_as_existing(tmp_path: Path) -> None:
    link = tmp_path / "link.jpg"
    link.symlink_to(tmp_path / "nowhere.jpg")
    with pytest.raises(OutputError, match="exists already"):
        write_atomic(link, b"new", overwrite=False)


def test_a_device_is_written_to() -> None:
    write_atomic(Path(os.devnull), b"new", overwrite=True)
    assert not Path(os.devnull).is_file()


def test_a_read_only_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"old")
    monkeypatch.setattr(atomic.os, "access", lambda *_: False)  # root may write anything
    with pytest.raises(OutputError, match="read-only"):
        write_atomic(path, b"new", overwrite=True)
    assert path.read_bytes() == b"old"


def test_what_killed_processes_left_is_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what was to become one of the files that are named."""
    long = "n" * 60 + ".jpg"
    with monkeypatch.context() as killed:
        killed.setattr(Path, "unlink", lambda self, missing_ok=False: None)
        killed.setattr(os, "link", lambda *paths: None)
        for name in ("a.jpg", "b.jpg", long):
            write_atomic(tmp_path / name, b"half", overwrite=False)
        with whole_file(tmp_path / "c.tar", overwrite=False) as partial:
            partial.write_bytes(b"half")
    assert len(held(tmp_path)) == 4
    (tmp_path / ".a.jpg.part").touch()
    sweep(tmp_path / name for name in ("a.jpg", long, "c.tar", "d.jpg"))
    mine, theirs = held(tmp_path)
    assert mine == ".a.jpg.part"
    assert theirs.startswith(".b.jpg.")
    sweep([tmp_path / "absent" / "a.jpg"])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks")
@pytest.mark.parametrize("killed", [True, False])
def test_only_what_nobody_writes_any_more_is_swept(tmp_path: Path, killed: bool) -> None:
    """Two runs into one folder: the one that ends first leaves the other's half file alone."""
    code = (
        "import sys, time; from pathlib import Path; from relume.io.atomic import whole_file\n"
        "with whole_file(Path(sys.argv[1]), overwrite=False) as partial:\n"
        "    partial.write_bytes(b'half'); print('written', flush=True); sys.stdin.read()"
    )
    target = tmp_path / "clip.mp4"
    command = [sys.executable, "-c", code, str(target)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"written\n"
        (partial,) = tmp_path.iterdir()
        if killed:
            other.kill()
            other.wait()
        sweep([target])
        assert partial.exists() is not killed
        other.communicate(b"")
    assert target.exists() is not killed
    assert not partial.exists()
