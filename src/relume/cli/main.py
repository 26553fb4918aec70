"""The app: commands by name, and the one function where errors become exit codes.

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
from relume.cli.burst import Burst
from relume.cli.command import as_function
from relume.cli.demo import Demo
from relume.cli.detect import Detect, Landmarks
from relume.cli.enhance import Enhance
from relume.cli.live import Live
from relume.cli.mcp import Mcp
from relume.cli.methods import Methods
from relume.cli.options import Verbose
from relume.cli.serve import EPILOG, Serve
from relume.cli.study import Study
from relume.cli.train import Train
from relume.cli.watch import Watch
from relume.errors import RelumeError

app = typer.Typer(
    name="relume",
    rich_markup_mode=None,  # rich takes longer to load than all the rest of --help
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _command in (
    Enhance, Burst, Detect, Landmarks, Serve, Live, Methods, Demo, Study, Train, Watch, Mcp,
):  # fmt: skip
    app.command(epilog=EPILOG if _command is Serve else None)(as_function(_command))


def _print_version(given: bool) -> None:
    if given:
        console.out(f"relume {__version__}")
        raise typer.Exit


@app.callback()
def relume(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Name the version."),
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Relight photographs taken in the dark, and measure whether it helped."""
    console.be_verbose(verbose)


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line; exit code 0, 1 (it failed), 2 (it was asked wrongly) or 130 (Ctrl-C).

    ``args`` are by default the process's own.
    """
    console.open_closed()
    try:
        given = list(sys.argv[1:] if args is None else args) or ["--help"]
        code = app(given, prog_name="relume", standalone_mode=False)
    except RelumeError as error:
        console.trace(error)
        console.fail(console.reason(error))
        sys.exit(error.exit_code)
    except OSError as error:  # a full disk behind stdout, say; a closed pipe is typer's
        console.trace(error)
        console.fail(console.reason(error), about=error.filename)
        sys.exit(1)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(console.INTERRUPTED)
    except Exception as error:
        # typer's own errors have no common type in all its versions, only this method
        wrong = getattr(error, "format_message", None)
        if wrong is None:
            raise
        command = getattr(getattr(error, "ctx", None), "command_path", "relume")
        text = str(wrong()).replace("Value error, ", "").rstrip(".")
        end = "" if text.endswith("?") else ";"
        console.fail(f"{text}{end} '{command} --help' shows what it takes")
        sys.exit(getattr(error, "exit_code", 2))
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
