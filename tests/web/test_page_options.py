"""Every option of ``enhance`` through the page's own controls.

It is asked for as the service takes it, or cannot be had where the method does not take it. What it
does is tested at the other doors.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from relume.enhancers import methods
from relume.enhancers.options import OPTIONS, takes
from relume.web.query import EnhanceQuery

from .conftest import drop, packed, picture

pytestmark = pytest.mark.slow

VALUES = {
    "strength": 0.5, "brightness": 0.3, "local": 0.25, "expose_for": "", "protect_lit": False,
    "black": "4,4,4", "cast": 1.0,
}  # fmt: skip
CHOOSE = """name => {
    const menu = document.getElementById('method');
    menu.value = name;
    menu.dispatchEvent(new Event('change'));
    document.getElementById('tuning').open = true;
}"""
READY = """() => document.getElementById('working').hidden
    && !document.getElementById('download').disabled"""
OTHER = "() => document.querySelector('[name=expose_for]:not(:checked)').value"
SET = """([name, value]) => {
    const input = document.getElementById(name)
        ?? document.querySelector(`[name=${name}][value=${value}]`);
    if (!input || input.disabled || !input.checkVisibility()) return false;
    if (input.type === 'checkbox') input.checked = value;
    else if (input.type === 'radio') input.checked = true;
    else input.value = value;
    for (const kind of ['input', 'change']) input.dispatchEvent(new Event(kind, { bubbles: true }));
    return true;
}"""


@pytest.mark.parametrize("page", [{"width": 1280, "height": 800}], ids=["desktop"], indirect=True)
@pytest.mark.parametrize("method", ["relume", "relume-fast", "machine", "gamma", "auto-exposure"])
def test_an_option_on_the_page(page: Any, night: bytes, method: str) -> None:
    info = methods().info(method)
    asked: list[dict[str, Any]] = []
    headers = {"X-Relume-Brightness-Before": "0.1", "X-Relume-Brightness-After": "0.4"}
    answer = {"body": packed(picture(), "PNG"), "content_type": "image/png", "headers": headers}

    def tell(route: Any) -> None:
        asked.append(dict(parse_qsl(urlsplit(route.request.url).query)))
        route.fulfill(**answer)

    page.route("**/v1/enhance*", tell)
    drop(page, "a.jpg", night)
    for option in OPTIONS:
        name, value = option.name, VALUES[option.name]
        page.evaluate(CHOOSE, method)
        if name == "expose_for":  # faces come first where places differ only: the service says so
            page.evaluate(SET, ["local", 1])
            value = page.evaluate(OTHER)
        page.wait_for_function(READY)
        asked.clear()
        assert page.evaluate(SET, [name, value]) == takes(info, option), name
        page.click("#download")  # strength is the page's own while one looks
        page.wait_for_function(READY)
        wanted = option.check(value)
        if takes(info, option):
            assert any(EnhanceQuery(**query).call.get(name) == wanted for query in asked), name
        assert all(name not in query or takes(info, option) for query in asked), name
        page.click("#reset", force=True)
