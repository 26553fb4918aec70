"""A real service on loopback, and pictures made from formulas."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image as Pil

pytest.importorskip("fastapi", reason="needs the extra web")
uvicorn = pytest.importorskip("uvicorn", reason="needs the extra web")
httpx = pytest.importorskip("httpx", reason="needs httpx")

from relume.enhancers import Decomposition  # noqa: E402
from relume.photo import Photo  # noqa: E402
from relume.web.app import create_app  # noqa: E402
from relume.web.settings import Settings  # noqa: E402


@dataclass(frozen=True)
class Service:
    url: str
    port: int


@contextmanager
def running(settings: Settings) -> Iterator[Service]:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    config = uvicorn.Config(create_app(settings), log_level="error", access_log=False)
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


def split_by_brightest(photo: Photo, *, parameters: object = None) -> Decomposition:
    """In the network's place: I is the brightest channel, relit by a square root."""
    illumination = photo.pixels.max(axis=2)
    reflectance = photo.pixels / np.maximum(illumination, 1e-3)[:, :, None]
    return Decomposition(
        photo.pixels, reflectance, reflectance, illumination, np.sqrt(illumination)
    )


Post = Callable[..., httpx.Response]


@pytest.fixture
def post(client: httpx.Client) -> Post:
    """``post("enhance?method=gamma", data)``: the picture as the form's file."""

    def send(path: str, data: bytes, *, name: str = "night.jpg", **headers: str) -> httpx.Response:
        files = {"file": (name, data)}
        return client.post(f"/v1/{path}", files=files, headers=headers)

    return send
