from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from relume import engine
from relume.engine import Runtime, cpu
from relume.engine.openvino import OpenVinoNetwork, open_network
from relume.errors import DeviceError, InputError, MissingExtra, ParameterError, WeightsError

onnx = pytest.importorskip("onnx", reason="the tests build small networks with onnx")


def write_scaler(path: Path, factor: float = 2.0, *, channels: int = 3) -> Path:
    """A network ``image`` (1, C, H, W) -> ``doubled`` = factor * image, ``mean`` over channels."""
    from onnx import TensorProto, helper

    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, channels, "h", "w"])
    doubled = helper.make_tensor_value_info("doubled", TensorProto.FLOAT, [1, channels, "h", "w"])
    mean = helper.make_tensor_value_info("mean", TensorProto.FLOAT, [1, 1, "h", "w"])
    nodes = [
        helper.make_node("Mul", ["image", "factor"], ["doubled"]),
        helper.make_node("ReduceMean", ["image", "axes"], ["mean"]),
    ]
    constants = [
        helper.make_tensor("factor", TensorProto.FLOAT, [1], [factor]),
        helper.make_tensor("axes", TensorProto.INT64, [1], [1]),
    ]
    graph = helper.make_graph(nodes, "scaler", [image], [doubled, mean], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def scaler(tmp_path: Path) -> Path:
    return write_scaler(tmp_path / "scaler.onnx")


def picture(height: int, width: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).random((1, 3, height, width), dtype=np.float32)


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (40, 64)])
def test_names_values_and_any_size(scaler: Path, size: tuple[int, int]) -> None:
    network = engine.load(scaler, runtime=Runtime(precision="f32"))
    assert network.inputs == ("image",)
    assert network.outputs == ("doubled", "mean")
    image = picture(*size)
    results = network({"image": image})
    np.testing.assert_allclose(results["doubled"], 2 * image, rtol=1e-6)
    np.testing.assert_allclose(results["mean"], image.mean(1, keepdims=True), rtol=1e-5)


def test_a_network_of_one_size_can_be_freed(scaler: Path) -> None:
    import onnx

    model = onnx.load(scaler)
    for value in (*model.graph.input, *model.graph.output):
        dims = value.type.tensor_type.shape.dim
        dims[0].dim_value, dims[2].dim_value, dims[3].dim_value = 10, 8, 8
    onnx.save(model, scaler)
    with pytest.raises(InputError, match="takes image of shape"):
        open_network(scaler, Runtime())({"image": picture(5, 9)})
    freed = open_network(scaler, Runtime(), any_size=True)
    given = picture(5, 9)
    np.testing.assert_allclose(freed({"image": given})["doubled"], 2 * given, rtol=1e-6)


def test_outputs_belong_to_the_caller(scaler: Path) -> None:
    network = engine.load(scaler)
    image = picture(4, 4)
    first = network({"image": image})["doubled"]
    kept = first.copy()
    network({"image": np.zeros((1, 3, 4, 4), np.float32)})
    np.testing.assert_array_equal(first, kept)
    first[:] = 0
    np.testing.assert_array_equal(image, picture(4, 4))
    np.testing.assert_array_equal(network({"image": image})["doubled"], kept)


def test_inputs_stay_what_they_are(scaler: Path) -> None:
    network = engine.load(scaler)
    image = picture(4, 4)
    network({"image": image})
    image[:] = 7  # nothing of the network's is written to
    np.testing.assert_allclose(network({"image": picture(4, 4)})["doubled"], 2 * picture(4, 4))
    image = picture(4, 4)
    image.flags.writeable = False
    np.testing.assert_allclose(network({"image": image})["doubled"], 2 * image)


def test_views_and_float64_are_taken(scaler: Path) -> None:
    image = picture(6, 8)[:, :, ::2, ::-1].astype(np.float64)
    results = engine.load(scaler)({"image": image})
    np.testing.assert_allclose(results["doubled"], 2 * image, rtol=1e-2)


def test_the_same_file_is_loaded_once_and_a_new_one_again(scaler: Path) -> None:
    network = engine.load(scaler)
    assert engine.load(scaler) is network
    assert engine.load(scaler, runtime=Runtime(threads=1)) is not network
    scaler.unlink()
    write_scaler(scaler, 3.0)
    image = picture(2, 2)
    np.testing.assert_allclose(engine.load(scaler)({"image": image})["doubled"], 3 * image, 1e-2)


