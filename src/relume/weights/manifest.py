"""The manifest: one TOML table for each file of weights, read and rewritten here."""

from __future__ import annotations

import hashlib
import json
import shutil
import tomllib
from collections.abc import Iterable, Mapping
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
        tables = tomllib.loads(path.read_text("utf-8"))
        return {name: _entry(name, table) for name, table in tables.items()}
    except (OSError, tomllib.TOMLDecodeError, TypeError) as error:
        raise WeightsError(f"the manifest {path} cannot be used: {error}") from error


def add_entry(
    name: str,
    file: Path,
    *,
    licence: str,
    source: str,
    summary: str,
    urls: Iterable[str] = (),
    data: str = "",
    metrics: Mapping[str, float] | None = None,
    folder: Path = FOLDER,
) -> Entry:
    """Enter ``file`` into a folder's manifest under ``name``, in place of an entry of that name.

    Size and sha256 are taken from the file. It is copied into ``folder`` unless it lies there
    already, or is to be fetched from ``urls``.

    Raises:
        WeightsError: ``file`` or the manifest cannot be read.
    """
    if not file.is_file():
        raise WeightsError(f"there is no file {file} to enter into the manifest")
    entry = Entry(
        name,
        file.name,
        sha256_of(file),
        file.stat().st_size,
        licence,
        source,
        summary,
        tuple(urls),
        data,
        dict(metrics or {}),
    )
    entries = read_manifest(folder) | {name: entry}
    target = folder / file.name
    if entry.shipped and file.resolve() != target.resolve():
        part = target.with_name(target.name + ".part")
        shutil.copyfile(file, part)
        part.replace(target)
    _write_manifest(folder / MANIFEST, entries.values())
    return entry


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


def _write_manifest(path: Path, entries: Iterable[Entry]) -> None:
    lines = path.read_text("utf-8").splitlines()
    head = [line for line in lines[: _head_length(lines)] if line.strip()]
    blocks = ["\n".join(head), *(_block(entry) for entry in entries)]
    part = path.with_name(path.name + ".part")
    part.write_text("\n\n".join(filter(None, blocks)) + "\n", "utf-8")
    part.replace(path)


def _head_length(lines: list[str]) -> int:
    """How many lines stand before the first table."""
    return next((i for i, line in enumerate(lines) if line.startswith("[")), len(lines))


def _block(entry: Entry) -> str:
    lines = [
        f"[{_key(entry.name)}]",
        f"file = {_text(entry.file)}",
        f"sha256 = {_text(entry.sha256)}",
        f"bytes = {entry.bytes}",
        f"licence = {_text(entry.licence)}",
        f"source = {_text(entry.source)}",
        f"summary = {_text(entry.summary)}",
    ]
    if entry.urls:
        lines.append(f"urls = [{', '.join(map(_text, entry.urls))}]")
    if entry.data:
        lines.append(f"data = {_text(entry.data)}")
    if entry.metrics:
        pairs = (f"{_key(key)} = {float(value)!r}" for key, value in entry.metrics.items())
        lines.append(f"metrics = {{ {', '.join(pairs)} }}")
    return "\n".join(lines)


def _key(text: str) -> str:
    bare = text.isascii() and text.replace("-", "").replace("_", "").isalnum()
    return text if bare else _text(text)


def _text(text: str) -> str:
    # a JSON string is a TOML basic string, but for DEL, which no name or address holds
    return json.dumps(text, ensure_ascii=False)
