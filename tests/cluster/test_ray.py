"""On a Ray of this machine: the same pictures, rows and messages as without."""

from __future__ import annotations

import operator
import os
import pickle
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

from relume.cli.tables import FACES, Rows
from relume.cluster.ray_data import Actor
from relume.errors import RelumeError
from relume.faces import Detection, Face

NEEDS = "needs Ray: pip install 'relume[ray]'"
pytest.importorskip("ray.data", reason=NEEDS, exc_type=ImportError)
pa = pytest.importorskip("pyarrow", reason=NEEDS)
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

# of the standard library: the actors cannot import this file
RECIPROCAL = partial(partial, operator.truediv, 1)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve small dark photos, four of them in a folder below, and a broken one."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "sub").mkdir()
    rng = np.random.default_rng(0)
    for n in range(12):
        ramp = np.linspace(0, 20 + n, 160)[None, :, None] + rng.integers(0, 8, (120, 160, 3))
        home = folder / "sub" if n % 3 == 0 else folder
        Pil.fromarray(ramp.astype(np.uint8)).save(home / f"{n}.jpg")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no end")
    return folder


def relume(*words: object, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "relume", *map(str, words)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, **environment},
    )


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_enhance_writes_what_it_writes_without(photos: Path, tmp_path: Path) -> None:
    plain = relume("enhance", photos, "-o", "plain", folder=tmp_path)
    on_ray = relume("enhance", photos, "-o", "ray", "--on", "ray", "-j", 2, folder=tmp_path)
    assert plain.returncode == on_ray.returncode == 1
    assert contents(tmp_path / "plain") == contents(tmp_path / "ray")
    assert len(contents(tmp_path / "ray")) == 12
    for said in (plain.stderr, on_ray.stderr):
        error, summary = said.splitlines()
        assert error.startswith("error: ")
        assert "broken.jpg" in error
        assert "12 photos enhanced" in summary
        assert "1 failed" in summary
    (tmp_path / "ray" / "5.jpg").unlink()
    again = ("enhance", photos, "-o", "ray", "--on", "ray", "--skip-existing")
    resumed = relume(*again, folder=tmp_path)
    assert "1 photo enhanced" in resumed.stderr
    assert "11 there already" in resumed.stderr
    assert contents(tmp_path / "plain") == contents(tmp_path / "ray")


def test_detect_finds_what_it_finds_without(photos: Path, tmp_path: Path) -> None:
    words = ("detect", photos, "-d", "haar")
    relume(*words, "-o", "plain.jsonl", folder=tmp_path)
    done = relume(*words, "-o", "ray.jsonl", "--on", "ray", folder=tmp_path)
    assert done.returncode == 1
    assert (tmp_path / "plain.jsonl").read_bytes() == (tmp_path / "ray.jsonl").read_bytes()


def test_faces_as_a_table(photos: Path, tmp_path: Path) -> None:
    import pyarrow.parquet

    done = relume("detect", photos, "-d", "haar", "-o", "f.parquet", folder=tmp_path)
    assert done.returncode == 1
    rows = pyarrow.parquet.read_table(tmp_path / "f.parquet").to_pylist()
    assert len(rows) == 13, "no faces here: a row a photo"
    errors = {Path(row["photo"]).name: row["error"] for row in rows}
    assert "truncated" in errors.pop("broken.jpg")
    assert set(errors.values()) == {None}
    assert {row["width"] for row in rows} == {160, None}


def test_a_face_is_a_row(tmp_path: Path) -> None:
    import pyarrow.parquet

    points = np.arange(136, dtype=np.float32).reshape(68, 2)
    faces = [Face((1, 2, 3, 4), 0.5, points), Face((5, 6, 7, 8.5), 0.25)]
    found = Detection(faces, 40, 30, "yunet", 0.6, ("original",))
    with Rows(str(tmp_path / "f.parquet"), FACES, overwrite=False, go_on=False) as rows:
        rows.add({"photo": "b.jpg", "error": "broken"})
        rows.add(found.as_json("a.jpg"))
        rows.finish(["a.jpg", "b.jpg"])
    first, second, broken = pyarrow.parquet.read_table(tmp_path / "f.parquet").to_pylist()
    assert (first["photo"], first["face"], first["x1"], first["score"]) == ("a.jpg", 0, 3, 0.5)
    assert first["landmarks"] == list(range(136))
    assert (second["face"], second["y1"], second["landmarks"]) == (1, 8.5, None)
    assert (broken["photo"], broken["face"], broken["error"]) == ("b.jpg", None, "broken")
    with Rows(str(tmp_path / "f.parquet"), FACES, overwrite=False, go_on=True) as rows:
        assert rows.done() == {"a.jpg"}, "what failed is tried again"
        rows.add({"photo": "b.jpg", "width": 4, "height": 3, "faces": []})
        rows.finish(["a.jpg", "b.jpg"])
    again = pyarrow.parquet.read_table(tmp_path / "f.parquet").to_pylist()
    assert again[:2] == [first, second]
    assert [(row["photo"], row["width"], row["error"]) for row in again[2:]] == [("b.jpg", 4, None)]


