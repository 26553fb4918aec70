"""The executor on Ray: an actor a core, fed by Ray Data.

What travels are names and small rows, never pictures: an actor reads a photo where it lies and
writes its result there itself, so all machines must see the same folders, or object stores. A lost
actor is started again and goes on where it was lost (:mod:`relume.cluster.journal`); results are
written atomically, so none is ever half there.
"""

from __future__ import annotations

import logging
import os
import pickle
import socket
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from relume.cluster.journal import TRIES, Journal
from relume.errors import MissingExtra, ParameterError, RelumeError, WorkerLost
from relume.executor import Item, Outcome, Result, Work, Worker, cores

if TYPE_CHECKING:
    import pyarrow

KNOCK_S = 6.0
"""How long it may take to find out whether anything listens at an address, and whether that could
be a cluster: together less than 15 seconds."""

PATIENCE_S = 60.0
"""How long a cluster that is there may take to answer: it starts a process for each client."""

SLOW_START = "Starting Ray client server failed"

MOST_A_BLOCK = 16
"""Items handed to an actor in one go: few enough for a bar that moves, enough to hide the cost."""

STORE_BYTES = 256 << 20
"""Memory of the local Ray's object store: only names and rows pass through it."""


@dataclass(frozen=True)
class RayExecutor:
    """Actors on Ray: on the cluster at ``address``, or on this machine's cores if it is None.

    ``workers`` is the number of actors, None for one on each core; with ``shares_folder`` they
    work in this process's folder.

    Raises:
        MissingExtra: Ray is not installed.
        ParameterError: an address that is not ray://HOST:PORT.
    """

    address: str | None = None
    workers: int | None = None
    shares_folder: bool = True

    def __post_init__(self) -> None:
        if find_spec("ray") is None or find_spec("pyarrow") is None:
            raise MissingExtra("work on Ray", "ray", "ray[data]")
        if self.address is not None:
            _host_and_port(self.address)

    @property
    def threads(self) -> int:
        """One: an actor is given one core."""
        return 1

    @property
    def elsewhere(self) -> bool:
        """Whether other machines may do the work."""
        return self.address is not None

    def run(
        self,
        start: Callable[[], Work[Item, Result]],
        items: Iterable[Item],
        *,
        ordered: bool = False,
    ) -> Generator[Outcome[Item, Result], None, None]:
        """As :func:`relume.executor.run`; all ``items`` are taken at the beginning.

        Raises:
            RelumeError: no cluster at the address, or Ray gave up.
        """
        listed = list(items)
        if not listed:
            return
        with _connected(self.address) as ray:
            from ray import cloudpickle

            rows = [{"number": n, "item": cloudpickle.dumps(item)} for n, item in enumerate(listed)]
            folder = str(Path.cwd()) if self.shares_folder else None
            given = (cloudpickle.dumps(start), rows, self.workers, folder)
            try:
                numbered = _unpacked(_remote_batches(*given) if self.address else batches(*given))
                yield from _in_order(numbered) if ordered else (done for _, done in numbered)
            except (ray.exceptions.RayError, ConnectionError) as error:
                what = f"Ray gave up: {_last_line(error)}; what is done is kept"
                raise RelumeError(what) from error


Packed = list[dict[str, Any]]
"""Rows of a number and an outcome, pickled."""


