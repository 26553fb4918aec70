"""Work over processes: outcomes, order, and that no process outlives its parent."""

from __future__ import annotations

import importlib
import operator
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

from relume import executor
from relume.errors import MissingExtra, RelumeError, WorkerLost

SCRIPT = """
import os, sys, time
from functools import partial
from relume import executor

def note(folder, seconds, item):
    open(os.path.join(folder, str(os.getpid())), "w").close()
    time.sleep(seconds)
    return item

def start(folder, seconds):
    return partial(note, folder, seconds)

if __name__ == "__main__":
    folder, seconds = sys.argv[1], float(sys.argv[2])
    for outcome in executor.run(partial(start, folder, seconds), range(50), workers=2):
        print(outcome.get(), flush=True)
"""


def running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until(condition: Callable[[], bool], *, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_their_parent(tmp_path: Path, number: signal.Signals) -> None:
    script, pids = tmp_path / "work.py", tmp_path / "pids"
    script.write_text(SCRIPT)
    pids.mkdir()
    command = [sys.executable, str(script), str(pids), "3600"]
    parent = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        assert wait_until(lambda: len(list(pids.iterdir())) == 2, seconds=30)
        workers = [int(file.name) for file in pids.iterdir()]
        assert all(map(running, workers))
        parent.send_signal(number)
        parent.wait(60)
        # their work is an hour of sleep for each item: they are ended in the midst of it
        assert wait_until(lambda: not any(map(running, workers)), seconds=30)
    finally:
        parent.kill()
        parent.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT to a group")
@pytest.mark.parametrize("after_s", [0.0, 0.3, 0.7])
def test_ctrl_c_while_workers_begin_is_one_traceback_at_most(
    tmp_path: Path, after_s: float
) -> None:
    script, begun = tmp_path / "work.py", tmp_path / "begun"
    script.write_text(
        SCRIPT.replace("    folder, seconds", f"    open({str(begun)!r}, 'w')\n    folder, seconds")
    )
    parent = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path), "3600"],
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert wait_until(begun.exists, seconds=60)
        time.sleep(after_s)
        os.killpg(parent.pid, signal.SIGINT)
        _, said = parent.communicate(timeout=60)
    finally:
        parent.kill()
    assert said.count(b"Traceback") == 1


# of the standard library: the processes cannot import this file
SQUARE = partial(partial, pow, exp=2)
RECIPROCAL = partial(partial, operator.truediv, 1)
NO_START = partial(int, "no number")
FATAL = partial(partial, os._exit)


@pytest.mark.parametrize("workers", [1, 2])
def test_every_item_has_an_outcome_in_order_if_wanted(workers: int) -> None:
    outcomes = list(executor.run(SQUARE, range(9), workers=workers, ordered=True))
    assert [(o.item, o.get()) for o in outcomes] == [(i, i * i) for i in range(9)]
    loose = list(executor.run(SQUARE, range(9), workers=workers))
    assert sorted(o.item for o in loose) == list(range(9))


@pytest.mark.parametrize("workers", [1, 2])
def test_what_fails_is_an_outcome(workers: int) -> None:
    outcomes = {o.item: o for o in executor.run(RECIPROCAL, [1, 0, 2], workers=workers)}
    assert (outcomes[1].get(), outcomes[2].get()) == (1, 0.5)
    assert isinstance(outcomes[0].error, ZeroDivisionError)
    with pytest.raises(ZeroDivisionError):
        outcomes[0].get()


def test_a_failed_start_is_said() -> None:
    outcome = next(iter(executor.run(NO_START, [1], workers=2)))
    with pytest.raises(ValueError, match="no number"):
        outcome.get()


def test_processes_that_die_whatever_they_do_are_said() -> None:
    with pytest.raises(RelumeError, match="died"):
        list(executor.run(FATAL, range(9), workers=2))


CRASHING = """
import os, signal, time
from dataclasses import dataclass

@dataclass(frozen=True)
class Attempt:
    number: int
    again: bool = False

    def once_more(self):
        return Attempt(self.number, again=True)

def crash_late_at(bad, number):
    if number in bad:
        time.sleep(0.4)  # the other processes are done with the next items
    return crash_at(bad, number)


def crash_at(bad, item):
    if item in bad:
        os.kill(os.getpid(), signal.SIGKILL)
    return item * item

def crash_the_first_time(item):
    if item.number == 1 and not item.again:
        os._exit(1)
    return item.again
"""


