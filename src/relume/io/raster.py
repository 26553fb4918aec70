"""Pixels as they are in a file, and their way to the array contract and back."""

from __future__ import annotations

import ctypes
import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
from PIL import ImageFile, UnidentifiedImageError

from relume.errors import OutputError, TooLarge, UnreadableInput
from relume.image.color import is_grey
from relume.io import xmp
from relume.io.encoding import Encoding, converted
from relume.io.exif import icc_for_mode, sanitized_exif, upright
from relume.io.formats import Format
from relume.photo import Array, Meta, Photo, as_float, check_image, quantise

OPENCV_LOG_LEVEL = cv2.utils.logging.getLogLevel()
LARGEST_DPI = 1e6
_HEADERS = threading.Lock()
_SILENCE = threading.Lock()
_silent = 0
"""Threads in OpenCV's decoders."""


@dataclass
class Raster:
    """A file's picture: ``colour`` (H, W) or RGB (H, W, 3) of uint8, uint16 or float32.

    ``alpha`` has the dtype of ``colour``. Read, pixels and ``meta`` are as stored;
    ``orientation``, where it is not 0, comes before the EXIF's and the XMP's, ``encoding`` is what
    the file says of its colours beside an ICC profile, ``left_out`` what it has beside the
    picture. Written, ``quality`` is what was asked for.
    """

    colour: Array
    alpha: Array | None = None
    meta: Meta = field(default_factory=Meta)
    orientation: int = 0
    encoding: Encoding | None = None
    left_out: tuple[str, ...] = ()
    quality: int | None = None

    def describe(self, **fields: Any) -> None:
        """Set fields of ``meta``."""
        self.meta = replace(self.meta, **fields)

    def note(self, text: str) -> None:
        """Tell the user of something that reading changed."""
        self.describe(notes=(*self.meta.notes, text))

    def channels(self) -> Array:
        """Colour and alpha in one array."""
        return self.colour if self.alpha is None else np.dstack([self.colour, self.alpha])

    def to_photo(self, format: str, size_bytes: int) -> Photo:
        """The photo by the array contract: upright, float32, RGB.

        Raises:
            InputError: floats that are not finite, or outside [0, 1].
        """
        orientation, exif = sanitized_exif(self.meta.exif)
        packet = xmp.plain(self.meta.xmp)
        orientation = self.orientation or orientation or packet.orientation or 1
        colour = upright(self.colour, orientation)
        alpha = None if self.alpha is None else as_float(upright(self.alpha, orientation))
        dpi = self.meta.dpi[::-1] if self.meta.dpi and orientation >= 5 else self.meta.dpi
        pixels = as_float(colour)
        if colour.ndim == 2:
            pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), np.float32)
        pixels, icc, change = converted(pixels, self.encoding, self.meta.icc or None)
        if change:
            self.note(change)
        if gone := dict.fromkeys((*self.left_out, *packet.left_out)):
            self.note(f"{' and '.join(gone)} {'is' if len(gone) == 1 else 'are'} left out")
        meta = replace(
            self.meta,
            format=format,
            exif=exif,
            icc=icc,
            xmp=packet.packet,
            dpi=dpi,
            grey=colour.ndim == 2,
            size_bytes=size_bytes,
        )
        return Photo(pixels, alpha, 8 * colour.dtype.itemsize, meta)


def from_photo(photo: Photo, format: Format, quality: int | None) -> Raster:
    """What is written of the photo in that format: depth, channels and metadata it can hold.

    Raises:
        InputError: pixels that break the array contract.
        OutputError: a side longer than the format can have.
    """
    pixels = check_image(photo.pixels)
    height, width = pixels.shape[:2]
    if format.longest_side_px and max(height, width) > format.longest_side_px:
        raise OutputError(
            f"{format.name.upper()} holds at most {format.longest_side_px} pixels a side, got "
            f"{width} x {height}; write PNG or TIFF"
        )
    alpha = photo.alpha
    if alpha is not None and not format.alpha:
        opaque = alpha[:, :, None]
        pixels, alpha = pixels * opaque + (1 - opaque), None
    bits = min(photo.depth_bits, format.bits)
    dtype = np.float32 if bits > 16 else np.uint16 if bits > 8 else np.uint8
    grey = photo.meta.grey and is_grey(pixels)
    colour = quantise(np.ascontiguousarray(pixels[:, :, 0]) if grey else pixels, dtype)
    # a caller's own EXIF may be anything, and so may a damaged file's dots per inch
    exif, dpi = sanitized_exif(photo.meta.exif)[1], photo.meta.dpi
    dpi = dpi if dpi and all(0 < value <= LARGEST_DPI for value in dpi) else None
    meta = replace(photo.meta, exif=exif, icc=icc_for_mode(photo.meta.icc, grey=grey), dpi=dpi)
    return Raster(colour, None if alpha is None else quantise(alpha, dtype), meta, quality=quality)


