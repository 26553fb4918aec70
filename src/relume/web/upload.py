"""The picture in a request's body, read into memory and nowhere else.

Starlette's own form parser writes uploads above 1 MiB to a temporary file; a picture that is
nobody's business must not touch the disk, so the parser is driven from here, chunk by chunk.
"""

from __future__ import annotations

import asyncio
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from relume.web.errors import HttpError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FIELD = "file"
FORM_OVERHEAD_BYTES = 64 * 1024
"""What a form's headers and boundaries may add to the picture."""

NAME_LENGTH = 120
HOW = "send the picture as form field 'file' (curl -F file=@photo.jpg) or as the body, image/*"


@dataclass(frozen=True)
class Upload:
    """An uploaded picture: its bytes, and the last part of its name."""

    data: bytes
    name: str


async def read_upload(request: Request, *, max_bytes: int, limit_s: float) -> Upload:
    """The one picture in the request: the form field ``file``, or the body itself.

    Raises:
        HttpError: 413 too many bytes, 408 too slow, 415 another content type, 400 a broken form,
            422 no picture or more than one.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    is_form = kind == b"multipart/form-data"
    allowed = max_bytes + (FORM_OVERHEAD_BYTES if is_form else 0)
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > allowed:
        raise _too_large(max_bytes)
    if not is_form and kind != b"application/octet-stream" and not kind.startswith(b"image/"):
        came = (
            f"the content type {kind.decode('latin-1')!r}" if kind else "a body of no content type"
        )
        raise HttpError(415, "UnsupportedMediaType", f"{came} is not a picture: {HOW}")
    taker = _Form(options.get(b"boundary", b""), max_bytes) if is_form else _Body(max_bytes)
    received = 0
    try:
        async with asyncio.timeout(limit_s):
            async for chunk in request.stream():
                received += len(chunk)
                if received > allowed:
                    raise _too_large(max_bytes)
                taker.write(chunk)
    except TimeoutError:
        raise HttpError(
            408,
            "TooSlow",
            f"the upload took longer than {limit_s:g} s; send a smaller file",
            close=True,
        ) from None
    except FormParserError as error:
        raise _broken(str(error)) from error
    return taker.result()


async def gone(request: Request) -> None:
    """Return once the client has hung up; the body must have been read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def safe_name(name: str, *, otherwise: str = "photo") -> str:
    """The last part of a file's name, without anything that could end a header or a path.

    >>> safe_name("../../etc/passwd")
    'passwd'
    >>> safe_name('C:\\\\Photos\\\\a"b.jpg')
    "a'b.jpg"
    """
    last = name.replace("\\", "/").rsplit("/", 1)[-1].replace('"', "'")
    # control, format (bidi overrides) and lone surrogate characters
    kept = "".join(c for c in last if unicodedata.category(c) not in ("Cc", "Cf", "Cs"))
    kept = kept.strip(" .")
    stem, dot, suffix = kept.rpartition(".")
    if len(kept) > NAME_LENGTH:
        kept = f"{stem[: NAME_LENGTH - 12]}{dot}{suffix[:10]}" if dot else kept[:NAME_LENGTH]
    return kept or otherwise


class _Body:
    """The body as it is."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._chunks: list[bytes] = []

    def write(self, chunk: bytes) -> None:
        self._chunks.append(chunk)

    def result(self) -> Upload:
        data = b"".join(self._chunks)
        if not data:
            raise HttpError(422, "NoPicture", f"the body is empty: {HOW}")
        return Upload(data, "photo")


@dataclass
class _Part:
    headers: dict[str, bytes] = field(default_factory=dict)
    chunks: list[bytes] = field(default_factory=list)
    size_bytes: int = 0


class _Form:
    """A multipart form with one file in it."""

    def __init__(self, boundary: bytes, max_bytes: int) -> None:
        if not boundary:
            raise _broken("the content type names no boundary")
        self._max_bytes = max_bytes
        self._parts: list[_Part] = []
        self._name = self._value = b""
        self._ended = False
        callbacks: MultipartCallbacks = {
            "on_part_begin": self._begin,
            "on_part_data": self._data,
            "on_header_begin": self._header_begin,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_end": self._end,
        }
        try:
            self._parser = MultipartParser(boundary, callbacks)
        except FormParserError as error:
            raise _broken(str(error)) from error

    def write(self, chunk: bytes) -> None:
        self._parser.write(chunk)

    def result(self) -> Upload:
        self._parser.finalize()
        if not self._ended:
            raise _broken("it ends before its last boundary")
        found: list[Upload] = []
        for part in self._parts:
            _, options = parse_options_header(part.headers.get("content-disposition"))
            name = options.get(b"name", b"").decode("utf-8", "replace")
            if name != FIELD:
                raise HttpError(
                    422,
                    "UnknownField",
                    f"the form has a field {name!r}, expected 'file' alone; options go into the "
                    "address: /v1/enhance?method=gamma",
                )
            given = options.get(b"filename", b"").decode("utf-8", "replace")
            found.append(Upload(b"".join(part.chunks), safe_name(given)))
        if len(found) != 1:
            raise HttpError(422, "NoPicture", f"the form has {len(found)} pictures, not one: {HOW}")
        return found[0]

    def _begin(self) -> None:
        if len(self._parts) >= 8:
            raise _broken("it has more than 8 parts")
        self._parts.append(_Part())

    def _data(self, data: bytes, start: int, end: int) -> None:
        part = self._parts[-1]
        part.size_bytes += end - start
        if part.size_bytes > self._max_bytes:
            raise _too_large(self._max_bytes)
        part.chunks.append(data[start:end])

    def _header_begin(self) -> None:
        self._name = self._value = b""

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._parts[-1].headers[self._name.decode("latin-1").lower()] = self._value

    def _end(self) -> None:
        self._ended = True


def _too_large(max_bytes: int) -> HttpError:
    return HttpError(
        413, "TooManyBytes", f"the upload is larger than the limit of {max_bytes / 2**20:g} MiB"
    )


def _broken(why: str) -> HttpError:
    return HttpError(400, "BrokenForm", f"the form cannot be read: {why}")


__all__ = ["ClientDisconnect", "Upload", "gone", "read_upload", "safe_name"]
