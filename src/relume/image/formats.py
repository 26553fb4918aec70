"""Which picture formats there are, by name and by file ending."""

from __future__ import annotations

from pathlib import Path

from relume.errors import OutputError

WRITABLE = {
    "jpeg": (".jpg", ".jpeg", ".jpe"),
    "png": (".png",),
    "webp": (".webp",),
    "tiff": (".tif", ".tiff"),
    "avif": (".avif",),
    "heif": (".heic", ".heif"),
}
RAW = frozenset(
    f".{name}"
    for name in (
        *("arw", "cr2", "cr3", "crw", "dng", "erf", "nef", "nrw", "orf", "pef", "raf", "raw"),
        *("rw2", "sr2", "srf", "srw", "x3f"),
    )
)
OTHERS = frozenset({".bmp", ".gif", ".jp2"})
BY_SUFFIX = {suffix: name for name, suffixes in WRITABLE.items() for suffix in suffixes}
READABLE_SUFFIXES: frozenset[str] = frozenset(BY_SUFFIX) | RAW | OTHERS
"""Endings (lower case, with dot) of files that :func:`relume.read` takes."""


def format_of(path: str | Path) -> str:
    """The format that a file's ending asks for.

    Raises:
        OutputError: an ending that relume does not write.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in BY_SUFFIX:
        known = ", ".join(sorted(BY_SUFFIX))
        what = f"the ending {suffix!r}" if suffix else "no ending"
        raise OutputError(f"cannot write {path}: expected one of {known}, got {what}")
    return BY_SUFFIX[suffix]
