"""A photo to bytes, in the depth and with the metadata that it came with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BytesIO

import numpy as np
import PIL.Image

from relume.errors import OutputError, ParameterError, RelumeError
from relume.io import extras
from relume.io.exif import icc_for_mode, sanitized_exif
from relume.io.formats import SUFFIXES
from relume.io.jpeg import encode_jpeg
from relume.io.png import encode_png
from relume.io.raster import is_grey, quantised
from relume.io.tiff import encode_tiff
from relume.photo import Array, Meta, Photo, check_image

WEBP_QUALITY = 92
AVIF_QUALITY = 85
WEBP_LARGEST_SIDE_PX = 16383
AVIF_LARGEST_SIDE_PX = 65536


@dataclass(frozen=True)
class Packed:
    """A photo's pixels in the depth that is written: (H, W) or (H, W, 3), and alpha."""

    values: Array
    alpha: Array | None
    meta: Meta
    quality: int | None

    def channels(self) -> Array:
        """Colour and alpha in one array."""
        return self.values if self.alpha is None else np.dstack([self.values, self.alpha])


def encode(photo: Photo, format: str, *, quality: int | None = None) -> bytes:
    """The photo as "jpeg", "png", "webp", "tiff", "avif" or "heif", metadata included.

    PNG keeps 8 or 16 bits, TIFF 8, 16 or float; the others have 8. Values are clamped and rounded
    once. Grey photos are written grey where the format has grey (and only while their pixels are
    grey). JPEG has no alpha: there the photo is laid on white. ``quality``, 1 to 100, is for the
    lossy formats (100 is lossless in WebP); without it a JPEG gets about its input's quality.

    Raises:
        OutputError: an unknown format, or a picture that it cannot hold.
        ParameterError: a quality outside 1 to 100.
        InputError: pixels that break the array contract.
        MissingExtra: HEIC without pillow-heif.
    """
    if format not in ENCODERS:
        raise OutputError(f"cannot write the format {format!r}; expected {', '.join(ENCODERS)}")
    if quality is not None and not 1 <= quality <= 100:
        raise ParameterError(f"quality must be 1 to 100, got {quality}")
    check_image(photo.pixels)
    try:
        return ENCODERS[format](_packed(photo, format, quality))
    except (RelumeError, MemoryError):
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise OutputError(f"could not make a {format.upper()}: {reason}") from error


def _packed(photo: Photo, format: str, quality: int | None) -> Packed:
    dtype = _dtype(photo.depth_bits, format)
    # a caller's own EXIF may be anything
    meta = replace(photo.meta, exif=sanitized_exif(photo.meta.exif)[1])
    pixels = photo.pixels
    if photo.alpha is not None and format == "jpeg":
        opaque = photo.alpha[:, :, None]
        pixels = pixels * opaque + (1 - opaque)
    if photo.meta.grey and is_grey(pixels):
        values = quantised(np.ascontiguousarray(pixels[:, :, 0]), dtype)
    else:
        values = quantised(pixels, dtype)
    has_alpha = photo.alpha is not None and format != "jpeg"
    alpha = quantised(photo.alpha, dtype) if has_alpha and photo.alpha is not None else None
    return Packed(values, alpha, meta, quality)


def _dtype(depth_bits: int, format: str) -> type[np.generic]:
    if format == "tiff" and depth_bits > 16:
        return np.float32
    return np.uint16 if depth_bits > 8 and format in ("png", "tiff") else np.uint8


def _jpeg(packed: Packed) -> bytes:
    meta = packed.meta
    return encode_jpeg(packed.values, meta, packed.quality)


def _png(packed: Packed) -> bytes:
    return encode_png(packed.values, packed.alpha, packed.meta)


def _tiff(packed: Packed) -> bytes:
    return encode_tiff(packed.values, packed.alpha, packed.meta)


def _webp(packed: Packed) -> bytes:
    _check_sides(packed, "WebP", WEBP_LARGEST_SIDE_PX)
    quality = WEBP_QUALITY if packed.quality is None else packed.quality
    # exact: what lies below transparent places stays too
    return _save(packed, "WEBP", quality=quality, lossless=quality == 100, exact=True, method=4)


def _avif(packed: Packed) -> bytes:
    _check_sides(packed, "AVIF", AVIF_LARGEST_SIDE_PX)
    return _save(packed, "AVIF", quality=AVIF_QUALITY if packed.quality is None else packed.quality)


def _heif(packed: Packed) -> bytes:
    return extras.encode_heif(packed.values, packed.alpha, packed.meta, packed.quality)


def _save(packed: Packed, format: str, **options: int | bool) -> bytes:
    meta = packed.meta
    icc = icc_for_mode(meta.icc, grey=packed.values.ndim == 2)
    packets = {"exif": meta.exif, "icc_profile": icc, "xmp": meta.xmp}
    given = {key: value for key, value in packets.items() if value}
    out = BytesIO()
    PIL.Image.fromarray(packed.channels()).save(out, format, **options, **given)
    return out.getvalue()


def _check_sides(packed: Packed, format: str, largest_px: int) -> None:
    height, width = packed.values.shape[:2]
    if max(height, width) > largest_px:
        raise OutputError(
            f"{format} holds at most {largest_px} pixels a side, got {width} x {height}; "
            "write PNG or TIFF"
        )


ENCODERS: dict[str, Callable[[Packed], bytes]] = {
    "jpeg": _jpeg,
    "png": _png,
    "webp": _webp,
    "tiff": _tiff,
    "avif": _avif,
    "heif": _heif,
}
assert ENCODERS.keys() == SUFFIXES.keys()
