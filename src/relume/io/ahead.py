"""Frames drawn ahead and done with behind: decoding, relighting and encoding at the same time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """An iterator over ``items``, up to ``depth`` of which are drawn before they are asked for.

    With ``newest`` what was not asked for in time is dropped, as of a camera: an item is never
    older than need be. What ``items`` raises is raised here, after all that came before it. To be
    closed, or left as a context manager: the thread ends after the item that it waits for.
    """

    def __init__(self, items: Iterable[T], *, depth: int = 2, newest: bool = False) -> None:
        self._items, self._depth, self._newest = items, 1 if newest else depth, newest
        self._ready: deque[T] = deque()
        self._changed = threading.Condition()
        self._ended = self._closed = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._draw, name="frames ahead", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        with self._changed:
            # a bounded wait, so that Ctrl-C is seen on every system
            while not self._ready and not self._ended:
                self._changed.wait(0.5)
            if self._ready:
                item = self._ready.popleft()
                self._changed.notify_all()
                return item
            error, self._error = self._error, None
        if error is not None:
            raise error
        raise StopIteration

    def __enter__(self) -> Ahead[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Draw no more; waits a moment for the thread, which may be waiting for a camera."""
        with self._changed:
            self._closed = True
            self._ready.clear()
            self._changed.notify_all()
        self._thread.join(timeout=2.0)

    def _draw(self) -> None:
        try:
            for item in self._items:
                with self._changed:
                    while not self._newest and len(self._ready) >= self._depth and not self._closed:
                        self._changed.wait(0.5)
                    if self._closed:
                        break
                    if self._newest:
                        self._ready.clear()
                    self._ready.append(item)
                    self._changed.notify_all()
        except BaseException as error:
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()


class Behind(Generic[T]):
    """Items worked on in order in a thread of their own, at most ``depth`` of them waiting.

    A context manager: leaving it waits for the rest, or drops it where an exception leaves. What
    ``work`` raises is raised at the next item, or at the end.
    """

    def __init__(self, work: Callable[[T], None], *, depth: int = 1) -> None:
        self._work, self._depth = work, depth
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="frames behind")
        self._pending: deque[Future[None]] = deque()

    def __call__(self, item: T) -> None:
        """Hand ``item`` over; waits while too many are waiting."""
        self._pending.append(self._pool.submit(self._work, item))
        while len(self._pending) > self._depth or self._pending[0].done():
            self._pending.popleft().result()
            if not self._pending:
                return

    def __enter__(self) -> Behind[T]:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            while kind is None and self._pending:
                self._pending.popleft().result()
        finally:
            self._pool.shutdown(cancel_futures=True)
