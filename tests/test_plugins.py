"""Methods of other packages: found by their entry points, and none can spoil the others."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from relume.catalog import Catalog, Info

ROOT = Path(__file__).resolve().parents[1]
MODULE = """
from pathlib import Path
from relume.catalog import Info
Path(__file__).with_name("imported").touch()
class Good:
    info = Info("good", "does nothing", "MIT", "tests")
    def __call__(self, image):
        return image.copy()
class Taken(Good):
    info = Info("gamma", "a name that is taken", "MIT", "tests")
class NoInfo:
    pass
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with an installed package: two methods that work, and four that do not."""
    (tmp_path / "plug.py").write_text(MODULE)
    data = tmp_path / "plug-1.0.dist-info"
    data.mkdir()
    (data / "METADATA").write_text("Metadata-Version: 2.1\nName: plug\nVersion: 1.0\n")
    (data / "entry_points.txt").write_text(
        "[relume.enhancers]\n"
        "absent = no_such_module:Enhancer\n"
        "good = plug:Good\n"
        "gone = plug:Gone\n"
        "none = plug:NoInfo\n"
        "taken = plug:Taken\n"
        "[relume.detectors]\nfinder = plug:Good\n"
        "[relume.landmarkers]\npointer = plug:Good\n"
    )
    return tmp_path


def run(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A command in a process that has ``folder`` on its path."""
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", ""), str(ROOT / "src")])
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, check=False, env=environment
    )


def test_one_that_fails_is_named_and_the_others_are_there(
    installed: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.syspath_prepend(str(installed))
    catalogue: Catalog[object] = Catalog("method")
    catalogue.add(Info("gamma", "was there before", "MIT", "tests"), object)
    with caplog.at_level(logging.WARNING):
        catalogue.add_installed("relume.enhancers")
    monkeypatch.delitem(sys.modules, "plug")
    assert catalogue.names() == ["gamma", "good"]
    assert catalogue.info("gamma").summary == "was there before"
    assert catalogue.package("good") == ("plug", "1.0")
    assert catalogue.package("gamma") is None
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 4
    for name, why in (
        ("absent", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("gone", "AttributeError: module 'plug' has no attribute 'Gone'"),
        ("none", "TypeError: expected a class with an 'info', got plug:NoInfo"),
        ("taken", "ValueError: method 'gamma' is already in the catalogue"),
    ):
        assert f"the method {name!r} of plug is left out: {why}" in said


def test_they_are_in_every_catalogue_and_a_failure_is_one_line(installed: Path) -> None:
    done = run("-m", "relume", "methods", "--json", folder=installed)
    assert done.returncode == 0, done.stderr
    table = json.loads(done.stdout)
    for kind in ("enhancers", "detectors", "landmarkers"):
        assert "good" in [entry["name"] for entry in table[kind]]
    lines = done.stderr.splitlines()
    assert len(lines) == 4
    assert all("of plug is left out" in line for line in lines)


def test_the_lock_of_a_study_names_their_versions(installed: Path) -> None:
    code = (
        "from pathlib import Path\n"
        "from relume.study import Plan, provenance\n"
        "plan = Plan(pictures=Path('in'), report=Path('out'), arms=('good',))\n"
        "lock = provenance.make(plan, (), {})\n"
        "assert lock['versions']['plug'] == '1.0', lock['versions']\n"
        "assert 'numpy' in lock['versions']\n"
    )
    done = run("-W", "ignore", "-c", code, folder=installed)
    assert done.returncode == 0, done.stderr


def test_help_imports_none_of_them(installed: Path) -> None:
    done = run("-m", "relume", "--help", folder=installed)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (installed / "imported").exists()
    run("-m", "relume", "methods", folder=installed)
    assert (installed / "imported").exists()


@pytest.mark.slow
def test_the_example_package_installs_and_keeps_the_contract(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="the example is built with hatchling")
    source, target = tmp_path / "source", tmp_path / "target"
    shutil.copytree(ROOT / "examples" / "relume-stretch", source)
    pip = ["-m", "pip", "install", "--no-index", "--no-deps", "--no-build-isolation", "-q"]
    done = run(*pip, "--target", str(target), str(source), folder=source)
    if "No module named pip" in done.stderr:
        pytest.skip("this environment has no pip")
    assert done.returncode == 0, done.stderr
    code = (
        "import numpy as np, relume\n"
        "ramp = np.linspace(0, 0.25, 300, dtype=np.float32).reshape(10, 10, 3)\n"
        "wide = relume.enhance(ramp, method='percentile-stretch:0', protect_lit=False)\n"
        "np.testing.assert_allclose(wide, ramp * 4, atol=1e-6)"
    )
    done = run("-c", code, folder=target)
    assert done.returncode == 0, done.stderr
    suite = str(ROOT / "tests" / "enhancers" / "test_contract.py")
    options = [
        "-k",
        "percentile-stretch",
        "-p",
        "no:cacheprovider",
        "-c",
        str(ROOT / "pyproject.toml"),
    ]
    done = run("-m", "pytest", suite, *options, folder=target)
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout
