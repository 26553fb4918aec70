"""Picture files, read and written: whole or not at all, nothing lost on the way."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, overload

from relume.errors import (
    InputError,
    OutputError,
    ParameterError,
    RelumeError,
    UnreadableInput,
    WorkerLost,
)
from relume.io.atomic import check_writable, write_atomic
from relume.io.formats import (
    FORMATS,
    MAX_MEGAPIXELS,
    QUALITY,
    READABLE_SUFFIXES,
    WRITABLE,
    describe,
    format_of,
    losses,
    sniff,
)
from relume.io.places import Place, place

if TYPE_CHECKING:
    from relume.io.raster import Raster
    from relume.photo import Photo

__all__ = [
    "READABLE_SUFFIXES",
    "decode",
    "encode",
    "format_in",
    "format_of",
    "losses",
    "read",
    "read_raster",
    "special_file",
    "why_unreadable",
    "write",
]
HEAD_BYTES = 512
"""Enough to tell what a file holds."""


def read(
    source: str | Path | Place | bytes | BinaryIO, *, max_megapixels: float = MAX_MEGAPIXELS
) -> Photo:
    """The photo in a file, named by its path or its address (s3://...), open, or as its bytes.

    Raises:
        UnreadableInput: missing, a folder, a pipe or device named by its path, no permission,
            empty, truncated, or no picture.
        RelumeError: as :func:`decode`.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return decode(bytes(source), max_megapixels=max_megapixels)
    if isinstance(source, str):
        source = place(source)
    if isinstance(source, Place):
        return decode(source.read_bytes(), name=str(source), max_megapixels=max_megapixels)
    if isinstance(source, os.PathLike):
        data, mode = _read_file(Path(source))
        photo = decode(data, name=str(source), max_megapixels=max_megapixels)
        return replace(photo, meta=replace(photo.meta, file_mode=mode))
    if not hasattr(source, "read"):
        got = type(source).__name__
        raise InputError(f"expected a path, an address, bytes or an open file, got {got}")
    name = getattr(source, "name", None)
    name = name if isinstance(name, str) else "input"
    try:
        data = source.read()
    except OSError as error:
        raise UnreadableInput(f"cannot read {name}: {error.strerror or error}") from error
    if not isinstance(data, bytes):
        raise UnreadableInput(f"cannot read {name}: it is open as text; open it with mode 'rb'")
    return decode(data, name=name, max_megapixels=max_megapixels)


@overload
def write(
    photo: Photo, path: str | Path, *, overwrite: bool = False, quality: int | None = None
) -> Path: ...
@overload
def write(
    photo: Photo, path: Place, *, overwrite: bool = False, quality: int | None = None
) -> Place: ...
def write(
    photo: Photo, path: str | Path | Place, *, overwrite: bool = False, quality: int | None = None
) -> Path | Place:
    """Write the photo whole or not at all, in the format that the path's ending names.

    A new file gets the permissions of the file that the photo was read from, within the umask.

    Raises:
        OutputExists: a file that is there, while ``overwrite`` is false.
        OutputError: an unknown ending, or a folder where nothing can be written.
        ParameterError: a quality outside 1 to 100.
    """
    if isinstance(path, Place):
        data = encode(photo, format_of(path.name), quality=quality)
        path.write_bytes(data, overwrite=overwrite)
        return path
    path = Path(path)
    format = format_of(path)
    check_writable(path, overwrite=overwrite)  # before the work of encoding
    data = encode(photo, format, quality=quality)
    write_atomic(path, data, overwrite=overwrite, mode=photo.meta.file_mode)
    return path


def format_in(path: Path) -> str | None:
    """The format of a file by its content; None if it cannot be read, or is no picture."""
    with suppress(OSError, ValueError):
        if special_file(path) is None:
            with path.open("rb") as file:
                return sniff(file.read(HEAD_BYTES), path.name)
    return None


def special_file(path: Path) -> str | None:
    """What is not read by its name: "a pipe", "a device", "a socket"; else None."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return None  # whoever reads it will say why not
    if stat.S_ISFIFO(mode):
        return "a pipe"
    if stat.S_ISSOCK(mode):
        return "a socket"
    return "a device" if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else None


def read_raster(asked: tuple[str, bytes, float]) -> Raster:
    """The picture in bytes of a format, by name, of so many megapixels at most.

    All that decoders of other people do is done below this function.
    """
    format, data, max_megapixels = asked
    raster: Raster = _function(FORMATS[format].reader)(data, max_megapixels)
    return raster


def decode(
    data: bytes,
    *,
    name: str = "input",
    max_megapixels: float = MAX_MEGAPIXELS,
    reader: Callable[[tuple[str, bytes, float]], Raster] = read_raster,
) -> Photo:
    """The photo in ``data``; ``name`` stands for it in errors, and its ending names camera raw.

    The pixels are upright, in the depth and colour space of the file (a wide-gamut profile is
    carried along, not converted from). What had to be changed stands in ``meta.notes``. ``reader``
    is :func:`read_raster`, or does it elsewhere.

    Raises:
        UnreadableInput: empty, truncated, damaged, no picture, or a decoder crashed elsewhere.
        ParameterError: ``max_megapixels`` is not above 0.
        TooLarge: more pixels than ``max_megapixels`` million; found before any is decoded.
        InputError: floating point pixels that are not finite or outside [0, 1].
        MissingExtra: HEIC or camera raw without the package that reads it.
    """
    if not max_megapixels > 0:
        raise ParameterError(f"max_megapixels must be above 0, got {max_megapixels:g}")
    if not data:
        raise UnreadableInput(f"{name} is empty (0 bytes)")
    try:
        format = sniff(data, name)
        if format is None:
            raise UnreadableInput(f"not a picture that is read: it {describe(data)}")
        return reader((format, data, max_megapixels)).to_photo(format, len(data))
    except WorkerLost as error:
        raise UnreadableInput(f"{name}: damaged: {error}") from error
    except RelumeError as error:
        if isinstance(error, InputError):
            raise type(error)(f"{name}: {_one_line(error)}") from error
        raise
    except MemoryError:
        raise
    except Exception as error:  # decoders raise anything on damaged bytes
        raise UnreadableInput(f"{name}: damaged or truncated: {_one_line(error)}") from error


def encode(photo: Photo, format: str, *, quality: int | None = None) -> bytes:
    """The photo as "jpeg", "png", "webp", "tiff", "avif", "heif" or "jxl", metadata included.

    PNG keeps 8 or 16 bits, TIFF 8, 16 or float, HEIC 8 or 10; the others have 8. Values are
    clamped to [0, 1] and rounded. Grey photos are written grey where the format has grey (and only
    while their pixels are grey). ``quality``, 1 to 100, is for the lossy formats (100 is lossless
    in WebP); without it a JPEG gets about its input's quality, and a WebP that was lossless stays
    so. :func:`losses` says what is left out.

    Raises:
        OutputError: an unknown format, or a picture that it cannot hold.
        ParameterError: a quality outside 1 to 100.
        InputError: pixels that break the array contract.
        MissingExtra: HEIC without pillow-heif.
    """
    from relume.io.raster import from_photo

    found = WRITABLE.get(format)
    if found is None or found.writer is None:
        raise OutputError(f"cannot write the format {format!r}; expected {', '.join(WRITABLE)}")
    if quality is not None:
        QUALITY.check(quality)
    try:
        data: bytes = _function(found.writer)(from_photo(photo, found, quality))
    except (RelumeError, MemoryError):
        raise
    except Exception as error:
        raise OutputError(f"could not make a {format.upper()}: {_one_line(error)}") from error
    return data


def _function(name: str) -> Callable[..., Any]:
    """A reader or writer of the table, "module.function"."""
    module, _, function = name.partition(".")
    found: Callable[..., Any] = getattr(import_module(f"relume.io.{module}"), function)
    return found


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def why_unreadable(path: Path) -> str | None:
    """Why a file will not be read, as far as that shows without opening it; None if it may be."""
    if os.access(path, os.R_OK):
        return None
    if not os.path.lexists(path):
        return "does not exist"
    return "may not be read" if path.exists() else "is a link to nothing"


def _read_file(path: Path) -> tuple[bytes, int]:
    """A regular file's bytes and permissions."""
    if re.match(r"https?:[/\\]", str(path)):
        raise UnreadableInput(f"{path}: addresses are not fetched; download the picture first")
    try:
        special = special_file(path)
        if special is None:
            return path.read_bytes(), path.stat().st_mode & 0o777
        reason = f"is {special}; expected a picture's file (- reads standard input)"
    except FileNotFoundError:
        reason = why_unreadable(path) or "does not exist"
    except IsADirectoryError:
        reason = "is a folder; expected a picture"
    except PermissionError:
        reason = "is a folder; expected a picture" if path.is_dir() else "may not be read"
    except (OSError, ValueError) as error:
        reason = f"cannot be read: {getattr(error, 'strerror', None) or error}"
    raise UnreadableInput(f"{path} {reason}")
