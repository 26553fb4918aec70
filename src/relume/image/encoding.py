"""A :class:`Photo` to bytes: the depth, alpha and metadata that it came with."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from PIL import Image as PillowImage
from PIL import PngImagePlugin

from relume.errors import MissingExtra, OutputError, ParameterError
from relume.image import exif as exif_bytes
from relume.photo import Array, Photo, quantise

DEFAULT_QUALITY = {"jpeg": 92, "webp": 90, "avif": 80, "heif": 85}
LOWEST_QUALITY = 75
"""A JPEG is not made worse than this to keep its size."""

GROWTH = 1.5
"""How much larger than the file it came from a JPEG may become, if its quality allows."""

SUBSAMPLING = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2}


def encode(photo: Photo, format: str, *, quality: int | None = None) -> bytes:
    """The photo as a file of ``format``: jpeg, png, webp, tiff, avif or heif.

    16 bit stays 16 bit in PNG and TIFF; the others have 8. A JPEG that came from one keeps its
    quality and subsampling, lowered (not below 75) where the file would grow beyond 1.5 times:
    a dark photo's file is small because there is little to see in it. ``quality`` (1-100) is for
    the lossy formats and overrules this.

    Raises:
        OutputError: an unknown format, or the picture cannot be written in it.
        ParameterError: a quality outside 1-100.
        MissingExtra: HEIF without its extra.
    """
    if quality is not None and not 1 <= quality <= 100:
        raise ParameterError(f"quality must be 1 to 100, got {quality}")
    if format not in _ENCODERS:
        raise OutputError(f"expected a format among {', '.join(_ENCODERS)}, got {format!r}")
    try:
        return _ENCODERS[format](photo, quality)
    except (OSError, ValueError, cv2.error) as error:
        raise OutputError(f"cannot write the picture as {format}: {error}") from error


def _jpeg(photo: Photo, quality: int | None) -> bytes:
    meta = photo.meta
    picture = _pillow(photo, alpha=False)
    subsampling = SUBSAMPLING.get(meta.jpeg_subsampling or "", 0 if meta.format != "jpeg" else 2)

    def at(q: int) -> bytes:
        options = _metadata(photo) | {"quality": q, "subsampling": subsampling}
        return _saved(picture, "JPEG", **options)

    if quality is not None:
        return at(quality)
    start = min(meta.jpeg_quality or DEFAULT_QUALITY["jpeg"], 95)
    data = at(start)
    if meta.format != "jpeg" or not meta.size_bytes:
        return data
    low, high = LOWEST_QUALITY, start
    # bisection for the best quality that keeps the size; five encodings at the most
    while len(data) > GROWTH * meta.size_bytes and high - low > 1:
        middle = (low + high) // 2
        attempt = at(middle)
        if len(attempt) <= GROWTH * meta.size_bytes:
            low = middle
        else:
            high = middle
        if high - low <= 1:
            data = at(low)
            break
    return data


def _png(photo: Photo, quality: int | None) -> bytes:
    del quality
    if photo.depth_bits > 8:
        kinds, values = _opencv_metadata(photo)
        effort = [cv2.IMWRITE_PNG_COMPRESSION, 4]
        ok, data = cv2.imencodeWithMetadata(
            ".png", _opencv(photo, deepest=16), kinds, values, effort
        )
        if not ok:
            raise OutputError("OpenCV cannot write this picture as PNG")
        return bytes(data)
    options = _metadata(photo)
    xmp = options.pop("xmp", None)
    if xmp:
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8", "replace"))
        options["pnginfo"] = info
    return _saved(_pillow(photo), "PNG", compress_level=4, **options)


def _tiff(photo: Photo, quality: int | None) -> bytes:
    del quality
    compression = [cv2.IMWRITE_TIFF_COMPRESSION, 8]  # deflate
    ok, data = cv2.imencode(".tiff", _opencv(photo), compression)
    if not ok:
        raise OutputError("OpenCV cannot write this picture as TIFF")
    meta = photo.meta
    return exif_bytes.with_tags(bytes(data), meta.exif, meta.icc, meta.xmp)


def _webp(photo: Photo, quality: int | None) -> bytes:
    quality = quality or DEFAULT_QUALITY["webp"]
    return _saved(_pillow(photo), "WEBP", quality=quality, method=4, **_metadata(photo))


def _avif(photo: Photo, quality: int | None) -> bytes:
    quality = quality or DEFAULT_QUALITY["avif"]
    return _saved(_pillow(photo), "AVIF", quality=quality, speed=7, **_metadata(photo))


def _heif(photo: Photo, quality: int | None) -> bytes:
    try:
        import pillow_heif
    except ImportError:
        raise MissingExtra("writing HEIC", "heif", "pillow-heif") from None
    pillow_heif.register_heif_opener()
    quality = quality or DEFAULT_QUALITY["heif"]
    return _saved(_pillow(photo), "HEIF", quality=quality, **_metadata(photo))


_ENCODERS: dict[str, Callable[[Photo, int | None], bytes]] = {
    "jpeg": _jpeg,
    "png": _png,
    "webp": _webp,
    "tiff": _tiff,
    "avif": _avif,
    "heif": _heif,
}


def _metadata(photo: Photo) -> dict[str, Any]:
    """Pillow's options for the metadata that there is."""
    meta = photo.meta
    options = {"exif": meta.exif, "icc_profile": meta.icc, "xmp": meta.xmp, "dpi": meta.dpi}
    return {name: value for name, value in options.items() if value}


def _opencv_metadata(photo: Photo) -> tuple[list[int], list[Array]]:
    meta = photo.meta
    exif = meta.exif.removeprefix(exif_bytes.PREFIX) if meta.exif else None
    given = {
        cv2.IMAGE_METADATA_EXIF: exif,
        cv2.IMAGE_METADATA_ICCP: meta.icc,
        cv2.IMAGE_METADATA_XMP: meta.xmp and meta.xmp + b"\0",  # it is read as a C string
    }
    present = {kind: np.frombuffer(v, np.uint8) for kind, v in given.items() if v}
    return list(present), list(present.values())


def _pillow(photo: Photo, *, alpha: bool = True) -> PillowImage.Image:
    """The photo in 8 bit, grey if it was."""
    values = quantise(photo.pixels[:, :, 0] if photo.meta.grey else photo.pixels, np.uint8)
    if alpha and photo.alpha is not None:
        return PillowImage.fromarray(np.dstack([values, quantise(photo.alpha, np.uint8)]))
    return PillowImage.fromarray(np.ascontiguousarray(values))


def _opencv(photo: Photo, *, deepest: int = 32) -> Array:
    """The photo as OpenCV writes it: BGR(A) or grey, 8 or 16 bit, float for float."""
    kind = {8: np.uint8, 16: np.uint16, 32: np.float32}[min(photo.depth_bits, deepest)]
    if photo.meta.grey and photo.alpha is None:
        return quantise(photo.pixels[:, :, 0], kind)
    bgr = photo.pixels[:, :, ::-1]
    if photo.alpha is not None:
        bgr = np.dstack([bgr, photo.alpha])
    return np.ascontiguousarray(quantise(bgr, kind))


def _saved(picture: PillowImage.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()
