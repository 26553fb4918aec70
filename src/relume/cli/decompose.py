"""``relume decompose``: a photo taken apart, as one strip of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from relume.cli import console, options
from relume.errors import OutputError
from relume.io.formats import MAX_MEGAPIXELS

METHOD = "retinexnet"
CAPTIONS = ("input", "reflectance R", "illumination I", "relit I", "result")
MARK = ".panels"


def decompose(
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", help="A photo.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The picture to write.",
            show_default="PHOTO.panels.png",
        ),
    ] = None,
    param: options.ParamOption = None,
    height_px: Annotated[
        int, typer.Option("--height", min=32, metavar="PX", help="Height of the panels in pixels.")
    ] = 400,
    overwrite: options.OverwriteOption = False,
    max_megapixels: options.MegapixelsOption = MAX_MEGAPIXELS,
    device: options.DeviceOption = options.Device.auto,
    precision: options.PrecisionOption = options.Precision.auto,
    verbose: options.VerboseOption = False,
) -> None:
    """Show a photo as reflectance and illumination.

    One picture of five panels: input, R, I, the relit I, and the result of Retinex-Net.
    """
    console.be_verbose(verbose)
    _, parameters = options.parse_method(METHOD, param)
    from relume.cli.jobs import is_same
    from relume.enhancers import decompose as take_apart
    from relume.image import draw
    from relume.io import format_of, read, write
    from relume.io.atomic import check_writable
    from relume.photo import Photo

    target = output or photo.with_name(f"{photo.stem}{MARK}.png")
    format_of(target)
    if is_same(photo, target):
        raise OutputError(f"the result would replace the input {photo}; name another -o")
    check_writable(target, overwrite=overwrite)
    image = read(photo, max_megapixels=max_megapixels)
    parts = take_apart(
        image, parameters=parameters, runtime=options.parse_runtime(device, precision)
    )
    strip = draw.panels(parts.panels(), CAPTIONS, height_px=height_px)
    write(Photo(strip), target, overwrite=overwrite)
    console.out(console.one_line(str(target.resolve())))
