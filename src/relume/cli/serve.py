"""``relume serve``: the same core behind a page in the browser."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from relume.cli import console, options
from relume.cli.command import Command, arg, opt
from relume.errors import ParameterError
from relume.web.settings import help_lines

EPILOG = "\b\n" + "\n".join(["From the environment:", *(f"  {line}" for line in help_lines())])


@dataclass(frozen=True, kw_only=True)
class Serve(Command):
    """Relight photographs in the browser.

    The page runs on this machine; nothing leaves it. With --on-device its visitors' own browsers
    do the work, and nothing leaves those.
    """

    site: Path | None = arg("DIR", "With --on-device: the folder of the built site.", default=None)
    on_device: bool = opt(
        "--on-device",
        "Serve the page that does all the work in the visitor's own browser, as built in DIR "
        "(site/dist of a checkout).",
        default=False,
    )
    host: str = opt(
        "--host ADDRESS",
        "The address to listen on; the default is this machine only, 0.0.0.0 lets in the others "
        "of its network.",
        default="127.0.0.1",
    )
    port: int = opt("--port N", "0 takes a free one.", default=7860, min=0, max=65535)
    browser: bool = opt("", "Open the page in a browser.", default=True)
    workers: int = opt("--workers N", "Photos relit at once.", default=1, min=1)
    allow_host: list[str] | None = opt(
        "--allow-host NAME",
        "A name that the service may be called by, beside localhost and addresses in numbers; may "
        "be repeated, and RELUME_HOSTS adds to it.",
    )
    root_path: str | None = opt(
        "--root-path PATH", "The path under which a reverse proxy serves it, such as /relume."
    )
    verbose: options.Verbose = False

    def run(self) -> None:
        """Serve until Ctrl-C."""
        if self.site is not None and not self.on_device:
            raise ParameterError(f"{self.site} is for --on-device: the folder of the built site")
        from relume.web import serve

        def ready(address: str) -> None:
            # a token is for the one who sits at the terminal, not for a log
            console.out(address if sys.stdout.isatty() else address.partition("/#")[0])
            console.say("Ctrl-C stops it")

        serve(
            host=self.host,
            port=self.port,
            browser=self.browser,
            workers=self.workers,
            allow_hosts=self.allow_host or (),
            root_path=self.root_path,
            on_device=self.on_device,
            site=self.site,
            on_ready=ready,
        )
