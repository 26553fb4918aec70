"""``relume decompose``: a photo taken apart, as one strip of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from relume.cli import console
from relume.cli.options import (
    Device,
    DeviceOption,
    MegapixelsOption,
    OverwriteOption,
    ParamOption,
    Precision,
    PrecisionOption,
    VerboseOption,
    parse_method,
    parse_runtime,
)
from relume.io.formats import MAX_MEGAPIXELS

METHOD = "retinexnet"
CAPTIONS = ("input", "reflectance R", "illumination I", "relit I", "result")
MARK = ".panels"


def decompose(
    photo: Annotated[Path, typer.Argument(help="A photo.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="The picture to write.", show_default="PHOTO.panels.png"
        ),
    ] = None,
    param: ParamOption = None,
    height_px: Annotated[
        int, typer.Option("--height", min=32, help="Of the panels, pixels.")
    ] = 400,
    overwrite: OverwriteOption = False,
    max_megapixels: MegapixelsOption = MAX_MEGAPIXELS,
    device: DeviceOption = Device.auto,
    precision: PrecisionOption = Precision.auto,
    verbose: VerboseOption = False,
) -> None:
    """Show a photo as reflectance and illumination.

    One picture of five panels: input, R, I, the relit I, and the result of Retinex-Net.
    """
    console.be_verbose(verbose)
    _, parameters = parse_method(METHOD, param)
    import numpy as np

    from relume.enhancers import decompose as take_apart
    from relume.image import draw
    from relume.io import format_of, read, write
    from relume.photo import Image, Photo

    def grey(plane: Image) -> Image:
        return np.repeat(np.clip(plane, 0, 1)[:, :, None], 3, axis=2)

    target = output or photo.with_name(f"{photo.stem}{MARK}.png")
    format_of(target)
    taken = read(photo, max_megapixels=max_megapixels)
    parts = take_apart(taken, parameters=parameters, runtime=parse_runtime(device, precision))
    panels = (
        parts.image,
        np.clip(parts.reflectance, 0, 1),
        grey(parts.illumination),
        grey(parts.relit_illumination),
        np.clip(parts.enhanced, 0, 1),
    )
    write(Photo(draw.panels(panels, CAPTIONS, height_px=height_px)), target, overwrite=overwrite)
    console.out(console.one_line(str(target.resolve())))
