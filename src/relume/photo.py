"""A photograph in memory, and the array contract that the whole package assumes.

**The contract.** An image is ``float32 (H, W, 3)``, RGB, sRGB-encoded, in [0, 1]. The range
follows the *dtype* at the door (uint8 / 255, uint16 / 65535, float as it is), never the
content: a dark 16-bit file whose brightest value is 200 is still 16 bit. A point is (x, y), a
box (x0, y0, x1, y1), in pixels, origin top-left, half open. Other docstrings name only what
departs from this.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from importlib import import_module
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from relume.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Image: TypeAlias = npt.NDArray[np.float32]
Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class Meta:
    """What a file says about its picture, carried from the input to the output.

    ``exif`` has its orientation already applied to the pixels and reset to 1. ``icc`` is the
    colour profile of the pixels, ``xmp`` an XML packet, ``iptc`` its IIM records; all are raw
    bytes or None. ``text`` are pairs of keyword and text (PNG's; a JPEG's comment is
    "Comment"). ``notes`` tell the user what reading had to change (CMYK converted, say).
    """

    format: str = ""
    exif: bytes | None = None
    icc: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    text: tuple[tuple[str, str], ...] = ()
    dpi: tuple[float, float] | None = None
    grey: bool = False
    jpeg_quality: int | None = None
    jpeg_subsampling: str | None = None
    jpeg_progressive: bool = False
    lossless: bool = False
    size_bytes: int | None = None
    file_mode: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, repr=False)
class Photo:
    """A picture, with what has to survive around it.

    ``pixels`` are ``float32 (H, W, 3)``, RGB, sRGB-encoded, in [0, 1].
    ``alpha`` is ``float32 (H, W)`` in [0, 1] or None, ``depth_bits`` the bits a channel had in the
    file (8, 16 or 32 for float) and will have again. A photo equals only itself.
    """

    pixels: Image
    alpha: Image | None = None
    depth_bits: int = 8
    meta: Meta = field(default_factory=Meta)

    def __repr__(self) -> str:
        shape, bits, format = self.pixels.shape, self.depth_bits, self.meta.format
        return f"Photo(shape={shape}, depth_bits={bits}, format={format!r})"

    def with_pixels(self, pixels: Image) -> Photo:
        """The same photo, showing other pixels of the same size.

        Raises:
            InputError: pixels of another shape.
        """
        if pixels.shape != self.pixels.shape:
            raise InputError(
                f"expected pixels of shape {self.pixels.shape}, got {pixels.shape}: "
                "an enhanced photo keeps its size"
            )
        return replace(self, pixels=pixels)

    def save(
        self, path: str | Path, *, overwrite: bool = False, quality: int | None = None
    ) -> Path:
        """Write it, whole or not at all, in the format that the path's ending names.

        ``quality``, 1 to 100, is of lossy formats, by default like the photo's own. The path is
        given back.

        Raises:
            OutputExists: a file that is there, while ``overwrite`` is false.
            OutputError: an unknown ending, or a folder where nothing can be written.
            ParameterError: a quality outside its range.
            MissingExtra: HEIC without the package that writes it.
        """
        # by name, as the package root does: io stands above this room and imports it
        write: Callable[..., Path] = import_module("relume.io").write
        return write(self, path, overwrite=overwrite, quality=quality)


def check_image(image: Array) -> Image:
    """``image`` itself, if it keeps the array contract.

    Raises:
        InputError: wrong dtype, shape or size, or values that are not finite.
    """
    _check_array(image)
    if image.dtype != np.float32 or image.shape[2:] != (3,) or 0 in image.shape:
        raise InputError(
            f"expected a float32 image of shape (H, W, 3), got {image.dtype} {image.shape}"
        )
    if not np.isfinite(image).all():
        raise InputError("expected finite values, got NaN or infinity in the image")
    return image


def to_image(array: Array) -> Image:
    """Bring a user's array to the contract; the range follows the dtype, never the content.

    Takes uint8, uint16, float32 or float64, in any byte order, of shape (H, W), (H, W, 1),
    (H, W, 3) or (H, W, 4) (a fourth channel is dropped here; :func:`from_image` brings it back).

    Raises:
        InputError: another dtype or shape, values that are not finite, floats outside [0, 1].
    """
    _check_array(array)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or 0 in array.shape:
        raise InputError(
            f"expected an image of shape (H, W), (H, W, 3) or (H, W, 4), got {array.shape}"
        )
    colour = array[:, :, :3] if array.shape[2] != 1 else np.repeat(array, 3, axis=2)
    if array.dtype.newbyteorder("=") not in (np.uint8, np.uint16, np.float32, np.float64):
        raise InputError(f"expected dtype uint8, uint16, float32 or float64, got {array.dtype}")
    return as_float(colour)


def check_several(pictures: object) -> None:
    """Nothing, unless it is one picture where several are expected.

    Raises:
        InputError: it is one Photo, or one array that would be taken for a row of pictures.
    """
    if isinstance(pictures, Photo) or (isinstance(pictures, np.ndarray) and pictures.ndim < 4):
        raise InputError("expected several pictures, got one: put it in a list")


def _check_array(given: object) -> None:
    if isinstance(given, np.ndarray):
        return
    is_path = isinstance(given, str | PathLike)
    todo = "read a file with relume.read(path)" if is_path else "make one with numpy.asarray"
    raise InputError(f"expected a numpy array or a Photo, got {type(given).__name__}; {todo}")


def as_float(values: Array) -> Image:
    """uint8 / 255, uint16 / 65535, or floats in [0, 1], as float32 of the same shape.

    Raises:
        InputError: floats that are not finite, or outside [0, 1].
    """
    if values.dtype.kind == "u":
        return np.divide(values, np.float32(np.iinfo(values.dtype).max), dtype=np.float32)
    if not np.isfinite(values).all():
        raise InputError("expected finite values, got NaN or infinity in the picture")
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 1:
        raise InputError(
            f"expected floating point values in [0, 1], got {low:.7g} to {high:.7g}; "
            "clip them, or divide by the largest value of the original dtype"
        )
    return np.ascontiguousarray(values, np.float32)


def from_image(image: Image, like: Array) -> Array:
    """``image`` in the dtype and channel layout of the array ``like`` that it came from."""
    if like.ndim == 2 or like.shape[2] == 1:
        # our own methods keep grey grey; a mean is exact for equal channels
        return quantise(image.mean(axis=2), like.dtype).reshape(like.shape)
    out = quantise(image, like.dtype)
    return np.dstack([out, like[:, :, 3]]) if like.shape[2] == 4 else out


def quantise(values: Array, dtype: npt.DTypeLike) -> Array:
    """Values in [0, 1] as ``dtype``: clamped, scaled to its full range, rounded to nearest."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return np.clip(values, 0.0, 1.0).astype(dtype)
    import cv2  # here, so that importing relume stays light

    # it saturates and rounds as it converts: one pass, where NumPy takes five
    depth = {1: cv2.CV_8U, 2: cv2.CV_16U}[dtype.itemsize]
    out = cv2.addWeighted(values, float(np.iinfo(dtype).max), values, 0, 0, dtype=depth)
    return np.asarray(out).reshape(values.shape).astype(dtype, copy=False)
