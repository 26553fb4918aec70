"""What happens to every request before and after its route: who may, headers, counting."""

from __future__ import annotations

import hmac
import logging
import time
import traceback
from collections.abc import Collection
from pathlib import Path

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from relume.web.errors import HttpError
from relume.web.prometheus import Measures
from relume.web.settings import Settings

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
GUARDED = ("/v1/", "/metrics")

log = logging.getLogger("relume.web")


class GuardMiddleware:
    """Asks for the token, turns other sites' pages away, adds headers, counts answers."""

    def __init__(
        self, app: ASGIApp, *, settings: Settings, measures: Measures, known: Collection[str]
    ) -> None:
        self._app = app
        self._settings = settings
        self._measures = measures
        self._known = known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope)
        answer = self._app if refusal is None else answer_of(refusal)
        try:
            await answer(scope, receive, noted)
        except Exception as error:
            # caught here, because the server would log the error's message, too
            log.error("%s: %s at %s", scope["path"], type(error).__name__, _where(error))
            if not status:
                await answer_of(BROKEN)(scope, receive, noted)
        finally:
            path = scope["path"] if scope["path"] in self._known else "other"
            self._measures.request(path, status or 500, time.perf_counter() - began)

    def _refusal(self, scope: Scope) -> HttpError | None:
        if scope["method"] == "OPTIONS" or not scope["path"].startswith(GUARDED):
            return None
        headers = Headers(scope=scope)
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

    def _has_token(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        wanted = self._settings.token or ""
        # bytes: compare_digest refuses str that is not ASCII
        same = hmac.compare_digest(
            given.strip().encode("utf-8", "replace"), wanted.encode("utf-8", "replace")
        )
        return same and scheme.lower() == "bearer"


def _where(error: Exception) -> str:
    """Where it broke, but not the message: that may hold a name or a part of a picture."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))


def answer_of(refusal: HttpError) -> JSONResponse:
    """The refusal as an answer."""
    return JSONResponse(refusal.body(), refusal.status, refusal.headers())
