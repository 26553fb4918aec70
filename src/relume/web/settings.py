"""What the service is allowed to do, as one frozen record; all ``RELUME_*`` settings."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from relume.catalog import Parameter
from relume.errors import ParameterError
from relume.executor import cores

CORES = cores()
MIB = 1 << 20
LOCAL_HOSTS = ("localhost",)
"""Names that are this machine's own; addresses in numbers need no name to be looked up."""

MEGAPIXEL_TOLERANCE = 1.02
"""A limit of 50 megapixels takes what cameras call 50: up to 50.9."""

LIMITS = (
    Parameter("RELUME_QUEUE", "requests that may wait for a free worker", 32, 0, 10_000),
    Parameter("RELUME_MAX_UPLOAD_MB", "largest upload, MiB", 64, 1, 4096),
    Parameter("RELUME_MAX_CLIP_MB", "largest clip, MiB", 256, 1, 65_536),
    Parameter("RELUME_MAX_CLIP_S", "longest clip, seconds", 300.0, 0.1, 86_400.0),
    Parameter("RELUME_MAX_MEGAPIXELS", "largest picture", 50.0, 0.01, 1000.0),
    Parameter("RELUME_TIME_LIMIT_S", "longest wait for an answer, seconds", 120.0, 0.1, 86_400.0),
    Parameter("RELUME_UPLOAD_LIMIT_S", "longest upload, seconds", 60.0, 0.1, 86_400.0),
    Parameter("RELUME_PER_CLIENT", "requests at once from one address; 0: any", 0, 0, 10_000),
)
ACCESS = {
    "RELUME_TOKEN": "a bearer token that every request must carry",
    "RELUME_HOSTS": "names, joined by commas, that the service may be called by; *: any",
    "RELUME_ROOT_PATH": "the path under which a reverse proxy serves it, such as /relume",
    "RELUME_CORS": "other sites, joined by commas, whose pages may call the service",
}


@dataclass(frozen=True)
class Settings:
    """Limits and access of a running service.

    ``workers`` photos are worked on at once (never more than there are cores) and ``queue`` more
    may wait; what comes beyond is answered 503. ``per_client`` bounds the requests that one
    address has open, answered 429 beyond; 0 is no bound. ``token``, if there is one, must come
    with every request as a bearer token. ``hosts`` are the names by which the service may be
    called beside this machine's own and addresses in numbers; ``"*"`` allows any. ``root_path`` is
    the path under which a reverse proxy serves it, such as ``/relume``; the proxy may take it off.
    ``cors_origins`` are other sites whose pages may call. ``explain`` says whether errors name
    files and devices of the service's machine: for a service that only its owner reaches.
    """

    workers: int = 1
    queue: int = 32
    max_upload_bytes: int = 64 * MIB
    max_clip_bytes: int = 256 * MIB
    max_clip_s: float = 300.0
    max_megapixels: float = 50.0
    time_limit_s: float = 120.0
    upload_limit_s: float = 60.0
    per_client: int = 0
    token: str | None = None
    hosts: tuple[str, ...] = ()
    root_path: str = ""
    cors_origins: tuple[str, ...] = ()
    explain: bool = False

    def bounded(self) -> Settings:
        """The same settings with at least one worker, and no more of them than cores."""
        return replace(self, workers=max(1, min(self.workers, CORES)))


def from_environment(*, workers: int = 1, environment: Mapping[str, str] | None = None) -> Settings:
    """The settings that the environment's ``RELUME_*`` variables ask for.

    Raises:
        ParameterError: a variable outside its range; the message says which it is.
    """
    given = os.environ if environment is None else environment
    value = {p.name: p.check(given.get(p.name) or p.default) for p in LIMITS}
    return Settings(
        workers=workers,
        queue=int(value["RELUME_QUEUE"]),
        max_upload_bytes=int(value["RELUME_MAX_UPLOAD_MB"]) * MIB,
        max_clip_bytes=int(value["RELUME_MAX_CLIP_MB"]) * MIB,
        max_clip_s=float(value["RELUME_MAX_CLIP_S"]),
        max_megapixels=float(value["RELUME_MAX_MEGAPIXELS"]),
        time_limit_s=float(value["RELUME_TIME_LIMIT_S"]),
        upload_limit_s=float(value["RELUME_UPLOAD_LIMIT_S"]),
        per_client=int(value["RELUME_PER_CLIENT"]),
        token=given.get("RELUME_TOKEN") or None,
        hosts=_names(given.get("RELUME_HOSTS", "")),
        root_path=root_path(given.get("RELUME_ROOT_PATH", "")),
        cors_origins=_names(given.get("RELUME_CORS", "")),
    ).bounded()


def root_path(text: str) -> str:
    """``text`` as a path that others are appended to: ``relume/`` is ``/relume``, ``/`` nothing.

    Raises:
        ParameterError: no path of an address.
    """
    parts = [part for part in text.strip().split("/") if part]
    if not all(re.fullmatch(r"[\w.~-]+", part, re.ASCII) for part in parts) or ".." in parts:
        raise ParameterError(
            f"a root path has letters, digits, - . _ ~ between slashes (/relume), got {text!r}"
        )
    return "".join(f"/{part}" for part in parts)


def help_lines() -> list[str]:
    """Every ``RELUME_*`` setting in a line of its own, for ``relume serve --help``."""
    limits = [f"{p.name}: {p.summary} ({p.default:g})" for p in LIMITS]
    return limits + [f"{name}: {summary}" for name, summary in ACCESS.items()]


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (name.strip().rstrip("/") for name in text.split(","))))
