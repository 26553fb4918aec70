"""The site that works on the visitor's own device: what it offers, and how it is served.

What it does is tested in ``site/test`` (``npm test``).
"""

from __future__ import annotations

import asyncio
import json
import runpy
from pathlib import Path

import pytest

from relume.errors import InputError
from relume.web.settings import Settings
from relume.web.site import FILES, create_site

from .conftest import httpx

SITE = Path(__file__).resolve().parents[2] / "site"


def test_the_sites_menu_is_the_packages() -> None:
    made = runpy.run_path(str(SITE / "menu.py"))["site_menu"]()
    kept = json.loads((SITE / "menu.json").read_text("utf-8"))
    assert kept == json.loads(json.dumps(made)), "run: cd site && python menu.py > menu.json"


def test_the_sites_constants_are_the_packages() -> None:
    made = runpy.run_path(str(SITE / "constants.py"))["site_constants"]()
    kept = json.loads((SITE / "src/core/constants.json").read_text("utf-8"))
    again = "run: cd site && python constants.py > src/core/constants.json"
    assert kept == json.loads(json.dumps(made)), again


@pytest.fixture
def built(tmp_path: Path) -> Path:
    for name in (*FILES, "plain-0123.bin"):
        (tmp_path / name).write_text(name)
    return tmp_path


def answer(folder: Path, path: str, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(create_site(folder, Settings()))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(ask())


def test_a_page_may_use_threads_and_call_nobody_else(built: Path) -> None:
    page = answer(built, "/")
    assert page.status_code == 200
    assert page.text == "index.html"
    policy = page.headers["Content-Security-Policy"].split("; ")
    assert "connect-src 'self'" in policy
    assert "script-src 'self' 'wasm-unsafe-eval'" in policy
    assert "default-src 'none'" in policy
    assert page.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert page.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert answer(built, "/worker.js").headers["Content-Security-Policy"] == "; ".join(policy)


def test_what_never_changes_is_kept_and_all_else_is_asked_about(built: Path) -> None:
    assert "immutable" in answer(built, "/plain-0123.bin").headers["Cache-Control"]
    assert answer(built, "/app.js").headers["Cache-Control"] == "no-cache"


def test_there_is_no_way_to_send_a_photo(built: Path) -> None:
    assert answer(built, "/v1/methods").status_code == 404
    assert answer(built, "/", Host="evil.example").status_code == 403


def test_without_a_build_the_error_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="npm ci && npm run build") as raised:
        create_site(tmp_path, Settings())
    assert str(tmp_path) in str(raised.value)
    assert "\n" not in str(raised.value)
