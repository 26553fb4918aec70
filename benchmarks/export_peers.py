"""Published networks as ONNX files for the method ``onnx:FILE``, from clones of their repositories.

    git clone https://github.com/Li-Chongyi/Zero-DCE peers/zerodce
    python benchmarks/export_peers.py peers -o peers

``PEERS`` names the repositories. Each network is exported from its authors' own code and
checkpoint, with free height and width; what is not there is passed over. Nothing of theirs is part
of relume: mind their licences, which are printed. Needs the extra "train".
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import nn


class _Picture(nn.Module):  # type: ignore[misc]
    """A network whose output is one picture."""

    def __init__(self, network: nn.Module, pick: Callable[[Any, Any], Any]) -> None:
        super().__init__()
        self.network, self.pick = network, pick

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        picture: torch.Tensor = self.pick(image, self.network(image))
        return picture.clamp(0, 1)


@dataclass(frozen=True)
class Peer:
    """A repository on GitHub, the folder of its code in it, a checkpoint, and how they go together.

    ``pick`` takes the input and the network's outputs and gives the picture, as the authors' test
    script does.
    """

    repository: str
    code: str
    checkpoint: str
    make: Callable[[], nn.Module]
    pick: Callable[[Any, Any], Any]
    licence: str


def _iat() -> nn.Module:
    model: nn.Module = import_module("model.IAT_main").IAT()
    return model


def _sci() -> nn.Module:
    network: nn.Module = import_module("model").Network()
    enhance: nn.Module = network.enhance
    return enhance


def _class(module: str, name: str) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        network: nn.Module = getattr(import_module(module), name)()
        return network

    return make


PEERS = {
    "zerodce": Peer(
        "Li-Chongyi/Zero-DCE", "Zero-DCE_code", "snapshots/Epoch99.pth",
        _class("model", "enhance_net_nopool"), lambda _, out: out[1],
        "CC BY-NC 4.0",
    ),
    "iat": Peer(
        "cuiziteng/Illumination-Adaptive-Transformer", "IAT_enhance", "best_Epoch_lol_v1.pth",
        _iat, lambda _, out: out[2], "Apache-2.0",
    ),
    "sci": Peer(
        "tengyu1998/SCI", ".", "weights/medium.pt", _sci, lambda x, out: x / out, "MIT",
    ),
    "ruas": Peer(
        "KarelZhang/RUAS", ".", "ckpt/lol.pt", _class("model", "Network"),
        lambda _, out: out[0][-1], "none stated",
    ),
    "pairlie": Peer(
        "zhenqifu/PairLIE", ".", "weights/PairLIE.pth", _class("net.net", "net"),
        lambda _, out: out[0].pow(0.2) * out[1], "none stated",
    ),
}  # fmt: skip


@contextlib.contextmanager
def importable(code: Path) -> Iterator[None]:
    """Modules of a clone can be imported in the block, and are forgotten after it.

    Packages that they import and an export does not need are stood in for.
    """
    before = set(sys.modules)
    sys.path.insert(0, str(code))
    layers = types.ModuleType("timm.models.layers")
    layers.trunc_normal_ = nn.init.trunc_normal_  # type: ignore[attr-defined]
    layers.DropPath = lambda _=0.0: nn.Identity()  # type: ignore[attr-defined]
    layers.to_2tuple = lambda value: (value, value)  # type: ignore[attr-defined]
    transformer = types.ModuleType("timm.models.vision_transformer")
    transformer.VisionTransformer = nn.Module  # type: ignore[attr-defined]
    transformer._cfg = dict  # type: ignore[attr-defined]
    registry = types.ModuleType("timm.models.registry")
    registry.register_model = lambda model: model  # type: ignore[attr-defined]
    for name in ("timm", "timm.models", "torchvision", "imp", "cv2"):
        if name not in sys.modules:
            sys.modules[name] = types.ModuleType(name)
    for module in (layers, transformer, registry):
        sys.modules.setdefault(module.__name__, module)
    try:
        # their scripts are run there; and on a CPU, executing nothing of a checkpoint
        load = functools.partial(torch.load, map_location="cpu", weights_only=True)
        with contextlib.chdir(code), mock.patch.object(torch, "load", load):
            yield
    finally:
        sys.path.remove(str(code))
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file is None or Path(file).is_relative_to(code):
                del sys.modules[name]


def export(peer: Peer, clone: Path, target: Path) -> None:
    code = (clone / peer.code).resolve()
    with importable(code):
        network = peer.make()
    state = torch.load(code / peer.checkpoint, map_location="cpu", weights_only=True)
    if peer.make is _sci:
        state = {k.removeprefix("enhance."): v for k, v in state.items() if k[:8] == "enhance."}
    network.load_state_dict(state)
    picture = _Picture(network, peer.pick).eval()
    axes = {"image": {2: "height", 3: "width"}, "picture": {2: "height", 3: "width"}}
    with torch.inference_mode():
        torch.onnx.export(
            picture, (torch.rand(1, 3, 128, 160),), str(target), dynamo=False, opset_version=17,
            input_names=["image"], output_names=["picture"], dynamic_axes=axes,
        )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clones", type=Path, help="holds a clone for each name")
    parser.add_argument("-o", "--output", type=Path, default=Path())
    options = parser.parse_args()
    for name, peer in PEERS.items():
        target = options.output / f"{name}.onnx"
        if not (options.clones / name).is_dir():
            print(f"{name}: no clone of github.com/{peer.repository} in {options.clones / name}")
            continue
        export(peer, options.clones / name, target)
        print(f"{target}: {peer.repository}, {peer.checkpoint}; licence: {peer.licence}")


if __name__ == "__main__":
    main()
