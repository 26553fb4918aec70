"""The page when things go wrong, while it waits, by keyboard, and to weak eyes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from relume.web.settings import Settings

from .conftest import CHEAP, PHONE, drop, keep, packed, picture, running, wait_for_result

pytestmark = pytest.mark.slow

BROKEN = b"\xff\xd8\xff" + bytes(500)

# WCAG 2's contrast of every text that is visible, over the nearest background that is not clear
CONTRAST = """() => {
    const numbers = text => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b]
        .map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const paper = element => {
        const [r, g, b, a = 1] = numbers(getComputedStyle(element).backgroundColor);
        if (a === 1 || !element.parentElement) return [r, g, b];
        return paper(element.parentElement).map((v, i) => [r, g, b][i] * a + v * (1 - a));
    };
    const told = [];
    for (const element of document.querySelectorAll('body *')) {
        const own = [...element.childNodes].some(n => n.nodeType === 3 && n.data.trim());
        if (!own || !element.checkVisibility() || element.closest('.frame, .hero, .off')) continue;
        if (element.closest(':disabled') || element.tagName === 'OPTION') continue;
        const [a, b] = [light(numbers(getComputedStyle(element).color)), light(paper(element))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) told.push(`${element.textContent.trim()}: ${ratio.toFixed(2)}`);
    }
    return told;
}"""


def only_the_network_complained(page: Any) -> None:
    """A refusal is an error on the network, and none of the page's."""
    page.complaints[:] = [text for text in page.complaints if "Failed to load" not in text]


def until(page: Any, true: Callable[[], object]) -> None:
    """Wait for something here, while the browser goes on."""
    for _ in range(200):
        if true():
            return
        page.wait_for_timeout(50)
    pytest.fail("it did not come to pass")


def test_a_broken_photo_changes_nothing(page: Any, portrait: bytes) -> None:
    drop(page, "our party.jpg", BROKEN)
    page.wait_for_selector("#alert:not([hidden])")
    assert page.locator("#alert-text").inner_text().startswith("our party.jpg: ")
    assert page.locator("#welcome").is_visible()
    assert page.locator("#panel").is_hidden()
    keep(page, "error")
    assert page.evaluate("document.getElementById('main').dataset.tab") is None
    drop(page, "empty.jpg", b"")
    page.wait_for_function(
        "() => document.getElementById('alert-text').textContent === 'empty.jpg is empty (0 bytes)'"
    )
    drop(page, "a.jpg", portrait)
    wait_for_result(page, CHEAP)
    assert page.locator("#alert").is_hidden()
    drop(page, "b.jpg", BROKEN)
    page.wait_for_selector("#alert:not([hidden])")
    assert page.locator("#facts").inner_text().startswith("a.jpg · ")
    page.keyboard.press("Escape")
    assert page.locator("#alert").is_hidden()
    only_the_network_complained(page)


def test_the_label_does_not_promise_what_is_not_there(page: Any, portrait: bytes) -> None:
    held: list[Any] = []
    page.route("**/v1/enhance*", lambda route: held.append(route))
    drop(page, "a.jpg", portrait)
    label = page.locator("#after-label")
    until(page, lambda: held)
    assert label.inner_text() == "Relighting …"
    assert page.locator("#working").is_visible()
    keep(page, "busy")
    held.pop().continue_()
    wait_for_result(page, CHEAP)
    assert label.inner_text() == "After"
    held.clear()  # the small results to choose from
    page.select_option("#method", "gamma")
    until(page, lambda: [r for r in held if "method=gamma" in r.request.url])
    held.pop().abort()
    page.wait_for_selector("#alert:not([hidden])")
    assert "Is relume serve still running?" in page.locator("#alert-text").inner_text()
    assert label.inner_text() == "No result"
    assert page.locator("#after").get_attribute("src") is None
    page.unroute("**/v1/enhance*")
    page.select_option("#method", CHEAP)
    wait_for_result(page, CHEAP)
    assert label.inner_text() == "After"
    only_the_network_complained(page)


def test_a_large_photo_shows_a_small_copy_first(page: Any) -> None:
    held: list[Any] = []

    def hold_the_photo(route: Any) -> None:
        body = route.request.post_data_buffer or b""
        held.append(route) if b'filename="large.jpg"' in body else route.continue_()

    page.route("**/v1/enhance*", hold_the_photo)
    drop(page, "large.jpg", packed(picture(2600, 1600)))
    page.wait_for_function(
        "() => document.getElementById('after').getAttribute('src')"
        " && document.getElementById('after-label').textContent === 'Relighting …'"
    )
    width = "document.getElementById('after').naturalWidth"
    page.wait_for_function(f"() => {width} === 800")
    until(page, lambda: held)
    held.pop().continue_()
    wait_for_result(page, CHEAP)
    page.wait_for_function(f"() => {width} === 2600")


def test_a_photo_too_large_for_the_service_is_offered_smaller(chromium: Any) -> None:
    with running(Settings(max_megapixels=3.0)) as small:
        context = chromium.new_context(viewport=PHONE)
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.goto(small.url)
        page.wait_for_selector("html[data-ready=true]")
        drop(page, "large.jpg", packed(picture(2400, 1500)))
        page.wait_for_selector("#alert-smaller:not([hidden])")
        assert page.locator("#alert-smaller").inner_text() == "Use a copy of 2 megapixels"
        assert (
            page.locator("#alert-text")
            .inner_text()
            .endswith("the limit of 3; send a smaller picture")
        )
        keep(page, "too-large")
        page.click("#alert-smaller")
        page.wait_for_function(
            "() => document.getElementById('facts').textContent.includes('2.0 MP')"
            " && document.getElementById('after-label').textContent === 'After'"
        )
        assert page.locator("#facts").inner_text().startswith("large.jpg · ")
        context.close()


