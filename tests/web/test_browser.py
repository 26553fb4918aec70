"""The page in a real browser: Debian's chromium, on a desktop's and on a phone's screen.

With ``RELUME_SCREENSHOTS=DIR`` the pictures of the page are kept there; with
``RELUME_DOCS_IMAGES=docs/images`` the two of the documentation are made again:

    RELUME_DOCS_IMAGES=docs/images pytest tests/web/test_browser.py -k documentation
"""

from __future__ import annotations

import base64
import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from relume.enhancers import DEFAULT_METHOD, enhance
from relume.io import decode

from .conftest import (
    CHEAP,
    OVERFLOW_PX,
    Service,
    drop,
    keep,
    opened,
    packed,
    picture,
    wait_for_result,
)

pytestmark = pytest.mark.slow


def test_drop_slide_switch_and_download(page: Any, portrait: bytes) -> None:
    keep(page, "welcome")
    drop(page, "selfie at night.jpg", portrait)
    wait_for_result(page, CHEAP)
    keep(page, "photo")

    frame = page.locator("#frame").bounding_box()
    page.mouse.click(frame["x"] + frame["width"] * 0.25, frame["y"] + frame["height"] / 2)
    assert abs(int(page.locator("#divider").input_value()) - 25) <= 1
    page.keyboard.press("ArrowRight")
    assert abs(int(page.locator("#divider").input_value()) - 26) <= 1

    page.select_option("#method", "gamma")
    wait_for_result(page, "gamma")
    page.locator("#strength").fill("0.6")
    page.locator("#strength").dispatch_event("change")
    assert page.evaluate("document.getElementById('after').style.opacity") == "0.6"
    page.select_option("#format", "png")
    with page.expect_download() as coming:
        page.click("#download")
    assert coming.value.suggested_filename == "selfie at night.relume.png"
    wanted = enhance(decode(portrait), method="gamma", strength=0.6).pixels
    got = decode(Path(coming.value.path()).read_bytes()).pixels
    np.testing.assert_allclose(got, wanted, atol=0.5 / 255 + 1e-6)


def test_faces_on_both_sides(page: Any, portrait: bytes) -> None:
    pytest.importorskip("skimage", reason="the face is scikit-image's picture")
    drop(page, "a.jpg", portrait)
    wait_for_result(page, CHEAP)
    page.evaluate("document.getElementById('detector').value = 'haar'")
    page.locator("#faces").check()
    page.wait_for_function("() => document.querySelectorAll('#boxes-after .face').length > 0")
    score, box, frame = page.evaluate(  # at once: nothing is drawn anew in between
        """() => { const face = document.querySelector("#boxes-after .face");
        const frame = document.getElementById("frame").getBoundingClientRect();
        return [face.innerText, face.getBoundingClientRect(), frame]; }"""
    )
    assert 0.5 <= float(score) <= 1
    assert box["x"] < frame["x"] + frame["width"] * 225 / 512 < box["x"] + box["width"]
    keep(page, "faces")


def test_methods_side_by_side(page: Any, portrait: bytes) -> None:
    drop(page, "a.jpg", portrait)
    wait_for_result(page, CHEAP)
    page.locator("#method-chips").evaluate(  # no networks in a quick test
        "(e, names) => e.querySelectorAll('input').forEach("
        "input => { input.checked = names.includes(input.value); })",
        ["gamma", CHEAP, "clahe"],
    )
    page.click("#tab-methods")
    page.wait_for_function("() => !document.querySelector('#method-grid .busy')")
    captions = page.locator("#method-grid figcaption").all_inner_texts()
    assert captions[0].startswith("original")
    assert any(text.startswith("gamma") for text in captions)
    assert page.locator("#method-grid .failed").count() == 0
    keep(page, "methods")
    page.click("button[aria-label='Work with clahe']")
    wait_for_result(page, "clahe")
    assert page.locator("#method").input_value() == "clahe"
    assert page.locator("#view-photo").is_visible()


