"""The HTTP service and its page: the core behind an address.

:func:`serve` runs it; ``relume.web.app.create_app`` is the ASGI application for other servers.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

from relume.errors import MissingExtra, RelumeError
from relume.web.settings import CORES, Settings, from_environment
from relume.web.settings import root_path as as_root_path

CONNECTIONS = 512
"""Open connections at most; beyond, uvicorn answers 503 by itself."""

log = logging.getLogger("relume.web")

__all__ = ["serve"]


def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    browser: bool = True,
    workers: int = 1,
    allow_hosts: Sequence[str] = (),
    root_path: str | None = None,
    on_device: bool = False,
    site: Path | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Run the service until it is interrupted.

    ``port`` 0 takes a free one. ``browser`` opens the page; ``workers`` photos are worked on at
    once, never more than there are cores. ``allow_hosts`` are further names that the service may
    be called by. ``root_path`` is the path under which a reverse proxy serves it (``/relume``), if
    not that of ``RELUME_ROOT_PATH``. ``on_device`` serves the built site in the folder ``site``
    (that of a checkout if None) in place of the service: its visitors' own devices do the work.
    ``on_ready`` is called with an address of the page that works from other machines, too, where
    ``host`` lets them in; a token follows it as ``#token=...``. Without ``on_ready``, uvicorn's own
    log says the address.
    Limits and the token come from ``RELUME_*`` variables (:mod:`relume.web.settings`).

    Raises:
        MissingExtra: FastAPI, uvicorn or python-multipart is not installed.
        ParameterError: a ``RELUME_*`` variable outside its range, or no root path.
        InputError: there is no built site.
        RelumeError: the address cannot be listened on.
    """
    for package in ("fastapi", "uvicorn", "python-multipart"):
        if find_spec(package.replace("-", "_")) is None:
            raise MissingExtra("the page and the HTTP service", "web", package)
    settings = from_environment(workers=workers)
    if root_path is not None:
        settings = replace(settings, root_path=as_root_path(root_path))
    hosts = (*settings.hosts, *allow_hosts)
    # whoever gives it other names puts it behind a proxy, and others behind that
    settings = replace(settings, hosts=(*hosts, host), explain=_is_loopback(host) and not hosts)
    if workers > CORES:
        log.warning("%d workers are more than the %d cores; using %d", workers, CORES, CORES)
    app = _application(settings, on_device=on_device, site=site)
    listener = _listen(host, port)
    number = listener.getsockname()[1]
    address = _address(_lan_host(host), number)
    if settings.token is None and not on_device and not _is_loopback(host):
        log.warning(
            "whoever reaches %s can use this service; set RELUME_TOKEN to ask for a token", address
        )
    # after the #, which browsers keep to themselves
    asks = settings.token is not None and not on_device
    token = f"/#token={quote(settings.token or '', safe='')}" if asks else ""

    def ready() -> None:
        if on_ready is not None:
            on_ready(address + token)
        if browser:
            import webbrowser

            here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
            page = _address(here, number) + token
            # some browsers are terminal programs, which do not come back
            threading.Thread(target=webbrowser.open, args=(page,), daemon=True).start()

    try:
        _run(app, listener, ready, log_level="warning" if on_ready else "info")
    except KeyboardInterrupt:
        pass  # Ctrl-C is how it is meant to end
    finally:
        listener.close()


def _application(settings: Settings, *, on_device: bool, site: Path | None) -> Any:
    if on_device:
        from relume.web.site import create_site

        return create_site(site, settings)
    from relume.web.app import create_app

    return create_app(settings)


def _run(app: Any, listener: socket.socket, ready: Callable[[], None], *, log_level: str) -> None:
    """Serve until a signal comes; ``ready`` is called once requests are taken."""
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                ready()

    config = uvicorn.Config(
        app,
        # the address line carries the name of a route, never of a picture; still, it is nobody's
        access_log=False,
        log_level=log_level,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=5,
        server_header=False,
    )
    Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, endpoint = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(endpoint)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        another = "--host" if isinstance(error, socket.gaierror) else "--port"
        raise RelumeError(
            f"cannot listen on {host} port {port}: {reason}; choose another with {another}"
        ) from error
    return listener


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _lan_host(host: str) -> str:
    """This machine's address in its network if it listens on all of them, else ``host``."""
    family = {"0.0.0.0": socket.AF_INET, "::": socket.AF_INET6}.get(host)
    if family is None:
        return host
    elsewhere = "192.0.2.1" if family == socket.AF_INET else "2001:db8::1"
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((elsewhere, 9))  # sends nothing, but chooses the address to send from
            return str(probe.getsockname()[0])
    except OSError:  # no network
        return "127.0.0.1" if family == socket.AF_INET else "::1"


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")
