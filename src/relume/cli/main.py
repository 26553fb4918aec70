"""The app: commands by name, and the one place where errors become exit codes.

Commands import what is heavy (OpenCV, OpenVINO, torch) inside their functions, and help texts are
plain, so that ``relume --help`` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from relume import __version__
from relume.cli import console
from relume.cli.decompose import decompose
from relume.cli.demo import demo
from relume.cli.detect import detect, landmarks
from relume.cli.enhance import enhance
from relume.cli.import_checkpoint import import_checkpoint
from relume.cli.methods import methods
from relume.cli.options import VerboseOption
from relume.cli.serve import serve
from relume.cli.study import study
from relume.cli.train import train
from relume.errors import RelumeError

app = typer.Typer(
    name="relume",
    no_args_is_help=True,
    rich_markup_mode=None,  # rich takes longer to load than all the rest of --help
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _command in (enhance, demo, decompose, methods, detect, study, serve, train):
    app.command()(_command)
app.command("landmarks", help="Find 68 points in every face, too: detect --landmarks peppa.")(
    landmarks
)
app.command("import-checkpoint")(import_checkpoint)


def _tell_version(asked: bool) -> None:
    if asked:
        console.out(f"relume {__version__}")
        raise typer.Exit


@app.callback()
def relume(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Name the version."),
    ] = False,
    verbose: VerboseOption = False,
) -> None:
    """Relight photographs taken in the dark, and measure whether it helped."""
    console.be_verbose(verbose)


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line; exit code 0, 1 (it failed), 2 (it was asked wrongly) or 130 (Ctrl-C).

    ``args`` are by default the process's own.
    """
    try:
        app(args, prog_name="relume")
    except RelumeError as error:
        console.fail(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(console.INTERRUPTED)
    sys.exit(0)


if __name__ == "__main__":
    main()
