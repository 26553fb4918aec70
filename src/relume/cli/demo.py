"""``relume demo``: relights a dark portrait, and shows it before and after."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated

from relume.cli import console, options
from relume.cli.options import opt

DEFAULT_OUTPUT = Path("relume-demo.png")


def demo(
    output: Annotated[
        Path,
        opt("--output", "-o", "FILE", help="The before/after picture to write.", local=True),
    ] = DEFAULT_OUTPUT,
    method: options.MethodOption = None,
    param: options.ParamOption = None,
    overwrite: options.OverwriteOption = False,
) -> None:
    """Relight a dark sample portrait and show both.

    Writes a before/after picture and names it.
    """
    name, parameters, asked = options.parse_method(method, param)
    from relume.faces import enhance
    from relume.image import draw
    from relume.io import decode, format_of, write
    from relume.io.atomic import check_writable
    from relume.photo import Photo

    # its own default name may be replaced: a second demo is no reason for an error
    overwrite = overwrite or output == DEFAULT_OUTPUT
    format_of(output)
    check_writable(output, overwrite=overwrite)
    dark = decode(files("relume.cli").joinpath("sample.jpg").read_bytes())
    relit = enhance(dark, method=name, parameters=parameters, **asked)
    write(Photo(draw.before_after(dark.pixels, relit.pixels)), output, overwrite=overwrite)
    console.say(f"a portrait at a twentieth of its light, and relit by {name}:")
    console.out(console.one_line(str(output.resolve())))
