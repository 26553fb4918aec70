"""From an uploaded picture to the bytes of an answer; runs in a worker thread."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import quote

import cv2
import numpy as np

from relume.enhancers import decompose, enhance
from relume.errors import MissingExtra, TooLarge, UnreadableInput
from relume.faces import detect
from relume.faces.views import parse_views
from relume.image import draw
from relume.io import decode, encode
from relume.io.formats import result_format, sniff
from relume.photo import Image, Photo
from relume.web.accept import acceptable
from relume.web.errors import HttpError
from relume.web.query import DecomposeOptions, DetectOptions, EnhanceOptions
from relume.web.schema import MEDIA, SUFFIX
from relume.web.upload import Upload

JSON = "application/json"
PANEL_KINDS = MEDIA | {"json": JSON}
PANEL_PIXELS = 4_000_000
MARK = ".relume"
PANELS_MARK = ".panels"
STRIP = "png"
CAPTIONS = {
    "input": "Input",
    "reflectance": "Reflectance R",
    "illumination": "Illumination I",
    "relit_illumination": "Relit I",
    "result": "Result",
}


@dataclass
class Answer:
    """What goes back: a body, its type, a file name for pictures, and how long each step took."""

    body: bytes
    media_type: str
    pixels: int
    file_name: str | None = None
    timings_s: dict[str, float] = field(default_factory=dict)

    def headers(self, *, waited_s: float) -> dict[str, str]:
        """``Server-Timing``, and the file's name where there is one."""
        steps = {"queue": waited_s, **self.timings_s}
        timing = ", ".join(f"{name};dur={seconds * 1e3:.1f}" for name, seconds in steps.items())
        headers = {"Server-Timing": timing, "Cache-Control": "no-store"}
        if self.file_name is not None:
            plain = self.file_name.encode("ascii", "replace").decode().replace("?", "_")
            exact = quote(self.file_name, safe="")
            headers["Content-Disposition"] = (
                f"inline; filename=\"{plain}\"; filename*=UTF-8''{exact}"
            )
        return headers


class _Watch:
    """Seconds by step."""

    def __init__(self) -> None:
        self.steps_s: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.steps_s[name] = time.perf_counter() - began


def enhanced(
    upload: Upload, options: EnhanceOptions, *, accept: str, max_megapixels: float
) -> Answer:
    """The picture enhanced, as a file of the type that was asked for."""
    watch = _Watch()
    with watch("decode"):
        photo = _decoded(upload, max_megapixels)
    kind = options.format or chosen(accept, MEDIA, _own_kind(photo))
    with watch("enhance"):
        relit = enhance(
            photo,
            method=options.method,
            strength=options.strength,
            brightness=options.brightness,
            protect_lit=options.protect_lit,
            parameters=options.parameters,
        )
    with watch("encode"):
        body = encode(relit, kind, quality=options.quality)
    name = _renamed(upload.name, MARK, kind)
    return Answer(body, MEDIA[kind], _count(photo), name, watch.steps_s)


def detected(upload: Upload, options: DetectOptions, *, max_megapixels: float) -> Answer:
    """The faces, as JSON of the shape that the command line writes."""
    watch = _Watch()
    with watch("decode"):
        photo = _decoded(upload, max_megapixels)
    _check_views(photo, options.views, max_megapixels)
    with watch("detect"):
        found = detect(
            photo,
            detector=options.detector,
            landmarks=options.landmarks,
            threshold=options.threshold,
            views=options.views,
        )
    data = found.as_json(upload.name)
    body = json.dumps(data, ensure_ascii=False).encode("utf-8", "replace")
    return Answer(body, JSON, _count(photo), timings_s=watch.steps_s)


