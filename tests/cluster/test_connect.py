"""Where work is done: names, absent clusters, absent Ray. None of these needs Ray."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

from relume.cli.work import begin_work, shared_mark
from relume.cluster import connect, ray_data
from relume.cluster.journal import Journal
from relume.errors import MissingExtra, OutputError, ParameterError, RelumeError
from relume.executor import Local


@pytest.fixture
def as_if_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_data, "find_spec", lambda name: object())


@pytest.mark.usefixtures("as_if_installed")
@pytest.mark.parametrize("where", ["spark", "ray:10001", "ray://", "ray://:1", "ray://head:port"])
def test_what_is_no_place_is_refused(where: str) -> None:
    with pytest.raises(ParameterError, match=r"expected .*ray://HOST:PORT, got"):
        connect(where)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_data, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'relume\[ray\]'"):
        connect("ray")


@pytest.mark.usefixtures("as_if_installed")
def test_no_cluster_at_the_address_is_told_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"ray://127.0.0.1:{taken.getsockname()[1]}"  # bound, but nobody listens
        with pytest.raises(RelumeError, match=f"no Ray cluster at {address}: Connection refused"):
            list(connect(address).run(lambda: abs, [1]))


@pytest.mark.usefixtures("as_if_installed")
def test_what_is_no_cluster_is_told_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something listens and says nothing: a web server that waits for a request, say."""
    pytest.importorskip("grpc", reason="needs Ray: pip install 'relume[ray]'")
    monkeypatch.setattr(ray_data, "KNOCK_S", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"ray://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(RelumeError, match=f"no Ray cluster at {address}: what listens there"):
            list(connect(address).run(lambda: abs, [1]))


def test_the_limits_add_up_to_less_than_fifteen_seconds() -> None:
    assert 2 * ray_data.KNOCK_S < 15


def test_the_journal_knows_what_was_begun_and_done() -> None:
    journal = Journal()
    assert journal.begin(7) == (1, None)
    assert journal.begin(7) == (2, None)
    journal.done(7, b"row")
    assert journal.begin(7) == (3, b"row")
    assert journal.begin(8) == (1, None)
    journal.forget([7, 9])
    assert journal.begin(7) == (1, None)


def test_what_never_connects_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_data, "PATIENCE_S", 0.1)
    with pytest.raises(RelumeError, match=r"no answer within 0\.1 s"):
        ray_data._reach(lambda: time.sleep(5), "ray://head:1")


def test_the_command_says_it_in_one_line(tmp_path: Path) -> None:
    photo = tmp_path / "x.png"
    Pil.fromarray(np.full((8, 8, 3), 30, np.uint8)).save(photo)
    for words, code in ((["--on", "spark"], 2), (["-o", "-", "--on", "ray"], 2)):
        command = [sys.executable, "-m", "relume", "enhance", str(photo), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, len(done.stderr.splitlines())) == (code, 1), done.stderr


def test_results_go_nowhere_where_machines_do_not_share_a_folder(tmp_path: Path) -> None:
    class Elsewhere(Local):
        elsewhere = True

    target = tmp_path / "out" / "a.jpg"
    with shared_mark(Elsewhere(), target) as mark:
        assert mark is not None
        assert mark.parent == tmp_path / "out"
        begin_work(0, mark)  # as a machine that sees it
        mark.unlink()
        with pytest.raises(OutputError, match=r"out is not shared with .*: results would stay"):
            begin_work(0, mark)  # as one that does not
    assert not list((tmp_path / "out").iterdir())
    with shared_mark(Local(), target) as mark:
        assert mark is None


def test_several_processes_write_the_same(tmp_path: Path) -> None:
    """The seam that Ray uses, with two processes of this machine."""
    folder = tmp_path / "in"
    folder.mkdir()
    for n in range(3):
        Pil.fromarray(np.full((20, 30, 3), 20 + n, np.uint8)).save(folder / f"{n}.png")
    (folder / "broken.png").write_bytes(b"no picture")
    for out, jobs in (("one", "1"), ("two", "2")):
        command = ["enhance", str(folder), "-m", "gamma", "-o", str(tmp_path / out), "-j", jobs]
        done = subprocess.run(
            [sys.executable, "-m", "relume", *command], capture_output=True, text=True, check=False
        )
        assert done.returncode == 1, "the broken picture"
        assert "broken.png" in done.stderr
        assert "3 photos enhanced" in done.stderr
        assert "1 failed" in done.stderr
    for n in range(3):
        one, two = (tmp_path / out / f"{n}.png" for out in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()
