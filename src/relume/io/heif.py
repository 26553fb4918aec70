"""HEIC, read and written by pillow-heif, which not everybody needs."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np

from relume.errors import UnreadableInput, extra_module
from relume.io.boxes import encoding_of, left_out
from relume.io.pillow import packets
from relume.io.raster import Raster, check_size, unmultiplied
from relume.photo import Meta

DEFAULT_QUALITY = 90


def read(data: bytes, max_megapixels: float) -> Raster:
    """A HEIC photo; 10 and 12 bits become 16.

    Raises:
        MissingExtra: pillow-heif is not installed.
        UnreadableInput: a damaged file.
        TooLarge: more pixels than allowed.
    """
    heif = extra_module("pillow_heif", "reading HEIC", "heif", "pillow-heif")
    try:
        # several pictures in a file are rare, thumbnails are not: only the main one is opened
        container = heif.open_heif(BytesIO(data), convert_hdr_to_8bit=False)
        picture = container[container.primary_index]
    except (ValueError, OSError, SyntaxError, EOFError, RuntimeError, IndexError) as error:
        raise UnreadableInput(f"damaged HEIC, or of an unknown kind: {error}") from error
    width, height = picture.size
    check_size(width, height, max_megapixels)
    pixels = np.array(picture)
    if pixels.dtype == np.uint16:
        # 10 or 12 bits stand in the upper ones: white has to be 65535
        pixels |= pixels >> int(picture.info["bit_depth"])
    colour = pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels[:, :, :3])
    alpha = pixels[:, :, 3] if pixels.ndim == 3 and pixels.shape[2] == 4 else None
    if alpha is not None:
        alpha = np.ascontiguousarray(alpha)
        colour = unmultiplied(colour, alpha) if picture.premultiplied_alpha else colour
    info: dict[str, Any] = picture.info
    return Raster(
        colour,
        alpha,
        Meta(exif=info.get("exif"), icc=info.get("icc_profile"), xmp=info.get("xmp")),
        # libheif has turned the pixels already, by the container's own properties
        orientation=1,
        encoding=encoding_of(data),
        left_out=left_out(data),
    )


def write(raster: Raster) -> bytes:
    """uint8 pixels as HEIC with the metadata; uint16 ones get 10 bits.

    Raises:
        MissingExtra: pillow-heif is not installed.
    """
    heif = extra_module("pillow_heif", "writing HEIC", "heif", "pillow-heif")
    pixels = raster.channels()
    height, width = pixels.shape[:2]
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[pixels[0, 0].size]
    if pixels.dtype == np.uint16:
        mode += ";16"
    out = BytesIO()
    quality = DEFAULT_QUALITY if raster.quality is None else raster.quality
    heif.encode(
        mode, (width, height), pixels.tobytes(), out, quality=quality, **packets(raster.meta)
    )
    return out.getvalue()
