"""Opening a picture with Pillow: the header first, its warnings and its own pixel limit held."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import PIL.Image
from PIL import ImageFile, UnidentifiedImageError

from relume.errors import TooLarge, UnreadableInput

_HEADERS = threading.Lock()


def open_header(data: bytes) -> ImageFile.ImageFile:
    """The picture with its header read and no pixel decoded.

    Pillow's limit on pixels is switched off for that moment, as :func:`check_size` has one that
    the caller sets; its warnings about odd metadata are none of the user's business.

    Raises:
        UnreadableInput: not a picture that Pillow knows.
    """
    try:
        with _quiet():
            picture = PIL.Image.open(io.BytesIO(data))
            if picture.format in ("PNG", "TIFF", "WEBP", "AVIF"):
                picture.getexif()  # parsed now, under the lock, and kept by Pillow
            return picture
    except UnidentifiedImageError as error:
        raise UnreadableInput("not a picture, or a damaged one") from error


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
            f"{max_megapixels:g}; if the file is to be trusted, raise it with --max-megapixels"
        )
