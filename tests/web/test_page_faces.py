"""Faces on the page: which come first in the light, and what is said where it is too dark."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pil

from relume import weights
from relume.enhancers import DEFAULT_METHOD
from relume.image.color import linear_to_srgb, srgb_to_linear
from relume.photo import Image, quantise, to_image

from .conftest import CHEAP, drop, keep, packed, wait_for_result

pytestmark = pytest.mark.slow

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
FACE = np.s_[85:165, 195:255]
WINDOW = np.s_[20:120, 400:500]
AFTER = """async () => {
    const src = document.getElementById('after').src;
    return [src, Array.from(new Uint8Array(await (await fetch(src)).arrayBuffer()))];
}"""
ANOTHER = """src => document.getElementById('after').src !== src
    && document.getElementById('after-label').textContent === 'After'
    && document.getElementById('working').hidden"""


@pytest.fixture
def yunet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """YuNet in a cache folder of the test's own, from where it is at hand; else a skip."""
    file = weights.entries()["yunet"].file
    places = (weights.cache_folder() / file, SHARED / "weights" / "yunet" / file)
    at_hand = next((place for place in places if place.is_file()), None)
    if at_hand is None:
        pytest.skip("needs YuNet's weights")
    shutil.copy(at_hand, tmp_path)
    monkeypatch.setenv("RELUME_CACHE", str(tmp_path))


@pytest.fixture
def no_yunet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache folder."""
    monkeypatch.setenv("RELUME_CACHE", str(tmp_path))


@pytest.fixture(scope="module")
def against_the_light() -> bytes:
    """NASA's portrait with a tenth of the person's light, before a background that has all of it.

    As ``benchmarks/behaviour.py`` has it, without its noise.
    """
    data = pytest.importorskip("skimage.data", reason="needs scikit-image")
    bright = to_image(data.astronaut())
    y, x = np.mgrid[:512, :512].astype(np.float32)
    head = ((x - 224) / 90) ** 2 + ((y - 120) / 100) ** 2
    body = ((x - 224) / 230) ** 2 + ((y - 480) / 300) ** 2
    person = 1 / (1 + np.minimum(head, body) ** 6)
    light = srgb_to_linear(bright) * (1 - 0.9 * person)[:, :, None].astype(np.float32)
    dark = np.clip(linear_to_srgb(light.astype(np.float32)), 0, 1)
    return packed(Pil.fromarray(quantise(dark, np.uint8)), "PNG")


def shown(page: Any, not_src: str = "") -> tuple[str, Image]:
    """The address and the pixels of the result, once it is another one and nothing is going on."""
    page.wait_for_function(ANOTHER, arg=not_src)
    src, data = page.evaluate(AFTER)
    return src, np.asarray(Pil.open(io.BytesIO(bytes(data))).convert("L"), np.float32) / 255


def relit(page: Any, photo: bytes) -> None:
    page.set_default_timeout(60_000)
    drop(page, "window.png", photo)
    wait_for_result(page, CHEAP)
    assert page.locator("#expose-part").is_hidden()  # one exposure for all: no place comes first
    page.select_option("#method", DEFAULT_METHOD)
    wait_for_result(page, DEFAULT_METHOD)
    page.locator("#tuning summary").click()


def test_a_face_against_the_light_comes_first_or_not(
    yunet: None, page: Any, against_the_light: bytes
) -> None:
    relit(page, against_the_light)
    faces, scene = (page.get_by_role("radio", name=name) for name in ("Faces", "The whole scene"))
    assert faces.is_checked()
    src, first = shown(page)
    keep(page, "expose-for-faces")
    faces.focus()
    page.keyboard.press("ArrowRight")
    assert scene.is_checked()
    src, whole = shown(page, src)
    keep(page, "expose-for-scene")
    assert first[FACE].mean() > whole[FACE].mean() + 0.1
    assert np.abs(first[WINDOW] - whole[WINDOW]).mean() < 4 / 255
    assert page.locator("#expose-hint").inner_text().startswith("Faces first: ")

    # it is kept for what is saved, and for the next photo
    with page.expect_request(lambda r: "expose_for=scene" in r.url):
        page.locator("#strength").fill("0.9")
        page.click("#download")
    flat = packed(Pil.new("RGB", (64, 48), (9, 9, 9)), "PNG")
    with page.expect_request(lambda r: "expose_for=scene" in r.url):
        drop(page, "next.png", flat)
    src, _ = shown(page, src)
    assert scene.is_checked()
    scene.focus()
    page.keyboard.press("ArrowLeft")
    shown(page, src)
    page.wait_for_function(
        "() => document.getElementById('expose-hint').textContent.startsWith('No difference here')"
    )

    # where the light is one for all, no place comes first
    page.locator("#local").fill("0")
    assert page.locator("#expose-part").is_hidden()


def test_faces_come_first_without_yunet_too(
    no_yunet: None, page: Any, against_the_light: bytes
) -> None:
    relit(page, against_the_light)
    assert page.get_by_role("radio", name="Faces").is_checked()
    src, first = shown(page)
    page.get_by_role("radio", name="The whole scene").check(force=True)
    _, whole = shown(page, src)
    assert first[FACE].mean() > whole[FACE].mean() + 0.1


def test_where_it_is_too_dark_to_be_sure_the_page_says_so(
    yunet: None, page: Any, against_the_light: bytes
) -> None:
    page.set_default_timeout(60_000)
    rng = np.random.default_rng(1)
    black = rng.integers(0, 8, (200, 300, 3)).astype(np.uint8)
    drop(page, "black.png", packed(Pil.fromarray(black), "PNG"))
    wait_for_result(page, CHEAP)
    page.locator("#faces").check()
    summary = "document.getElementById('faces-summary').textContent"
    page.wait_for_function(
        f"() => {summary} === 'No faces foundToo dark to be sure: in photographs like this half of"
        " the faces or more stay hidden.'"
    )
    keep(page, "too-dark-to-be-sure")
    drop(page, "bright.png", against_the_light)
    page.wait_for_function(f"() => {summary}.startsWith('1 face')")
    assert "Too dark" not in page.evaluate(summary)
