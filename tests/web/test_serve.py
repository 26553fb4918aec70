"""Starting the service, and what the environment may ask of it."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from relume.cli.main import main
from relume.errors import MissingExtra, ParameterError, RelumeError
from relume.web import _lan_host, serve, settings
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


def test_a_host_that_is_none_is_told() -> None:
    with pytest.raises(RelumeError, match=r"cannot listen on 999\.1\.1\.1 .*with --host"):
        serve(host="999.1.1.1", browser=False)


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


def _no_network(*_: object) -> None:
    raise OSError("no network")


def test_the_address_works_from_other_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _lan_host("127.0.0.1") == "127.0.0.1"
    assert _lan_host("box.local") == "box.local"
    assert _lan_host("0.0.0.0") not in ("0.0.0.0", "")
    monkeypatch.setattr(socket.socket, "connect", _no_network)
    assert _lan_host("0.0.0.0") == "127.0.0.1"


@pytest.mark.slow
def test_the_bound_host_and_those_given_are_known() -> None:
    with process(workers=1, RELUME_HOSTS="box.example", RELUME_TOKEN="a b") as (address, _):
        page, token = address.split("/#token=")
        assert token == "a%20b"
        assert httpx.get(page, headers={"host": "box.example"}).is_success
        assert httpx.get(page, headers={"host": "other.example"}).status_code == 403


def test_the_command_says_how_it_ends_and_keeps_the_token_out_of_logs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: dict[str, object] = {}

    def run(**given: object) -> None:
        asked.update(given)
        given["on_ready"]("http://192.168.0.7:7860/#token=secret")  # type: ignore[operator]

    monkeypatch.setattr("relume.web.serve", run)
    with pytest.raises(SystemExit):
        main(["serve", "--allow-host", "box.local", "--allow-host", "b"])
    told = capsys.readouterr()
    assert told.out == "http://192.168.0.7:7860\n"  # not a terminal
    assert "Ctrl-C stops it" in told.err
    assert asked["allow_hosts"] == ["box.local", "b"]


def test_help_names_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    told = capsys.readouterr().out
    source = Path(settings.__file__).read_text()
    names = set(re.findall(r'"(RELUME_[A-Z_]+)"', source))
    assert len(names) == 12
    assert all(f"  {name}: " in told for name in names)
