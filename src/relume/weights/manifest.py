"""The manifest: one TOML table for each file of weights, entered by hand (CONTRIBUTING.md)."""

from __future__ import annotations

import functools
import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from relume.errors import WeightsError

FOLDER = Path(__file__).parent
MANIFEST = "manifest.toml"


@dataclass(frozen=True)
class Entry:
    """One file of weights: what it is, how it is recognised, whose it is.

    Without ``urls`` it is shipped beside the manifest, with them it is fetched at first use.
    ``data`` says what it was trained on, ``metrics`` how well it did there.
    """

    name: str
    file: str
    sha256: str
    bytes: int
    licence: str
    source: str
    summary: str
    urls: tuple[str, ...] = ()
    data: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def shipped(self) -> bool:
        """Whether the file comes with the package."""
        return not self.urls


def read_manifest(folder: Path = FOLDER) -> dict[str, Entry]:
    """The entries of a folder's manifest, by name, in the order of the file.

    Raises:
        WeightsError: no manifest, not TOML, or an entry with missing or unknown keys.
    """
    path = folder / MANIFEST
    try:
        stat = path.stat()
        return dict(_entries(path, stat.st_mtime_ns, stat.st_size))
    except (OSError, tomllib.TOMLDecodeError, TypeError) as error:
        raise WeightsError(f"the manifest {path} cannot be used: {error}") from error


@functools.lru_cache(maxsize=4)
def _entries(path: Path, stamp_ns: int, size: int) -> dict[str, Entry]:
    """What the file says, parsed once as long as it stays what it is: every photo asks for it."""
    del stamp_ns, size
    tables = tomllib.loads(path.read_text("utf-8"))
    return {name: _entry(name, table) for name, table in tables.items()}


def sha256_of(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _entry(name: str, table: Mapping[str, object]) -> Entry:
    values = dict(table)
    urls = values.pop("urls", ())
    if not isinstance(urls, list | tuple):
        raise TypeError(f"{name}: urls must be a list")
    return Entry(name=name, urls=tuple(urls), **values)  # type: ignore[arg-type]
