"""Photos as people have them: read from files, written to files, nothing lost on the way.

The door to this folder's codecs: ``decode`` and ``encode`` are in files of their own.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from relume.errors import UnreadableInput
from relume.io.atomic import check_writable, write_atomic
from relume.io.decoding import decode
from relume.io.encoding import encode
from relume.io.formats import READABLE_SUFFIXES, format_of
from relume.photo import Photo

__all__ = ["READABLE_SUFFIXES", "decode", "encode", "format_of", "read", "write"]


def read(source: str | Path | bytes | BinaryIO, *, max_megapixels: float = 200.0) -> Photo:
    """The photo in a file, named by its path, open, or as its bytes.

    Raises:
        UnreadableInput: missing, a folder, no permission, empty, truncated, or no picture.
        InputError: as :func:`decode`.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return decode(bytes(source), max_megapixels=max_megapixels)
    if isinstance(source, str | os.PathLike):
        return decode(_bytes_of(Path(source)), name=str(source), max_megapixels=max_megapixels)
    name = getattr(source, "name", None)
    name = name if isinstance(name, str) else "input"
    try:
        data = source.read()
    except OSError as error:
        raise UnreadableInput(f"cannot read {name}: {error.strerror or error}") from error
    if not isinstance(data, bytes):
        raise UnreadableInput(f"cannot read {name}: it is open as text; open it with mode 'rb'")
    return decode(data, name=name, max_megapixels=max_megapixels)


def write(
    photo: Photo, path: str | Path, *, overwrite: bool = False, quality: int | None = None
) -> Path:
    """Write the photo whole or not at all, in the format that the path's ending names.

    Raises:
        OutputError: an unknown ending, a file that exists while ``overwrite`` is false, or a
            place where nothing can be written.
        ParameterError: a quality outside 1 to 100.
    """
    path = Path(path)
    format = format_of(path)
    check_writable(path, overwrite=overwrite)  # before the work of encoding
    write_atomic(path, encode(photo, format, quality=quality), overwrite=overwrite)
    return path


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UnreadableInput(f"{path} does not exist") from error
    except IsADirectoryError as error:
        raise UnreadableInput(f"{path} is a folder; expected a picture") from error
    except PermissionError as error:
        what = "is a folder; expected a picture" if path.is_dir() else "may not be read"
        raise UnreadableInput(f"{path} {what}") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnreadableInput(f"cannot read {path}: {reason}") from error
