"""Why the service says no: one exception, and the status that each of relume's errors becomes."""

from __future__ import annotations

import logging

from starlette.responses import JSONResponse

from relume.errors import (
    DeviceError,
    InputError,
    MissingExtra,
    ParameterError,
    RelumeError,
    TooLarge,
    WeightsError,
)

UNUSABLE = (
    "the weights or the device that this needs cannot be used on the service's machine; its log "
    "says why"
)
IN_SHELL = "use --detector relume"
OVER_HTTP = "ask for detector=relume (on the page: Detector, relume)"
"""The way out that YuNet's error names, and what it is called here."""

STATUS = ((TooLarge, 413), (InputError, 422), (ParameterError, 422), (MissingExtra, 501))

log = logging.getLogger("relume.web")


class HttpError(RelumeError):
    """A request that is answered with ``status`` and this message.

    ``kind`` is a short name for programs, ``retry_after_s`` when to come again, ``close`` whether
    the connection ends with the answer.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        *,
        retry_after_s: int | None = None,
        close: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.retry_after_s = retry_after_s
        self.close = close

    def response(self) -> JSONResponse:
        """The error as an answer: ``{"error": kind, "detail": message}``."""
        headers = {"Cache-Control": "no-store"}
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(self.retry_after_s)
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        if self.close:
            headers["Connection"] = "close"
        return JSONResponse({"error": self.kind, "detail": str(self)}, self.status, headers)


def http_error(error: RelumeError, *, explain: bool = False) -> HttpError:
    """What an error of the core is answered with; its words stay the same.

    Except for an option of the command line, and for this machine's files and devices: those are
    for its log, unless ``explain``.
    """
    if isinstance(error, HttpError):
        return error
    kind = type(error).__name__
    if isinstance(error, WeightsError | DeviceError):
        log.error("%s", error)
        told = str(error).replace(IN_SHELL, OVER_HTTP)
        if not explain:
            told = f"{UNUSABLE}; or {OVER_HTTP}" if OVER_HTTP in told else UNUSABLE
        return HttpError(503, kind, told)
    status = next((status for known, status in STATUS if isinstance(error, known)), 500)
    return HttpError(status, kind, str(error))
