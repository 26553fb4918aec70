"""What the service is allowed to do, as one frozen record; read from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from relume.catalog import Parameter

CORES = os.cpu_count() or 1
MIB = 1 << 20

FROM_ENVIRONMENT = (
    Parameter("RELUME_QUEUE", "requests that may wait for a free worker", 32, 0, 10_000),
    Parameter("RELUME_MAX_UPLOAD_MB", "largest upload, MiB", 64, 1, 4096),
    Parameter("RELUME_MAX_MEGAPIXELS", "largest picture", 50.0, 0.01, 1000.0),
    Parameter("RELUME_TIME_LIMIT_S", "longest wait for an answer", 120.0, 0.1, 86_400.0),
    Parameter("RELUME_UPLOAD_LIMIT_S", "longest time an upload may take", 60.0, 0.1, 86_400.0),
    Parameter("RELUME_PER_CLIENT", "requests at once from one address; 0: any", 0, 0, 10_000),
)


@dataclass(frozen=True)
class Settings:
    """Limits and access of a running service.

    ``workers`` photos are worked on at once (never more than there are cores) and ``queue`` more
    may wait; what comes beyond is answered 503. ``per_client`` bounds the requests that one
    address has open, answered 429 beyond; 0 is no bound. ``token``, if there is one, must come
    with every request as a bearer token. ``cors_origins`` are other sites whose pages may call.
    """

    workers: int = 1
    queue: int = 32
    max_upload_bytes: int = 64 * MIB
    max_megapixels: float = 50.0
    time_limit_s: float = 120.0
    upload_limit_s: float = 60.0
    per_client: int = 0
    token: str | None = None
    cors_origins: tuple[str, ...] = ()

    def bounded(self) -> Settings:
        """The same settings with at least one worker, and no more of them than cores."""
        return replace(self, workers=max(1, min(self.workers, CORES)))


def from_environment(*, workers: int = 1, environment: Mapping[str, str] | None = None) -> Settings:
    """The settings that the environment's ``RELUME_*`` variables ask for.

    Raises:
        ParameterError: a variable outside its range; the message says which it is.
    """
    given = os.environ if environment is None else environment
    value = {p.name: p.check(given.get(p.name) or p.default) for p in FROM_ENVIRONMENT}
    origins = (origin.strip().rstrip("/") for origin in given.get("RELUME_CORS", "").split(","))
    return Settings(
        workers=workers,
        queue=int(value["RELUME_QUEUE"]),
        max_upload_bytes=int(value["RELUME_MAX_UPLOAD_MB"]) * MIB,
        max_megapixels=float(value["RELUME_MAX_MEGAPIXELS"]),
        time_limit_s=float(value["RELUME_TIME_LIMIT_S"]),
        upload_limit_s=float(value["RELUME_UPLOAD_LIMIT_S"]),
        per_client=int(value["RELUME_PER_CLIENT"]),
        token=given.get("RELUME_TOKEN") or None,
        cors_origins=tuple(filter(None, origins)),
    ).bounded()
