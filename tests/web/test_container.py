"""The container's files, read as they stand, and their steps as far as they go without an engine.

``RELUME_CONTAINER_STEPS=1`` also runs the build's steps in a clean virtual environment, which
needs the network, and then the service with the health check of the image.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from relume import weights
from relume.web.settings import ACCESS, LIMITS

from .conftest import opened, packed, picture

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "Dockerfile"
PREFIX = "/opt/relume"


@dataclass(frozen=True)
class Step:
    word: str
    rest: str


def steps(text: str) -> Iterator[Step]:
    """The instructions, continued lines joined and comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines():
        if line.strip():
            word, rest = line.split(maxsplit=1)
            yield Step(word, rest)


def stages() -> list[list[Step]]:
    """The instructions by stage; what stands before the first FROM is left out."""
    found: list[list[Step]] = []
    for step in steps(DOCKERFILE.read_text()):
        if step.word == "FROM":
            found.append([])
        if found:
            found[-1].append(step)
    return found


def of(stage: list[Step], word: str) -> list[str]:
    return [step.rest for step in stage if step.word == word]


def copied() -> list[str]:
    """What the build takes from the source tree."""
    return [name for rest in of(stages()[0], "COPY") for name in rest.split()[:-1]]


def test_two_stages_on_one_pinned_base() -> None:
    base = re.search(r"^ARG PYTHON=(\S+)$", DOCKERFILE.read_text(), re.MULTILINE)
    assert base is not None
    assert re.fullmatch(r"python:3\.1[1-9]-slim-[a-z]+", base[1]), "pin Python and Debian"
    assert [of(stage, "FROM") for stage in stages()] == [["${PYTHON} AS build"], ["${PYTHON}"]]


def test_the_image_runs_as_nobody_and_holds_only_the_environment() -> None:
    _, last = stages()
    words = [step.word for step in last]
    (user,) = of(last, "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user), "a number: an orchestrator checks for non-root"
    # nothing is written once the user is set, and nothing of the build but the environment stays
    assert not {"RUN", "COPY", "ADD"} & set(words[words.index("USER") :])
    assert of(last, "COPY") == [f"--from=build {PREFIX} {PREFIX}"]
    assert "--chown" not in DOCKERFILE.read_text()
    assert "ADD" not in words


def test_what_is_run_and_what_is_asked_for_health() -> None:
    _, last = stages()
    command = json.loads(of(last, "ENTRYPOINT")[0])
    assert command[:2] == ["relume", "serve"]
    assert "--no-browser" in command
    port = command[command.index("--port") + 1]
    assert of(last, "EXPOSE") == [port]
    (health,) = of(last, "HEALTHCHECK")
    options, _, check = health.partition(" CMD ")
    assert all(f"--{name}=" in options for name in ("interval", "timeout", "retries"))
    assert f"127.0.0.1:{port}/healthz" in json.loads(check)[-1]


def test_what_is_copied_is_there_and_not_ignored() -> None:
    ignored = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line[:1] not in ("", "#")
    ]
    assert ignored[0] == "*", "nothing goes to the builder that is not named"
    assert copied()
    for name in copied():
        assert (ROOT / name).exists()
        assert f"!{name}" in ignored
    assert {line[1:] for line in ignored if line[0] == "!"} == set(copied())
    assert any(fnmatch.fnmatch("src/__pycache__", line.removeprefix("**/")) or
               line == "**/__pycache__" for line in ignored)  # fmt: skip


def test_the_cache_of_the_build_is_that_of_the_image() -> None:
    for stage in stages():
        (environment,) = [rest for rest in of(stage, "ENV") if "RELUME_CACHE" in rest]
        assert f"RELUME_CACHE={PREFIX}/cache" in environment
        assert f"PATH={PREFIX}/bin:$PATH" in environment
    assert any(
        "weights.path(name) for name in weights.entries()" in r for r in of(stages()[0], "RUN")
    )


def test_compose() -> None:
    yaml = pytest.importorskip("yaml", reason="needs PyYAML")
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    service = services["relume"]
    (port,) = service["ports"]
    assert port.startswith("127.0.0.1:")
    assert port.rsplit(":", 1)[1] == of(stages()[1], "EXPOSE")[0]
    assert [service["user"]] == of(stages()[1], "USER")
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    known = {p.name for p in LIMITS} | set(ACCESS)
    assert set(service["environment"]) <= known
    given = service["environment"]
    for parameter in LIMITS:
        if parameter.name in given:
            parameter.check(given[parameter.name])


