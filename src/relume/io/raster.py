"""Pixels as they come out of a file, and their way to the array contract and back."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from relume.errors import InputError
from relume.image.parallel import row_blocks
from relume.io.exif import plain_xmp, sanitized_exif, upright
from relume.photo import Array, Image, Meta, Photo, quantise

LEVELS_8 = np.arange(256, dtype=np.float32) / np.float32(255)


@dataclass
class Raster:
    """A decoded file: ``colour`` (H, W) or RGB (H, W, 3) of uint8, uint16 or float32.

    ``alpha`` has the dtype of ``colour``. EXIF and pixels are as stored; ``orientation``, where it
    is not 0, comes before the EXIF's.
    """

    colour: Array
    alpha: Array | None = None
    exif: bytes | None = None
    icc: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    orientation: int = 0
    jpeg_quality: int | None = None
    jpeg_subsampling: str | None = None
    notes: list[str] = field(default_factory=list)

    def to_photo(self, format: str, size_bytes: int) -> Photo:
        """The photo by the array contract: upright, float32, RGB.

        Raises:
            InputError: floats that are not finite, or outside [0, 1].
        """
        orientation, exif = sanitized_exif(self.exif)
        orientation = self.orientation or orientation
        colour = upright(self.colour, orientation)
        alpha = None if self.alpha is None else as_float(upright(self.alpha, orientation))
        dpi = self.dpi[::-1] if self.dpi and orientation >= 5 else self.dpi
        is_grey = colour.ndim == 2
        meta = Meta(
            format=format,
            exif=exif,
            icc=self.icc or None,
            xmp=plain_xmp(self.xmp),
            dpi=dpi,
            grey=is_grey,
            jpeg_quality=self.jpeg_quality,
            jpeg_subsampling=self.jpeg_subsampling,
            size_bytes=size_bytes,
            notes=tuple(self.notes),
        )
        pixels = as_float(colour)
        if is_grey:
            pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), np.float32)
        return Photo(pixels, alpha, 8 * colour.dtype.itemsize, meta)


def split(decoded: Array) -> tuple[Array, Array | None]:
    """OpenCV's channels, grey, BGR or BGRA, as grey or RGB, and alpha."""
    if decoded.ndim == 2:
        return decoded, None
    if decoded.shape[2] == 3:
        # in place: the decoded pixels are ours
        return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB, dst=decoded), None
    alpha = np.ascontiguousarray(decoded[:, :, 3])
    return cv2.cvtColor(decoded, cv2.COLOR_BGRA2RGB), alpha


def as_float(values: Array) -> Image:
    """uint8 / 255, uint16 / 65535, or floats that are checked; float32, one allocation.

    Raises:
        InputError: floats that are not finite, or outside [0, 1].
    """
    if values.dtype == np.uint8:
        # a table of 256 quotients: exact, and several times faster than 36 million divisions
        return np.asarray(cv2.LUT(values, LEVELS_8), np.float32).reshape(values.shape)
    if values.dtype == np.uint16:
        return np.divide(values, np.float32(65535), dtype=np.float32)
    if not np.isfinite(values).all():
        raise InputError("expected finite values, got NaN or infinity in a floating point picture")
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 1:
        raise InputError(
            f"expected floating point values in [0, 1], got {low:.3g} to {high:.3g}; "
            "scale them, or save the picture with 16 bits"
        )
    return np.ascontiguousarray(values, np.float32)


def quantised(image: Image, dtype: npt.DTypeLike) -> Array:
    """:func:`relume.photo.quantise`, in one pass where there are whole numbers to make."""
    if np.dtype(dtype).kind == "f":
        return quantise(image, dtype)
    # OpenCV saturates and rounds to nearest as it converts
    depth = {1: cv2.CV_8U, 2: cv2.CV_16U}[np.dtype(dtype).itemsize]
    out = cv2.addWeighted(image, float(np.iinfo(dtype).max), image, 0, 0, dtype=depth)
    return np.asarray(out).reshape(image.shape)


def is_grey(image: Image) -> bool:
    """Whether all three channels are equal everywhere."""
    return all((image[rows, :, :1] == image[rows, :, 1:]).all() for rows in row_blocks(image))
