"""Why the service says no: one exception, and the status that each of relume's errors becomes."""

from __future__ import annotations

import logging

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

    def headers(self) -> dict[str, str]:
        """The headers that go with the answer."""
        headers = {"Cache-Control": "no-store"}
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(self.retry_after_s)
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        if self.close:
            headers["Connection"] = "close"
        return headers

    def body(self) -> dict[str, str]:
        """The answer's JSON."""
        return {"error": self.kind, "detail": str(self)}


def refusal_of(error: RelumeError) -> HttpError:
    """The refusal that an error of the core becomes; its words stay the same.

    Except where they are about this machine's files and devices: those are for its log.
    """
    if isinstance(error, HttpError):
        return error
    if isinstance(error, WeightsError | DeviceError):
        log.error("%s", error)
        return HttpError(503, type(error).__name__, UNUSABLE)
    return HttpError(_status(error), type(error).__name__, str(error))


def _status(error: RelumeError) -> int:
    if isinstance(error, TooLarge):
        return 413
    if isinstance(error, InputError | ParameterError):
        return 422
    if isinstance(error, MissingExtra):
        return 501
    return 500
