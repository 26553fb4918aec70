"""Camera raw, developed by LibRaw; it is read, not written."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np

from relume.errors import UnreadableInput, extra_module
from relume.io.exif import EXIF_PREFIX, extract_exif
from relume.io.raster import Raster, check_size, open_header
from relume.photo import Meta


def read(data: bytes, max_megapixels: float) -> Raster:
    """Camera raw, developed to 16 bits: the camera's white balance, sRGB, no brightening.

    Raises:
        MissingExtra: rawpy is not installed.
        UnreadableInput: a damaged file or an unknown camera.
        TooLarge: more pixels than allowed.
    """
    rawpy = extra_module("rawpy", "reading camera raw", "raw")
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
            exif = _exif(data) or _preview_exif(raw)
    except rawpy.LibRawError as error:
        raise UnreadableInput(f"damaged raw file or unknown camera: {error}") from error
    left = "XMP and maker note stay" if exif else "metadata stay"
    note = f"camera raw was developed by LibRaw with the camera's white balance; its {left} behind"
    # LibRaw has turned the pixels already
    return Raster(np.asarray(pixels, np.uint16), meta=Meta(exif=exif, notes=(note,)), orientation=1)


def _exif(data: bytes) -> bytes | None:
    """The EXIF of raw files that are TIFFs but for their first bytes: most are."""
    start = {b"II": b"II*\0", b"MM": b"MM\0*"}.get(data[:2])
    return None if start is None else extract_exif(start + data[4:], of_raw=True)


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
    if not isinstance(exif, bytes):
        return None
    return extract_exif(exif.removeprefix(EXIF_PREFIX), of_raw=True)
