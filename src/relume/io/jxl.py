"""JPEG XL, read and written by pillow-jxl-plugin (libjxl), which not everybody needs."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import PIL.Image
from PIL import ImageCms

from relume.errors import UnreadableInput, extra_module
from relume.io import jpeg
from relume.io.boxes import boxes
from relume.io.encoding import code_points_of
from relume.io.raster import Raster, check_size
from relume.photo import Meta

QUALITY = 90
CODESTREAM = b"\xff\x0a"
RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
"""Of width to height, where a header gives only the height (ISO/IEC 18181-1, SizeHeader)."""

SIDE_BITS = (9, 13, 18, 30)
CHANNELS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "I;16": 1, "F": 1}


def read(data: bytes, max_megapixels: float) -> Raster:
    """A JPEG XL, upright; more than 8 bits a channel are read in grey only.

    Raises:
        MissingExtra: pillow-jxl-plugin is not installed.
        UnreadableInput: a damaged file.
        TooLarge: more pixels than allowed.
    """
    pillow_jxl = extra_module("pillow_jxl", "reading JPEG XL", "jxl", "pillow-jxl-plugin")
    size = _size(data)
    if size is None:
        raise UnreadableInput("truncated JPEG XL: it ends before its picture")
    check_size(*size, max_megapixels)
    try:
        is_jpeg, info, pixels, icc, parts = pillow_jxl.Decoder()(data)
    except (RuntimeError, ValueError, OSError) as error:
        raise UnreadableInput(f"damaged JPEG XL: {error}") from error
    if is_jpeg:
        return jpeg.read(pixels, max_megapixels)
    raster = _raster(info, pixels)
    found = {bytes(part.box_type): bytes(part.data) for part in parts}
    exif = found.get(b"Exif", b"")
    exif = exif if exif[:2] in (b"II", b"MM") else exif[4:]
    icc = None if icc and _is_srgb(icc) else icc
    raster.meta = Meta(exif=exif or None, xmp=found.get(b"xml "), icc=icc)
    raster.orientation = 1  # libjxl has turned the pixels; the EXIF's does not count
    if b"brob" in found:
        raster.note("its compressed metadata are left out")
    return raster


def _is_srgb(icc: bytes) -> bool:
    """Whether a profile, libjxl's own, says no more than what is taken for granted."""
    told = code_points_of(icc)
    return told.is_srgb if told is not None else b"_D65_Rel_SRG" in icc.replace(b"\0", b"")


def _raster(info: Any, data: bytes) -> Raster:
    dtype = {"I;16": np.uint16, "F": np.float32}.get(info.mode, np.uint8)
    channels = CHANNELS.get(info.mode)
    values = np.frombuffer(data, dtype)
    if channels is None or values.size != info.width * info.height * channels:
        raise UnreadableInput(f"a JPEG XL of the kind {info.mode!r} is not supported")
    pixels = values.reshape(info.height, info.width, channels)
    colour = pixels[:, :, :3] if channels >= 3 else pixels[:, :, 0]
    alpha = np.ascontiguousarray(pixels[:, :, -1]) if channels in (2, 4) else None
    return Raster(np.ascontiguousarray(colour), alpha)


def _size(data: bytes) -> tuple[int, int] | None:
    """Width and height by the header, before any pixel is decoded; None if it is cut off."""
    if not data.startswith(CODESTREAM):
        found = dict(reversed(list(boxes(data))))  # the first of each kind
        part = found.get(b"jxlp", b"")[4:]
        data = found.get(b"jxlc", part) or _unfinished(data)
    bits = int.from_bytes(data[2:14].ljust(12, b"\0"), "little")
    if len(data) < 4:
        return None

    def take(count: int) -> int:
        nonlocal bits
        value, bits = bits & ((1 << count) - 1), bits >> count
        return value

    is_small = bool(take(1))

    def side() -> int:
        return 8 * (1 + take(5)) if is_small else 1 + take(SIDE_BITS[take(2)])

    height, ratio = side(), take(3)
    if ratio == 0:
        return side(), height
    across, down = RATIOS[ratio - 1]
    return height * across // down, height


def _unfinished(data: bytes) -> bytes:
    """The codestream of a last box that is not whole, or whose size is not told."""
    at = data.find(b"jxlc")
    return data[at + 4 :] if at >= 0 else b""


def write(raster: Raster) -> bytes:
    """uint8 pixels as JPEG XL, without loss at 100; colours of a profile become sRGB's.

    Raises:
        MissingExtra: pillow-jxl-plugin is not installed.
    """
    extra_module("pillow_jxl", "writing JPEG XL", "jxl", "pillow-jxl-plugin")
    colour, meta = raster.colour, raster.meta
    if meta.icc and colour.ndim == 3:  # the plug-in writes no profile
        source = ImageCms.ImageCmsProfile(BytesIO(meta.icc))
        shown = ImageCms.profileToProfile(
            PIL.Image.fromarray(colour), source, ImageCms.createProfile("sRGB")
        )
        raster = replace(raster, colour=np.asarray(shown))
    quality = QUALITY if raster.quality is None else raster.quality
    out = BytesIO()
    PIL.Image.fromarray(raster.channels()).save(
        out,
        "JXL",
        quality=quality,
        lossless=quality == 100,
        use_container=bool(meta.exif or meta.xmp),
        exif=meta.exif or b"",
        xmp=meta.xmp,
    )
    return out.getvalue()
