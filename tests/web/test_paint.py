"""Local light on the page: the slider, and light painted with a brush."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pil

from relume.enhancers import DEFAULT_METHOD
from relume.photo import Image

from .conftest import CHEAP, drop, keep, packed, picture, wait_for_result

pytestmark = pytest.mark.slow

AFTER = """async () => {
    const image = document.getElementById('after');
    const data = new Uint8Array(await (await fetch(image.src)).arrayBuffer());
    return Array.from(data);
}"""


@pytest.fixture
def sent(page: Any) -> list[tuple[str, dict[str, Any] | None]]:
    """The address and the map of light of every request for a picture."""
    found: list[tuple[str, dict[str, Any] | None]] = []

    def note(route: Any) -> None:
        body = route.request.post_data_buffer or b""
        match = re.search(rb'name="exposure"\r\n\r\n(\{.*?\})\r\n', body)
        found.append((route.request.url, json.loads(match[1]) if match else None))
        route.continue_()

    page.route("**/v1/enhance*", note)
    return found


@pytest.fixture
def painted(page: Any, sent: list[Any]) -> Any:
    """The page with a photo relit by relume's own network, ready to be painted on."""
    page.set_default_timeout(60_000)
    drop(page, "a.png", packed(picture(240, 160, level=60), "PNG"))
    wait_for_result(page, CHEAP)
    assert page.locator("#paint").is_hidden()
    assert page.locator("#local").is_hidden()
    choose(page, DEFAULT_METHOD)
    page.click("#paint")
    return page


def choose(page: Any, method: str) -> None:
    page.select_option("#method", method)
    wait_for_result(page, method)
    page.wait_for_function("() => document.querySelectorAll('#levels img').length === 3")


def stroke(page: Any, x: float, *, alt: bool = False, count: int = 1) -> None:
    """A stroke from top to bottom at ``x`` of the photo's width."""
    before = page.locator("#paint-status").text_content()
    box = page.locator("#paint-layer").bounding_box()
    for _ in range(count):
        if alt:
            page.keyboard.down("Alt")
        page.mouse.move(box["x"] + box["width"] * x, box["y"] + box["height"] * 0.2)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * x, box["y"] + box["height"] * 0.8, steps=6)
        page.mouse.up()
        if alt:
            page.keyboard.up("Alt")
    assert page.locator("#paint-status").text_content() != before


def answered(page: Any) -> Image:
    """What came of the last stroke, as it came from the service."""
    page.wait_for_timeout(400)  # strokes are asked for together
    page.wait_for_function(
        "() => document.getElementById('working').hidden"
        " && document.getElementById('paint-layer').classList.contains('answered')"
    )
    data = bytes(page.evaluate(AFTER))
    return np.asarray(Pil.open(io.BytesIO(data)).convert("L"), np.float32) / 255


def test_a_stroke_brightens_its_side_and_undo_brings_it_back(painted: Any, sent: Any) -> None:
    first = answered(painted)
    stroke(painted, 0.8, count=2)
    keep(painted, "painting")
    lit = answered(painted)
    stops = sent[-1][1]
    assert (stops["width"], stops["height"]) == (64, 43)
    grid = np.reshape(stops["stops"], (43, 64))
    assert grid.max() == pytest.approx(1.0, abs=0.03)
    assert (grid[:, :32] == 0).all()
    assert (lit[:, 160:] - first[:, 160:]).mean() > 0.04
    assert np.abs(lit[:, :80] - first[:, :80]).mean() < 0.03  # the rest stays as it is
    keep(painted, "painted")

    painted.keyboard.press("Control+z")
    assert (answered(painted) - first)[:, 160:].mean() < 0.05
    painted.keyboard.press("Control+z")
    assert (answered(painted) == first).all()
    assert painted.locator("#paint-undo").is_disabled()
    painted.keyboard.press("Control+Shift+z")
    painted.click("#paint-redo")
    assert (answered(painted) == lit).all()
    painted.click("#paint-clear")
    assert (answered(painted) == first).all()
    assert painted.complaints == []


def test_light_is_taken(painted: Any, sent: Any) -> None:
    first = answered(painted)
    stroke(painted, 0.8, alt=True)
    once = answered(painted)
    assert min(sent[-1][1]["stops"]) == pytest.approx(-0.5, abs=0.02)
    painted.click("#paint-darker")
    stroke(painted, 0.8)
    twice = answered(painted)
    assert (first - once)[:, 160:].mean() > 0.01
    assert (once - twice)[:, 160:].mean() > 0.01
    stroke(painted, 0.8, alt=True)  # the other way round
    assert (answered(painted) == once).all()


