"""Picture files, read and written: whole or not at all, nothing lost on the way."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from relume.errors import InputError, OutputError, ParameterError, RelumeError, UnreadableInput
from relume.io.atomic import check_writable, write_atomic
from relume.io.formats import FORMATS, READABLE_SUFFIXES, WRITABLE, format_of, sniff

if TYPE_CHECKING:
    from relume.io.raster import Raster
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


def decode(data: bytes, *, name: str = "input", max_megapixels: float = 200.0) -> Photo:
    """The photo in ``data``; ``name`` stands for it in errors, and its ending names camera raw.

    The pixels are upright, in the depth and colour space of the file (a wide-gamut profile is
    carried along, not converted from). What had to be changed stands in ``meta.notes``.

    Raises:
        UnreadableInput: empty, truncated, damaged, or no picture.
        TooLarge: more pixels than ``max_megapixels`` million; found before any is decoded.
        InputError: floating point pixels that are not finite or outside [0, 1].
        MissingExtra: HEIC or camera raw without the package that reads it.
    """
    if not data:
        raise UnreadableInput(f"{name} is empty (0 bytes)")
    try:
        format = sniff(data, name)
        if format is None:
            raise UnreadableInput(_what_it_looks_like(data))
        raster: Raster = _function(FORMATS[format].reader)(data, max_megapixels)
        return raster.to_photo(format, len(data))
    except RelumeError as error:
        if isinstance(error, InputError):
            raise type(error)(f"{name}: {error}") from error
        raise
    except MemoryError:
        raise
    except Exception as error:  # decoders raise anything on damaged bytes
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UnreadableInput(f"{name}: damaged or truncated: {reason}") from error


def encode(photo: Photo, format: str, *, quality: int | None = None) -> bytes:
    """The photo as "jpeg", "png", "webp", "tiff", "avif" or "heif", metadata included.

    PNG keeps 8 or 16 bits, TIFF 8, 16 or float; the others have 8. Values are clamped to [0, 1]
    and rounded. Grey photos are written grey where the format has grey (and only while their
    pixels are grey). JPEG has no alpha: there the photo is laid on white. ``quality``, 1 to 100,
    is for the lossy formats (100 is lossless in WebP); without it a JPEG gets about its input's.

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
    if quality is not None and not 1 <= quality <= 100:
        raise ParameterError(f"quality must be 1 to 100, got {quality}")
    try:
        data: bytes = _function(found.writer)(from_photo(photo, found, quality))
    except (RelumeError, MemoryError):
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise OutputError(f"could not make a {format.upper()}: {reason}") from error
    return data


def _function(name: str) -> Callable[..., Any]:
    """A reader or writer of the table, "module.function"."""
    module, _, function = name.partition(".")
    found: Callable[..., Any] = getattr(import_module(f"relume.io.{module}"), function)
    return found


def _what_it_looks_like(data: bytes) -> str:
    head = data[:512]
    if b"\0" not in head and head.isascii():
        return "not a picture: it holds text"
    return "not a picture of a known format (JPEG, PNG, WebP, TIFF, AVIF, HEIC, camera raw)"


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
