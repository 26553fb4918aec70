"""One piece of work for many items: items in, outcomes out, wherever it is done.

An :class:`Executor` says where: :class:`Local` is this process or processes of this machine;
``relume.cluster`` has one for many machines.

Processes are spawned, never forked (forking a process in which OpenVINO or OpenCV run threads can
hang), and none outlives its parent, however that ends.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice, takewhile
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from relume.errors import RelumeError, WorkerLost

PROC, CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")

LOST = "its process ended over it (a decoder crashed, or memory ran out)"
MOST_LOST = 5
"""Processes that die in a row, over one item each, before it is no item's fault."""

Item = TypeVar("Item")
Result = TypeVar("Result")
Work = Callable[[Item], Result]
"""Does an item. One with a method ``once_more()`` is done as what that gives if an earlier worker
was lost while it did it."""


@dataclass(frozen=True)
class Outcome(Generic[Item, Result]):
    """What came of an item: its result, or the exception that ended it."""

    item: Item
    result: Result | None = None
    error: Exception | None = None

    def get(self) -> Result:
        """The result.

        Raises:
            Exception: what ended the item.
        """
        if self.error is not None:
            raise self.error
        return self.result  # type: ignore[return-value]


Rest = tuple[Item, Outcome[Item, Result] | None]
"""An item that is not told of yet, and its outcome, if it is done."""


class Executor(Protocol):
    """Where items are done."""

    @property
    def threads(self) -> int:
        """How many CPU threads a worker should use; 0 is all there are."""

    @property
    def elsewhere(self) -> bool:
        """Whether other machines may do the work, which need not see this one's folders."""

    def run(
        self,
        start: Callable[[], Work[Item, Result]],
        items: Iterable[Item],
        *,
        ordered: bool = False,
    ) -> Generator[Outcome[Item, Result], None, None]:
        """As :func:`run`, over all workers."""


@dataclass(frozen=True)
class Local:
    """This process, or several of this machine."""

    workers: int = 1

    @property
    def threads(self) -> int:
        """All that one process may have; the cores shared out, if there are several."""
        return 0 if self.workers == 1 else max(1, cores() // self.workers)

    @property
    def elsewhere(self) -> bool:
        """False."""
        return False

    def run(
        self,
        start: Callable[[], Work[Item, Result]],
        items: Iterable[Item],
        *,
        ordered: bool = False,
    ) -> Generator[Outcome[Item, Result], None, None]:
        """As :func:`run`."""
        return run(start, items, workers=self.workers, ordered=ordered)


class Worker(Generic[Item, Result]):
    """Does items in its process, one by one; ``start`` is called before the first."""

    def __init__(self, start: Callable[[], Work[Item, Result]]) -> None:
        self._start = start
        self._work: Work[Item, Result] | None = None

    def __call__(self, item: Item, *, again: bool = False) -> Outcome[Item, Result]:
        """The item's outcome; ``again`` if an earlier worker was lost while it did it."""
        try:
            if self._work is None:
                self._work = self._start()
            once_more = getattr(item, "once_more", None) if again else None
            return Outcome(item, self._work(once_more() if once_more else item))
        except Exception as error:
            return Outcome(item, error=error)


def run(
    start: Callable[[], Work[Item, Result]],
    items: Iterable[Item],
    *,
    workers: int,
    ordered: bool = False,
) -> Generator[Outcome[Item, Result], None, None]:
    """The outcome of every item as it is done, or with ``ordered`` in the order of the items.

    ``start`` is called once in each process and gives the function that does an item there: the
    place to load a network. With one worker that is this process; with more, ``start``, items and
    results are pickled. Close the iterator early (or raise in the loop over it) and what still
    runs is ended at once.

    A process that dies (a decoder crashed, memory ran out) is replaced. What it may have died of is
    done again, one item after the other; the outcome of one that ends that process, too, is
    ``WorkerLost``.

    Raises:
        RelumeError: processes die, whatever they do.
    """
    if workers == 1:
        yield from map(Worker(start), items)
        return
    yield from _spread(start, items, workers, ordered)


def cores() -> int:
    """How many cores this process may use: by its affinity, and by its container's quota."""
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min((own, *_quotas())))


