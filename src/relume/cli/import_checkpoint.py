"""``relume import-checkpoint``: a public port's Retinex-Net as an ONNX file of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from relume.cli import console
from relume.cli.options import OverwriteOption
from relume.errors import MissingExtra


def import_checkpoint(
    decom: Annotated[Path, typer.Argument(help="The checkpoint of Decom-Net.", show_default=False)],
    relight: Annotated[
        Path, typer.Argument(help="The checkpoint of the relighting net.", show_default=False)
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file to write.", show_default=False)
    ],
    overwrite: OverwriteOption = False,
) -> None:
    """Convert a PyTorch port of Retinex-Net.

    Its two checkpoints become one ONNX file; nothing but tensors is read from them.
    """
    try:
        from relume.train.convert import import_checkpoint as convert
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("relume"):
            raise
        raise MissingExtra("importing checkpoints", "train", error.name or "torch") from error
    for file in convert(decom, relight, output, overwrite=overwrite):
        console.out(console.one_line(str(file.resolve())))
