"""What the tests of several folders share."""

from __future__ import annotations

import os

import pytest

os.environ["RELUME_PRECISION"] = "f32"
"""Everywhere, in processes that tests start too: pictures must not depend on the machine."""


@pytest.fixture
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled networks stay out of the user's cache folder; one folder for all the tests."""
    monkeypatch.setenv("RELUME_CACHE", str(tmp_path_factory.getbasetemp() / "relume-cache"))
