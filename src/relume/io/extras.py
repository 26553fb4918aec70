"""HEIC and camera raw, read and written by packages that not everybody needs."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import PIL.Image

from relume.errors import MissingExtra, UnreadableInput
from relume.io.opening import check_size, open_header
from relume.io.raster import Raster
from relume.photo import Array, Meta

DEFAULT_HEIF_QUALITY = 90


def read_heif(data: bytes, max_megapixels: float) -> Raster:
    """A HEIC photo; 10 and 12 bits become 16.

    Raises:
        MissingExtra: pillow-heif is not installed.
        UnreadableInput: a damaged file.
        TooLarge: more pixels than allowed.
    """
    heif = _pillow_heif("reading HEIC")
    try:
        # several pictures in a file are rare, thumbnails are not: only the main one is opened
        container = heif.open_heif(BytesIO(data), convert_hdr_to_8bit=False)
    except (ValueError, OSError, SyntaxError, EOFError, RuntimeError) as error:
        raise UnreadableInput(f"damaged HEIC: {error}") from error
    picture = container[container.primary_index]
    width, height = picture.size
    check_size(width, height, max_megapixels)
    pixels = np.array(picture)
    colour = pixels if pixels.ndim == 2 else pixels[:, :, :3]
    alpha = pixels[:, :, 3] if pixels.ndim == 3 and pixels.shape[2] == 4 else None
    info: dict[str, Any] = picture.info
    return Raster(
        np.ascontiguousarray(colour),
        None if alpha is None else np.ascontiguousarray(alpha),
        exif=info.get("exif"),
        icc=info.get("icc_profile"),
        xmp=info.get("xmp"),
        # libheif has turned the pixels already, by the container's own properties
        orientation=1,
    )


def encode_heif(values: Array, alpha: Array | None, meta: Meta, quality: int | None) -> bytes:
    """uint8 pixels as HEIC with the metadata.

    Raises:
        MissingExtra: pillow-heif is not installed.
    """
    _pillow_heif("writing HEIC").register_heif_opener()
    channels = values if alpha is None else np.dstack([values, alpha])
    packets = {"exif": meta.exif, "icc_profile": meta.icc, "xmp": meta.xmp}
    given = {key: value for key, value in packets.items() if value}
    out = BytesIO()
    PIL.Image.fromarray(channels).save(
        out, "HEIF", quality=DEFAULT_HEIF_QUALITY if quality is None else quality, **given
    )
    return out.getvalue()


def read_raw(data: bytes, max_megapixels: float) -> Raster:
    """Camera raw, developed to 16 bits: the camera's white balance, sRGB, no brightening.

    Raises:
        MissingExtra: rawpy is not installed.
        UnreadableInput: a damaged file or an unknown camera.
        TooLarge: more pixels than allowed.
    """
    try:
        import rawpy
    except ImportError:
        raise MissingExtra("reading camera raw", "raw", "rawpy") from None
    try:
        with rawpy.imread(BytesIO(data)) as raw:
            check_size(raw.sizes.width, raw.sizes.height, max_megapixels)
            pixels = raw.postprocess(
                use_camera_wb=True,
                no_auto_bright=True,
                output_bps=16,
                output_color=rawpy.ColorSpace.sRGB,
                gamma=(2.4, 12.92),
            )
            exif = _preview_exif(raw)
    except rawpy.LibRawError as error:
        raise UnreadableInput(f"damaged raw file or unknown camera: {error}") from error
    note = "camera raw was developed by LibRaw with the camera's white balance"
    # LibRaw has turned the pixels already
    return Raster(np.asarray(pixels, np.uint16), exif=exif, orientation=1, notes=[note])


def _preview_exif(raw: Any) -> bytes | None:
    """The EXIF of the embedded JPEG, where cameras repeat it; None if there is none."""
    import rawpy

    try:
        preview = raw.extract_thumb()
        if preview.format != rawpy.ThumbFormat.JPEG:
            return None
        exif = open_header(preview.data).info.get("exif")
    except (rawpy.LibRawError, UnreadableInput, OSError, ValueError, SyntaxError):
        return None
    return exif if isinstance(exif, bytes) else None


def _pillow_heif(what: str) -> Any:
    try:
        import pillow_heif
    except ImportError:
        raise MissingExtra(what, "heif", "pillow-heif") from None
    return pillow_heif
