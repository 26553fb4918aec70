"""The recipes for other programs, run: against the program itself where it is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

import relume
from relume.photo import Photo

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
pytestmark = pytest.mark.skipif(os.name != "posix", reason="the recipes are for POSIX shells")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A dark JPEG in a folder with a space and a quote in its name."""
    ramp = np.linspace(0.02, 0.12, 96, dtype=np.float32)[None, :, None]
    dark = np.clip(ramp + np.random.default_rng(5).normal(0, 0.01, (64, 96, 3)), 0, 1)
    path = tmp_path / "it's night" / "d.jpg"
    path.parent.mkdir()
    Photo(dark.astype(np.float32)).save(path)
    return path


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A command relume that is this package, first in PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "relume"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m relume "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return script


def mean(path: Path) -> float:
    return float(relume.read(path).pixels.mean())


def test_digikams_script_replaces_its_own_temporary_file(photo: Path, command: Path) -> None:
    output = photo.with_name("BatchTool-x.tmp.png")
    output.touch()  # as digiKam leaves it
    environment = os.environ | {"INPUT": str(photo), "OUTPUT": str(output)}
    environment["RELUME_OPTIONS"] = "--brightness 0.4"
    subprocess.run(["sh", EXAMPLES / "digikam" / "relume.sh"], env=environment, check=True)
    assert mean(output) == pytest.approx(0.4, abs=0.02)
    assert mean(photo) < 0.1


class _Frigate(BaseHTTPRequestHandler):
    """Frigate's newest frame, and relume's answer to an upload: what curl sends is kept."""

    frame = b""
    sent: list[tuple[str, bytes]]

    def do_GET(self) -> None:
        found = self.path == "/api/front_door/latest.jpg"
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write(self.frame if found else b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.sent.append((self.path, body))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"relit")

    def log_message(self, *_: object) -> None:
        """Nothing: tests have one output."""


@pytest.fixture
def frigate(photo: Path) -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """The address of a server that answers as both programs do, and what was sent to it."""
    sent: list[tuple[str, bytes]] = []
    handler = type("Handler", (_Frigate,), {"frame": photo.read_bytes(), "sent": sent})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", sent
        server.shutdown()
        thread.join()


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_frigates_frame_goes_through_the_service(
    photo: Path, tmp_path: Path, frigate: tuple[str, list[tuple[str, bytes]]]
) -> None:
    address, sent = frigate
    environment = os.environ | {"FRIGATE": address, "RELUME": address, "RELUME_TOKEN": ""}
    script = ["sh", str(EXAMPLES / "frigate" / "snapshot.sh")]
    done = subprocess.run(
        [*script, "front_door", str(tmp_path)], env=environment, capture_output=True, check=True
    )
    written = Path(done.stdout.decode().strip())
    assert written.parent == tmp_path
    assert written.read_bytes() == b"relit"
    ((path, body),) = sent
    assert path == "/v1/enhance"
    assert photo.read_bytes() in body

    failed = subprocess.run(
        [*script, "no_camera", str(tmp_path)], env=environment, capture_output=True, check=False
    )
    assert failed.returncode != 0
    assert list(tmp_path.glob("no_camera*")) == []


NEEDED = ("darktable", "xvfb-run", "dbus-run-session")


@pytest.mark.slow
@pytest.mark.skipif(
    not all(map(shutil.which, NEEDED)), reason=f"needs {', '.join(NEEDED)} (Debian's packages)"
)
def test_darktable_exports_relights_and_imports(photo: Path, command: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "config").mkdir(parents=True)
    (home / "config" / "luarc").write_text(
        f"""
        local dt = require "darktable"
        package.path = package.path .. ";{EXAMPLES}/darktable/?.lua"
        local relume = require "relume"
        dt.preferences.write("relume", "command", "string", "{command}")
        dt.preferences.write("relume", "options", "string", "--brightness 0.4")
        local image = dt.database.import([[{photo}]])
        for run = 1, 2 do
          dt.new_format("jpeg"):write_image(image, [[{tmp_path}/exported.jpg]])
          local relit, problem = relume.relight(image, [[{tmp_path}/exported.jpg]])
          io.stderr:write("relit " .. tostring(relit and relit.filename) .. " in a group of "
            .. tostring(relit and #relit:get_group_members()) .. "\\n")
        end
        os.exit(0)
        """,
        encoding="utf-8",
    )
    done = subprocess.run(
        ["timeout", "-k", "1", "150", "xvfb-run", "-a", "dbus-run-session", "darktable",
         "--configdir", home / "config", "--cachedir", home / "cache", "--library", ":memory:",
         "--conf", "write_sidecar_files=FALSE"],
        env=os.environ | {"HOME": str(home)}, capture_output=True, check=False,
    )  # fmt: skip
    said = done.stderr.decode(errors="replace")
    assert "relit d.relume.jpg in a group of 2" in said, said[-2000:]
    assert "relit d.relume-1.jpg in a group of 3" in said, said[-2000:]
    assert not (tmp_path / "exported.jpg").exists()
    assert mean(photo.with_name("d.relume.jpg")) == pytest.approx(0.4, abs=0.05)
