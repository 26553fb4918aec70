"""JPEG, read and written: what a file was saved with, and saving the like."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import JpegImagePlugin
from PIL.Image import Image

from relume.errors import UnreadableInput
from relume.io.exif import EXIF_PREFIX
from relume.io.formats import JPEG_PACKET_BYTES
from relume.io.pillow import load, metadata, note_frames
from relume.io.raster import Raster, check_size, encode_opencv, open_header
from relume.io.xmp import CLIP, EXTENDED, EXTENSION_PREFIX, GAIN_MAP, PREFIX
from relume.photo import Array, Meta

DEFAULT_QUALITY = 95
LEAST_QUALITY = 75
"""Below this no quality is lowered to keep the size: visible blocks are worse than large files."""

MOST_GROWTH = 1.5
"""Bytes of the output over the input's, from which quality is lowered."""

SAMPLING = {
    "4:4:4": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    "4:2:2": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    "4:2:0": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
}
PILLOW_SAMPLING = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}
DEFAULT_SAMPLING = "4:2:0"

# Photoshop's image resource 0x0404, without a name
IPTC_PREFIX = b"Photoshop 3.0\x008BIM\x04\x04\0\0"
ICC_PREFIX = b"ICC_PROFILE\0"
GAIN_MAP_PREFIX = b"urn:iso:std:iso:ts:21496:-1\0"
FILL = re.compile(rb"\xff+")
STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers without a segment."""

SCAN, END = 0xDA, b"\xff\xd9"
NEEDED = frozenset({*range(0xC0, 0xD0), 0xDA, 0xDB, 0xDD, 0xE0, 0xEE})
"""Segments without which the pixels cannot be decoded, or not in their colours."""

MOST_SEGMENTS = 20_000
MP_ENTRIES = 0xB002
HARMLESS = re.compile("revision number|Adobe color transform|ICC marker")
EXTRANEOUS = re.compile("([0-9]+) extraneous bytes before marker 0xd9")
"""In libjpeg's warnings: nothing of the picture is lost, or perhaps nothing."""

SEGMENT_BYTES = 65533
"""The most a segment holds beside its marker and length."""

# ITU T.81, tables K.1 and K.2, row by row
LUMA_TABLE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
CHROMA_TABLE = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99,
    24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
)  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """How a JPEG lies in its file.

    ``segments`` stand before the first scan, each with its marker; ``scans`` is all that follows.
    """

    segments: tuple[bytes, ...]
    scans: bytes
    has_junk: bool

    @property
    def has_end(self) -> bool:
        """Whether the end marker is there: within a scan 0xFF stands before 0 or a restart."""
        return END in self.scans

    def mended(self, *, only_needed: bool = False) -> bytes:
        """The file without junk between its segments, with an end; ``only_needed`` for pixels."""
        kept = (part for part in self.segments if not only_needed or part[1] in NEEDED)
        scans = self.scans
        if not self.has_end:
            # zeros are how copies break off, and would be taken for data
            scans = scans.rstrip(b"\0")
            scans += (b"\0" if scans.endswith(b"\xff") else b"") + END
        return b"\xff\xd8" + b"".join(kept) + scans

    @property
    def has_profile(self) -> bool:
        """Whether there is an ICC profile, or a part of one."""
        return any(part[4:].startswith(ICC_PREFIX) for part in self.segments if part[1] == 0xE2)

    def is_harmless(self, warning: str) -> bool:
        """Whether libjpeg's words mean that nothing of the picture is lost.

        Bytes that are left before the end are the data of lost parts, or a maker's block, where
        the end is missing; or padding, where it is there.
        """
        left = EXTRANEOUS.search(warning)
        if left is None or not self.has_end:
            return left is not None or HARMLESS.search(warning) is not None
        end = self.scans.find(END)
        return len(set(self.scans[max(0, end - int(left[1])) : end])) == 1

    def left_out(self) -> tuple[str, ...]:
        """What the file holds beside the picture: phones put it behind its end."""
        behind = self.scans[self.scans.find(END) :] if self.has_end else b""
        starts = [part[4:70] for part in self.segments]
        is_there = {
            CLIP: b"ftyp" in behind,
            GAIN_MAP: any(part.startswith(GAIN_MAP_PREFIX) for part in starts)
            or b"hdr-gain-map" in behind
            or b"HDRGainMap" in behind,
            EXTENDED: any(part.startswith(EXTENSION_PREFIX) for part in starts),
        }
        return tuple(what for what, found in is_there.items() if found)


