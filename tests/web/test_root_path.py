"""The service below a path: behind a proxy that takes it off or leaves it, or mounted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from relume.errors import ParameterError
from relume.web.settings import Settings, from_environment, root_path

from .conftest import drop, httpx, packed, picture, running, wait_for_result

TOKEN = {"Authorization": "Bearer secret"}


def cutting_proxy(app: Any) -> Any:
    """As Caddy's ``handle_path /relume/*``: what is below the path arrives without it."""

    async def proxy(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            assert scope["path"].startswith("/relume/"), scope["path"]
            scope = {**scope, "path": scope["path"].removeprefix("/relume")}
        await app(scope, receive, send)

    return proxy


def mounted(app: Any) -> Any:
    """In another application, at a path of that one's choice."""
    from starlette.applications import Starlette
    from starlette.routing import Mount

    return Starlette(routes=[Mount("/relume", app)])


@pytest.fixture(scope="module")
def below() -> Iterator[httpx.Client]:
    settings = Settings(root_path="/relume", token="secret")
    with running(settings) as one, httpx.Client(base_url=one.url, timeout=60) as client:
        yield client


@pytest.mark.parametrize("prefix", ["", "/relume"], ids=["taken off", "left on"])
def test_both_kinds_of_proxy(below: httpx.Client, prefix: str) -> None:
    assert "<title>relume</title>" in below.get(f"{prefix}/").text
    assert below.get(f"{prefix}/static/app.js").status_code == 200
    assert below.get(f"{prefix}/docs").status_code == 200
    assert below.get(f"{prefix}/v1/methods", headers=TOKEN).json()["default"] == "relume"
    files = {"file": ("night.png", packed(picture(), "PNG"))}
    address = f"{prefix}/v1/enhance?method=gamma"
    assert below.post(address, files=files, headers=TOKEN).headers["content-type"] == "image/png"
    servers = below.get(f"{prefix}/openapi.json").json()["servers"]
    assert servers == [{"url": "/relume"}]


def test_the_path_itself_leads_to_the_page(below: httpx.Client) -> None:
    answer = below.get("/relume")
    assert (answer.status_code, answer.headers["location"]) == (308, "/relume/")
    assert below.get("/relumex").status_code == 404


@pytest.mark.parametrize(
    "path",
    ["/v1/methods", "/relume/v1/methods", "/relume/relume/v1/methods", "/relume//v1/methods",
     "//v1/methods", "/relume/v1/../v1/methods"],
)  # fmt: skip
def test_no_path_goes_round_the_token(below: httpx.Client, path: str) -> None:
    assert below.get(path).status_code in (401, 404)


def test_a_mounted_service_asks_for_its_token_too() -> None:
    with running(Settings(token="secret"), behind=mounted) as one:
        address = f"{one.url}/relume/v1/methods"
        assert httpx.get(address).status_code == 401
        assert httpx.get(address, headers=TOKEN).json()["default"] == "relume"
        assert "<title>relume</title>" in httpx.get(f"{one.url}/relume/").text


def test_a_job_is_found_where_its_answer_says(tmp_path: Any) -> None:
    pytest.importorskip("av", reason="needs the extra video")
    with running(Settings(root_path="/relume")) as one:
        headers = {"Content-Type": "video/mp4"}
        sent = httpx.post(f"{one.url}/relume/v1/videos", content=b"no clip", headers=headers)
        assert sent.headers["location"].startswith("/relume/v1/videos/")
        assert httpx.get(f"{one.url}{sent.headers['location']}").status_code == 200


def test_what_is_a_root_path() -> None:
    for text, path in {"": "", "/": "", "relume": "/relume", "/a/b/": "/a/b"}.items():
        assert root_path(text) == path
        assert from_environment(environment={"RELUME_ROOT_PATH": text}).root_path == path
    for text in ("/a b", "/a?b", "//evil.example/..", "/a\nb", "https://example.org/relume"):
        with pytest.raises(ParameterError, match="root path"):
            root_path(text)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [Settings(), Settings(root_path="/relume")])
def test_the_page_works_there(chromium: Any, settings: Settings, portrait: bytes) -> None:
    """With a proxy that takes the path off, it need not even be told."""
    with running(settings, behind=cutting_proxy) as one:
        page = chromium.new_page()
        failed: list[str] = []
        page.on("response", lambda r: failed.append(r.url) if r.status >= 400 else None)
        page.goto(f"{one.url}/relume/")
        page.wait_for_selector("html[data-ready=true]")
        drop(page, "night.jpg", portrait)
        wait_for_result(page, "relume")
        page.click("text=API")
        page.click("text=/openapi.json")
        assert page.url == f"{one.url}/relume/openapi.json"
        page.close()
    assert failed == []
