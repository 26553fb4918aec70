"""What a release is made of: one version, and a wheel that holds what it needs and no more."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

import relume

ROOT = Path(__file__).resolve().parents[1]
MOST_BYTES = 20_000_000
"""Of the wheel: nineteen million are weights, for the CPU and for GPUs."""


def test_the_version_is_said_once_and_the_rest_follows() -> None:
    said = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text("utf-8"), re.M)
    assert said is not None
    assert said[1] == relume.__version__
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["dynamic"] == ["version"]
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"\n## {relume.__version__}" in changes
    assert re.fullmatch(r"\d+\.\d+\.\d+", version("relume"))


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_its_weights(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    script = (
        "import os, sys; from hatchling.build import build_wheel; "
        "os.chdir(sys.argv[1]); print(build_wheel(sys.argv[2]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(ROOT), str(tmp_path)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    wheel = tmp_path / done.stdout.split()[-1]
    assert wheel.name == f"relume-{relume.__version__}-py3-none-any.whl"
    assert wheel.stat().st_size < MOST_BYTES
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        metadata = archive.read(f"relume-{relume.__version__}.dist-info/METADATA").decode()
    package = ROOT / "src"
    files = {
        path.relative_to(package).as_posix()
        for path in (package / "relume").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == files  # no tests, no notes, nothing from elsewhere, and all of the weights
    assert "License-Expression: MIT" in metadata
    shipped = tomllib.loads((package / "relume/weights/manifest.toml").read_text("utf-8"))
    for entry in shipped.values():
        assert ("urls" in entry) != (f"relume/weights/{entry['file']}" in names)