def read(data: bytes, max_megapixels: float) -> Raster:
    """A JPEG; one with junk between its segments, without an end, or with a hole is read, too.

    Raises:
        UnreadableInput: a damaged file, or one that breaks off before its last pixels.
        TooLarge: more pixels than allowed.
    """
    parts = layout(data)
    if parts is None:
        raise UnreadableInput("truncated JPEG: it ends before its picture")
    whole, lost_metadata = parts.mended(), False
    try:
        picture = open_header(whole)
    except UnreadableInput:
        whole, lost_metadata = parts.mended(only_needed=True), True
        picture = open_header(whole)
    check_size(*picture.size, max_megapixels)
    colours = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}.get(picture.mode, "RGB")
    pixels, warning = _decode(whole, colours)
    is_lossy = warning is not None and not parts.is_harmless(warning)
    if is_lossy and not parts.has_end:
        raise UnreadableInput("truncated JPEG: the end is missing")
    # CMYK, and what libjpeg refuses: Pillow knows why
    raster = load(picture) if pixels is None or colours == "CMYK" else Raster(pixels)
    raster.describe(
        **metadata(picture),
        jpeg_quality=estimate_quality(getattr(picture, "quantization", {})),
        jpeg_progressive=bool(picture.info.get("progressive")),
    )
    raster.left_out = parts.left_out()
    if is_lossy:
        raster.note(f"damaged inside: what lies behind the damage is lost or wrong ({warning})")
    elif not parts.has_end:
        raster.note("its end marker is missing; the picture is all there")
    elif parts.has_junk or EXTRANEOUS.search(warning or ""):
        raster.note("bytes that belong to nothing stood between its parts and were skipped")
    if lost_metadata:
        raster.note("its metadata are damaged and left out")
    elif raster.meta.icc is None and colours != "CMYK" and parts.has_profile:
        raster.note("its colour profile is damaged and left out")
    if picture.mode == "RGB" and isinstance(picture, JpegImagePlugin.JpegImageFile):
        sampling = PILLOW_SAMPLING.get(JpegImagePlugin.get_sampling(picture))
        raster.describe(jpeg_subsampling=sampling)
    note_frames(raster, 1 + _others(picture) - (GAIN_MAP in raster.left_out))
    return raster


def _others(picture: Image) -> int:
    """The further pictures of a file that are no previews of the first (CIPA DC-007)."""
    entries = getattr(picture, "mpinfo", {}).get(MP_ENTRIES, ())
    kinds = [str(entry["Attribute"]["MPType"]) for entry in entries[1:]]
    return sum(not kind.startswith("Large Thumbnail") for kind in kinds)


def _decode(data: bytes, colours: str) -> tuple[Array | None, str | None]:
    """The pixels, and libjpeg's (last) warning, which no other decoder gives but on stderr."""
    try:
        return _squeezed(simplejpeg.decode_jpeg(data, colours, strict=True)), None
    except ValueError as error:
        warning = " ".join(str(error).split())
    try:
        return _squeezed(simplejpeg.decode_jpeg(data, colours, strict=False)), warning
    except (ValueError, TypeError):
        return None, warning


def _squeezed(pixels: Array) -> Array:
    return pixels[:, :, 0] if pixels.shape[2] == 1 else pixels


def layout(data: bytes) -> Layout | None:
    """The parts of a JPEG; None if no scan is found.

    Junk between segments is skipped as libjpeg skips it: up to the next marker.
    """
    segments: list[bytes] = []
    at, has_junk = 2, False
    while len(segments) < MOST_SEGMENTS:
        start = data.find(b"\xff", at)
        fill = FILL.match(data, max(start, 0))
        if start < 0 or fill is None or fill.end() >= len(data):
            return None
        end, marker = fill.end(), data[fill.end()]
        size = int.from_bytes(data[end + 1 : end + 3], "big")
        has_junk |= start > at
        if marker == 0xD9:
            return None
        if marker == 0 or marker in STANDALONE or size < 2:
            has_junk = True
            at = end + 1
        elif marker == SCAN:
            return Layout(tuple(segments), data[end - 1 :], has_junk)
        else:
            segments.append(data[end - 1 : end + 1 + size])
            at = end + 1 + size
    return None


