from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from relume.engine import Runtime
from relume.enhancers import decompose, describe, enhance
from relume.enhancers.base import build_module
from relume.enhancers.retinexnet import RetinexNetEnhancer, build_retinexnet
from relume.errors import ParameterError, RelumeError, WeightsError
from relume.nets.sizes import RETINEX_HALO_PX
from relume.photo import Image

from .conftest import write_retinexnet

F32 = Runtime(precision="f32")


def picture(height: int = 100, width: int = 150) -> Image:
    return np.random.default_rng(2).random((height, width, 3), dtype=np.float32) * np.float32(0.3)


def test_the_parts_multiply_to_the_whole(small_retinexnet: Path) -> None:
    parameters = {"weights": str(small_retinexnet)}
    parts = decompose(picture(), parameters=parameters, runtime=F32)
    assert parts.reflectance.shape == parts.denoised.shape == (100, 150, 3)
    assert parts.illumination.shape == parts.relit_illumination.shape == (100, 150)
    np.testing.assert_array_equal(parts.image, picture())
    expected = parts.denoised * parts.relit_illumination[:, :, None]
    np.testing.assert_array_equal(parts.enhanced, expected)
    whole = enhance(
        picture(), method="retinexnet", parameters=parameters, runtime=F32, protect_lit=False
    )
    np.testing.assert_array_equal(whole, np.clip(expected, 0, 1))


@pytest.mark.parametrize("tile_px", [64, 72, 104])
def test_tiles_give_what_one_go_gives(small_retinexnet: Path, tile_px: int) -> None:
    def parts(side: int) -> Any:
        enhancer = RetinexNetEnhancer(weights=str(small_retinexnet), tile_px=side)
        return enhancer.with_runtime(F32).decompose(picture(203, 330))

    tiled, whole = parts(tile_px), parts(1024)
    for name in ("reflectance", "illumination", "relit_illumination", "enhanced"):
        np.testing.assert_allclose(getattr(tiled, name), getattr(whole, name), atol=1e-5)


def test_the_halo_covers_what_the_real_network_sees() -> None:
    torch = pytest.importorskip("torch")
    from relume.nets.retinexnet import RetinexNet

    torch.manual_seed(0)
    net = RetinexNet().double().eval()
    image = torch.rand(1, 3, 8, 112, dtype=torch.double).requires_grad_()
    relit = net(image)[2]
    seen = []
    for column in (56, 63):  # the ends of a stride of 8 see farthest to one side
        (gradient,) = torch.autograd.grad(relit[0, 0, 4, column], image, retain_graph=True)
        touched = gradient.abs().sum((0, 1, 2)).nonzero().flatten()
        seen += [column - int(touched.min()), int(touched.max()) - column]
    assert max(seen) == 33 <= RETINEX_HALO_PX


def test_denoising_is_on_by_default_and_switchable(small_retinexnet: Path) -> None:
    def result(spec: str) -> Image:
        return enhance(
            picture(),
            method=spec,
            parameters={"weights": str(small_retinexnet)},
            protect_lit=False,
            runtime=F32,
        )

    raw, default = result("retinexnet:none"), result("retinexnet")
    np.testing.assert_array_equal(default, result("retinexnet:denoise=guided"))
    np.testing.assert_array_equal(raw, result("retinexnet:denoise_strength=0"))
    assert np.abs(np.diff(default, axis=1)).mean() < 0.8 * np.abs(np.diff(raw, axis=1)).mean()
    with pytest.raises(ParameterError, match="denoise must be one of guided, nlm, bm3d, none"):
        result("retinexnet:median")


def test_weights_that_are_not_there_or_not_this_network(tmp_path: Path) -> None:
    def run(weights: Path) -> None:
        enhance(picture(), method="retinexnet", parameters={"weights": str(weights)})

    with pytest.raises(ParameterError, match=r"\.onnx"):
        run(tmp_path / "net.pth")
    with pytest.raises(WeightsError, match="cannot be read"):
        run(tmp_path / "absent.onnx")
    onnx = pytest.importorskip("onnx")
    other = write_retinexnet(tmp_path / "other.onnx")
    model = onnx.load(other)
    del model.graph.output[0]
    onnx.save(model, other)
    with pytest.raises(
        WeightsError, match="is not a Retinex-Net: expected image -> illumination, reflectance"
    ):
        run(other)


def test_a_network_that_gives_nan_is_an_error(tmp_path: Path) -> None:
    spoilt = write_retinexnet(tmp_path / "nan.onnx", spoil=float("nan"))
    with pytest.raises(RelumeError, match="not finite"):
        enhance(picture(), method="retinexnet", parameters={"weights": str(spoilt)})


def test_describe_names_engine_and_precision(small_retinexnet: Path) -> None:
    text = describe("retinexnet", parameters={"weights": str(small_retinexnet)}, runtime=F32)
    assert text.startswith("small.onnx: OpenVINO")
    assert "f32" in text


@pytest.mark.parametrize(("skips", "padding"), [("add", "zeros"), ("concat", "replicate")])
def test_torch_and_onnx_of_an_export_agree(tmp_path: Path, skips: Any, padding: str) -> None:
    torch = pytest.importorskip("torch")
    from relume.engine.torch import TorchNetwork
    from relume.nets.retinexnet import RetinexNet
    from relume.train.export import export_retinexnet

    torch.manual_seed(1)
    net = RetinexNet(skips=skips, padding=padding)
    tensors, graph = export_retinexnet(net, tmp_path, name="net")
    ours = RetinexNetEnhancer(weights=str(graph)).with_runtime(F32).network()
    theirs = TorchNetwork(
        graph, lambda: build_module(tensors, build_retinexnet), Runtime(device="cpu")
    )
    image = picture(40, 56).transpose(2, 0, 1)[None]
    results = ours({"image": image})
    for name, value in theirs({"image": image}).items():
        np.testing.assert_allclose(results[name], value, atol=2e-5)


def test_a_gpu_needs_the_safetensors_beside_the_onnx(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    with pytest.raises(WeightsError, match=r"net\.safetensors"):
        build_module(tmp_path / "net.safetensors", build_retinexnet)
    (tmp_path / "net.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(WeightsError, match="a GPU needs the weights"):
        build_module(tmp_path / "net.safetensors", build_retinexnet)