def test_of_many_threads_one_loads(scaler: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []

    def opening(model: Path, *more: Any) -> Any:
        opened.append(model)
        return original(model, *more)

    original = engine._open
    monkeypatch.setattr(engine, "_open", opening)
    with ThreadPoolExecutor(8) as pool:
        networks = set(pool.map(lambda _: engine.load(scaler), range(16)))
    assert len(networks) == len(opened) == 1


def test_what_could_not_be_loaded_is_tried_again(tmp_path: Path) -> None:
    file = tmp_path / "late.onnx"
    file.write_bytes(b"not yet")
    with pytest.raises(WeightsError):
        engine.load(file)
    os.utime(write_scaler(file), ns=(1, 1))
    assert engine.load(file).outputs == ("doubled", "mean")


def test_only_so_many_are_kept(tmp_path: Path) -> None:
    for i in range(engine.MAX_LOADED + 2):
        engine.load(write_scaler(tmp_path / f"{i}.onnx", i + 1.0))
    assert len(engine._loaded) <= engine.MAX_LOADED


def test_many_threads_get_their_own_results(scaler: Path) -> None:
    network = engine.load(scaler, runtime=Runtime(precision="f32"))
    wrong: list[int] = []

    def work(seed: int) -> None:
        image = np.full((1, 3, 16, 16 + seed), seed, np.float32)
        for _ in range(20):
            result = network({"image": image})["doubled"]
            if result.shape != image.shape or not (result == 2 * seed).all():
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_threads_are_free_to_run_on_any_core(scaler: Path) -> None:
    # pinned ones of several processes sat on the same first core, and halved a study's speed
    network = engine.load(scaler, runtime=Runtime(threads=1))
    assert isinstance(network, OpenVinoNetwork)
    compiled = network._request.get_compiled_model()
    assert compiled.get_property("ENABLE_CPU_PINNING") is False


def test_memory_given_back_is_taken_again(scaler: Path) -> None:
    network = engine.load(scaler)
    x = picture(8, 8)
    first = network({"image": x})["doubled"]
    network.release_memory()
    np.testing.assert_array_equal(network({"image": x})["doubled"], first)


def test_wrong_names_and_shapes(scaler: Path) -> None:
    network = engine.load(scaler)
    with pytest.raises(InputError, match="takes image, got photo"):
        network({"photo": picture(2, 2)})
    with pytest.raises(InputError, match="got nothing"):
        network({})
    with pytest.raises(InputError, match="of shape"):
        network({"image": np.zeros((1, 4, 2, 2), np.float32)})


def test_missing_and_broken_files(tmp_path: Path, scaler: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be read"):
        engine.load(tmp_path / "absent.onnx")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(scaler.read_bytes()[:60])
    with pytest.raises(WeightsError, match="is not a network") as caught:
        engine.load(broken)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("options", [{"device": "tpu"}, {"precision": "int8"}, {"threads": -1}])
def test_runtime_checks_itself(options: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match=next(iter(options))):
        Runtime(**options)


def test_f32_is_exact_whatever_openvino_would_choose(scaler: Path) -> None:
    image = np.full((1, 3, 8, 8), 1 + 2**-20, np.float32)
    result = engine.load(scaler, runtime=Runtime(precision="f32"))({"image": image})["doubled"]
    np.testing.assert_array_equal(result, 2 * image)


def test_describe_says_what_runs_where(scaler: Path) -> None:
    text = engine.load(scaler, runtime=Runtime(precision="f32", threads=1)).describe()
    assert text.startswith("scaler.onnx: OpenVINO 2")
    assert "on CPU, f32, 1 thread (" in text


def test_flags_are_read_from_either_kernel_spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {
        "flags : fpu avx2 amx_bf16 amx_tile": ("amx_bf16", "avx2"),
        "Features : fp asimd bf16 sve": ("asimd", "bf16"),
        "": (),
    }
    for text, flags in texts.items():
        monkeypatch.setattr(cpu, "_flag_text", lambda text=text: text)
        assert cpu.cpu_flags.__wrapped__() == flags


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_an_absent_gpu_is_refused(scaler: Path, device: str) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available() or torch.backends.mps.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(DeviceError, match=f"{device!r} was asked for"):
        engine.load(scaler, runtime=Runtime(device=device), module=torch.nn.Identity)


def test_a_network_without_a_module_is_cpu_only(scaler: Path) -> None:
    with pytest.raises(DeviceError, match="CPU only"):
        engine.load(scaler, runtime=Runtime(device="cuda"))


def test_a_gpu_without_torch_names_the_extra(scaler: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r"relume\[train\]"):
        engine.load(scaler, runtime=Runtime(device="cuda"), module=lambda: None)


def torch_scaler(path: Path, precision: str = "f32") -> engine.Network:
    """The torch engine on torch's CPU, which no user can ask for, but every machine has."""
    torch = pytest.importorskip("torch")
    from relume.engine.torch import TorchNetwork

    class Scaler(torch.nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, image: Any) -> tuple[Any, Any]:
            return 2 * image, image.mean(1, keepdim=True)

    return TorchNetwork(path, Scaler, Runtime(device="cpu", precision=precision))


def test_torch_gives_what_openvino_gives(scaler: Path) -> None:
    image = picture(9, 6)
    ours = torch_scaler(scaler)
    theirs = engine.load(scaler, runtime=Runtime(precision="f32"))
    assert (ours.inputs, ours.outputs) == (theirs.inputs, theirs.outputs)
    results = theirs({"image": image})
    for name, value in ours({"image": image}).items():
        np.testing.assert_allclose(value, results[name], rtol=1e-5)
    assert "torch" in ours.describe()


def test_torch_refuses_wrong_names(scaler: Path) -> None:
    with pytest.raises(InputError, match="takes image"):
        torch_scaler(scaler)({"x": picture(2, 2)})


def test_openvino_does_not_call_home(tmp_path: Path) -> None:
    code = (
        "import sys, relume, numpy as np\n"
        "relume.enhance(np.full((32, 32, 3), 9, np.uint8))\n"
        "import openvino.tools.ovc as ovc\n"
        "print(ovc.telemetry.__module__, 'openvino_telemetry' in sys.modules)"
    )
    environment = os.environ | {"HOME": str(tmp_path), "RELUME_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "openvino.tools.ovc.telemetry_stub False\n"
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]  # its client's id, say


def test_a_network_that_is_prepared_keeps_no_other_waiting(
    scaler: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To compile and time one takes seconds: photos that need another are done meanwhile."""
    known, slow = engine.load(scaler), write_scaler(tmp_path / "slow.onnx", 5.0)
    opened, begun, may_end = engine._open, threading.Event(), threading.Event()
    times: list[Path] = []

    def wait(model: Path, *rest: Any) -> engine.Network:
        times.append(model)
        begun.set()
        assert may_end.wait(60)
        return opened(model, *rest)

    monkeypatch.setattr(engine, "_open", wait)
    with ThreadPoolExecutor(3) as pool:
        first, second = (pool.submit(engine.load, slow) for _ in range(2))
        assert begun.wait(60)
        assert pool.submit(engine.load, scaler).result(60) is known
        may_end.set()
        assert first.result(60) is second.result(60)
    assert times == [slow], "two that ask for one network have it opened once"


def test_an_input_whose_first_layer_falls_away_keeps_its_name(tmp_path: Path) -> None:
    """Compiled, x + 0 is gone and its name is the input's second: Self-DACE is of this kind."""
    from onnx import TensorProto, helper

    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, "h", "w"])
        for name in ("image", "picture")
    ]
    zero = helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0])
    nodes = [
        helper.make_node("Add", ["image", "zero"], ["/a"]),
        helper.make_node("Sigmoid", ["/a"], ["picture"]),
    ]
    graph = helper.make_graph(nodes, "added", ends[:1], ends[1:], [zero])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    file = tmp_path / "added.onnx"
    file.write_bytes(model.SerializeToString())
    network = engine.load(file, runtime=Runtime(precision="f32"))
    black = np.zeros((1, 3, 4, 5), np.float32)
    np.testing.assert_allclose(network({"image": black})["picture"], 0.5)