def batches(
    start: bytes, rows: list[dict[str, Any]], workers: int | None, folder: str | None
) -> Iterator[Packed]:
    """The outcomes of all items, some at a time, as they are done; runs inside a cluster.

    ``rows`` hold the number and the pickled item, ``start`` is pickled too, ``folder`` is where
    relative names begin, if there are any.
    """
    import ray
    from ray.data import ActorPoolStrategy, DataContext

    DataContext.get_current().enable_progress_bars = False  # the command has its own
    # a cluster that grows with the work may have no core yet
    cpus = max(1, int(ray.cluster_resources().get("CPU", 1)))
    actors = min(len(rows), workers or cpus)
    blocks = -(-len(rows) // max(1, min(MOST_A_BLOCK, len(rows) // (8 * actors))))
    journal = ray.remote(Journal).options(num_cpus=0).remote()
    done = ray.data.from_items(rows, override_num_blocks=blocks).map_batches(
        Actor,
        fn_constructor_args=(start, folder, journal),
        batch_size=None,
        batch_format="pyarrow",
        compute=ActorPoolStrategy(size=actors),
        num_cpus=1,
    )
    for batch in done.iter_batches(batch_size=None, batch_format="pyarrow"):
        packed = batch.to_pylist()
        journal.forget.remote([row["number"] for row in packed])
        yield packed


class Driver:
    """:func:`batches` in a process of the cluster, for a client: Ray Data needs to be inside."""

    def __init__(self, *given: Any) -> None:
        self._batches = batches(*given)

    def following(self) -> Packed | None:
        """The next outcomes; None when all are done."""
        return next(self._batches, None)


def _remote_batches(*given: Any) -> Iterator[Packed]:
    import ray

    driver = ray.remote(Driver).options(num_cpus=0).remote(*given)
    while (packed := ray.get(driver.following.remote())) is not None:
        yield packed


def _unpacked(packed: Iterable[Packed]) -> Iterator[tuple[int, Outcome[Any, Any]]]:
    for rows in packed:
        for row in rows:
            yield row["number"], pickle.loads(row["outcome"])


def _in_order(numbered: Iterable[tuple[int, Outcome[Any, Any]]]) -> Iterator[Outcome[Any, Any]]:
    waiting: dict[int, Outcome[Any, Any]] = {}
    wanted = 0
    for number, outcome in numbered:
        waiting[number] = outcome
        while wanted in waiting:
            yield waiting.pop(wanted)
            wanted += 1


class Actor:
    """A worker of the cluster: items in, outcomes out, in ``folder`` as the command was."""

    def __init__(self, start: bytes, folder: str | None, journal: Any) -> None:
        self._journal = journal
        try:
            if folder is not None:
                os.chdir(folder)
        except OSError as error:
            # as an outcome: an actor that does not start would be tried again and again
            name = f"{folder} is not there on {socket.gethostname()} ({error.strerror})"
            problem = RelumeError(
                f"{name}: Ray needs folders that all machines share, or an object store (s3://...)"
            )
            self._work: Worker[Any, Any] = Worker(_raiser(problem))
        else:
            self._work = Worker(pickle.loads(start))

    def __call__(self, batch: pyarrow.Table) -> pyarrow.Table:
        """The rows of a batch with their outcomes, in place of their items."""
        import pyarrow as pa

        numbers, items = batch["number"].to_pylist(), batch["item"].to_pylist()
        outcomes = [self._outcome(*row) for row in zip(numbers, items, strict=True)]
        return pa.table({"number": batch["number"], "outcome": pa.array(outcomes, pa.binary())})

    def _outcome(self, number: int, packed: bytes) -> bytes:
        """What came of an item, now or when an actor that was lost did it."""
        import ray

        begun, outcome = ray.get(self._journal.begin.remote(number))
        if outcome is not None:
            return bytes(outcome)
        item = pickle.loads(packed)
        if begun > TRIES:
            error = WorkerLost(f"its worker was lost {TRIES} times (out of memory?); given up")
            outcome = _packed(Outcome(item, error=error))
        else:
            once_more = getattr(item, "once_more", None)
            done = self._work(once_more() if begun > 1 and once_more else item)
            outcome = _packed(replace(done, item=item))
        self._journal.done.remote(number, outcome)
        return outcome


def _packed(outcome: Outcome[Any, Any]) -> bytes:
    try:
        packed = pickle.dumps(outcome)
        pickle.loads(packed)  # an exception may be packed and yet not come back
    except Exception:
        error = RelumeError(f"{type(outcome.error).__name__}: {outcome.error}")
        return pickle.dumps(Outcome(outcome.item, error=error))
    return packed


def _raiser(error: Exception) -> Callable[[], Work[Any, Any]]:
    def start() -> Work[Any, Any]:
        raise error

    return start


@contextmanager
def _connected(address: str | None) -> Iterator[Any]:
    """Ray, for a block: one that is there already is used and left as it is."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # or it calls home
    os.environ.setdefault(
        "RAY_DATA_LOGGING_CONFIG", str(Path(__file__).with_name("ray_logging.yaml"))
    )
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if address is not None:
        _knock(address)
    import ray

    logging.getLogger("ray").setLevel(logging.ERROR)
    if ray.is_initialized():
        yield ray
        return
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address is None:
        local = {"num_cpus": cores(), "object_store_memory": STORE_BYTES}
        with _stderr_closed():
            ray.init("local", include_dashboard=False, **local, **quiet)
    else:
        with _stderr_closed():
            _reach(lambda: ray.init(address, **quiet), address)
    try:
        yield ray
    finally:
        ray.shutdown()


@contextmanager
def _stderr_closed() -> Iterator[None]:
    """Nothing on stderr in a block: Ray's C++ part writes there that it will not write there."""
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _knock(address: str) -> None:
    """Find out quickly whether anything is at the address: Ray itself tries for a minute."""
    host, port = _host_and_port(address)
    try:
        socket.create_connection((host, port), timeout=KNOCK_S).close()
    except OSError as error:
        reason = f"{error.strerror or error}; is 'ray start' running?"
        raise RelumeError(f"no Ray cluster at {address}: {reason}") from error
    if os.environ.get("RAY_USE_TLS", "0") == "0":
        _greet(f"{host}:{port}", address)


def _greet(target: str, address: str) -> None:
    """Find out whether what listens speaks gRPC, as Ray does: a web server, say, does not."""
    import grpc

    with grpc.insecure_channel(target) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=KNOCK_S)
        except grpc.FutureTimeoutError:
            reason = f"what listens there gave no answer of Ray's within {KNOCK_S:g} s"
            raise RelumeError(f"no Ray cluster at {address}: {reason}") from None


def _reach(connect: Callable[[], object], address: str) -> None:
    """Connect, or give up after a while: something else may be listening there."""
    failed: list[BaseException] = []

    def attempt() -> None:
        for left in reversed(range(TRIES)):
            try:
                connect()
            except BaseException as error:
                # on a busy machine Ray waits too short a time for the process it starts
                if left and SLOW_START in str(error):
                    continue
                failed.append(error)
            break

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    if thread.is_alive():
        raise RelumeError(f"no Ray cluster at {address}: no answer within {PATIENCE_S:g} s")
    if failed:
        raise RelumeError(f"no Ray cluster at {address}: {_last_line(failed[0])}") from failed[0]


def _host_and_port(address: str) -> tuple[str, int]:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port or 10001
    except ValueError:
        host = None
    if not host:
        raise ParameterError(f"expected ray://HOST:PORT, got {address!r}")
    return host, port


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[-1][:300]
