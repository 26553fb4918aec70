"""From an uploaded picture to the bytes of an answer; runs in a worker thread."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from relume.errors import MissingExtra, TooLarge, UnreadableInput
from relume.executor import Apart
from relume.faces import detect, enhance
from relume.faces.views import parse_views
from relume.frames import merge_burst
from relume.image.exposure import mean_level
from relume.io import decode, encode, read_raster
from relume.io.formats import WRITABLE, result_format, sniff
from relume.io.raster import Raster
from relume.photo import Photo
from relume.web.errors import HttpError
from relume.web.exposure import parse_exposure
from relume.web.settings import MEGAPIXEL_TOLERANCE
from relume.web.upload import Upload

DECODERS: Apart[tuple[str, bytes, float], Raster] = Apart(read_raster)
"""Uploads are decoded in processes of their own: what a decoder crashes on ends one of those."""

MEDIA = {name: format.media_type for name, format in WRITABLE.items()}


@dataclass
class Result:
    """What goes back: a body, its type, and further headers; how long each step took."""

    body: bytes
    media_type: str
    timings_s: Mapping[str, float]
    extra_headers: dict[str, str] = field(default_factory=dict)

    def headers(self, *, waited_s: float) -> dict[str, str]:
        """The answer's headers, with ``Server-Timing``."""
        steps = {"queue": waited_s, **self.timings_s}
        timing = ", ".join(f"{name};dur={seconds * 1e3:.1f}" for name, seconds in steps.items())
        return {"Server-Timing": timing, "Cache-Control": "no-store", **self.extra_headers}


class _Timer:
    """Seconds by step."""

    def __init__(self) -> None:
        self.steps_s: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.steps_s[name] = time.perf_counter() - began


def enhance_upload(
    upload: Upload,
    *,
    call: Mapping[str, Any],
    format: str | None,
    quality: int | None,
    max_megapixels: float,
) -> Result:
    """The picture enhanced, as a file of ``format`` or of its own; ``call`` is for the core."""
    timer = _Timer()
    with timer("decode"):
        stops = None if upload.exposure is None else parse_exposure(upload.exposure)
        photo = _decode(upload, max_megapixels)
    with timer("enhance"):
        enhanced = enhance(photo, **call, exposure=stops)
    format = format or result_format(photo.meta.format)
    with timer("encode"):
        body = encode(enhanced, format, quality=quality)
    headers = {
        "X-Relume-Brightness-Before": f"{mean_level(photo.pixels):.3f}",
        "X-Relume-Brightness-After": f"{mean_level(enhanced.pixels):.3f}",
        "Content-Disposition": _disposition(upload.name, format),
    }
    if photo.meta.notes:
        headers["X-Relume-Note"] = "; ".join(photo.meta.notes).encode("ascii", "replace").decode()
    return Result(body, MEDIA[format], timer.steps_s, headers)


def burst_upload(
    uploads: Sequence[Upload],
    *,
    call: Mapping[str, Any],
    format: str | None,
    quality: int | None,
    max_megapixels: float,
) -> Result:
    """The pictures of a burst merged, as a file of ``format`` or of the reference's own."""
    timer, photos, room = _Timer(), [], max_megapixels
    with timer("decode"):
        for upload in uploads:  # together no more than one picture may have
            photos.append(_decode(upload, max(room, 1e-3)))
            room -= photos[-1].pixels.size / 3e6
    with timer("enhance"):
        burst = merge_burst(photos, **call)
    name = uploads[burst.reference].name
    format = format or result_format(burst.picture.meta.format)
    with timer("encode"):
        body = encode(burst.picture, format, quality=quality)
    headers = {
        "X-Relume-Left-Out": ",".join(str(index + 1) for index in burst.left_out),
        "X-Relume-Brightness-Before": f"{mean_level(photos[burst.reference].pixels):.3f}",
        "X-Relume-Brightness-After": f"{mean_level(burst.picture.pixels):.3f}",
        "Content-Disposition": _disposition(name, format),
    }
    return Result(body, MEDIA[format], timer.steps_s, headers)


def detect_upload(upload: Upload, *, call: Mapping[str, Any], max_megapixels: float) -> Result:
    """The faces, as JSON of the shape that the command line writes; ``call`` is for the core."""
    timer = _Timer()
    with timer("decode"):
        photo = _decode(upload, max_megapixels)
    _check_views(photo, call["views"] or ("original",), max_megapixels)
    with timer("detect"):
        found = detect(photo, **call)
    data = found.as_json(upload.name)
    body = json.dumps(data, ensure_ascii=False).encode("utf-8", "replace")
    return Result(body, "application/json", timer.steps_s)


def _decode(upload: Upload, max_megapixels: float) -> Photo:
    most = max_megapixels * MEGAPIXEL_TOLERANCE
    try:
        return decode(upload.data, name=upload.name, max_megapixels=most, reader=DECODERS)
    except TooLarge as error:
        # the core's message ends in an option of the command line
        size = str(error).partition(", more than")[0]
        raise TooLarge(
            f"{size}, more than the limit of {max_megapixels:g}; send a smaller picture"
        ) from error
    except MissingExtra as error:
        raise HttpError(415, "UnsupportedMediaType", str(error)) from error
    except UnreadableInput as error:
        if upload.data and sniff(upload.data, upload.name) is None:
            raise HttpError(415, "UnsupportedMediaType", str(error)) from error
        raise  # of a known kind, but damaged


def _check_views(photo: Photo, views: tuple[str, ...], max_megapixels: float) -> None:
    """A view at ``@4`` has 16 times the pixels: the limit is for what is really searched."""
    height, width = photo.pixels.shape[:2]
    largest = max(spec.scale_of(photo.pixels) for spec in parse_views(views))
    megapixels = height * width * largest**2 / 1e6
    if megapixels > max_megapixels * MEGAPIXEL_TOLERANCE:
        raise TooLarge(
            f"the view at scale {largest:g} has {megapixels:.0f} megapixels, more than the limit "
            f"of {max_megapixels:g}; ask for a smaller scale"
        )


def _disposition(name: str, format: str) -> str:
    """``night.jpg`` is saved as ``night.relume.png``."""
    stem = name.rpartition(".")[0] or name
    file_name = f"{stem}.relume{WRITABLE[format].suffixes[0]}"
    plain = file_name.encode("ascii", "replace").decode().replace("?", "_")
    return f"inline; filename=\"{plain}\"; filename*=UTF-8''{quote(file_name, safe='')}"
