"""``relume demo``: relights a dark portrait, and shows it before and after."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from relume.cli import console, options
from relume.cli.command import Command, opt

DEFAULT_OUTPUT = Path("relume-demo.png")


@dataclass(frozen=True, kw_only=True)
class Demo(Command):
    """Relight a dark sample portrait and show both.

    Writes a before/after picture and names it.
    """

    output: Path = opt(
        "--output -o FILE", "The before/after picture to write.", default=DEFAULT_OUTPUT, local=True
    )
    method: options.Method = None
    param: options.Param = None
    overwrite: options.Overwrite = False

    def run(self) -> None:
        """Relight it, and write both."""
        given = options.for_enhance(self.method, self.param)
        from relume.faces import enhance
        from relume.image import draw
        from relume.io import decode, format_of, write
        from relume.io.atomic import check_writable
        from relume.photo import Photo

        # its own default name may be replaced: a second demo is no reason for an error
        overwrite = self.overwrite or self.output == DEFAULT_OUTPUT
        format_of(self.output)
        check_writable(self.output, overwrite=overwrite)
        dark = decode(files("relume.cli").joinpath("sample.jpg").read_bytes())
        relit = enhance(dark, **given)
        write(Photo(draw.before_after(dark.pixels, relit.pixels)), self.output, overwrite=overwrite)
        console.say(f"a portrait at a twentieth of its light, and relit by {given['method']}:")
        console.out(console.one_line(str(self.output.resolve())))
