"""The picture in a request's body, read into memory and nowhere else."""

from __future__ import annotations

import asyncio
import sys
import unicodedata
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from relume.web import exposure
from relume.web.errors import HttpError

FIELD = "file"
FORM_OVERHEAD_BYTES = 64 * 1024 + exposure.MAX_BYTES
"""What a form's headers, boundaries and exposure map may add to the picture."""

NAME_LENGTH = 120
HOW = "send the picture as form field 'file' (curl -F file=@photo.jpg) or as the body, image/*"


@dataclass(frozen=True)
class Upload:
    """An uploaded picture: its bytes, the last part of its name, the form's field ``exposure``."""

    data: bytes
    name: str
    exposure: bytes | None = None


class _FormParser(MultiPartParser):
    """Starlette's parser, which keeps files in memory (by default it writes them to disk)."""

    spool_max_size = sys.maxsize
    complete = False

    def on_end(self) -> None:
        self.complete = True


async def read_uploads(
    request: Request,
    *,
    max_bytes: int,
    limit_s: float,
    fields: Sequence[str] = (FIELD,),
    most: int = 1,
) -> list[Upload]:
    """The pictures in the request: the form fields ``file``, or the body itself.

    A form may have these ``fields``, and up to ``most`` pictures, all of ``max_bytes`` at most.

    Raises:
        HttpError: 413 too many bytes, 408 too slow, 415 another content type, 400 a broken form,
            422 no picture or more than one.
    """
    content_type = request.headers.get("content-type", "")
    kind = parse_options_header(content_type)[0]
    is_form = kind == b"multipart/form-data"
    allowed = max_bytes + (FORM_OVERHEAD_BYTES if is_form else 0)
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > allowed:
        raise _too_large(max_bytes)
    if not is_form and kind != b"application/octet-stream" and not kind.startswith(b"image/"):
        came = f"the content type {content_type[:80]!r}" if kind else "a body of no content type"
        raise HttpError(415, "UnsupportedMediaType", f"{came} is not a picture: {HOW}")
    body = _counted(request, allowed, max_bytes)
    try:
        async with asyncio.timeout(limit_s):
            uploads = await (
                _from_form(request.headers, body, fields, most) if is_form else _from_body(body)
            )
    except TimeoutError:
        raise _too_slow(limit_s) from None
    if sum(len(upload.data) for upload in uploads) > max_bytes:
        raise _too_large(max_bytes)
    return uploads


async def save_body(request: Request, path: Path, *, max_bytes: int, limit_s: float) -> None:
    """Write the request's body, a clip, to ``path``, which must not exist.

    Raises:
        HttpError: 413 too many bytes, 408 too slow, 415 another content type, 422 an empty body,
            503 the disk is full.
    """
    kind = parse_options_header(request.headers.get("content-type", ""))[0]
    if kind != b"application/octet-stream" and not kind.startswith(b"video/"):
        how = "send the clip as the body, video/* (curl --data-binary @clip.mp4 -H ...)"
        raise HttpError(415, "UnsupportedMediaType", f"expected a clip: {how}")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > max_bytes:
        raise _too_large(max_bytes)
    try:
        with path.open("xb") as file:
            async with asyncio.timeout(limit_s):
                async for chunk in _counted(request, max_bytes, max_bytes):
                    file.write(chunk)
            if not file.tell():
                raise HttpError(422, "NoClip", "the body is empty: send the clip as the body")
    except TimeoutError:
        raise _too_slow(limit_s) from None
    except OSError as error:
        raise HttpError(503, "DiskFull", "the service cannot keep the clip") from error


async def wait_for_disconnect(request: Request) -> None:
    """Return once the client has hung up; the body must have been read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def safe_name(name: str) -> str:
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
    return kept or "photo"


async def _counted(request: Request, allowed: int, max_bytes: int) -> AsyncGenerator[bytes, None]:
    """The body's chunks, as long as they are no more bytes than allowed."""
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > allowed:
            raise _too_large(max_bytes)
        yield chunk


async def _from_body(body: AsyncGenerator[bytes, None]) -> list[Upload]:
    data = b"".join([chunk async for chunk in body])
    if not data:
        raise HttpError(422, "NoPicture", f"the body is empty: {HOW}")
    return [Upload(data, "photo")]


async def _from_form(
    headers: Headers, body: AsyncGenerator[bytes, None], fields: Sequence[str], most: int
) -> list[Upload]:
    parser = _FormParser(headers, body, max_files=max(8, most + 1), max_fields=8)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise _broken(error.message) from error
    try:
        if not parser.complete:
            raise _broken("it ends before its last boundary")
        for name, _ in form.multi_items():
            if name not in fields:
                expected = " and ".join(map(repr, fields)) + " alone" * (len(fields) == 1)
                raise HttpError(
                    422,
                    "UnknownField",
                    f"the form has a field {name!r}, expected {expected}; options go into the "
                    "address: /v1/enhance?method=gamma",
                )
        found = [value for value in form.getlist(FIELD) if isinstance(value, UploadFile)]
        if not 1 <= len(found) <= most:
            wanted = "one" if most == 1 else f"1 to {most}"
            what = f"the form has {len(found)} pictures, not {wanted}: {HOW}"
            raise HttpError(422, "NoPicture", what)
        maps = form.getlist(exposure.FIELD)
        if len(maps) > 1:
            raise HttpError(422, "UnknownField", "the form has more than one exposure map")
        stops = await _bytes(maps[0]) if maps else None
        return [Upload(await f.read(), safe_name(f.filename or ""), stops) for f in found]
    finally:
        await form.close()


async def _bytes(field: UploadFile | str) -> bytes:
    """A field's content, sent as text or as a file."""
    return field.encode("utf-8", "replace") if isinstance(field, str) else await field.read()


def _too_large(max_bytes: int) -> HttpError:
    return HttpError(
        413, "TooManyBytes", f"the upload is larger than the limit of {max_bytes / 2**20:g} MiB"
    )


def _too_slow(limit_s: float) -> HttpError:
    what = f"the upload took longer than {limit_s:g} s; send a smaller file"
    return HttpError(408, "TooSlow", what, close=True)


def _broken(why: str) -> HttpError:
    return HttpError(400, "BrokenForm", f"the form cannot be read: {why}")


__all__ = [
    "ClientDisconnect",
    "Upload",
    "read_uploads",
    "safe_name",
    "save_body",
    "wait_for_disconnect",
]