def test_by_keyboard(painted: Any, sent: Any) -> None:
    painted.locator("#paint-layer").focus()
    for _ in range(8):
        painted.keyboard.press("ArrowLeft")
    painted.keyboard.press(" ")
    answered(painted)
    grid = np.reshape(sent[-1][1]["stops"], (43, 64))
    y, x = np.unravel_index(grid.argmax(), grid.shape)
    assert (int(x), int(y)) in {(15, 21), (16, 21)}
    assert grid.max() == pytest.approx(0.5, abs=0.02)
    painted.keyboard.press("Escape")
    focused = "[document.activeElement.id, document.getElementById('paint-layer').hidden]"
    assert painted.evaluate(focused) == ["paint", True]
    painted.keyboard.press("Enter")
    assert painted.evaluate(focused) == ["paint-layer", False]


def test_on_the_zoomed_photo(painted: Any, sent: Any) -> None:
    """The map is in the photo's frame, however it lies in the window."""
    frame = painted.locator("#frame").bounding_box()
    painted.mouse.move(frame["x"] + frame["width"] * 0.9, frame["y"] + frame["height"] * 0.9)
    painted.mouse.wheel(0, -1200)
    painted.wait_for_selector("#frame.zoomed")
    box = painted.locator("#paint-layer").bounding_box()
    at = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
    painted.mouse.click(*at)
    answered(painted)
    grid = np.reshape(sent[-1][1]["stops"], (43, 64))
    y, x = np.unravel_index(grid.argmax(), grid.shape)
    assert abs((x + 0.5) / 64 - (at[0] - box["x"]) / box["width"]) < 1 / 64
    assert abs((y + 0.5) / 43 - (at[1] - box["y"]) / box["height"]) < 1 / 43
    assert x > 36


def test_two_fingers_zoom_and_paint_nothing(painted: Any, sent: Any) -> None:
    painted.evaluate(
        """() => {
            const frame = document.getElementById('frame');
            frame.setPointerCapture = () => {};
            const box = frame.getBoundingClientRect();
            const fire = (kind, id, x) => frame.dispatchEvent(new PointerEvent(kind, {
                pointerId: id, pointerType: 'touch', bubbles: true, button: 0,
                clientX: box.left + box.width * x, clientY: box.top + box.height / 2 }));
            fire('pointerdown', 1, 0.4); fire('pointerdown', 2, 0.6);
            for (const far of [0.65, 0.75, 0.85]) {
                fire('pointermove', 2, far); fire('pointermove', 1, 1 - far);
            }
            fire('pointerup', 1, 0.15); fire('pointerup', 2, 0.85);
        }"""
    )
    assert painted.locator("#frame.zoomed").count() == 1
    assert "stroke" not in painted.locator("#paint-status").text_content()
    assert painted.locator("#paint-undo").is_disabled()


def test_painted_light_is_in_the_file_and_ends_with_the_photo(painted: Any, sent: Any) -> None:
    stroke(painted, 0.3)
    answered(painted)
    with painted.expect_download():
        painted.click("#download")
    assert sent[-1][1] is not None
    painted.select_option("#method", CHEAP)  # takes no map
    wait_for_result(painted, CHEAP)
    assert all(stops is None for url, stops in sent if CHEAP in url)
    assert painted.locator("#paint-bar").is_hidden()
    choose(painted, DEFAULT_METHOD)
    drop(painted, "b.png", packed(picture(90, 90), "PNG"))
    painted.wait_for_function("() => document.title.startsWith('b.png')")
    wait_for_result(painted, DEFAULT_METHOD)
    painted.click("#paint")
    assert painted.locator("#paint-undo").is_disabled()
    assert sent[-1][1] is None


def test_local_reaches_the_service(painted: Any, sent: Any) -> None:
    assert not any("local=" in url for url, _ in sent)
    painted.locator("#local").fill("0.25")
    painted.locator("#local").dispatch_event("change")
    assert painted.locator("#local-value").inner_text() == "0.25"
    wait_for_result(painted, DEFAULT_METHOD)
    assert any("local=0.25" in url for url, _ in sent)


def test_axe_finds_nothing_while_painting(painted: Any, sent: Any) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    stroke(painted, 0.5)
    for theme in ("dark", "light"):
        painted.wait_for_timeout(300)  # colours fade
        found = axe.run(painted).response["violations"]
        told = [(v["id"], [n["html"][:120] for n in v["nodes"]]) for v in found]
        assert told == [], theme
        keep(painted, f"paint-{theme}")
        painted.click("#theme")