def decomposed(
    upload: Upload, options: DecomposeOptions, *, accept: str, max_megapixels: float
) -> Answer:
    """Retinex-Net's panels: one captioned strip, or one by one in JSON if Accept prefers that."""
    watch = _Watch()
    kind = options.format or chosen(accept, PANEL_KINDS, STRIP)
    with watch("decode"):
        photo = _decoded(upload, max_megapixels)
    with watch("decompose"):
        panels = _panels(photo, options)
    with watch("encode"):
        if kind == "json":
            body, name = _as_json(panels), None
        else:
            strip = draw.panels(
                list(panels.values()), list(CAPTIONS.values()), height_px=options.height_px
            )
            body = encode(Photo(strip), kind)
            name = _renamed(upload.name, PANELS_MARK, kind)
    return Answer(body, PANEL_KINDS[kind], _count(photo), name, watch.steps_s)


def chosen(accept: str, kinds: Mapping[str, str], preferred: str) -> str:
    """The kind of answer that Accept wants most.

    Raises:
        HttpError: 406, it wants none of them.
    """
    kind = acceptable(accept, kinds, preferred)
    if kind is None:
        allowed = ", ".join(kinds.values())
        raise HttpError(406, "NotAcceptable", f"expected Accept to allow {allowed}, got {accept!r}")
    return kind


def _decoded(upload: Upload, max_megapixels: float) -> Photo:
    try:
        return decode(upload.data, name=upload.name, max_megapixels=max_megapixels)
    except TooLarge as error:
        # the core's message ends in an option of the command line
        raise TooLarge(str(error).split(";", 1)[0] + "; send a smaller picture") from error
    except MissingExtra as error:
        raise HttpError(415, "UnsupportedMediaType", str(error)) from error
    except UnreadableInput as error:
        if upload.data and sniff(upload.data, upload.name) is None:
            raise HttpError(415, "UnsupportedMediaType", str(error)) from error
        raise  # of a known kind, but damaged


def _own_kind(photo: Photo) -> str:
    """The upload's type, or what the command line makes of it where that is not written."""
    return result_format(photo.meta.format)


def _check_views(photo: Photo, views: tuple[str, ...], max_megapixels: float) -> None:
    """A view at ``@4`` has 16 times the pixels: the limit is for what is really looked at."""
    largest = max(spec.scale_of(photo.pixels) for spec in parse_views(views))
    megapixels = _count(photo) * largest**2 / 1e6
    if megapixels > max_megapixels:
        raise TooLarge(
            f"the view at scale {largest:g} has {megapixels:.0f} megapixels, more than the limit "
            f"of {max_megapixels:g}; ask for a smaller scale"
        )


def _panels(photo: Photo, options: DecomposeOptions) -> dict[str, Image]:
    parts = decompose(photo, parameters=options.parameters)
    panels = {
        "input": parts.image,
        "reflectance": parts.reflectance,
        "illumination": _grey(parts.illumination),
        "relit_illumination": _grey(parts.relit_illumination),
        "result": parts.enhanced,
    }
    return {name: _panel(panel, options.height_px) for name, panel in panels.items()}


def _grey(plane: Image) -> Image:
    return np.repeat(plane[:, :, None], 3, axis=2)


def _panel(image: Image, height_px: int) -> Image:
    """The panel at this height; never enlarged, and never more than ``PANEL_PIXELS``."""
    height, width = image.shape[:2]
    scale = min(1.0, height_px / height, (PANEL_PIXELS / (height * width)) ** 0.5)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)
    return np.clip(image, 0, 1)


def _as_json(panels: Mapping[str, Image]) -> bytes:
    data = [
        {"name": name, "caption": CAPTIONS[name], "data": _data_address(panel)}
        for name, panel in panels.items()
    ]
    return json.dumps({"panels": data}).encode()


def _data_address(image: Image) -> str:
    body = encode(Photo(image), "webp", quality=90)
    return f"data:image/webp;base64,{base64.b64encode(body).decode('ascii')}"


def _renamed(name: str, mark: str, kind: str) -> str:
    """``night.jpg`` as ``night.relume.png``."""
    stem = name.rpartition(".")[0] or name
    return f"{stem}{mark}{SUFFIX[kind]}"


def _count(photo: Photo) -> int:
    return int(photo.pixels.shape[0] * photo.pixels.shape[1])
