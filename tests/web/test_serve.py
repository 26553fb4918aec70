"""Starting the service, and what the environment may ask of it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys

import httpx
import pytest

from relume.errors import MissingExtra, ParameterError, RelumeError
from relume.web import serve
from relume.web.settings import CORES, from_environment

from .conftest import process


@pytest.mark.slow
def test_it_starts_answers_and_ends_with_ctrl_c() -> None:
    with process(workers=99, RELUME_QUEUE="7") as (address, running):
        limits = httpx.get(f"{address}/v1/methods").json()["limits"]
        assert (limits["workers"], limits["queue"]) == (CORES, 7)
        assert "server" not in httpx.get(address).headers
        running.send_signal(signal.SIGINT)
        assert running.wait(20) == 0


def test_a_port_in_use_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(RelumeError, match=rf"port {port}: .*choose another with --port"):
            serve(port=port, browser=False)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(MissingExtra, match=r"relume\[web\]"):
        serve(browser=False)


def test_the_environment() -> None:
    given = {
        "RELUME_TOKEN": "t", "RELUME_QUEUE": "3", "RELUME_MAX_UPLOAD_MB": "2",
        "RELUME_CORS": "https://a.example/, https://b.example",
    }  # fmt: skip
    asked = from_environment(workers=CORES + 5, environment=given)
    assert (asked.token, asked.queue, asked.max_upload_bytes) == ("t", 3, 2 << 20)
    assert asked.cors_origins == ("https://a.example", "https://b.example")
    assert asked.workers == CORES
    assert from_environment(environment={"RELUME_TOKEN": ""}).token is None
    with pytest.raises(ParameterError, match="RELUME_QUEUE must be 0 to 10000"):
        from_environment(environment={"RELUME_QUEUE": "many"})


def test_the_module_is_light() -> None:
    code = "import relume.web, sys; assert not {'fastapi', 'cv2', 'uvicorn'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
