"""A level belongs to one photo: the next one, an album, clips; and the way back to automatic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .conftest import CHEAP, drop, keep, packed, picture, wait_for_result

pytestmark = pytest.mark.slow

SLIDE = """([id, value]) => {
    const slider = document.getElementById(id);
    slider.value = value;
    for (const kind of ['input', 'change']) {
        slider.dispatchEvent(new Event(kind, { bubbles: true }));
    }
}"""
REFUSAL = {"error": "InputError", "detail": "c.jpg: it is damaged"}


def slide(page: Any, slider: str, value: float) -> None:
    page.evaluate(SLIDE, [slider, str(value)])


def level(page: Any) -> str:
    return str(page.locator("#brightness-value").inner_text())


def opened(page: Any, name: str, data: bytes) -> list[str]:
    """The addresses that were asked while the photo was opened and relit."""
    asked: list[str] = []
    page.on("request", lambda r: asked.append(r.url) if "/v1/enhance" in r.url else None)
    drop(page, name, data)
    page.wait_for_function(
        "name => document.getElementById('facts').textContent.startsWith(`${name} · bright`)",
        arg=name,
    )
    return asked


def test_the_next_photo_starts_at_automatic(page: Any, portrait: bytes) -> None:
    opened(page, "a.jpg", portrait)
    with page.expect_request(lambda r: "brightness=0.6" in r.url):
        slide(page, "brightness", 0.6)
    wait_for_result(page, CHEAP)
    assert level(page) == "0.60"
    page.wait_for_function("() => document.querySelectorAll('#levels img').length === 3")
    asked = opened(page, "b.jpg", packed(picture(300, 200)))
    assert "brightness" not in asked[0]
    assert level(page).endswith(" · automatic")
    assert page.locator("#undo").is_disabled(), "the level of another photo is not to come back"


def test_a_clip_starts_at_automatic(page: Any, portrait: bytes) -> None:
    opened(page, "a.jpg", portrait)
    slide(page, "brightness", 0.6)
    wait_for_result(page, CHEAP)
    clip = {"name": "night.mp4", "mimeType": "video/mp4", "buffer": b"no clip"}
    with page.expect_request("**/v1/videos*") as sent:
        page.locator("#file").set_input_files([clip])
    assert "brightness" not in sent.value.url
    assert page.locator("#clip-level").inner_text() == "automatic"
    page.click("#clip-close")
    page.complaints[:] = [text for text in page.complaints if "Failed to load" not in text]


def test_each_photo_of_an_album_has_its_own_level(page: Any, tmp_path: Path) -> None:
    folder = tmp_path / "trip"
    folder.mkdir()
    for name in ("p10.jpg", "p2.jpg", "p1.jpg"):
        picture(300, 200).save(folder / name)
    page.locator("#folder").set_input_files(str(folder))
    page.wait_for_selector("#view-album:not([hidden]) li")
    rows = page.locator("#album-list li")
    assert rows.locator(".name").all_inner_texts() == [f"trip/p{n}.jpg" for n in (1, 2, 10)]
    page.click("#album-list button.look >> text=p2.jpg")
    wait_for_result(page, CHEAP)
    slide(page, "brightness", 0.3)
    wait_for_result(page, CHEAP)
    page.click("#next")
    page.wait_for_function("() => document.getElementById('title').textContent === 'p10.jpg'")
    wait_for_result(page, CHEAP)
    assert level(page).endswith(" · automatic")
    page.click("#previous")
    page.wait_for_function("() => document.getElementById('title').textContent === 'p2.jpg'")
    wait_for_result(page, CHEAP)
    assert level(page) == "0.30", "and it is found again"
    page.wait_for_load_state("networkidle")  # its levels to choose from
    page.click("#tab-album")
    assert [box.input_value() for box in rows.locator("input").all()] == ["", "0.3", ""]
    assert page.locator("#album-settings").inner_text() == (
        f"With {CHEAP} · strength 100 % · file type as it is"
    )
    rows.nth(0).locator("input").fill("0.25")
    rows.nth(0).locator("input").press("Tab")
    keep(page, "album-levels")
    asked: list[str] = []
    page.on("request", lambda r: asked.append(r.url) if "/v1/enhance" in r.url else None)
    page.click("#album-start")
    page.wait_for_function(
        "() => document.getElementById('album-status').textContent === '3 of 3 relit'"
    )
    assert sorted(url.partition("brightness=")[2] for url in asked if "original" not in url) == [
        "", "0.25", "0.3",
    ]  # fmt: skip
    states = rows.locator(".state").all_inner_texts()
    assert states[0].startswith("brightness 0.25, done in ")
    assert states[1].startswith("brightness 0.30, done in ")
    bright = "() => document.querySelector('#view-album .actions .primary').id"
    assert page.evaluate(bright) == "album-save"
    keep(page, "album-done")
    rows.nth(2).locator("input").fill("0.4")
    rows.nth(2).locator("input").press("Tab")
    assert page.evaluate(bright) == "album-start", "one of them is to be relit again"


def test_undo_reset_and_double_click(page: Any, portrait: bytes) -> None:
    opened(page, "a.jpg", portrait)
    automatic = level(page)
    assert page.locator("#brightness-auto").is_hidden()
    slide(page, "brightness", 0.3)
    wait_for_result(page, CHEAP)
    slide(page, "strength", 0.5)
    slide(page, "brightness", 0.4)
    wait_for_result(page, CHEAP)
    keep(page, "undo")
    page.click("#undo")
    assert level(page) == "0.30"
    page.locator("#brightness").focus()
    page.keyboard.press("Control+z")
    assert page.locator("#strength-value").inner_text() == "100 %"
    assert page.evaluate("document.getElementById('after').style.opacity") == "1"
    page.click("#brightness-auto")
    wait_for_result(page, CHEAP)
    assert level(page) == automatic
    slide(page, "strength", 0.5)
    page.locator("#strength").dispatch_event("dblclick", {"bubbles": True})
    assert page.locator("#strength-value").inner_text() == "100 %"
    slide(page, "brightness", 0.6)
    page.locator("#brightness").dispatch_event("dblclick", {"bubbles": True})
    wait_for_result(page, CHEAP)
    assert level(page) == automatic
    page.select_option("#method", "gamma")
    page.uncheck("#protect_lit", force=True)
    slide(page, "strength", 0.2)
    page.click("#reset")
    assert page.locator("#method").input_value() == "relume"
    assert page.locator("#protect_lit").is_checked()
    assert page.locator("#strength-value").inner_text() == "100 %"
    assert page.locator("#reset").is_disabled()
    page.click("#undo")
    assert page.locator("#method").input_value() == "gamma"
    assert page.locator("#strength-value").inner_text() == "20 %"
    wait_for_result(page, "gamma")


def test_a_photo_that_fails_to_open_lets_the_one_before_go_on(page: Any, portrait: bytes) -> None:
    held: list[Any] = []
    page.route("**/v1/enhance*", lambda route: held.append(route))
    drop(page, "a.jpg", portrait)
    page.wait_for_function("() => document.getElementById('working').hidden === false")
    while not held:
        page.wait_for_timeout(50)
    page.unroute("**/v1/enhance*")
    drop(page, "b.jpg", b"\xff\xd8\xff" + bytes(500))
    page.wait_for_selector("#alert:not([hidden])")
    wait_for_result(page, CHEAP)
    assert page.locator("#facts").inner_text().startswith("a.jpg · ")
    assert page.locator("#after-label").inner_text() == "After"
    assert page.locator("#alert-text").inner_text().startswith("b.jpg: "), "and it is still said"
    page.complaints[:] = [text for text in page.complaints if "Failed to load" not in text]


def test_a_photo_that_the_engine_refuses_says_so_in_its_frame(page: Any, portrait: bytes) -> None:
    page.route("**/v1/enhance*", lambda route: route.fulfill(status=422, json=REFUSAL))
    drop(page, "c.jpg", portrait)
    page.wait_for_selector("#refusal:not([hidden])")
    assert page.locator("#refusal").inner_text() == "c.jpg: it is damaged"
    assert page.locator("#alert").is_hidden()
    assert page.locator("#paint").is_disabled()
    assert page.locator("#peek").is_disabled()
    assert page.locator("#handle").is_hidden()
    keep(page, "refused")
    page.unroute("**/v1/enhance*")
    opened(page, "d.jpg", portrait)
    assert page.locator("#refusal").is_hidden()
    assert page.locator("#peek").is_enabled()
    page.complaints[:] = [text for text in page.complaints if "Failed to load" not in text]
