"""A real service on loopback, a real browser, and pictures made from formulas."""

from __future__ import annotations

import base64
import io
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image as Pil

pytest.importorskip("fastapi", reason="needs the extra web")
uvicorn = pytest.importorskip("uvicorn", reason="needs the extra web")
if TYPE_CHECKING:
    import httpx
else:
    httpx = pytest.importorskip("httpx", reason="needs httpx")

from relume.image.darken import darken  # noqa: E402
from relume.web.app import create_app  # noqa: E402
from relume.web.settings import Settings  # noqa: E402

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
]  # fmt: skip
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
CHEAP = "auto-exposure"
OVERFLOW_PX = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@dataclass(frozen=True)
class Service:
    url: str
    port: int


@contextmanager
def running(
    settings: Settings, *, behind: Callable[[Any], Any] = lambda app: app
) -> Iterator[Service]:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    config = uvicorn.Config(behind(create_app(settings)), log_level="error", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    assert server.started, "the service did not start"
    try:
        yield Service(f"http://127.0.0.1:{port}", port)
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


PROGRAM = """
import sys
from relume.web import serve
serve(port=0, browser=False, workers=int(sys.argv[1]), on_ready=lambda at: print(at, flush=True))
"""


@contextmanager
def process(*, workers: int, **environment: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A service in a process of its own, its address and the process."""
    command = [sys.executable, "-c", PROGRAM, str(workers)]
    started = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | environment
    )
    assert started.stdout is not None
    try:
        address = started.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:"), "the service did not start"
        yield address, started
    finally:
        started.kill()
        started.wait()
        started.stdout.close()


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    with running(Settings(max_upload_bytes=4 << 20, max_megapixels=5.0, upload_limit_s=1.0)) as one:
        yield one


@pytest.fixture(scope="session")
def client(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=60) as one:
        yield one


def picture(width: int = 60, height: int = 40, *, level: int = 30) -> Pil.Image:
    """A dark gradient with some noise, always the same."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, level, width)[None, :, None] + rng.integers(0, 8, (height, width, 3))
    return Pil.fromarray(ramp.astype(np.uint8))


def packed(image: Pil.Image, kind: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def opened(data: bytes) -> Pil.Image:
    image = Pil.open(io.BytesIO(data))
    image.load()
    return image


@pytest.fixture(scope="session")
def night() -> bytes:
    return packed(picture(), quality=90)


Post = Callable[..., httpx.Response]


@pytest.fixture
def post(client: httpx.Client) -> Post:
    """``post("enhance?method=gamma", data)``: the picture as the form's file."""

    def send(path: str, data: bytes, *, name: str = "night.jpg", **headers: str) -> httpx.Response:
        files = {"file": (name, data)}
        return client.post(f"/v1/{path}", files=files, headers=headers)

    return send


@pytest.fixture(scope="module")
def own_service() -> Iterator[Service]:
    with running(Settings()) as one:
        yield one


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Debian's chromium, driven by Playwright; without either, the test is skipped and says so."""
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("needs chromium (apt-get install chromium)")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def page(request: pytest.FixtureRequest, chromium: Any, own_service: Service) -> Iterator[Any]:
    """The page, ready, a cheap method chosen; what it complains of fails the test."""
    phone = request.param is PHONE
    context = chromium.new_context(
        viewport=request.param, has_touch=phone, device_scale_factor=2 if phone else 1
    )
    context.set_default_timeout(20_000)
    one = context.new_page()
    complaints: list[str] = []
    one.on("pageerror", lambda error: complaints.append(str(error)))
    one.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    outside: list[str] = []
    one.on(
        "request",
        lambda r: (
            None if r.url.startswith((own_service.url, "blob:", "data:")) else outside.append(r.url)
        ),
    )
    one.goto(own_service.url)
    one.wait_for_selector("html[data-ready=true]")
    one.evaluate(
        "name => { const e = document.getElementById('method'); e.value = name;"
        " e.dispatchEvent(new Event('change')); }",
        CHEAP,
    )
    one.complaints = complaints
    yield one
    context.close()
    assert outside == []
    assert complaints == []


def keep(page: Any, name: str) -> None:
    """The page has nothing beyond its right edge; its picture, if it is wanted."""
    assert page.evaluate(OVERFLOW_PX) <= 0, name
    folder = os.environ.get("RELUME_SCREENSHOTS")
    if folder:
        kind = "phone" if page.viewport_size["width"] < 800 else "desktop"
        page.wait_for_timeout(250)  # what fades, has faded
        page.screenshot(path=str(Path(folder) / f"{name}-{kind}.png"))


@pytest.fixture(scope="module")
def portrait() -> bytes:
    """A dark photograph with a face, if scikit-image is here; else a gradient."""
    try:
        from skimage import data
    except ImportError:
        return packed(picture(480, 320), quality=92)
    light = data.astronaut()[:380].astype(np.float32) / 255
    dark = darken(light, 0.05, np.random.default_rng(2018))  # as ``relume demo``
    return packed(Pil.fromarray(np.rint(dark * 255).astype(np.uint8)), quality=92)


def drop(page: Any, name: str, data: bytes) -> None:
    page.evaluate(
        """([name, text]) => {
            const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
            const bag = new DataTransfer();
            bag.items.add(new File([bytes], name, { type: 'image/jpeg' }));
            for (const kind of ['dragenter', 'dragover', 'drop']) {
                document.body.dispatchEvent(
                    new DragEvent(kind, { dataTransfer: bag, bubbles: true, cancelable: true }));
            }
        }""",
        [name, base64.b64encode(data).decode()],
    )


def wait_for_result(page: Any, method: str) -> None:
    page.wait_for_function(
        "name => document.getElementById('facts').textContent.includes(name + ' in')"
        " && document.getElementById('working').hidden",
        arg=method,
    )
