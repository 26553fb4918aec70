"""Picture formats: how files name them, and how bytes show them."""

from __future__ import annotations

from pathlib import Path

from relume.errors import OutputError

SUFFIXES: dict[str, tuple[str, ...]] = {
    "jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "png": (".png",),
    "webp": (".webp",),
    "tiff": (".tif", ".tiff"),
    "avif": (".avif",),
    "heif": (".heic", ".heif", ".hif"),
}
"""Formats that are read and written, with their endings."""

READ_ONLY = frozenset({".bmp", ".gif"})

RAW_SUFFIXES = frozenset(
    {".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq", ".k25"}
    | {".kdc", ".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2"}
    | {".rwl", ".sr2", ".srf", ".srw", ".x3f"}
)
"""Camera raw; read through the extra "raw"."""

READABLE_SUFFIXES: frozenset[str] = frozenset(
    suffix for suffixes in SUFFIXES.values() for suffix in suffixes
).union(READ_ONLY, RAW_SUFFIXES)

HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
AVIF_BRANDS = frozenset({b"avif", b"avis"})


def format_of(path: str | Path) -> str:
    """The format that a path's ending names for writing: "jpeg", "png", "webp", "tiff", ...

    >>> format_of("night.JPG")
    'jpeg'

    Raises:
        OutputError: an ending that names none of the formats that are written.
    """
    suffix = Path(path).suffix.lower()
    for name, suffixes in SUFFIXES.items():
        if suffix in suffixes:
            return name
    endings = ", ".join(suffixes[0] for suffixes in SUFFIXES.values())
    got = f"ending {suffix!r}" if suffix else "no ending"
    raise OutputError(f"cannot tell the format to write {path} in: {got}; expected {endings}")


def sniff(data: bytes, name: str) -> str | None:
    """The format of the bytes by their first few, whatever the file's ending says.

    The ending counts for camera raw only, most of which begins like a TIFF.
    """
    if Path(name).suffix.lower() in RAW_SUFFIXES and not data.startswith(b"\xff\xd8\xff"):
        return "raw"
    for start, found in (
        (b"\xff\xd8\xff", "jpeg"),
        (b"\x89PNG\r\n\x1a\n", "png"),
        (b"II*\0", "tiff"),
        (b"MM\0*", "tiff"),
        (b"II+\0", "tiff"),
        (b"MM\0+", "tiff"),
        (b"GIF8", "gif"),
        (b"BM", "bmp"),
    ):
        if data.startswith(start):
            return found
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[4:8] == b"ftyp":
        return _sniff_brands(data)
    return None


def _sniff_brands(data: bytes) -> str | None:
    """AVIF or HEIF, by the brands of an ISO base media file."""
    end = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[at : at + 4] for at in (8, *range(16, end - 3, 4))}
    if brands & AVIF_BRANDS:
        return "avif"
    return "heif" if brands & HEIF_BRANDS else None
