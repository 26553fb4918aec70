from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _cache_of_its_own(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiled test networks stay out of the user's cache folder."""
    monkeypatch.setenv("RELUME_CACHE", str(tmp_path_factory.getbasetemp() / "relume-cache"))
