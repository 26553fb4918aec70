"""The one table of picture formats: endings, media types, readers, writers, what each can hold.

Light to import: readers and writers are named here, and loaded when a picture needs them.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from relume.catalog import Parameter
from relume.errors import OutputError

if TYPE_CHECKING:
    from relume.photo import Photo


@dataclass(frozen=True)
class Format:
    """A picture format.

    ``reader`` and ``writer`` are functions of this package, "module.function"; a format without a
    writer is only read, and a result of such a picture gets the format ``result``. ``bits`` is the
    most a channel can have, ``keeps`` names metadata beside EXIF, XMP and ICC, ``package`` is what
    the extra installs.
    """

    name: str
    suffixes: tuple[str, ...]
    media_type: str
    reader: str
    writer: str | None = None
    result: str = ""
    alpha: bool = True
    bits: int = 8
    longest_side_px: int | None = None
    keeps: frozenset[str] = frozenset()
    extra: str | None = None
    package: str | None = None

    @property
    def is_available(self) -> bool:
        """Whether the optional package that it may need is installed."""
        return self.package is None or find_spec(self.package) is not None


RAW = (
    *(".dng", ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".erf", ".fff", ".iiq", ".k25"),
    *(".kdc", ".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2"),
    *(".rwl", ".sr2", ".srf", ".srw", ".x3f"),
)
_TABLE = (
    Format(
        "jpeg", (".jpg", ".jpeg", ".jpe", ".jfif"), "image/jpeg", "jpeg.read", "jpeg.write",
        alpha=False, longest_side_px=65500, keeps=frozenset({"iptc", "Comment"}),
    ),
    Format(
        "png", (".png",), "image/png", "png.read", "png.write", bits=16, keeps=frozenset({"text"})
    ),
    Format(
        "webp", (".webp",), "image/webp", "pillow.read", "pillow.write_webp",
        longest_side_px=16383,
    ),
    Format(
        "tiff", (".tif", ".tiff"), "image/tiff", "tiff.read", "tiff.write",
        bits=32, keeps=frozenset({"iptc"}),
    ),
    Format(
        "avif", (".avif",), "image/avif", "pillow.read", "pillow.write_avif",
        longest_side_px=65536,
    ),
    Format(
        "heif", (".heic", ".heif", ".hif"), "image/heif", "heif.read", "heif.write",
        bits=10, extra="heif", package="pillow_heif",
    ),
    Format(
        "jxl", (".jxl",), "image/jxl", "jxl.read", "jxl.write", extra="jxl", package="pillow_jxl"
    ),
    Format("gif", (".gif",), "image/gif", "pillow.read", result="png"),
    Format("bmp", (".bmp", ".dib"), "image/bmp", "bmp.read", bits=16, result="png"),
    # people look at what comes of camera raw, and 16 bit PNGs of it take ten times the bytes
    Format("raw", RAW, "image/x-dcraw", "raw.read", result="jpeg", extra="raw", package="rawpy"),
)  # fmt: skip
FORMATS: dict[str, Format] = {format.name: format for format in _TABLE}
"""Every format that is read, by name."""

WRITABLE: dict[str, Format] = {name: f for name, f in FORMATS.items() if f.writer}
"""The formats that are written, too."""

QUALITY = Parameter("quality", "of lossy formats; else as good as the input", 92, 1, 100)

MAX_MEGAPIXELS = 200.0
"""Larger pictures are refused, unless the caller knows better."""

READABLE_SUFFIXES = frozenset(suffix for format in _TABLE for suffix in format.suffixes)

HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
AVIF_BRANDS = frozenset({b"avif", b"avis"})
# not read, but told apart
OTHERS = (
    *((b"P%d" % number, "is a PBM, PGM or PPM; convert it to PNG") for number in range(1, 8)),
    (b"8BPS", "is a Photoshop document; save it as TIFF or PNG"),
    (b"\0\0\0\x0cjP  ", "is JPEG 2000; convert it to TIFF or PNG"),
    (b"%PDF", "is a PDF; export its pictures"),
)
JPEG_PACKET_BYTES = 65500
"""The most that one packet of metadata can have in a JPEG, whatever its prefix."""

STARTS = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
    (b"GIF8", "gif"),
    (b"BM", "bmp"),
    (b"\xff\x0a", "jxl"),
    (b"\0\0\0\x0cJXL ", "jxl"),
)


def format_of(path: str | Path) -> str:
    """The format that a path's ending names for writing: "jpeg", "png", "webp", "tiff", ...

    >>> format_of("night.JPG")
    'jpeg'

    Raises:
        OutputError: an ending that names none of the formats that are written.
    """
    suffix = Path(path).suffix.lower()
    for format in WRITABLE.values():
        if suffix in format.suffixes:
            return format.name
    endings = ", ".join(format.suffixes[0] for format in WRITABLE.values())
    got = f"ending {suffix!r}" if suffix else "no ending"
    raise OutputError(f"cannot tell the format to write {path} in: {got}; expected {endings}")


def result_format(name: str) -> str:
    """The format that a result of a picture of the format ``name`` gets if none is asked for.

    >>> result_format("webp"), result_format("gif"), result_format("raw")
    ('webp', 'png', 'jpeg')
    """
    return name if name in WRITABLE else FORMATS[name].result


def named_format(name: str) -> str:
    """The format that a file's ending names, for reading; "png" for an ending that names none."""
    suffix = Path(name).suffix.lower()
    return next((known for known, found in FORMATS.items() if suffix in found.suffixes), "png")