def test_the_watcher_of_compose_reads_one_folder_and_writes_another() -> None:
    yaml = pytest.importorskip("yaml", reason="needs PyYAML")
    service = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["watch"]
    mounted = dict(volume.split(":", 1) for volume in service["volumes"])
    command = service["entrypoint"]
    assert command[:2] == ["relume", "watch"]
    assert mounted["./photos"] == f"{command[2]}:ro"
    assert mounted["./relit"] == command[command.index("-o") + 1]
    assert service["read_only"] is True
    assert service["profiles"] == ["watch"]  # not started with the page
    assert any("[web,watch]" in run for run in of(stages()[0], "RUN"))


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """A folder with nothing but what the Dockerfile copies."""
    folder = tmp_path / "build"
    folder.mkdir()
    for name in copied():
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return folder


@pytest.mark.slow
@pytest.mark.skipif(find_spec("hatchling") is None, reason="needs hatchling to build a wheel")
def test_a_wheel_is_built_from_what_is_copied(context: Path) -> None:
    code = "from hatchling.build import build_wheel; print(build_wheel('.'))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=context, capture_output=True, text=True, check=True
    )
    with zipfile.ZipFile(context / done.stdout.split()[-1]) as wheel:
        names = set(wheel.namelist())
    static = ROOT / "src" / "relume" / "web" / "static"
    assert {f"relume/web/static/{file.name}" for file in static.iterdir()} <= names
    shipped = {entry.file for entry in weights.entries().values() if entry.shipped}
    assert {f"relume/weights/{file}" for file in shipped} <= names
    assert tomllib.loads((context / "pyproject.toml").read_text())["project"]["scripts"]["relume"]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


@pytest.mark.slow
@pytest.mark.skipif(
    not os.environ.get("RELUME_CONTAINER_STEPS"),
    reason="installs from the network: set RELUME_CONTAINER_STEPS=1",
)
def test_the_steps_in_a_clean_environment(context: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "opt"

    def here(text: str) -> str:
        return text.replace(PREFIX, str(prefix))

    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment["PATH"] = f"{prefix}/bin:{Path(sys.executable).parent}:/usr/bin:/bin"
    environment["RELUME_CACHE"] = f"{prefix}/cache"
    for entry in weights.entries().values():  # what is here already need not be fetched again
        if (weights.cache_folder() / entry.file).exists():
            (prefix / "cache").mkdir(parents=True, exist_ok=True)
            shutil.copy(weights.cache_folder() / entry.file, prefix / "cache")
    for command in of(stages()[0], "RUN"):
        subprocess.run(here(command), shell=True, cwd=context, env=environment, check=True)
    shutil.rmtree(context)
    subprocess.run(["chmod", "-R", "a-w", str(prefix)], check=True)
    port = str(_free_port())
    _, last = stages()
    given = of(last, "EXPOSE")[0]
    start = [port if word == given else word for word in json.loads(of(last, "ENTRYPOINT")[0])]
    start[start.index("0.0.0.0")] = "127.0.0.1"  # a test opens nothing to the outside
    check = json.loads(of(last, "HEALTHCHECK")[0].partition(" CMD ")[2])
    check = [word.replace(given, port) for word in check]
    offline = environment | dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    offline["no_proxy"] = "127.0.0.1"
    process = subprocess.Popen([f"{prefix}/bin/{start[0]}", *start[1:]], env=offline)
    try:
        deadline = time.monotonic() + 60
        while subprocess.run(check, env=offline, stderr=subprocess.DEVNULL).returncode:
            assert time.monotonic() < deadline, f"never healthy: {shlex.join(start)}"
            time.sleep(0.5)
        url, data = f"http://127.0.0.1:{port}", packed(picture(120, 90))
        for path in ("enhance", "detect", "detect?landmarks=relume"):
            answer = httpx.post(f"{url}/v1/{path}", files={"file": ("n.jpg", data)}, timeout=120)
            assert answer.status_code == 200, answer.text
            if path == "enhance":
                assert opened(answer.content).size == (120, 90)
    finally:
        process.terminate()
        process.wait(20)
        subprocess.run(["chmod", "-R", "u+w", str(prefix)], check=True)