def test_an_album_becomes_an_archive(page: Any, tmp_path: Path) -> None:
    folder = tmp_path / "trip"
    (folder / "day 2").mkdir(parents=True)
    picture(300, 200).save(folder / "a.jpg")
    picture(200, 300).save(folder / "day 2" / "b.png")
    (folder / "notes.txt").write_text("not a picture")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    page.locator("#folder").set_input_files(str(folder))
    page.wait_for_selector("#view-album:not([hidden]) li")
    assert page.locator("#album-list li").count() == 3
    page.click("#album-start")
    page.wait_for_function(
        "() => document.getElementById('album-status').textContent"
        ".includes('2 of 3 relit, 1 failed')"
    )
    assert page.locator("#album-progress").evaluate("e => e.value / e.max") == 1
    assert page.locator("#alert").is_hidden()
    broken = page.locator("#album-list li.failed")
    assert broken.locator(".state").inner_text() == "Truncated JPEG: it ends before its picture"
    assert page.locator("#download").is_hidden()  # in its row, or all together
    keep(page, "album")
    with page.expect_download() as coming:
        page.click("#album-save")
    with zipfile.ZipFile(coming.value.path()) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == ["trip/a.relume.jpg", "trip/day 2/b.relume.png"]
        assert opened(archive.read("trip/day 2/b.relume.png")).size == (200, 300)
    page.click("#album-list button.look >> text=b.png")
    wait_for_result(page, CHEAP)
    assert page.locator("#facts").inner_text().startswith("b.png · brightness ")
    page.evaluate("document.getElementById('paint').hidden = false")  # as most methods have it
    keep(page, "album-photo")
    # the broken picture's answer is an error on the network, and none of the page's
    page.complaints[:] = [text for text in page.complaints if "status of 4" not in text]


def test_of_a_photo_without_a_result_nothing_is_told_and_nothing_saved(
    page: Any, portrait: bytes
) -> None:
    state = """() => [document.getElementById('brightness-value').textContent,
        ...['download', 'save-here'].map(id => document.getElementById(id).disabled)]"""
    assert page.evaluate(state) == ["automatic", True, True]
    drop(page, "a.jpg", portrait)
    wait_for_result(page, CHEAP)
    level, *disabled = page.evaluate(state)
    assert level.endswith(" · automatic")
    assert disabled == [False, False]
    held: list[Any] = []
    is_free = False
    page.route("**/v1/enhance*", lambda route: route.continue_() if is_free else held.append(route))
    drop(page, "b.jpg", packed(picture(300, 200)))
    page.wait_for_function(
        "() => document.getElementById('title').textContent === 'b.jpg'"
        " && document.getElementById('after-label').textContent === 'Relighting …'"
    )
    assert page.evaluate(state) == ["automatic", True, True]
    is_free = True
    for route in held:
        route.continue_()
    wait_for_result(page, CHEAP)
    assert page.evaluate(state)[1:] == [False, False]


def test_what_the_browser_cannot_show_and_what_is_no_picture(page: Any, tmp_path: Path) -> None:
    page.locator("#file").set_input_files(
        {"name": "n.txt", "mimeType": "text/plain", "buffer": b"hello"}
    )
    assert "n.txt is not a picture" in page.locator("#alert-text").inner_text()
    tiff = io.BytesIO()
    picture(90, 60).save(tiff, "TIFF")
    page.locator("#file").set_input_files(
        {"name": "scan.tif", "mimeType": "image/tiff", "buffer": tiff.getvalue()}
    )
    wait_for_result(page, CHEAP)
    assert page.locator("#alert").is_hidden()
    with page.expect_download() as coming:
        page.click("#download")
    assert coming.value.suggested_filename == "scan.relume.tif"
    assert opened(Path(coming.value.path()).read_bytes()).format == "TIFF"


def test_of_an_animation_the_first_picture_is_relit_and_the_page_says_so(page: Any) -> None:
    others = [picture(90, 60, level=level) for level in (60, 90)]
    moving = packed(picture(90, 60), "GIF", save_all=True, append_images=others)
    page.locator("#file").set_input_files(
        {"name": "dance.gif", "mimeType": "image/gif", "buffer": moving}
    )
    wait_for_result(page, CHEAP)
    told = "the file holds 3 pictures (frames, pages or previews); only the first was used"
    assert page.locator("#note").inner_text() == f"{told[0].upper()}{told[1:]}."
    keep(page, "animation")
    still = page.evaluate(  # what moves cannot be compared with a picture that does not
        "async () => (await (await fetch(document.getElementById('before').src)).blob()).type"
    )
    assert still == "image/png"
    page.locator("#file").set_input_files(
        {"name": "n.png", "mimeType": "image/png", "buffer": packed(picture(90, 60), "PNG")}
    )
    page.wait_for_function("() => document.getElementById('facts').textContent.includes('n.png ·')")
    assert page.locator("#note").is_hidden()