def estimate_quality(tables: Mapping[int, Sequence[int]]) -> int | None:
    """The libjpeg quality, 1 to 100, whose tables are nearest to these (row by row)."""
    given = [np.asarray(tables[i], np.int64) for i in sorted(tables)[:2] if len(tables[i]) == 64]
    if not given:
        return None
    distance = sum(
        np.abs(_scaled_tables(chroma=i == 1) - table).sum(axis=1) for i, table in enumerate(given)
    )
    return int(np.argmin(distance)) + 1


@cache
def _scaled_tables(*, chroma: bool) -> npt.NDArray[np.int64]:
    """The standard's table as libjpeg scales it for qualities 1 to 100, (100, 64)."""
    quality = np.arange(1, 101)
    percent = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)[:, None]
    table = np.asarray(CHROMA_TABLE if chroma else LUMA_TABLE)
    return np.asarray(np.clip((percent * table + 50) // 100, 1, 255), np.int64)


def write(raster: Raster) -> bytes:
    """uint8 pixels, (H, W) or (H, W, 3), as a JPEG with the metadata.

    Without a quality: the input's, lowered (to 75 at least) while that makes the file more than
    1.5 times the input's, as noise that was dark takes bytes once it is bright.
    """
    if raster.quality is not None:
        data = _compress(raster, raster.quality)
    else:
        data = _compress_like(raster)
    return (
        data[:2] + _with_density(data[2:20], raster.meta.dpi) + _segments(raster.meta) + data[20:]
    )


def _compress_like(raster: Raster) -> bytes:
    meta = raster.meta
    quality = meta.jpeg_quality or DEFAULT_QUALITY
    data = _compress(raster, quality)
    if meta.jpeg_quality is None or meta.size_bytes is None:
        return data
    limit = MOST_GROWTH * meta.size_bytes
    if len(data) <= limit or quality <= LEAST_QUALITY:
        return data
    data = _compress(raster, LEAST_QUALITY)
    low, high = LEAST_QUALITY, quality  # low is what ``data`` has, high is too much
    while len(data) <= limit and high - low > 1:
        middle = (low + high) // 2
        tried = _compress(raster, middle)
        if len(tried) <= limit:
            data, low = tried, middle
        else:
            high = middle
    return data


def _compress(raster: Raster, quality: int) -> bytes:
    is_progressive = int(raster.meta.jpeg_progressive)
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_PROGRESSIVE, is_progressive]
    if raster.colour.ndim == 3:
        factor = SAMPLING[raster.meta.jpeg_subsampling or DEFAULT_SAMPLING]
        options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor]
    return encode_opencv(raster, ".jpg", options)


def _with_density(jfif: bytes, dpi: tuple[float, float] | None) -> bytes:
    """The JFIF segment (18 bytes, first in every file of OpenCV's) with dots per inch."""
    if dpi is None or not all(1 <= round(d) <= 65535 for d in dpi):
        return jfif
    x, y = (round(d).to_bytes(2, "big") for d in dpi)
    return jfif[:11] + b"\x01" + x + y + jfif[16:]


def _segments(meta: Meta) -> bytes:
    """All metadata as segments; none but ICC may be more than 64 KB."""
    out = b""
    iptc = meta.iptc and meta.iptc + b"\0" * (len(meta.iptc) % 2)
    for marker, prefix, packet in (
        (0xE1, EXIF_PREFIX, meta.exif),
        (0xE1, PREFIX, meta.xmp),
        (0xED, IPTC_PREFIX + len(meta.iptc or b"").to_bytes(4, "big"), iptc),
        *((0xFE, b"", text.encode()) for keyword, text in meta.text if keyword == "Comment"),
    ):
        if packet and len(packet) <= JPEG_PACKET_BYTES:
            out += _segment(marker, prefix + packet)
    if meta.icc:
        step = SEGMENT_BYTES - len(ICC_PREFIX) - 2
        parts = [meta.icc[at : at + step] for at in range(0, len(meta.icc), step)]
        if len(parts) <= 255:
            for number, part in enumerate(parts, 1):
                out += _segment(0xE2, ICC_PREFIX + bytes((number, len(parts))) + part)
    return out


def _segment(marker: int, payload: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(payload) + 2).to_bytes(2, "big") + payload