@functools.cache
def _quotas() -> tuple[int, ...]:
    """What Linux's control groups, this process's and those above it, allow of whole cores."""
    found: list[int] = []
    with suppress(OSError, ValueError):
        for line in (PROC / "self/cgroup").read_text("utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers not in ("", "cpu", "cpu,cpuacct", "cpuacct,cpu"):
                continue
            home = CGROUPS / controllers
            group = home / path.lstrip("/")
            for folder in (group, *group.parents):
                found += _quota(folder)
                if folder == home:
                    break
    return tuple(found)


def _quota(folder: Path) -> Iterator[int]:
    """The quota that a control group's files tell, in version 2 and in version 1."""
    with suppress(OSError, ValueError):
        quota, period = map(int, (folder / "cpu.max").read_text("utf-8").split())  # or "max ..."
        yield quota // period
    with suppress(OSError, ValueError):
        quota = int((folder / "cpu.cfs_quota_us").read_text("utf-8"))
        if quota > 0:
            yield quota // int((folder / "cpu.cfs_period_us").read_text("utf-8"))


def _spread(
    start: Callable[[], Work[Item, Result]], items: Iterable[Item], workers: int, ordered: bool
) -> Generator[Outcome[Item, Result], None, None]:
    """A few items ahead of the processes, so that ``items`` may be endless."""
    left, lost_in_a_row = iter(items), 0
    while True:
        rest, done = yield from _pooled(start, left, workers, ordered=ordered)
        if not rest:
            return
        lost_in_a_row = 0 if done else lost_in_a_row
        while rest:
            outcome = rest[0][1]
            if outcome is not None:  # done while an earlier one ended its process
                yield outcome
                del rest[0]
                continue
            # one process does them in turn: the first that is not done is what it died of
            suspects = list(takewhile(lambda one: one[1] is None, rest))
            alone = iter([item for item, _ in suspects])
            lost, done = yield from _pooled(start, alone, 1, ordered=True, again=True)
            lost_in_a_row = 1 if done else lost_in_a_row + 1
            if lost and lost_in_a_row == MOST_LOST:
                raise RelumeError(
                    "worker processes died one after the other (out of memory?); what is done is "
                    "kept: run it again, with fewer processes"
                )
            if lost:
                yield Outcome(lost[0][0], error=WorkerLost(LOST))
            rest = [*lost[1:], *((item, None) for item in alone), *rest[len(suspects) :]]


def _pooled(
    start: Callable[[], Work[Item, Result]],
    left: Iterator[Item],
    workers: int,
    *,
    ordered: bool,
    again: bool = False,
) -> Generator[Outcome[Item, Result], None, tuple[list[Rest[Item, Result]], int]]:
    """The outcomes until a process dies; what it may have died of, and how many were done.

    With ``ordered``, what was done after an item that was not is given back with its outcome.
    """
    held, pool = _pool(start, workers)
    waiting: dict[Future[Outcome[Item, Result]], Item] = {}
    done = 0
    try:
        while True:
            for item in islice(left, 2 * workers - len(waiting)):
                with _interrupts_held():
                    waiting[_submitted(pool, item, again)] = item
            if not waiting:
                return [], done
            if not ordered:
                wait(waiting, return_when=FIRST_COMPLETED)
            for future in list(waiting)[:1] if ordered else [f for f in waiting if f.done()]:
                outcome = future.result()
                del waiting[future]
                done += 1
                yield outcome
    except BrokenProcessPool:
        wait(waiting)
        whole = {f: f.result() for f in waiting if f.exception() is None}
        if ordered:
            return [(item, whole.get(f)) for f, item in waiting.items()], done + len(whole)
        yield from whole.values()
        return [(item, None) for f, item in waiting.items() if f not in whole], done + len(whole)
    finally:
        held.close()  # processes that still work end here
        pool.shutdown(cancel_futures=True)


def _pool(
    start: Callable[[], Work[Any, Any]], workers: int
) -> tuple[Connection, ProcessPoolExecutor]:
    """Processes, and what they live by: they end when it is closed, or this process ends."""
    context = multiprocessing.get_context("spawn")
    lifeline, held = context.Pipe(duplex=False)
    return held, ProcessPoolExecutor(
        workers, mp_context=context, initializer=_begin, initargs=(lifeline, start)
    )


def _submitted(pool: ProcessPoolExecutor, item: Any, again: bool) -> Future[Outcome[Any, Any]]:
    try:
        return pool.submit(_do, item, again)
    except BrokenProcessPool as error:
        future: Future[Outcome[Any, Any]] = Future()
        future.set_exception(error)
        return future


class Apart(Generic[Item, Result]):
    """Does items in processes of their own, as many as threads ask, replaced when an item ends one.

    ``work`` is pickled.
    """

    def __init__(self, work: Work[Item, Result]) -> None:
        self._start = partial(_same, work)
        self._idle: list[tuple[Connection, ProcessPoolExecutor]] = []

    def __call__(self, item: Item) -> Result:
        """The item's result.

        Raises:
            WorkerLost: the process ended over it.
            Exception: what the work raised.
        """
        try:
            held, pool = self._idle.pop()
        except IndexError:
            held, pool = _pool(self._start, 1)
        try:
            with _interrupts_held():
                future = pool.submit(_do, item, False)
            outcome: Outcome[Item, Result] = future.result()
        except BrokenProcessPool as error:
            held.close()
            pool.shutdown(wait=False)
            raise WorkerLost(LOST) from error
        self._idle.append((held, pool))
        return outcome.get()

    def close(self) -> None:
        """End the processes that do nothing."""
        while self._idle:
            held, pool = self._idle.pop()
            held.close()
            pool.shutdown(wait=False)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C waits for the block's end; processes begun in it never see one, where POSIX allows.

    It goes to the whole process group, but the parent alone decides.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_worker: Worker[Any, Any] | None = None
"""Of this worker process."""


def _begin(lifeline: Connection, start: Callable[[], Work[Any, Any]]) -> None:
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()
    _worker = Worker(start)


def _end_with(lifeline: Connection) -> None:
    """End this process when the parent lets go of the pipe: by closing it, or by its own end."""
    with suppress(EOFError, OSError):
        lifeline.recv()
    os._exit(1)


def _same(work: Work[Item, Result]) -> Work[Item, Result]:
    return work


def _do(item: Any, again: bool) -> Outcome[Any, Any]:
    assert _worker is not None
    return _worker(item, again=again)