def test_pages_fit_their_screens_and_speak(
    page: Any, portrait: bytes, own_service: Service
) -> None:
    drop(page, "a.jpg", portrait)
    wait_for_result(page, CHEAP)
    assert page.evaluate(OVERFLOW_PX) <= 0
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('button, select, input:not([hidden]), a')]
            .filter(e => e.checkVisibility() && !(e.ariaLabel || e.textContent.trim()
                || e.labels?.length || e.getAttribute('aria-labelledby')))
            .map(e => e.outerHTML)"""
    )
    assert nameless == []
    page.click("#theme")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    keep(page, "light")
    page.goto(f"{own_service.url}/docs")
    assert page.evaluate(OVERFLOW_PX) <= 0
    assert "/v1/enhance" in page.locator("main").inner_text()
    keep(page, "docs")


def test_brightness_is_for_methods_that_take_it(page: Any, portrait: bytes) -> None:
    drop(page, "a.jpg", portrait)
    wait_for_result(page, CHEAP)
    slider = page.locator("#brightness")
    assert slider.is_enabled()
    with page.expect_request(lambda r: "brightness=0.3" in r.url):
        slider.fill("0.3")
        slider.dispatch_event("change")
    wait_for_result(page, CHEAP)
    assert page.locator("#brightness-value").inner_text() == "0.30"
    with page.expect_request(lambda r: "method=gamma" in r.url) as asked:
        page.select_option("#method", "gamma")
    wait_for_result(page, "gamma")
    assert "brightness" not in asked.value.url
    assert slider.is_disabled()
    assert page.locator("#brightness-value").inner_text() == "not with this method"


def test_paste(page: Any, portrait: bytes) -> None:
    page.evaluate(
        """text => {
            const bag = new DataTransfer();
            const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
            bag.items.add(new File([bytes], 'image.jpg', { type: 'image/jpeg' }));
            document.dispatchEvent(new ClipboardEvent(
                'paste', { clipboardData: bag, bubbles: true, cancelable: true }));
        }""",
        base64.b64encode(portrait).decode(),
    )
    wait_for_result(page, CHEAP)


def test_pictures_of_the_documentation(page: Any, portrait: bytes) -> None:
    """The default method's result with its faces, as a picture for the README."""
    folder = os.environ.get("RELUME_DOCS_IMAGES")
    if not folder:
        pytest.skip("makes docs/images/page*.jpg: set RELUME_DOCS_IMAGES to their folder")
    page.set_default_timeout(180_000)  # a network, and perhaps the first use of the detector
    drop(page, "selfie at night.jpg", portrait)
    wait_for_result(page, CHEAP)
    page.select_option("#method", DEFAULT_METHOD)
    wait_for_result(page, DEFAULT_METHOD)
    page.locator("#faces").check()
    page.wait_for_function(
        "() => document.getElementById('faces-summary').textContent.includes('face')"
        " && document.getElementById('working').hidden"
    )
    page.locator("#divider").evaluate(  # through the face: both scores show
        "e => { e.value = 44; e.dispatchEvent(new Event('input')); }"
    )
    page.wait_for_function("() => document.querySelectorAll('#levels img').length === 3")
    page.evaluate("window.scrollTo(0, 0)")
    page.locator("#panel").evaluate("e => e.scrollTo(0, 0)")
    page.wait_for_timeout(300)  # what fades, has faded
    name = "page-phone.jpg" if page.viewport_size["width"] < 800 else "page.jpg"
    page.screenshot(path=str(Path(folder) / name), type="jpeg", quality=84)


def test_camera(page: Any) -> None:
    page.click("#use-camera")
    page.wait_for_function("() => document.getElementById('camera-video').videoWidth > 0")
    keep(page, "camera")
    page.click("#camera-shoot")
    wait_for_result(page, CHEAP)
    assert page.locator("#facts").inner_text().startswith("camera ")