FACES = {
    "photo": "a", "width": 100, "height": 100, "views": ["original", "machine"],
    "faces": [
        {"box": {"x0": 10, "y0": 10, "x1": 30, "y1": 30}, "score": 0.9, "view": "original+machine",
         "landmarks": None},
        {"box": {"x0": 60, "y0": 60, "x1": 80, "y1": 80}, "score": 0.7, "view": "machine",
         "landmarks": None},
    ],
}  # fmt: skip


def test_the_dark_parts_are_searched_by_default(page: Any, portrait: bytes) -> None:
    """Both views in one search of the photo itself; each side shows what it shows."""
    asked: list[str] = []

    def answer(route: Any) -> None:
        asked.append(route.request.url)
        route.fulfill(json=FACES)

    page.route("**/v1/detect*", answer)
    drop(page, "a.jpg", portrait)
    wait_for_result(page, CHEAP)
    page.locator("#faces").check()
    page.wait_for_function("() => document.getElementById('faces-summary').innerText.includes('2')")
    told = page.locator("#faces-summary").inner_text().split()
    assert " ".join(told) == "2 faces 1 in the photo as it is 1 more in its dark parts"
    assert page.locator("#boxes-before .face").count() == 1
    assert page.locator("#boxes-after .face").count() == 2
    assert page.locator("#boxes-after .face.dark").count() == 1
    assert len(asked) == 1
    assert "views=" not in asked[0]
    keep(page, "two-faces")
    page.select_option("#detector", "relume")
    until(page, lambda: page.locator("#second-look").is_hidden())  # it sees the dark by itself
    page.select_option("#detector", "haar")
    page.locator("#second-look").uncheck()
    until(page, lambda: "views=original" in asked[-1])
    assert "detector=haar" in asked[-1]


def test_the_views_by_keyboard(page: Any, portrait: bytes) -> None:
    drop(page, "a.jpg", portrait)
    wait_for_result(page, CHEAP)
    page.locator("#tab-photo").focus()
    page.keyboard.press("End")
    assert page.locator("#view-album").is_visible()
    focused = "document.activeElement.id"
    assert page.evaluate(focused) == "tab-album"
    page.keyboard.press("ArrowRight")
    assert page.evaluate(focused) == "tab-photo"
    assert page.locator("#view-photo").is_visible()
    seen = set()
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    for _ in range(30):
        page.keyboard.press("Tab")
        at = page.evaluate(focused)
        if at not in ("", "divider"):  # the divider's handle has it; "" is a link, or the end
            assert page.evaluate(outline) != "none", at
        seen.add(at)
    wanted = {
        "open",
        "theme",
        "divider",
        "peek",
        "zoom-fit",
        "zoom-200",
        "method",
        "strength",
        "brightness",
    }
    assert wanted | {"faces", "format", "quality", "download"} <= seen
    page.locator("#divider").focus()
    page.keyboard.press("Home")
    assert page.locator("#divider").get_attribute("aria-valuetext") == "0 % before"


def test_on_a_phone_that_lies_on_its_side_photo_and_settings_are_in_sight(
    page: Any, portrait: bytes
) -> None:
    page.set_viewport_size({"width": 740, "height": 360})
    in_sight = """ids => ids.every(id => {
        const { top, bottom } = document.getElementById(id).getBoundingClientRect();
        return top >= 0 && bottom <= innerHeight;
    })"""
    assert page.evaluate(in_sight, ["hello", "choose", "use-camera"])
    drop(page, "a.jpg", portrait)
    wait_for_result(page, CHEAP)
    assert page.evaluate(in_sight, ["frame", "zoom-200", "levels", "brightness", "download"])
    keep(page, "on-its-side")


def test_the_focus_goes_to_the_photo(page: Any, portrait: bytes) -> None:
    with page.expect_file_chooser() as coming:
        page.locator("#choose").press("Enter")
    coming.value.set_files({"name": "a.jpg", "mimeType": "image/jpeg", "buffer": portrait})
    wait_for_result(page, CHEAP)
    assert page.evaluate("document.activeElement.id") == "stage"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "divider"


def test_text_can_be_read(page: Any, portrait: bytes) -> None:
    for theme in ("dark", "light"):
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        page.wait_for_timeout(300)  # colours fade
        assert page.evaluate(CONTRAST) == [], theme
        if theme == "dark":
            drop(page, "a.jpg", portrait)
            wait_for_result(page, CHEAP)
            page.locator("#tuning summary").click()
            assert page.evaluate(CONTRAST) == []
            page.click("#theme")


def test_photos_may_be_added_to_the_album(page: Any, portrait: bytes) -> None:
    drop(page, "a.jpg", portrait)
    wait_for_result(page, CHEAP)
    page.click("#tab-album")
    assert page.locator("#album-start").is_disabled()
    with page.expect_file_chooser() as coming:
        page.click("#album-more")
    coming.value.set_files({"name": "b.jpg", "mimeType": "image/jpeg", "buffer": portrait})
    page.wait_for_selector("#album-list li")
    assert page.locator("#view-album").is_visible()
    assert page.locator("#album-start").is_enabled()
    keep(page, "album-one")
