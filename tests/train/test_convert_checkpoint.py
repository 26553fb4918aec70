import importlib.util
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")


from relume.errors import InputError, OutputError  # noqa: E402

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "convert_checkpoint.py"
_spec = importlib.util.spec_from_file_location("convert_checkpoint", SCRIPT)
assert _spec
assert _spec.loader
script = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(script)
convert, DECOM_NAMES, RELIGHT_NAMES = script.convert, script.DECOM_NAMES, script.RELIGHT_NAMES
SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "weights" / "retinexnet_port"


@pytest.fixture
def port(tmp_path: Path) -> tuple[Path, Path]:
    """Placeholder checkpoints with the names and shapes of the public port's."""
    from relume.nets.retinexnet import RetinexNet

    torch.manual_seed(0)
    net = RetinexNet(skips="concat", padding="replicate")
    paths = []
    for part, names, file in (
        (net.decom, DECOM_NAMES, "decom.tar"),
        (net.enhance, RELIGHT_NAMES, "relight.tar"),
    ):
        back = {ours: theirs for theirs, ours in names.items()}
        state = {}
        for key, value in part.state_dict().items():
            stem, _, kind = key.rpartition(".")
            state[f"{back[stem]}.{kind}"] = value
        paths.append(tmp_path / file)
        torch.save(state, paths[-1])
    return paths[0], paths[1]


def run_onnx(path: Path, image: np.ndarray) -> list[np.ndarray]:
    import openvino

    model = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    result = model({"image": image})
    return [result[name] for name in ("reflectance", "illumination", "relit_illumination")]


def test_the_converted_network_computes_what_the_port_does(
    port: tuple[Path, Path], tmp_path: Path
) -> None:
    from torch.nn import functional as F

    convert(*port, tmp_path / "authors.onnx")
    image = np.random.default_rng(0).random((1, 3, 24, 32), np.float32)
    reflectance, illumination, _ = run_onnx(tmp_path / "authors.onnx", image)
    # the port's Decom-Net, written out: the maximum comes first
    state = torch.load(port[0], weights_only=True)

    def conv(x: torch.Tensor, name: str, pad: int) -> torch.Tensor:
        padded = F.pad(x, (pad,) * 4, mode="replicate")
        return F.conv2d(padded, state[f"{name}.weight"], state[f"{name}.bias"])

    x = torch.from_numpy(image)
    x = conv(torch.cat([x.amax(1, keepdim=True), x], 1), "net1_conv0", 4)
    for i in range(5):
        x = conv(x, f"net1_convs.{2 * i}", 1).relu()
    x = conv(x, "net1_recon", 1).sigmoid().numpy()
    np.testing.assert_allclose(reflectance, x[:, :3], atol=1e-4)
    np.testing.assert_allclose(illumination, x[:, 3:], atol=1e-4)


def test_swapped_files_are_named(port: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="swapped"):
        convert(port[1], port[0], tmp_path / "authors.onnx")


def test_pickles_that_hold_more_than_tensors_are_refused(
    port: tuple[Path, Path], tmp_path: Path
) -> None:
    torch.save({"net1_conv0.weight": Path("/")}, tmp_path / "evil.tar")
    with pytest.raises(InputError, match="plain tensors"):
        convert(tmp_path / "evil.tar", port[1], tmp_path / "authors.onnx")
    (tmp_path / "text.tar").write_text("not a checkpoint")
    with pytest.raises(InputError, match="plain tensors"):
        convert(tmp_path / "text.tar", port[1], tmp_path / "authors.onnx")
    with pytest.raises(InputError, match="cannot read"):
        convert(tmp_path / "none.tar", port[1], tmp_path / "authors.onnx")


def test_the_wrong_file_is_named_for_what_it_is(port: tuple[Path, Path], tmp_path: Path) -> None:
    torch.save({"net": {}, "optimiser": None}, tmp_path / "checkpoint.pt")
    with pytest.raises(InputError, match=r"got net, optimiser \(a run of relume needs no"):
        convert(tmp_path / "checkpoint.pt", port[1], tmp_path / "authors.onnx")


def test_a_pickle_is_refused_in_one_line(port: tuple[Path, Path], tmp_path: Path) -> None:
    """torch itself warns of a pickle's protocol first."""
    (tmp_path / "p.tar").write_bytes(pickle.dumps({"a": [1, 2]}, protocol=4))
    command = [sys.executable, SCRIPT, tmp_path / "p.tar", port[1], "-o", tmp_path / "a.onnx"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: expected a checkpoint")


def test_existing_files_are_kept(port: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "authors.onnx").write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        convert(*port, tmp_path / "authors.onnx")
    assert (tmp_path / "authors.onnx").read_text() == "mine"
    with pytest.raises(OutputError, match="file ending in"):
        convert(*port, tmp_path / "authors.bin")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the port's checkpoints are not on this machine")
def test_the_real_checkpoints_load(tmp_path: Path) -> None:
    files = [SHARED / f"ckpts__{name}__9200.tar" for name in ("Decom", "Relight")]
    convert(*files, tmp_path / "authors.onnx")
    image = np.full((1, 3, 32, 32), 0.1, np.float32)
    reflectance, _, relit = run_onnx(tmp_path / "authors.onnx", image)
    assert np.isfinite(reflectance * relit).all()
    assert (reflectance * relit).mean() > image.mean()