def ending(name: str, format: str) -> str:
    """The ending of a file ``name`` if that is one of the format's, else the format's first."""
    suffix, suffixes = Path(name).suffix, FORMATS[format].suffixes
    return suffix if suffix.lower() in suffixes else suffixes[0]


def losses(photo: Photo, name: str) -> list[str]:
    """What of the photo the format ``name`` cannot hold, a sentence each."""
    format, meta, title = WRITABLE[name], photo.meta, name.upper()
    found: list[str] = []
    if photo.alpha is not None and not format.alpha:
        found.append(f"{title} has no transparency: the picture is laid on white")
    # of camera raw one expects no more, and a format holds what came from it
    if photo.depth_bits > format.bits and meta.format not in ("raw", name):
        found.append(f"{title} has {format.bits} bits a channel, the photo {photo.depth_bits}")
    if meta.iptc and "iptc" not in format.keeps:
        found.append(f"{title} has no place for IPTC: its keywords and captions are left out")
    lost = [] if "text" in format.keeps else [k for k, _ in meta.text if k not in format.keeps]
    if lost:
        found.append(f"{title} has no place for this text: {', '.join(lost)}")
    if name == "jxl" and meta.icc:
        found.append("JXL is written without a profile: its colours become sRGB's")
    for kind, packet in (("EXIF", meta.exif), ("XMP", meta.xmp), ("IPTC", meta.iptc)):
        if name == "jpeg" and len(packet or b"") > JPEG_PACKET_BYTES:
            found.append(f"its {kind} is too large for a JPEG (64 KB) and is left out")
    return found


def describe(data: bytes) -> str:
    """What bytes that are not read seem to be, "is ..." or "holds ..."."""
    for start, words in OTHERS:
        if data.startswith(start):
            return words
    if data[4:8] == b"ftyp":
        return "seems to be a video, or a picture of an unknown kind"
    if b"\0" not in data[:512] and data[:512].isascii():
        return "holds text"
    return "is of no known format (JPEG, PNG, WebP, TIFF, AVIF, HEIC, JPEG XL, camera raw)"


def sniff(data: bytes, name: str) -> str | None:
    """The format of the bytes by their first few, whatever the file's ending says.

    The ending counts for camera raw only, most of which begins like a TIFF.
    """
    if Path(name).suffix.lower() in RAW and not data.startswith(b"\xff\xd8\xff"):
        return "raw"
    for start, found in STARTS:
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
