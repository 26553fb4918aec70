"""A clip dropped on the page, and photos merged, in a real browser."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pil

from relume.image.darken import Camera, darken
from relume.photo import quantise, to_image

from .conftest import keep, opened, packed

av = pytest.importorskip("av", reason="clips need PyAV (the extra video)")
pytestmark = pytest.mark.slow

DROP = """files => {
    const bag = new DataTransfer();
    for (const [name, type, text] of files) {
        const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
        bag.items.add(new File([bytes], name, { type }));
    }
    for (const kind of ['dragenter', 'dragover', 'drop']) {
        document.body.dispatchEvent(
            new DragEvent(kind, { dataTransfer: bag, bubbles: true, cancelable: true }));
    }
}"""
ENDED = "() => !document.getElementById('clip-download').disabled"


def drop(page: Any, *files: tuple[str, str, bytes]) -> None:
    page.evaluate(
        DROP, [(name, kind, base64.b64encode(data).decode()) for name, kind, data in files]
    )


@pytest.fixture(scope="module")
def scene() -> np.ndarray[Any, np.dtype[np.uint8]]:
    data = pytest.importorskip("skimage.data", reason="needs scikit-image")
    return np.asarray(Pil.fromarray(data.astronaut()[:380]).resize((320, 240)))


@pytest.fixture(scope="module")
def dark_clip(scene: np.ndarray[Any, Any], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path, rng = tmp_path_factory.mktemp("clip") / "night.mp4", np.random.default_rng(0)
    camera = Camera(red_gain=2.1, blue_gain=1.7, shot=0.003, read=3e-5, jpeg_quality=92)
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=12)
        video.width, video.height, video.pix_fmt = 320, 240, "yuv420p"
        for n in range(12):
            frame = darken(to_image(np.roll(scene, 2 * n, axis=1)), 0.05, rng, camera=camera)
            picture = quantise(frame, np.uint8)
            out.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(video.encode(None))
    return path.read_bytes()


def test_a_clip_is_dropped_relit_compared_and_downloaded(page: Any, dark_clip: bytes) -> None:
    drop(page, ("night.mp4", "video/mp4", dark_clip))
    page.wait_for_function(ENDED)
    assert page.evaluate("document.getElementById('clip-status').textContent").startswith("Done")
    plays = "() => !!document.querySelector('#clip-after video')?.videoWidth"
    page.wait_for_function(plays)
    stage = page.locator("#clip-stage").bounding_box()
    page.mouse.click(stage["x"] + 0.25 * stage["width"], stage["y"] + stage["height"] / 2)
    assert abs(int(page.locator("#clip-divider").input_value()) - 25) <= 1
    page.locator("#clip-divider").focus()
    page.keyboard.press("ArrowRight")
    assert abs(int(page.locator("#clip-divider").input_value()) - 26) <= 1
    page.wait_for_function(
        "() => Math.abs(document.querySelector('#clip-before video').currentTime"
        " - document.querySelector('#clip-after video').currentTime) < 0.2"
    )
    keep(page, "clip")
    with page.expect_download() as coming:
        page.click("#clip-download")
    assert coming.value.suggested_filename == "night.relume.mp4"
    with av.open(str(coming.value.path())) as clip:
        assert sum(1 for _ in clip.decode(video=0)) == 12
    page.click("#clip-close")
    assert not page.locator("#clip-dialog").is_visible()
    page.wait_for_function("() => !document.querySelector('#clip-dialog video')")


def test_what_is_no_clip_says_so(page: Any) -> None:
    drop(page, ("broken.mp4", "video/mp4", b"hello"))
    page.wait_for_function(
        "() => document.getElementById('clip-status').textContent"
        ".includes('no clip that can be decoded')"
    )
    assert page.locator("#clip-download").is_disabled()
    assert page.locator("#clip-again").is_visible()
    page.keyboard.press("Escape")
    page.wait_for_selector("#clip-dialog", state="hidden")


def test_photos_dropped_together_are_merged(page: Any, scene: np.ndarray[Any, Any]) -> None:
    photos = []
    for n in range(3):
        dark = darken(to_image(scene), 0.05, np.random.default_rng(n))
        data = packed(Pil.fromarray(quantise(dark, np.uint8)), quality=92)
        photos.append((f"IMG_{n}.jpg", "image/jpeg", data))
    drop(page, *photos)
    page.wait_for_selector("#album-merge:not([disabled])")
    page.click("#album-merge")
    page.wait_for_function(ENDED)
    page.wait_for_function("() => !!document.querySelector('#clip-after img')?.naturalWidth")
    keep(page, "merged")
    with page.expect_download() as coming:
        page.click("#clip-download")
    assert coming.value.suggested_filename == "IMG_0.relume-burst.jpg"
    assert opened(Path(coming.value.path()).read_bytes()).size == (320, 240)
