"""int8: the inputs that set the ranges, and a quantised network that stays near the original."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs torch")

import torch

from relume.engine import Runtime, load
from relume.nets.retinexnet import RetinexNet
from relume.train.export import export_retinexnet
from relume.train.pairs import Pair
from relume.train.quantise import calibration, quantise


def pairs(count: int) -> list[Pair]:
    rng = np.random.default_rng(3)
    photos = [rng.integers(0, 90, (210, 170, 3), np.uint8) for _ in range(count)]
    return [Pair(str(i), str(i), p, np.minimum(p * 2, 255)) for i, p in enumerate(photos)]


def test_calibration_gives_what_the_networks_take() -> None:
    retinex = calibration("retinexnet", pairs(6), count=3)
    assert [b["image"].shape for b in retinex] == [(1, 3, 192, 168)] * 3
    own = calibration("relume", pairs(2))
    assert {name: array.shape for name, array in own[0].items()} == {
        "image": (1, 3, 192, 160),
        "thumbnail": (1, 3, 96, 96),
        "brightness": (1, 1),
    }
    assert 0.1 < own[0]["brightness"][0, 0] < 0.6
    assert all(array.dtype == np.float32 for array in own[0].values())


def test_a_quantised_network_is_near_the_original(tmp_path: Path) -> None:
    pytest.importorskip("nncf", reason="needs nncf")
    torch.manual_seed(0)
    _, graph = export_retinexnet(RetinexNet().eval(), tmp_path)
    batches = calibration("retinexnet", pairs(4))
    out = quantise(graph, batches, tmp_path / "int8.onnx")
    small = load(out, runtime=Runtime(precision="int8"))
    exact = load(graph, runtime=Runtime(precision="f32"))
    assert "int8" in small.describe()
    for name, values in exact(batches[0]).items():
        assert np.abs(small(batches[0])[name] - values).mean() < 0.05, name
