"""``relume serve``: the same core behind a page in the browser."""

from __future__ import annotations

from typing import Annotated

import typer

from relume.cli import console
from relume.cli.options import VerboseOption


def serve(
    host: Annotated[
        str,
        typer.Option("--host", help="The address to listen on; the default is this machine only."),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")
    ] = 7860,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Photos relit at once.")] = 1,
    verbose: VerboseOption = False,
) -> None:
    """Relight photographs in the browser.

    The page runs on this machine; nothing leaves it.
    """
    console.be_verbose(verbose)
    from relume.web import serve as run

    run(host=host, port=port, browser=browser, workers=workers, on_ready=console.out)
