"""What the tests of several folders share."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import settings

os.environ["RELUME_PRECISION"] = "f32"
"""Everywhere, in processes that tests start too: pictures must not depend on the machine."""

# no example is too slow: other work may share the cores
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(autouse=True, scope="session")
def _interrupts_arrive() -> None:
    """Started in the background by a shell, this process ignores SIGINT, and all that it starts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled networks stay out of the user's cache folder; one folder for all the tests."""
    monkeypatch.setenv("RELUME_CACHE", str(tmp_path_factory.getbasetemp() / "relume-cache"))