def check_size(width: int, height: int, max_megapixels: float) -> None:
    """Nothing, if a picture of this size may be decoded.

    Raises:
        TooLarge: more pixels than ``max_megapixels`` million.
        UnreadableInput: no pixels at all.
    """
    if width < 1 or height < 1:
        raise UnreadableInput(f"damaged: it claims a size of {width} x {height} pixels")
    megapixels = width * height / 1e6
    if megapixels > max_megapixels:
        raise TooLarge(
            f"{width} x {height} is {megapixels:.1f} megapixels, more than the limit of "
            f"{max_megapixels:g}; if the file is to be trusted, raise it (max_megapixels, "
            "--max-megapixels)"
        )


def open_header(data: bytes) -> ImageFile.ImageFile:
    """The picture with its header read by Pillow, and no pixel decoded.

    Pillow's limit on pixels is switched off for that moment, as :func:`check_size` has one that
    the caller sets; its warnings about odd metadata are none of the user's business.

    Raises:
        UnreadableInput: not a picture that Pillow knows.
    """
    try:
        with _quiet():
            picture = PIL.Image.open(io.BytesIO(data))
            if picture.format in ("PNG", "TIFF", "WEBP", "AVIF"):
                with suppress(Exception):  # damaged EXIF is no reason to refuse a picture
                    picture.getexif()  # parsed now, under the lock, and kept by Pillow
            return picture
    except UnidentifiedImageError as error:
        raise UnreadableInput("not a picture, or a damaged one") from error


def _silence_libtiff() -> None:
    """Stop the libtiff of Pillow's wheels from printing: what is wrong is said by us, once.

    Where Pillow has linked it in (on Windows), there is no way to.
    """
    packages = Path(PIL.Image.__file__).parents[1]
    for path in (*packages.glob("pillow.libs/libtiff*"), *packages.glob("PIL/.dylibs/libtiff*")):
        with suppress(OSError, AttributeError):
            library = ctypes.CDLL(str(path))
            library.TIFFSetErrorHandler(None)
            library.TIFFSetWarningHandler(None)


_silence_libtiff()


@contextmanager
def _quiet() -> Iterator[None]:
    # both are global to the process, so one thread at a time
    with _HEADERS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit = PIL.Image.MAX_IMAGE_PIXELS
        PIL.Image.MAX_IMAGE_PIXELS = None
        try:
            yield
        finally:
            PIL.Image.MAX_IMAGE_PIXELS = limit


def decode_opencv(data: bytes, how: int = cv2.IMREAD_UNCHANGED) -> Array | None:
    """The pixels as OpenCV decodes them, as they are stored if not asked otherwise, or None.

    Without its warnings: what is wrong is said by us, once.
    """
    with _opencv_silent():
        try:
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), how)
        except cv2.error:
            return None
    return None if pixels is None else np.asarray(pixels)


@contextmanager
def _opencv_silent() -> Iterator[None]:
    """Its log is global to the process: the first thread stops it, the last lets it go on."""
    global _silent
    with _SILENCE:
        _silent += 1
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        with _SILENCE:
            _silent -= 1
            if not _silent:
                cv2.utils.logging.setLogLevel(OPENCV_LOG_LEVEL)


def unmultiplied(colour: Array, alpha: Array) -> Array:
    """Colours as they are, of those multiplied with alpha (associated, premultiplied)."""
    whole = np.float32(1 if colour.dtype.kind == "f" else np.iinfo(colour.dtype).max)
    share = np.divide(whole, alpha, where=alpha > 0, out=np.zeros(alpha.shape, np.float32))
    plane = share if colour.ndim == 2 else share[:, :, None]
    rounded = np.clip(colour * plane, 0, whole)
    rounded = rounded if colour.dtype.kind == "f" else np.rint(rounded)
    return np.asarray(rounded.astype(colour.dtype))


def encode_opencv(raster: Raster, suffix: str, options: list[int]) -> bytes:
    """Grey, RGB or RGBA pixels as OpenCV compresses them, without metadata.

    Raises:
        OutputError: OpenCV refuses.
    """
    pixels = raster.colour
    if pixels.ndim == 3:
        has_alpha = raster.alpha is not None
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGRA if has_alpha else cv2.COLOR_RGB2BGR)
        if raster.alpha is not None:
            pixels[:, :, 3] = raster.alpha
    done, data = cv2.imencode(suffix, pixels, options)
    if not done:
        raise OutputError(f"OpenCV could not make a {suffix} file of {pixels.shape} pixels")
    return data.tobytes()


def split(decoded: Array) -> tuple[Array, Array | None]:
    """OpenCV's channels, grey, BGR or BGRA, as grey or RGB, and alpha."""
    if decoded.ndim == 2:
        return decoded, None
    if decoded.shape[2] == 3:
        # in place: the decoded pixels are ours
        return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB, dst=decoded), None
    alpha = np.ascontiguousarray(decoded[:, :, 3])
    return cv2.cvtColor(decoded, cv2.COLOR_BGRA2RGB), alpha