def test_study_makes_the_same_rows(photos: Path, tmp_path: Path) -> None:
    """From a recipe, with somebody's network beside it."""
    onnx = pytest.importorskip("onnx", reason="the test builds a small network with onnx")
    shape = [1, 3, "h", "w"]
    names = [onnx.helper.make_tensor_value_info(name, 1, shape) for name in ("photo", "picture")]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Sqrt", ["photo"], ["picture"])], "root", names[:1], names[1:]
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    (tmp_path / "recipes").mkdir()
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)
    onnx.save(model, tmp_path / "recipes" / "root.onnx")
    (tmp_path / "recipes" / "study.toml").write_text(
        f'pictures = "{photos / "sub"}"\nreport = "unused"\ndetectors = ["haar"]\n'
        'arms = ["original", "gamma", "theirs=onnx:root.onnx"]\n'
    )
    for report, on in (("plain", ()), ("ray", ("--on", "ray"))):
        words = ("study", "recipes/study.toml", "-o", report, *on, "-q")
        done = relume(*words, folder=tmp_path)
        assert done.returncode == 0, done.stderr
    plain, on_ray = (tmp_path / name / "rows.jsonl" for name in ("plain", "ray"))
    assert plain.read_bytes() == on_ray.read_bytes()
    assert '"theirs"' in plain.read_text()


IN_PYTHON = """
import os, pathlib, signal, sys
from relume.cluster import connect

def work(item):
    mark = pathlib.Path(f"{item}.begun")
    begun = int(mark.read_text()) + 1 if mark.exists() else 1
    mark.write_text(str(begun))
    if item == 13 or (item == 7 and begun == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    return 1 / item

outcomes = list(connect("ray", workers=2).run(lambda: work, range(30), ordered=True))
assert [outcome.item for outcome in outcomes] == [*range(30)]
assert isinstance(outcomes[0].error, ZeroDivisionError)
assert "its worker was lost 3 times" in str(outcomes[13].error)
for n in {*range(1, 30)} - {13}:
    assert outcomes[n].get() == 1 / n
begun = {n: int(pathlib.Path(f"{n}.begun").read_text()) for n in range(30)}
assert begun == {n: {7: 2, 13: 3}.get(n, 1) for n in range(30)}, begun
"""


def test_order_failures_and_killed_actors_that_lose_nothing(tmp_path: Path) -> None:
    """Item 7 ends its actor once, item 13 every time; nothing else is done twice."""
    done = subprocess.run(
        [sys.executable, "-c", IN_PYTHON], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes in /proc")
def test_nothing_is_lost_when_an_actor_and_then_the_command_are_killed(tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "benchmarks" / "faults.py"
    words = (script, "--photos", 240, "--method", "relume")
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "240 results, each once, whole, the same bytes as a plain run's" in done.stdout


def test_a_folder_that_a_machine_does_not_see_is_said(tmp_path: Path) -> None:
    here = Path.cwd()
    actor = Actor(pickle.dumps(RECIPROCAL), str(tmp_path / "not" / "shared"), None)
    with pytest.raises(RelumeError, match=r"is not there on .*: Ray needs folders that all"):
        actor._work(1).get()
    assert Path.cwd() == here


def test_on_a_cluster_at_an_address(photos: Path, tmp_path: Path) -> None:
    with socket.socket() as one, socket.socket() as other:
        for taken in (one, other):
            taken.bind(("127.0.0.1", 0))
        head, port = one.getsockname()[1], other.getsockname()[1]
    # a token of its own: nobody else on this machine can send it work
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(24)}
    options = (
        *("--head", "--block", "--node-ip-address=127.0.0.1", f"--port={head}", "--num-cpus=2"),
        *(f"--ray-client-server-port={port}", "--include-dashboard=false"),
        *("--disable-usage-stats", "--object-store-memory=200000000"),
        f"--temp-dir={tempfile.mkdtemp(prefix='ray')}",  # pytest's own is too long for a socket
    )
    command = [sys.executable, "-c", "from ray.scripts.scripts import main; main()", "start"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    cluster = subprocess.Popen([*command, *options], env={**os.environ, **token}, **quiet)
    try:
        words = ("enhance", photos, "-m", "gamma", "-o")
        plain = relume(*words, "plain", folder=tmp_path)
        address = f"ray://127.0.0.1:{port}"
        for _ in range(60):
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", port)).close()
                break
            time.sleep(1)
        done = relume(*words, "ray", "--on", address, folder=tmp_path, **token)
        assert done.returncode == plain.returncode == 1, done.stderr
        assert "12 photos enhanced" in done.stderr
        assert contents(tmp_path / "plain") == contents(tmp_path / "ray")
    finally:
        cluster.terminate()
        cluster.wait(120)  # it ends its own processes first
