"""JPEG, read and written: what a file was saved with, and saving the like."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt
from PIL import JpegImagePlugin

from relume.errors import UnreadableInput
from relume.io.exif import EXIF_PREFIX
from relume.io.formats import JPEG_PACKET_BYTES
from relume.io.pillow import load, metadata, note_frames
from relume.io.raster import Raster, check_size, decode_opencv, encode_opencv, open_header
from relume.photo import Meta

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

XMP_PREFIX = b"http://ns.adobe.com/xap/1.0/\0"
# Photoshop's image resource 0x0404, without a name
IPTC_PREFIX = b"Photoshop 3.0\x008BIM\x04\x04\0\0"
ICC_PREFIX = b"ICC_PROFILE\0"
# fill bytes may stand before a marker; a file of nothing else is not looked through
MARKER = re.compile(rb"\xff{1,1000}([^\xff])", re.DOTALL)
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


def read(data: bytes, max_megapixels: float) -> Raster:
    """A JPEG, decoded by OpenCV where it can: that is faster.

    Raises:
        UnreadableInput: a damaged file, or one whose end is missing.
        TooLarge: more pixels than allowed.
    """
    if not is_complete(data):
        raise UnreadableInput("truncated JPEG: the end is missing")
    picture = open_header(data)
    check_size(*picture.size, max_megapixels)
    how = {"L": cv2.IMREAD_GRAYSCALE, "RGB": cv2.IMREAD_COLOR_RGB}.get(picture.mode)
    pixels = None if how is None else decode_opencv(data, how | cv2.IMREAD_IGNORE_ORIENTATION)
    # CMYK, and what OpenCV refuses: Pillow knows why
    raster = load(picture) if pixels is None else Raster(pixels)
    raster.describe(
        **metadata(picture),
        jpeg_quality=estimate_quality(getattr(picture, "quantization", {})),
        jpeg_progressive=bool(picture.info.get("progressive")),
    )
    if picture.mode == "RGB" and isinstance(picture, JpegImagePlugin.JpegImageFile):
        sampling = PILLOW_SAMPLING.get(JpegImagePlugin.get_sampling(picture))
        raster.describe(jpeg_subsampling=sampling)
    note_frames(raster, int(getattr(picture, "n_frames", 1)))
    return raster


def is_complete(data: bytes) -> bool:
    """Whether the end marker is there, behind the start of the first scan.

    Within a scan 0xFF is followed by zero or a restart marker, and before it stand the segments
    (one with a thumbnail, perhaps) that are skipped here; so a marker found is the picture's own.
    Decoders take a missing end for granted, and grey for what lies behind a copy that broke off.
    """
    found = MARKER.match(data, 2)
    while found is not None:
        at = found.end()
        if found[1] == b"\xda":
            return data.find(b"\xff\xd9", at) >= 0
        found = MARKER.match(data, at + int.from_bytes(data[at : at + 2], "big"))
    return False


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
        (0xE1, XMP_PREFIX, meta.xmp),
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