@pytest.fixture
def crashing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A module that processes which are spawned can import, too."""
    (tmp_path / "crashing.py").write_text(CRASHING)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("crashing")
    del sys.modules["crashing"]


@pytest.mark.skipif(os.name != "posix", reason="kills itself by a signal")
@pytest.mark.parametrize(("bad", "ordered"), [((0,), True), ((2, 3, 8), False), ((9,), True)])
def test_what_ends_its_process_ends_nothing_else(
    crashing: ModuleType, bad: tuple[int, ...], ordered: bool
) -> None:
    start = partial(partial, crashing.crash_at, bad)
    outcomes = list(executor.run(start, range(10), workers=2, ordered=ordered))
    lost = {o.item for o in outcomes if isinstance(o.error, WorkerLost)}
    assert lost == set(bad)
    assert {o.item: o.get() for o in outcomes if o.error is None} == {
        n: n * n for n in range(10) if n not in bad
    }
    assert len(outcomes) == 10
    if ordered:
        assert [o.item for o in outcomes] == list(range(10))


@pytest.mark.skipif(os.name != "posix", reason="kills itself by a signal")
@pytest.mark.parametrize("bad", [(0,), (1, 5)])
def test_what_others_did_before_a_process_ended_waits_for_its_turn(
    crashing: ModuleType, bad: tuple[int, ...]
) -> None:
    start = partial(partial, crashing.crash_late_at, bad)
    outcomes = list(executor.run(start, range(8), workers=3, ordered=True))
    assert [o.item for o in outcomes] == list(range(8))
    assert [o.item for o in outcomes if o.error is not None] == list(bad)


def test_what_an_earlier_process_may_have_begun_is_done_as_such(crashing: ModuleType) -> None:
    items = [crashing.Attempt(number) for number in range(3)]
    start = partial(partial, crashing.crash_the_first_time)
    outcomes = list(executor.run(start, items, workers=2))
    assert sorted(o.item.number for o in outcomes) == [0, 1, 2]
    assert not any(o.item.again for o in outcomes)
    assert next(o.get() for o in outcomes if o.item.number == 1)


@pytest.mark.skipif(os.name != "posix", reason="kills itself by a signal")
def test_apart_a_crash_is_one_item_s_error(crashing: ModuleType) -> None:
    apart = executor.Apart(partial(crashing.crash_at, (3,)))
    assert [apart(n) for n in (1, 2)] == [1, 4]
    with pytest.raises(WorkerLost, match="its process ended over it"):
        apart(3)
    assert apart(4) == 16
    with pytest.raises(TypeError):
        apart("no number")
    apart.close()


def test_an_error_with_arguments_of_its_own_comes_back() -> None:
    """Exceptions are pickled by their message: one that takes more would break the pool."""
    error = pickle.loads(pickle.dumps(MissingExtra("work", "ray", "ray[data]")))
    assert (str(error), error.extra) == (str(MissingExtra("work", "ray", "ray[data]")), "ray")
    absent = partial(executor.Worker, partial(_raise, MissingExtra("work", "ray", "ray[data]")))
    assert isinstance(absent()(1).error, MissingExtra)


def _raise(error: Exception) -> Callable[[int], int]:
    raise error


def test_nothing_to_do_starts_nothing() -> None:
    assert list(executor.run(partial(_raise, ValueError("started")), [], workers=1)) == []


def test_threads_are_shared_out() -> None:
    assert executor.Local().threads == 0, "one process has all cores"
    assert executor.Local(2 * executor.cores()).threads == 1


def test_a_containers_quota_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of 64 cores: by version 2 of the control groups, above this process's own, or by 1."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    own, groups = tmp_path / "proc/self/cgroup", tmp_path / "cgroup"
    monkeypatch.setattr(executor, "PROC", tmp_path / "proc")
    monkeypatch.setattr(executor, "CGROUPS", groups)
    own.parent.mkdir(parents=True)

    def cores(lines: str) -> int:
        own.write_text(lines)
        executor._quotas.cache_clear()
        return executor.cores()

    try:
        assert cores("0::/") == 64
        (groups / "a/b").mkdir(parents=True)
        (groups / "cpu").mkdir()
        (groups / "a/cpu.max").write_text("200000 100000\n")
        (groups / "a/b/cpu.max").write_text("max 100000\n")
        assert cores("0::/a/b\n") == 2
        (groups / "a/cpu.max").write_text("50000 100000\n")
        assert cores("0::/a/b\n") == 1, "half a core is one"
        (groups / "cpu/cpu.cfs_quota_us").write_text("300000\n")
        (groups / "cpu/cpu.cfs_period_us").write_text("100000\n")
        assert cores("3:cpuset:/\n1:cpu:/docker/of/the/host\n") == 3
        (groups / "cpu/cpu.cfs_quota_us").write_text("-1\n")
        assert cores("1:cpu:/\n") == 64
    finally:
        executor._quotas.cache_clear()
