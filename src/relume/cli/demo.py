"""``relume demo``: darkens a picture, relights it, and shows both."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from relume.cli import console
from relume.cli.options import MethodOption, OverwriteOption, ParamOption, parse_method

DEFAULT_OUTPUT = Path("relume-demo.png")
SEED = 2018


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The before/after picture to write.")
    ] = DEFAULT_OUTPUT,
    method: MethodOption = None,
    param: ParamOption = None,
    k: Annotated[
        float, typer.Option("--k", help="How much of its light the picture keeps, above 0 to 1.")
    ] = 0.05,
    overwrite: OverwriteOption = False,
) -> None:
    """Darken a sample, relight it, show both.

    Writes a before/after picture and names it.
    """
    name, parameters = parse_method(method, param)
    import numpy as np

    from relume.cli.sample import sample
    from relume.enhancers import enhance
    from relume.image import darken, draw
    from relume.io import codec
    from relume.photo import Photo

    picture, title = sample()
    dark = darken.darken(picture, k, np.random.default_rng(SEED))
    relit = enhance(Photo(dark), method=name, parameters=parameters).pixels
    shown = Photo(draw.before_after(dark, relit))
    # its own default name may be replaced: a second demo is no reason for an error
    codec.write(shown, output, overwrite=overwrite or output == DEFAULT_OUTPUT)
    console.say(f"{title} with {k:g} of its light, and relit by {name}:")
    console.out(console.one_line(str(output.resolve())))
