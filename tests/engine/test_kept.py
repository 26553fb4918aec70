"""What processes share in the cache folder: compiled networks, and measurements of precision."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from relume import engine, weights
from relume.engine import Runtime, kept

from .test_engine import picture, write_scaler

onnx = pytest.importorskip("onnx", reason="the tests build small networks with onnx")

START = """
import sys, pathlib, numpy as np
from relume.engine import load, Runtime
from relume.weights import path
network = load(pathlib.Path(sys.argv[1]), runtime=Runtime(precision="f32", threads=1))
shapes = {"thumbnail": (1, 3, 96, 96), "brightness": (1, 1), "gain": (1, 1, 32, 48)}
result = network({n: np.full(shapes.get(n, (1, 3, 32, 48)), 0.25, np.float32)
                  for n in network.inputs})
assert "torch" not in sys.modules
print({name: float(value.sum(dtype="float64")) for name, value in result.items()})
"""


def start(model: Path, cache: Path, **environment: str) -> subprocess.Popen[str]:
    """A process that loads a network and runs it, with this cache folder."""
    return subprocess.Popen(
        [sys.executable, "-c", START, str(model)],
        env=os.environ | {"RELUME_CACHE": str(cache)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def result(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    return out


@pytest.mark.slow
def test_processes_that_start_at_once_on_an_empty_cache(tmp_path: Path) -> None:
    """With OpenVINO's own cache five of 48 died of SIGBUS: they mapped each other's half files."""
    model = weights.path("relume")
    told = set()
    for turn in range(3):
        processes = [start(model, tmp_path / str(turn)) for _ in range(8)]
        told |= {result(process) for process in processes}
        (whole,) = (tmp_path / str(turn) / "compiled").iterdir()  # and nothing half-written
        assert whole.stat().st_size > model.stat().st_size
    assert len(told) == 1


def test_a_second_start_finds_what_the_first_compiled(tmp_path: Path) -> None:
    model, cache = write_scaler(tmp_path / "scaler.onnx"), tmp_path / "cache"
    first = result(start(model, cache))
    (file,) = (cache / "compiled").iterdir()
    stamp = file.stat().st_mtime_ns
    assert result(start(model, cache)) == first
    assert file.stat().st_mtime_ns == stamp


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: b"\0" * len(data),
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: b"\n" + data,
    ],
    ids=["cut", "empty", "zeros", "one bit", "one byte more"],
)
def test_a_damaged_file_costs_time_and_not_the_result(tmp_path: Path, damage: Any) -> None:
    model, cache = write_scaler(tmp_path / "scaler.onnx"), tmp_path / "cache"
    first = result(start(model, cache))
    (file,) = (cache / "compiled").iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert result(start(model, cache)) == first
    assert len(file.read_bytes()) == len(whole)  # and is mended for the next


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder", "utf-8")
    model = write_scaler(tmp_path / "scaler.onnx")
    assert "doubled" in result(start(model, tmp_path / "file" / "cache"))


def test_names_survive_where_a_tensor_has_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenVINO takes the Identity out and gives its output both names; YuNet is of this kind."""
    from onnx import TensorProto, helper

    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, "n"]) for name in ("x", "scores")
    ]
    nodes = [
        helper.make_node("Sigmoid", ["x"], ["17"]),
        helper.make_node("Identity", ["17"], ["scores"]),
    ]
    graph = helper.make_graph(nodes, "named", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    file = tmp_path / "named.onnx"
    file.write_bytes(model.SerializeToString())
    x = np.zeros((1, 5), np.float32)
    for _ in range(2):
        network = engine.load(file, runtime=Runtime(precision="f32"))
        assert network.outputs == ("scores",)
        np.testing.assert_allclose(network({"x": x})["scores"], 0.5)
        monkeypatch.setattr(engine, "_loaded", type(engine._loaded)())


def test_another_precision_and_another_network_have_files_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELUME_CACHE", str(tmp_path / "cache"))
    double, triple = (write_scaler(tmp_path / f"{n}.onnx", n) for n in (2.0, 3.0))
    image = picture(4, 4)
    for _ in range(2):
        monkeypatch.setattr(engine, "_loaded", type(engine._loaded)())
        for model, factor in ((double, 2), (triple, 3)):
            for threads in (1, 2):
                network = engine.load(model, runtime=Runtime(precision="f32", threads=threads))
                np.testing.assert_allclose(network({"image": image})["doubled"], factor * image)
    assert len(list((tmp_path / "cache" / "compiled").iterdir())) == 4


def test_what_is_there_stays_unless_it_is_to_be_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELUME_CACHE", str(tmp_path))
    kept.keep("a/b", b"first", replace=False)
    kept.keep("a/b", b"second", replace=False)
    assert kept.kept("a/b") == b"first"
    kept.keep("a/b", b"third")
    assert kept.kept("a/b") == b"third"
    kept.forget("a/b")
    assert kept.kept("a/b") is None


GROWTH = """
import sys, numpy as np
from relume.engine import load, Runtime
from relume.weights import path
network = load(path("relume"), runtime=Runtime(precision="f32", threads=1))
def run(height, width):
    network({"image": np.zeros((1, 3, height, width), np.float32),
             "thumbnail": np.zeros((1, 3, 96, 96), np.float32),
             "brightness": np.full((1, 1), 0.4, np.float32),
             "gain": np.ones((1, 1, height, width), np.float32)})
def resident_mb():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6
sizes = [(16 * row, 16 * column) for row in range(1, 17) for column in range(1, 17)]
order = np.random.default_rng(0).permutation(len(sizes))
run(256, 256)
for at in order[:100]:
    run(*sizes[at])
before = resident_mb()
for at in order[100:]:
    run(*sizes[at])
print(resident_mb() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="counts the memory as Linux tells it")
def test_memory_does_not_grow_with_every_new_size_of_picture() -> None:
    """156 further sizes took 260 MB where OpenVINO kept what it prepared for each of them."""
    done = subprocess.run(
        [sys.executable, "-c", GROWTH], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < 30
