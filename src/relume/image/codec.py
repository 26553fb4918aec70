"""Photos in and out of files: :func:`read`, :func:`decode`, :func:`encode`, :func:`write`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from relume.errors import UnreadableInput
from relume.image.decoding import decode
from relume.image.encoding import encode
from relume.image.files import write_whole
from relume.image.formats import READABLE_SUFFIXES, WRITABLE, format_of
from relume.photo import Photo

__all__ = [
    "READABLE_SUFFIXES",
    "WRITABLE",
    "decode",
    "encode",
    "format_of",
    "read",
    "write",
]


def read(source: str | Path | bytes | BinaryIO, *, max_megapixels: float = 200.0) -> Photo:
    """A photo from a path, from bytes, or from an open binary file.

    Orientation is applied; depth, alpha, EXIF, ICC and XMP are kept.

    Raises:
        UnreadableInput: missing, forbidden, empty, truncated, or not a picture.
        TooLarge: more than ``max_megapixels``.
        MissingExtra: HEIC or camera raw without the extra for it.
    """
    if isinstance(source, bytes):
        return decode(source, max_megapixels=max_megapixels)
    if not isinstance(source, str | os.PathLike):
        return decode(source.read(), max_megapixels=max_megapixels)
    path = Path(source)
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = "it is a folder" if path.is_dir() else (error.strerror or str(error)).lower()
        raise UnreadableInput(f"cannot read {path}: {reason}") from error
    return decode(data, name=str(path), max_megapixels=max_megapixels)


def write(
    photo: Photo, path: str | Path, *, overwrite: bool = False, quality: int | None = None
) -> Path:
    """Write the photo to ``path`` in the format of its ending; the file appears whole or not.

    Raises:
        OutputError: the file exists, the ending is unknown, or it cannot be written.
    """
    path = Path(path)
    write_whole(path, encode(photo, format_of(path), quality=quality), overwrite=overwrite)
    return path
