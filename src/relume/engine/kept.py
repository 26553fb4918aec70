"""What the processes of a machine share, kept in the cache folder: compiled networks, measurements.

A file is written privately and renamed into place, and read whole, never mapped into memory: of
processes that start together none sees half of what another writes, or loses it while it reads.
Without a folder that can be used, nothing is kept, and nothing fails.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from relume.errors import OutputError
from relume.weights import cache_folder


def kept(name: str) -> bytes | None:
    """What is kept under ``name``, a path within the cache folder; None if nothing is."""
    try:
        return _file(name).read_bytes()
    except OSError:
        return None


def keep(name: str, data: bytes, *, replace: bool = True) -> None:
    """Keep ``data`` under ``name``, if that can be; without ``replace`` only if nothing is yet."""
    from relume.io.atomic import write_atomic

    with suppress(OSError, OutputError):
        file = _file(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, data, overwrite=replace)


def forget(name: str) -> None:
    """Remove what is kept under ``name``, if that can be."""
    with suppress(OSError):
        _file(name).unlink()


def _file(name: str) -> Path:
    return cache_folder() / name
