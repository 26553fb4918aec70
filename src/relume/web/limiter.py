"""So many photos at once, so many waiting, and an answer in time for everybody."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from relume.web.errors import HttpError

T = TypeVar("T")


class ClientGone(Exception):
    """The client hung up before its answer was ready."""


class Limiter:
    """Admits ``workers + queue`` requests and works on ``workers`` of them at a time.

    A slot is taken before the upload is read, so that memory is bounded by slots x upload limit.
    A job that outlives its time limit cannot be stopped (it is native code in a thread); its
    client is answered, but its slot stays taken until it ends, so the bound holds.
    """

    def __init__(self, *, workers: int, queue: int, per_client: int, time_limit_s: float) -> None:
        self.slots = workers + queue
        self.taken = 0
        self._per_client = per_client
        self._time_limit_s = time_limit_s
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="relume")
        self._lock = threading.Lock()
        self._clients: Counter[str] = Counter()

    def acquire(self, client: str) -> Slot:
        """A slot for one request.

        Raises:
            HttpError: 503 all are taken, 429 this client holds as many as it may.
        """
        with self._lock:
            if self._per_client and self._clients[client] >= self._per_client:
                raise HttpError(
                    429,
                    "TooManyRequests",
                    f"at most {self._per_client} requests at once from one address; wait for one "
                    "to end",
                    retry_after_s=1,
                )
            if self.taken >= self.slots:
                raise HttpError(
                    503,
                    "Busy",
                    f"all {self.slots} places are taken; try again in a moment",
                    retry_after_s=1,
                )
            self.taken += 1
            self._clients[client] += 1
        return Slot(self, client)

    def release(self, client: str) -> None:
        """Give one slot of this client back."""
        with self._lock:
            self.taken -= 1
            self._clients[client] -= 1
            if self._clients[client] <= 0:
                del self._clients[client]

    def close(self) -> None:
        """Drop what waits; what runs ends by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def submit(self, job: Callable[[], T]) -> Future[tuple[T, float]]:
        """Queue the job; the result comes with the seconds it waited."""
        asked = time.perf_counter()

        def work() -> tuple[T, float]:
            waited_s = time.perf_counter() - asked
            return job(), waited_s

        return self._pool.submit(work)

    async def wait(
        self, future: Future[tuple[T, float]], hung_up: Callable[[], Coroutine[Any, Any, None]]
    ) -> tuple[T, float]:
        """The job's result, unless the time is over or the client is gone before.

        Raises:
            HttpError: 503 the time limit.
            ClientGone: the client hung up.
        """
        work = asyncio.wrap_future(future)
        watch = asyncio.ensure_future(hung_up())
        waiting: set[asyncio.Future[Any]] = {work, watch}
        try:
            await asyncio.wait(
                waiting, timeout=self._time_limit_s, return_when=asyncio.FIRST_COMPLETED
            )
            if work.done():
                return work.result()
            if watch.done():
                raise ClientGone
            raise HttpError(
                503,
                "TimeLimit",
                f"no answer within {self._time_limit_s:g} s; send a smaller picture or choose a "
                "faster method",
                retry_after_s=5,
            )
        finally:
            watch.cancel()
            work.cancel()  # takes it out of the queue, if it still waits there


class Slot:
    """A request's slot; it ends with the ``with`` block, or with the job that was begun in it."""

    def __init__(self, limiter: Limiter, client: str) -> None:
        self._limiter = limiter
        self._client = client
        self._handed_over = False

    def __enter__(self) -> Slot:
        return self

    def __exit__(self, *exception: object) -> None:
        if not self._handed_over:
            self._limiter.release(self._client)

    async def run(
        self, job: Callable[[], T], *, hung_up: Callable[[], Coroutine[Any, Any, None]]
    ) -> tuple[T, float]:
        """The job's result and the seconds it waited; see :meth:`Limiter.wait`."""
        future = self._limiter.submit(job)
        self._handed_over = True
        future.add_done_callback(lambda _: self._limiter.release(self._client))
        return await self._limiter.wait(future, hung_up)
