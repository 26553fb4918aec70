"""What happens to every request before and after its route: who may call, and headers."""

from __future__ import annotations

import hmac
import ipaddress
import logging
import traceback
from collections.abc import Mapping
from pathlib import Path

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from relume.web.errors import HttpError
from relume.web.settings import LOCAL_HOSTS, Settings

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self' blob:; font-src 'self'; manifest-src 'self'; "
    "form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=()",
}
BROKEN = HttpError(500, "InternalError", "the service failed; its log says where")
GUARDED = "/v1/"

log = logging.getLogger("relume.web")


class GuardMiddleware:
    """Checks the host, asks for the token, turns other sites' pages away, adds headers."""

    def __init__(
        self, app: ASGIApp, *, settings: Settings, headers: Mapping[str, str] = HEADERS
    ) -> None:
        self._app = app
        self._headers = headers
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        scope = _below(scope, self._settings.root_path)
        refusal = self._refusal(scope)
        answer = self._app if refusal is None else refusal.response()
        if refusal is None and not _route(scope):  # the page's addresses are relative to /
            answer = RedirectResponse(scope["root_path"] + "/", 308)
        try:
            await answer(scope, receive, with_headers)
        except Exception as error:
            # caught here, because the server would log the error's message, too
            log.error("%s: %s at %s", scope["path"], type(error).__name__, _where(error))
            if not started:
                await BROKEN.response()(scope, receive, with_headers)

    def _refusal(self, scope: Scope) -> HttpError | None:
        headers = Headers(scope=scope)
        host = _host_name(headers.get("host", "localhost"))  # HTTP/1.0 need not name it
        if not self._is_known(host):
            return HttpError(
                403,
                "UnknownHost",
                f"this service does not go by the name {host!r}; if it should, start it with "
                f"--allow-host {host}",
            )
        if scope["method"] == "OPTIONS" or not _route(scope).startswith(GUARDED):
            return None
        if self._settings.token is not None and not self._has_token(headers):
            return HttpError(
                401,
                "Unauthorized",
                "this service asks for a token: send it as 'Authorization: Bearer TOKEN'",
            )
        # a page of another site can post a form here without asking; browsers say so
        crossing = headers.get("sec-fetch-site") == "cross-site"
        if crossing and headers.get("origin") not in self._settings.cors_origins:
            return HttpError(403, "CrossSite", "pages of other sites may not call this service")
        return None

    def _is_known(self, host: str) -> bool:
        """Whether the service goes by this name.

        Another site can let its own name point here (DNS rebinding), and its pages then call the
        service as if it were theirs. An address in numbers cannot be pointed elsewhere.
        """
        allowed = {*LOCAL_HOSTS, *(name.lower() for name in self._settings.hosts)}
        return host in allowed or "*" in allowed or _is_address(host)

    def _has_token(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        expected = self._settings.token or ""
        # bytes: compare_digest refuses str that is not ASCII
        same = hmac.compare_digest(
            given.strip().encode("utf-8", "replace"), expected.encode("utf-8", "replace")
        )
        return same and scheme.lower() == "bearer"


def _below(scope: Scope, root: str) -> Scope:
    """The request as one below the path ``root``, whether the proxy in front took that off or not.

    Without a root of its own the service may still be mounted below the path of another one.
    """
    if not root or scope.get("root_path"):
        return scope
    inner = _route({**scope, "root_path": root})
    return {**scope, "path": root + inner, "root_path": root}


def _route(scope: Scope) -> str:
    """The path below the root, with which a request's path begins, unless a proxy took it off."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path[len(root) :] if root and f"{path}/".startswith(f"{root}/") else path


def _host_name(header: str) -> str:
    """The Host header without its port: ``[::1]:7860`` is ``::1``."""
    host = header.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _where(error: Exception) -> str:
    """Where it broke, but not the message: that may hold a name or a part of a picture."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
