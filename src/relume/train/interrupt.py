"""Ctrl-C and SIGTERM: training stops between two steps, where its state can be saved."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(KeyboardInterrupt):
    """Training was stopped by a signal; the message says what was saved."""

    def __init__(self, message: str, signum: int = signal.SIGINT) -> None:
        super().__init__(message)
        self.signum = signum


class StopSignals:
    """What SIGINT and SIGTERM do while :func:`stop_signals` is active.

    They raise KeyboardInterrupt, but not within :meth:`deferred`, where they set ``requested``.
    """

    def __init__(self) -> None:
        self.requested = False
        self.signum = int(signal.SIGINT)
        self._deferred = False

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """A part that is not interrupted."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False

    def handle(self, signum: int, frame: FrameType | None) -> None:
        """The signal handler."""
        del frame
        self.requested, self.signum = True, signum
        if not self._deferred:
            raise KeyboardInterrupt


@contextmanager
def stop_signals() -> Iterator[StopSignals]:
    """Handle SIGINT and SIGTERM until the block ends; elsewhere than in the main thread, neither.

    A handler that the caller has set is left alone, so that a service's own keeps working.
    """
    stop, old = StopSignals(), {}
    if threading.current_thread() is threading.main_thread():
        defaults = (signal.SIG_DFL, signal.default_int_handler)
        for signum in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(signum) in defaults:
                old[signum] = signal.signal(signum, stop.handle)
    try:
        yield stop
    finally:
        for signum, handler in old.items():
            signal.signal(signum, handler)
