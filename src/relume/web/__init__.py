"""The HTTP service and its page: the core behind an address.

:func:`serve` runs it; ``relume.web.app.create_app`` is the ASGI application for other servers.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable

from relume.errors import MissingExtra, RelumeError

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
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Run the service until it is interrupted.

    ``port`` 0 takes a free one. ``browser`` opens the page; ``workers`` photos are worked on at
    once, never more than there are cores. ``on_ready`` is called with the page's address; without
    it, uvicorn's own log says it. Limits and the token come from ``RELUME_*`` variables.

    Raises:
        MissingExtra: FastAPI, uvicorn or python-multipart is not installed.
        ParameterError: a ``RELUME_*`` variable outside its range.
        RelumeError: the address cannot be listened on.
    """
    for package, module in (
        ("fastapi", "fastapi"),
        ("uvicorn", "uvicorn"),
        ("python-multipart", "python_multipart"),
    ):
        try:
            __import__(module)
        except ImportError:
            raise MissingExtra("the page and the HTTP service", "web", package) from None
    import uvicorn

    from relume.web.app import create_app
    from relume.web.settings import CORES, from_environment

    settings = from_environment(workers=workers)
    if workers > CORES:
        log.warning("%d workers are more than the %d cores; using %d", workers, CORES, CORES)
    listener = _listen(host, port)
    address = _address(host, listener.getsockname()[1])
    if settings.token is None and not _is_loopback(host):
        log.warning(
            "whoever reaches %s can use this service; set RELUME_TOKEN to ask for a token", address
        )

    def ready() -> None:
        if on_ready is not None:
            on_ready(address)
        if browser:
            _open_page(address)

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                ready()

    config = uvicorn.Config(
        create_app(settings),
        # the address line carries the name of a route, never of a picture; still, it is nobody's
        access_log=False,
        log_level="warning" if on_ready else "info",
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=5,
        server_header=False,
    )
    try:
        Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        pass  # Ctrl-C is how it is meant to end
    finally:
        listener.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(place)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise RelumeError(
            f"cannot listen on {host} port {port}: {reason}; choose another with --port"
        ) from error
    return listener


def _address(host: str, port: int) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _open_page(address: str) -> None:
    import webbrowser

    # some browsers are terminal programs, which do not come back
    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
