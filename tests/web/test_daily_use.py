"""The page in daily use: trying levels, looking closely, going through an album."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pil

from relume.web.settings import Settings

from .conftest import CHEAP, DESKTOP, Service, drop, keep, packed, picture, running, wait_for_result

pytestmark = pytest.mark.slow

STATIC = Path(__file__).resolve().parents[2] / "src" / "relume" / "web" / "static"
STRIP = "() => document.querySelectorAll('#levels img').length === 3"


@contextmanager
def held(page: Any, pattern: str) -> Iterator[list[Any]]:
    """Requests that are not answered until the block ends."""
    routes: list[Any] = []
    page.route(pattern, lambda route: routes.append(route))
    yield routes
    page.unroute(pattern)


def centre(page: Any, selector: str = "#frame") -> tuple[float, float]:
    box = page.locator(selector).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def brightness(page: Any) -> float:
    return float(page.locator("#brightness").input_value())


def test_the_slider_starts_where_automatic_came_to(page: Any, portrait: bytes) -> None:
    drop(page, "a.jpg", portrait)
    with page.expect_response("**/v1/enhance*") as answered:
        wait_for_result(page, CHEAP)
    after = float(answered.value.headers["x-relume-brightness-after"])
    assert abs(brightness(page) - after) < 0.006
    assert page.locator("#brightness-value").inner_text() == f"{after:.2f} · automatic"
    assert f"→ {after:.2f}" in page.locator("#facts").inner_text()


def test_a_strip_of_levels_to_choose_from(page: Any, portrait: bytes) -> None:
    drop(page, "a.jpg", portrait)
    wait_for_result(page, CHEAP)
    page.wait_for_function(STRIP)
    keep(page, "levels")
    darker, automatic, brighter = (
        float(text) for text in page.locator("#levels small").all_inner_texts()
    )
    assert darker < automatic < brighter
    pressed = page.locator("#levels [aria-pressed=true]")
    assert pressed.inner_text().startswith("Automatic")
    with page.expect_request(lambda r: f"brightness={brighter:g}" in r.url):
        page.click("#levels button >> text=Brighter")
    wait_for_result(page, CHEAP)
    assert brightness(page) == brighter
    assert pressed.inner_text().startswith("Brighter")
    page.click("#levels button >> text=Automatic")
    wait_for_result(page, CHEAP)
    assert "automatic" in page.locator("#brightness-value").inner_text()
    page.select_option("#method", "gamma")
    wait_for_result(page, "gamma")
    assert page.locator("#levels").is_hidden()


def test_zoom_and_pan_keep_the_divider_in_view(page: Any, portrait: bytes) -> None:
    drop(page, "a.jpg", portrait)
    wait_for_result(page, CHEAP)
    canvas, divider = page.locator("#before-side .canvas"), page.locator("#divider")
    fitted = canvas.bounding_box()
    page.click("#zoom-200")
    ratio = page.evaluate("devicePixelRatio")
    assert canvas.bounding_box()["width"] == pytest.approx(2 * 512 / ratio, abs=1)
    assert divider.input_value() == "50"
    x, y = centre(page)
    start = canvas.bounding_box()
    page.mouse.move(x + 90, y)  # beside the divider: the photo moves
    page.mouse.down()
    page.mouse.move(x + 60, y - 20)
    page.mouse.up()
    moved = canvas.bounding_box()
    assert moved["x"] == pytest.approx(start["x"] - 30, abs=1)
    assert divider.input_value() == "50"
    page.mouse.move(x + 2, y)  # on it: the divider moves
    page.mouse.down()
    page.mouse.move(x - 60, y)
    page.mouse.up()
    assert int(divider.input_value()) < 50
    assert canvas.bounding_box() == moved
    keep(page, "zoom")
    page.mouse.move(x, y)
    page.mouse.wheel(0, -300)
    page.wait_for_timeout(100)
    assert canvas.bounding_box()["width"] > moved["width"]
    assert page.locator(".zoom [aria-pressed=true]").count() == 0
    divider.focus()
    page.keyboard.press("0")
    assert canvas.bounding_box() == pytest.approx(fitted, abs=1)
    page.keyboard.press("+")
    before = canvas.bounding_box()["x"]
    page.keyboard.press("Shift+ArrowLeft")
    assert canvas.bounding_box()["x"] > before


def test_two_fingers_zoom(page: Any, portrait: bytes) -> None:
    drop(page, "a.jpg", portrait)
    wait_for_result(page, CHEAP)
    canvas = page.locator("#before-side .canvas")
    before = canvas.bounding_box()["width"]
    page.evaluate(
        """() => {
            const frame = document.getElementById('frame');
            frame.setPointerCapture = () => {};
            const box = frame.getBoundingClientRect();
            const send = (kind, id, x) => frame.dispatchEvent(new PointerEvent(kind, {
                pointerId: id, clientX: box.left + x, clientY: box.top + 80, bubbles: true }));
            send('pointerdown', 1, 100);
            send('pointerdown', 2, 150);
            for (let x = 150; x <= 250; x += 10) send('pointermove', 2, x);
            send('pointerup', 1, 100);
            send('pointerup', 2, 250);
        }"""
    )
    assert canvas.bounding_box()["width"] == pytest.approx(before * 3, rel=0.05)


def test_long_work_says_how_long_and_can_be_cancelled(page: Any, portrait: bytes) -> None:
    drop(page, "a.jpg", portrait)
    wait_for_result(page, CHEAP)
    with held(page, "**/v1/enhance*") as waiting:
        page.select_option("#method", "gamma")
        page.wait_for_selector("#progress:not([hidden])")
        assert re.fullmatch(r"Relighting … \d+ s", page.locator("#progress-text").inner_text())
        keep(page, "long-work")
        page.click("#cancel")
        assert page.locator("#working").is_hidden()
        assert page.locator("#after-label").inner_text() == "Stopped"
        assert waiting[-1].request.url.endswith("method=gamma")
    page.click("#cancel")  # it says Relight now
    wait_for_result(page, "gamma")
    assert page.locator("#after-label").inner_text() == "After"


def test_on_a_phone_the_photo_stays_in_sight(page: Any, portrait: bytes) -> None:
    if page.viewport_size == DESKTOP:
        pytest.skip("a phone's layout")
    drop(page, "a.jpg", portrait)
    wait_for_result(page, CHEAP)
    assert page.locator("#brightness").bounding_box()["y"] < 844 - 60, "on the first screen"
    page.locator("#download").scroll_into_view_if_needed()
    assert page.evaluate("scrollY") > 100
    frame = page.locator("#frame").bounding_box()
    covered = page.locator("#stage").bounding_box()
    page.locator("#faces").scroll_into_view_if_needed()
    assert page.locator("#faces").bounding_box()["y"] >= covered["y"] + covered["height"]
    assert frame["y"] >= 54
    assert frame["y"] + frame["height"] < 500
    keep(page, "scrolled")
    for tab in ("methods", "album", "photo"):
        page.evaluate("scrollTo(0, 300)")
        page.click(f"#tab-{tab}")
        top = page.locator(f"#view-{tab}").bounding_box()["y"]
        assert 0 <= top < 120, tab


@pytest.fixture
def trip(tmp_path: Path) -> Path:
    pytest.importorskip("pillow_heif", reason="needs pillow-heif").register_heif_opener()
    folder = tmp_path / "trip"
    folder.mkdir()
    for name in ("b10.jpg", "b2.jpg"):
        picture(300, 200).save(folder / name)
    picture(200, 150, level=60).save(folder / "a.heic")
    (folder / "notes.txt").write_text("not a picture")
    return folder


def test_an_album_is_sorted_and_leafed_through(page: Any, trip: Path) -> None:
    page.locator("#folder").set_input_files(str(trip))
    page.wait_for_selector("#view-album:not([hidden]) li")
    names = page.locator("#album-list .name").all_inner_texts()
    assert names == ["trip/a.heic", "trip/b2.jpg", "trip/b10.jpg"]
    assert page.locator("#album-skipped").inner_text().endswith("left out: trip/notes.txt")
    page.wait_for_function("() => document.querySelectorAll('#album-list img').length === 3")
    page.click("#album-start")
    page.wait_for_function("() => document.querySelectorAll('#album-list img').length === 6")
    keep(page, "album-sorted")
    assert page.locator("#download").inner_text() == "Download a.heic"
    page.click("#album-list button.look >> text=b2.jpg")
    wait_for_result(page, CHEAP)
    assert page.locator("#view-photo").is_visible()
    keep(page, "album-photo")
    page.click("#next")
    page.wait_for_function("() => document.getElementById('title').textContent === 'b10.jpg'")
    wait_for_result(page, CHEAP)
    assert page.locator("#next").is_disabled()
    with page.expect_download() as coming:
        page.click("#download")
    assert coming.value.suggested_filename == "b10.relume.jpg"
    page.click("#previous")
    page.wait_for_function("() => document.getElementById('title').textContent === 'b2.jpg'")


def test_every_readable_ending_is_a_picture(page: Any) -> None:
    accepted = page.locator("#file").get_attribute("accept").split(",")
    assert {".pef", ".x3f", ".heic", ".tif"} <= set(accepted)
    raw = {"name": "shot.PEF", "mimeType": "", "buffer": b"II*\0 not really"}
    page.locator("#file").set_input_files(raw)
    page.wait_for_selector("#alert:not([hidden])")
    assert "is not a picture." not in page.locator("#alert-text").inner_text()
    page.complaints[:] = [text for text in page.complaints if "Failed to load" not in text]


def test_fine_tuning_shows_the_defaults(page: Any, portrait: bytes) -> None:
    for entry in page.evaluate("fetch('/v1/methods').then(r => r.json())")["enhancers"]:
        if entry["name"] == "original":
            continue
        page.evaluate(  # nothing is open: nothing is worked on
            "name => { const e = document.getElementById('method'); e.value = name;"
            " e.dispatchEvent(new Event('change')); }",
            entry["name"],
        )
        for parameter in entry["parameters"]:
            field = page.locator(f"#parameter-{parameter['name']}")
            label = page.locator(f"label[for=parameter-{parameter['name']}], label:has(#parameter-"
                                 f"{parameter['name']})").first  # fmt: skip
            summary = parameter["summary"]
            assert summary[1:] in label.text_content()
            default = parameter["default"]
            if isinstance(default, bool):
                assert field.is_checked() == default
            elif default not in parameter["also"]:
                shown = field.input_value()
                assert shown == str(default) or float(shown) == default, (entry["name"], summary)


def test_a_heading_for_the_photo(page: Any, portrait: bytes) -> None:
    assert page.locator("h1:visible").inner_text() == "See what the dark kept."
    drop(page, "a.jpg", portrait)
    wait_for_result(page, CHEAP)
    assert [h.text_content() for h in page.locator("h1:not([hidden])").all() if h.is_visible()] == [
        "a.jpg"
    ]


def test_the_link_brings_the_token(chromium: Any) -> None:
    with running(Settings(token="sé same")) as one:
        context = chromium.new_context()
        page = context.new_page()
        page.goto(f"{one.url}/#token=s%C3%A9%20same")
        page.wait_for_selector("html[data-ready=true]")
        assert page.url == f"{one.url}/"
        context.close()


def test_one_file_alone_calls_the_service() -> None:
    """Another engine can take its place, with the first three of its functions at least."""
    callers = [file.name for file in STATIC.glob("*.js") if "fetch(" in file.read_text()]
    assert callers == ["http.js"]
    assert re.findall(r"^  async (\w+)\(", (STATIC / "http.js").read_text(), re.M) == [
        "methods", "enhance", "detect",
        "frame", "smaller", "burst", "sendClip", "clipState", "clipFile", "deleteClip",
    ]  # fmt: skip


def test_axe_finds_nothing(page: Any, portrait: bytes, own_service: Service) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()

    def check(state: str) -> None:
        page.wait_for_timeout(300)  # colours fade
        found = axe.run(page).response["violations"]
        told = [(v["id"], [n["html"][:120] for n in v["nodes"]]) for v in found]
        assert told == [], (state, json.dumps(told, indent=1))

    check("welcome")
    drop(page, "a.jpg", portrait)
    wait_for_result(page, CHEAP)
    page.wait_for_function(STRIP)
    page.locator("#tuning summary").click()
    check("photo")
    page.click("#theme")
    check("light")
    page.click("#tab-album")
    check("album")
    page.goto(f"{own_service.url}/docs")
    check("docs")


def test_a_scan_is_shown_through_the_service(page: Any) -> None:
    tiff = io.BytesIO()
    picture(90, 60).save(tiff, "TIFF")
    one = {"name": "scan.tif", "mimeType": "image/tiff", "buffer": tiff.getvalue()}
    other = {"name": "b.png", "mimeType": "image/png", "buffer": packed(picture(), "PNG")}
    page.locator("#file").set_input_files([one, other])
    page.wait_for_function("() => document.querySelectorAll('#album-list img').length === 2")
    assert Pil.open(tiff).format == "TIFF"
