"""What strangers may send: every answer is a clear refusal, and the service goes on."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import os
import socket
import struct
import tempfile
import time
import zlib
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image as Pil

from relume.executor import Apart
from relume.io.png import SIGNATURE, chunk
from relume.web import handlers
from relume.web.settings import Settings

from .conftest import Post, Service, packed, picture, running


@pytest.fixture(autouse=True)
def _still_alive(client: httpx.Client) -> object:
    yield
    assert client.get("/healthz").is_success


def png(width: int, height: int, data: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return SIGNATURE + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


BOMB = zlib.compress(bytes(3 * 60_000 * 300), 9)
SIDE = 10_000


def claiming(kind: str) -> bytes:
    """A small picture whose header says 10,000 x 10,000."""
    data = packed(picture(64, 64), kind)
    if kind == "JPEG":
        at = data.index(b"\xff\xc0") + 5  # baseline frame: length, depth, then height and width
        return data[:at] + struct.pack(">HH", SIDE, SIDE) + data[at + 4 :]
    if kind == "TIFF":
        for tag in (256, 257):  # width and height, as one short or long
            at = data.index(struct.pack("<H", tag) + b"\x04\0\x01\0\0\0") + 8
            data = data[:at] + struct.pack("<I", SIDE) + data[at + 4 :]
        return data
    assert kind == "GIF"
    return data[:6] + struct.pack("<HH", SIDE, SIDE) + data[10:]


def swollen(kind: bytes, head: bytes) -> bytes:
    """A PNG of one row whose metadata is 200 MB of zeros, in 200 kB."""
    row = png(4, 1, zlib.compress(bytes(13)))
    body = head + zlib.compress(bytes(200_000_000), 9)
    check = struct.pack(">I", zlib.crc32(kind + body))
    return row[:33] + struct.pack(">I", len(body)) + kind + body + check + row[33:]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(b"", 422, id="empty"),
        pytest.param(b"hello, this is text\n" * 9, 415, id="text"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, id="svg"),
        pytest.param(b"%PDF-1.7\n\0\0", 415, id="pdf"),
        pytest.param(b"PK\x03\x04" + bytes(60), 415, id="zip"),
        pytest.param(bytes(1000), 415, id="zeros"),
        pytest.param(b"\xff\xd8\xff", 422, id="jpeg magic only"),
        pytest.param(packed(picture(400, 300), quality=90)[:2000], 422, id="cut JPEG"),
        pytest.param(packed(picture(400, 300), "PNG")[:3000], 422, id="cut PNG"),
        pytest.param(packed(picture(400, 300), "WEBP")[:200], 422, id="cut WebP"),
        pytest.param(png(10_000, 10_000, zlib.compress(b"")), 413, id="10,000 x 10,000 header"),
        pytest.param(claiming("JPEG"), 413, id="10,000 x 10,000 JPEG"),
        pytest.param(claiming("TIFF"), 413, id="10,000 x 10,000 TIFF"),
        pytest.param(claiming("GIF"), 413, id="10,000 x 10,000 GIF"),
        pytest.param(png(60_000, 60_000, BOMB), 413, id="zip bomb"),
        pytest.param(swollen(b"iCCP", b"x\0\0"), 200, id="zip bomb for a profile"),
        pytest.param(swollen(b"zTXt", b"x\0\0"), 200, id="zip bomb for a text"),
        pytest.param(png(2_000, 2_000, BOMB), 200, id="more data than pixels"),
        pytest.param(png(0, 10, b""), 422, id="no width"),
    ],
)
def test_bytes_that_are_no_good_picture(post: Post, data: bytes, status: int) -> None:
    answer = post("enhance?method=gamma", data, name="x.jpg")
    if status == 200:  # decoders may take what the header says and leave the rest
        assert answer.status_code in (200, 422), answer.text
        return
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error", "detail"}
    assert "Traceback" not in answer.text


def test_every_byte_flip_is_answered(post: Post) -> None:
    rng = np.random.default_rng(1)
    for kind in ("JPEG", "PNG", "TIFF", "WEBP"):
        whole = packed(picture(), kind)
        for _ in range(12):
            broken = bytearray(whole)
            for at in rng.integers(0, len(whole), 6):
                broken[at] = rng.integers(0, 256)
            status = post("enhance?method=gamma", bytes(broken)).status_code
            assert status in (200, 413, 415, 422), (kind, status)


@pytest.mark.parametrize(
    "kind",
    ["", "text/plain", "application/json",
     "application/x-www-form-urlencoded", "multipart/mixed; boundary=x", "a" * 500],
)  # fmt: skip
def test_wrong_content_types(client: httpx.Client, night: bytes, kind: str) -> None:
    headers = {"content-type": kind} if kind else {}
    answer = client.post("/v1/enhance?method=gamma", content=night, headers=headers)
    assert answer.status_code == 415
    assert "-F file=@photo.jpg" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("multipart/form-data", b"x", 400),
        ("multipart/form-data; boundary=b", b"no form at all", 400),
        ("multipart/form-data; boundary=b", b"", 400),
        (
            "multipart/form-data; boundary=b",
            b"--b\r\nContent-Disposition: form-data; name=file",
            400,
        ),
        ("multipart/form-data; boundary=b", b"--b--\r\n", 422),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b--\r\n", 400),
        ("multipart/form-data; boundary=b", b"--b\r\n" + b"x" * 20_000, 400),
        ("multipart/form-data; boundary=" + "b" * 400, b"x", 400),
    ],
)
def test_broken_forms(client: httpx.Client, kind: str, body: bytes, status: int) -> None:
    answer = client.post("/v1/enhance?method=gamma", content=body, headers={"content-type": kind})
    assert answer.status_code == status, answer.text


def test_other_fields_and_second_files(client: httpx.Client, night: bytes) -> None:
    path = "/v1/enhance?method=gamma"
    extra = client.post(path, files={"file": ("n.jpg", night)}, data={"strength": "1"})
    assert extra.status_code == 422
    assert "field 'strength'" in extra.json()["detail"]
    two = client.post(path, files=[("file", ("a.jpg", night)), ("file", ("b.jpg", night))])
    assert two.status_code == 422
    assert "2 pictures" in two.json()["detail"]


def test_too_many_bytes_are_refused_by_length_and_by_count(client: httpx.Client) -> None:
    big = bytes(5 << 20)
    path, kind = "/v1/enhance?method=gamma", {"content-type": "image/png"}
    assert client.post(path, content=big, headers=kind).status_code == 413
    pieces = (big[:100_000] for _ in range(60))  # chunked: no length is told
    assert client.post(path, content=pieces, headers=kind).status_code == 413
    assert client.post(path, files={"file": ("a.png", big)}).status_code == 413


def test_too_many_pixels(post: Post) -> None:
    answer = post("enhance?method=gamma", packed(Pil.new("L", (3000, 2000)), "PNG"))
    assert answer.status_code == 413
    detail = answer.json()["detail"]
    assert "6 megapixels" in detail or "6.0 megapixels" in detail
    assert "--max-megapixels" not in detail


@pytest.mark.parametrize("trickles", [False, True])
def test_a_slow_upload_is_ended(service: Service, trickles: bool) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as slow:
        slow.sendall(
            b"POST /v1/enhance?method=gamma HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: image/png\r\nContent-Length: 1000\r\n\r\nabc"
        )
        answer = b""
        if trickles:  # a byte at a time keeps no connection alive
            slow.settimeout(0.1)
            for _ in range(996):  # all but the last
                if answer:
                    break
                # the byte may cross the answer, and be refused by a connection that is closed
                with contextlib.suppress(TimeoutError, ConnectionError):
                    slow.sendall(b".")
                    answer = slow.recv(4096)
            slow.settimeout(60)
        with contextlib.suppress(ConnectionError):
            while chunk := slow.recv(4096):
                answer += chunk
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"took longer than 1 s" in answer


def test_one_who_hangs_up_gives_the_place_back(service: Service, client: httpx.Client) -> None:
    for _ in range(40):  # more than there are places
        with socket.create_connection(("127.0.0.1", service.port)) as rude:
            rude.sendall(
                b"POST /v1/enhance?method=gamma HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Type: image/png\r\nContent-Length: 99\r\n\r\nabc"
            )
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if client.get("/healthz").json()["taken"] == 0:
            return
        time.sleep(0.1)
    pytest.fail("places stayed taken")


def test_nothing_is_written_or_logged(
    night: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Uploads above Starlette's 1 MiB spool limit, a failure inside, and no trace of either."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    opened: list[str] = []
    real = os.open

    def watched(path: object, flags: int, *rest: object, **more: object) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            opened.append(str(path))
        return real(path, flags, *rest, **more)  # type: ignore[arg-type]

    def explode(*_: object, **__: object) -> None:
        raise KeyError("secret-name.jpg")

    noise = np.random.default_rng(0).integers(0, 255, (900, 900, 3), dtype=np.uint8)
    large = packed(Pil.fromarray(noise), "PNG")
    assert len(large) > 2 << 20
    with running(Settings()) as one, caplog.at_level(logging.DEBUG):
        monkeypatch.setattr(os, "open", watched)
        files = {"file": ("secret-name.png", large)}
        url = f"{one.url}/v1/enhance?method=gamma"
        assert httpx.post(url, files=files, timeout=60).is_success
        monkeypatch.setattr("relume.web.handlers.enhance", explode)
        failed = httpx.post(url, files=files, timeout=60)
    assert failed.status_code == 500
    assert "secret-name" not in failed.text
    ours = [r.getMessage() for r in caplog.records if not r.name.startswith(("httpcore", "httpx"))]
    assert not any("secret-name" in line for line in ours)
    assert any("KeyError at " in line for line in ours)
    assert opened == []
    assert list(tmp_path.iterdir()) == []


def test_a_name_cannot_break_out_of_its_header(client: httpx.Client, night: bytes) -> None:
    name = 'a"; filename="b.html\r\nSet-Cookie: x=1\r\n\u202egpj.exe'
    body = io.BytesIO()
    head = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    body.write(head.encode() + night + b"\r\n--b--\r\n")
    answer = client.post(
        "/v1/enhance?method=gamma",
        content=body.getvalue(),
        headers={"content-type": "multipart/form-data; boundary=b"},
    )
    assert "set-cookie" not in answer.headers
    assert "\u202e" not in answer.headers.get("content-disposition", "")


def test_what_a_decoder_crashes_on_is_one_picture_s_error(
    post: Post, night: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service goes on: uploads are decoded in processes of their own."""
    (tmp_path / "crashing_decoder.py").write_text("import os\n\ndef crash(_):\n    os._exit(11)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    crash = importlib.import_module("crashing_decoder").crash
    decoders = Apart(crash)
    with monkeypatch.context() as patch:
        patch.setattr(handlers, "DECODERS", decoders)
        answer = post("enhance?method=gamma", night)
        assert answer.status_code == 422
        assert "its process ended over it" in answer.json()["detail"]
    assert post("enhance?method=gamma", night).is_success
