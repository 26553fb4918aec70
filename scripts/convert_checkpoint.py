"""Foreign Retinex-Net checkpoints, made ours: read as plain tensors, written as ONNX.

    python scripts/convert_checkpoint.py DECOM.tar RELIGHT.tar -o port.onnx
    relume study photos/ --arms original,retinexnet:weights=port.onnx

A well-known public PyTorch port of Retinex-Net concatenates its skips, pads by replication and
puts the maximum channel first. Its two checkpoints become one ONNX file with the interface of
our own, for the "authors' enhancement" arm of a study.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

import torch
from torch import Tensor

from relume.errors import InputError, OutputError, RelumeError
from relume.nets.retinexnet import RetinexNet
from relume.train.export import export_retinexnet

State = dict[str, Tensor]

DECOM_NAMES = {
    "net1_conv0": "shallow",
    **{f"net1_convs.{2 * i}": f"body.{i}" for i in range(5)},
    "net1_recon": "head",
}
RELIGHT_NAMES = {
    "net2_conv0_1": "first",
    **{f"net2_conv1_{i + 1}": f"down.{i}" for i in range(3)},
    **{f"net2_deconv1_{i + 1}": f"up.{i}" for i in range(3)},
    "net2_fusion": "fusion",
    "net2_output": "head",
}


def convert(decom: Path, relight: Path, out: Path, *, overwrite: bool = False) -> list[Path]:
    """Convert the port's two checkpoints to ``out`` (.onnx) and a .safetensors file beside it.

    Returns the files written. Nothing but tensors is read from the checkpoints
    (``weights_only=True``), so they cannot run code.

    Raises:
        InputError: a file is missing, holds more than tensors, or is of another network.
        OutputError: ``out`` does not end in .onnx, or a file exists and ``overwrite`` is false.
    """
    if out.suffix != ".onnx":
        raise OutputError(f"expected an output file ending in .onnx, got {out.name!r}")
    for target in (out, out.with_suffix(".safetensors")):
        if target.exists() and not overwrite:
            raise OutputError(f"{target} exists: name another file, or allow --overwrite")
    first = _renamed(_tensors(decom), DECOM_NAMES, decom)
    second = _renamed(_tensors(relight), RELIGHT_NAMES, relight)
    # theirs is (max, R, G, B), ours (R, G, B, max)
    first["shallow.weight"] = first["shallow.weight"][:, [1, 2, 3, 0]]
    net = RetinexNet(skips="concat", padding="replicate")
    try:
        net.decom.load_state_dict(first)
        net.enhance.load_state_dict(second)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise InputError(f"{decom} and {relight} are not of the known port: {reason}") from error
    out.parent.mkdir(parents=True, exist_ok=True)
    return export_retinexnet(net, out.parent, name=out.stem)


def _tensors(path: Path) -> State:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of a pickle before it refuses it
            state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"cannot read the checkpoint {path}: {error.strerror}") from error
    except Exception as error:  # torch raises a dozen kinds for what is not its own
        raise InputError(f"expected a checkpoint of plain tensors in {path}, got none") from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        what = ", ".join(map(str, state)) if isinstance(state, dict) else type(state).__name__
        raise InputError(
            f"expected a checkpoint of the public port in {path}, tensors by name, got {what} (a "
            "run of relume needs no conversion: it writes ONNX itself)"
        )
    return dict(state)


def _renamed(state: State, names: dict[str, str], path: Path) -> State:
    renamed = {}
    for key, tensor in state.items():
        stem, _, kind = key.rpartition(".")
        if stem not in names:
            raise InputError(f"unexpected tensor {key!r} in {path}: are the two files swapped?")
        renamed[f"{names[stem]}.{kind}"] = tensor
    return renamed


def main() -> int:
    """Convert as the command line says; 1 if that fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("decom", type=Path, help="the checkpoint of Decom-Net")
    parser.add_argument("relight", type=Path, help="the checkpoint of the relighting net")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the .onnx to write")
    parser.add_argument("--overwrite", action="store_true")
    given = parser.parse_args()
    try:
        files = convert(given.decom, given.relight, given.output, overwrite=given.overwrite)
    except RelumeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(*files, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
