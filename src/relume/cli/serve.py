"""``relume serve``: the same core behind a page in the browser."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from relume.cli import console
from relume.cli.options import VerboseOption
from relume.errors import ParameterError
from relume.web.settings import help_lines

EPILOG = "\b\n" + "\n".join(["From the environment:", *(f"  {line}" for line in help_lines())])


def serve(
    site: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="With --on-device: the folder of the built site."),
    ] = None,
    on_device: Annotated[
        bool,
        typer.Option(
            "--on-device",
            help="Serve the page that does all the work in the visitor's own browser, as built in "
            "DIR (site/dist of a checkout).",
        ),
    ] = False,
    host: Annotated[
        str,
        typer.Option(
            "--host",
            metavar="ADDRESS",
            help="The address to listen on; the default is this machine only, 0.0.0.0 lets in "
            "the others of its network.",
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="0 takes a free one.")
    ] = 7860,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
    workers: Annotated[
        int, typer.Option("--workers", metavar="N", min=1, help="Photos relit at once.")
    ] = 1,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            metavar="NAME",
            help="A name that the service may be called by, beside localhost and addresses in "
            "numbers; may be repeated, and RELUME_HOSTS adds to it.",
        ),
    ] = None,
    root_path: Annotated[
        str | None,
        typer.Option(
            "--root-path",
            metavar="PATH",
            help="The path under which a reverse proxy serves it, such as /relume.",
        ),
    ] = None,
    verbose: VerboseOption = False,
) -> None:
    """Relight photographs in the browser.

    The page runs on this machine; nothing leaves it. With --on-device its visitors' own browsers
    do the work, and nothing leaves those.
    """
    console.be_verbose(verbose)
    if site is not None and not on_device:
        raise ParameterError(f"{site} is for --on-device: the folder of the built site")
    from relume.web import serve as run

    def ready(address: str) -> None:
        # a token is for the one who sits at the terminal, not for a log
        console.out(address if sys.stdout.isatty() else address.partition("/#")[0])
        console.say("Ctrl-C stops it")

    run(
        host=host,
        port=port,
        browser=browser,
        workers=workers,
        allow_hosts=allow_host or (),
        root_path=root_path,
        on_device=on_device,
        site=site,
        on_ready=ready,
    )
