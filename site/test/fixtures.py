"""Pictures from formulas and what the package makes of them: ``python fixtures.py FOLDER``.

Every case of ``cases.json`` is a file, options as the site's worker takes them, and the expected
pixels as raw RGBA bytes.
"""

from __future__ import annotations

import base64
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pil

from relume import cli as sample
from relume import weights
from relume.engine import Runtime
from relume.enhancers.registry import methods
from relume.faces import ORIGINAL, RELIT, detect, enhance
from relume.faces.light import holds_light
from relume.faces.quality import clarity, hidden_share, warning
from relume.image.darken import darken
from relume.io import decode
from relume.photo import quantise, to_image

Pixels = npt.NDArray[np.uint8]
BOXES = ((20, 15, 90, 100), (-8, 3, 41, 60), (5, 5, 20, 30), (100, 60, 180.4, 150.6))


def scene(
    width: int, height: int, *, seed: int, light: float = 0.06, window: float = 0.0
) -> Pixels:
    """A dark room with smooth light, edges, texture and noise; ``window`` is how bright one is."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    waves = 0.5 + 0.25 * np.sin(9 * x + seed) * np.cos(7 * y) + 0.15 * np.sin(60 * (x + y))
    colours = np.stack([waves, 0.8 * waves + 0.1 * x, 0.6 * waves + 0.2 * y], axis=2)
    colours[(x - 0.6) ** 2 + (y - 0.4) ** 2 < 0.02] *= 0.35
    dark = darken(np.clip(colours, 0, 1).astype(np.float32), light, rng)
    if window:
        dark[(x < 0.3) & (y < 0.3)] = window * np.clip(colours[(x < 0.3) & (y < 0.3)], 0, 1)
    return np.asarray(quantise(dark, np.uint8))


def framed(picture: Pixels) -> Pixels:
    """The same with black bars, as a screenshot has them."""
    out = np.zeros((picture.shape[0] + 90, picture.shape[1], 3), np.uint8)
    out[45:-45] = picture
    return out


def lifted(picture: Pixels) -> Pixels:
    """The same with a phone's black under it."""
    return np.asarray(np.minimum(picture // 2 + np.array([14, 3, 14]), 255), np.uint8)


def by_lamps(picture: Pixels) -> Pixels:
    """The same in warm light."""
    return np.asarray(picture * np.array([1.2, 0.9, 0.5]), np.uint8)


def file(pixels: Pixels, kind: str = "png", **options: Any) -> bytes:
    """The pixels as a file."""
    buffer = io.BytesIO()
    Pil.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def against_the_light() -> Pixels:
    """The demo's dark portrait beside a bright window."""
    portrait = np.array(Pil.open(Path(sample.__file__).with_name("sample.jpg")))
    portrait[:, :170] = scene(170, 512, seed=10, light=1.0)
    portrait[:, 400:] = scene(112, 512, seed=11, light=1.0)
    return portrait


def portraits() -> Iterator[tuple[str, bytes]]:
    """The demo's portrait: dark, nearly black, and large beside nothing."""
    dark = np.array(Pil.open(Path(sample.__file__).with_name("sample.jpg")))
    yield "dark.png", file(dark)
    yield "lifted-face.png", file(lifted(np.asarray(dark * 0.5, np.uint8)))
    yield "nearly-black.png", file(np.asarray(dark * 0.45, np.uint8))
    crowd = np.full((1024, 1500, 3), 3, np.uint8)
    crowd[100:612, 300:812] = dark
    crowd[600:856, 1200:1456] = dark[::2, ::2]
    yield "two.png", file(crowd)
    yield "too-dark.png", file(scene(300, 200, seed=13, light=0.01))


def in_the_dark() -> Iterator[tuple[str, Pixels]]:
    """From clear to hopeless, of odd sizes and of fewer pixels than areas."""
    dark = np.array(Pil.open(Path(sample.__file__).with_name("sample.jpg")))
    rng = np.random.default_rng(12)
    for share, noise in ((1.0, 0), (0.45, 0), (0.2, 3), (0.1, 4), (0.05, 6)):
        seen = dark * share + rng.normal(0, noise, dark.shape)
        yield f"portrait x {share:g}", np.asarray(np.clip(np.rint(seen), 0, 255), np.uint8)
    for number, size in enumerate(((1001, 667), (243, 321), (301, 7), (12, 9), (1, 1))):
        yield "{} x {}".format(*size), scene(*size, seed=20 + number, light=0.01)


def turned(orientation: int) -> Any:
    """EXIF that says so."""
    exif = Pil.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "a camera"
    return exif


def pictures() -> Iterator[tuple[str, bytes, dict[str, Any]]]:
    """Name, file and options of every case."""
    room = scene(321, 243, seed=1)
    lit = scene(400, 266, seed=2, window=0.9)
    alpha = np.dstack([room, np.tile(np.linspace(0, 255, 321), (243, 1)).astype(np.uint8)])
    ramp = [round(2 * (c % 16) / 15 - (c // 16) / 11, 2) for c in range(16 * 12)]
    stops = {"width": 16, "height": 12, "data": ramp}
    yield "room.png", file(room), {}
    yield "lamps.png", file(by_lamps(room)), {}
    yield "lamps-window.png", file(by_lamps(lit)), {"cast": 1}
    yield "lamps-left.png", file(by_lamps(room)), {"cast": 0}
    yield "window.png", file(lit), {}
    boards = scene(300, 200, seed=14, window=0.4)
    yield "boards.png", file(boards), {}
    yield "boards-asked.png", file(boards), {"brightness": 0.5}
    yield "asked.png", file(lit), {"brightness": 0.4}
    yield "one-exposure.png", file(lit), {"local": 0}
    yield "one-exposure-asked.png", file(room), {"local": 0, "brightness": 0.5}
    yield "half.png", file(lit), {"local": 0.5, "strength": 0.6}
    yield "unprotected.png", file(lit), {"protectLit": False}
    yield "painted.png", file(lit), {"stops": stops}
    yield "painted-evenly.png", file(room), {"stops": stops, "local": 0}
    yield "framed.png", file(framed(lit)), {}
    yield "grey.png", file(np.repeat(room[:, :, :1], 3, axis=2)), {}
    yield "alpha.png", file(alpha), {}
    yield "turned-alpha.png", file(alpha, exif=turned(6)), {}
    yield "bright.png", file(scene(300, 200, seed=3, light=1.0)), {}
    yield "night.png", file(scene(260, 390, seed=4, light=0.004)), {}
    yield "black.png", file(np.zeros((60, 90, 3), np.uint8)), {}
    yield "black-asked.png", file(np.zeros((60, 90, 3), np.uint8)), {"brightness": 0.4}
    yield "dot.png", file(np.full((1, 1, 3), 9, np.uint8)), {}
    yield "strip.png", file(scene(301, 7, seed=5)), {}
    yield "turned.jpg", file(room, "jpeg", quality=95, exif=turned(6)), {}
    yield "wide.webp", file(scene(700, 150, seed=6), "webp", lossless=True), {}
    yield "machine.png", file(room), {"method": "machine"}
    yield "lifted.png", file(lifted(room)), {}
    yield "lifted-machine.png", file(lifted(room)), {"method": "machine"}
    yield "lifted-told.png", file(lifted(room)), {"black": "10,0,12"}
    yield "lifted-left.png", file(lifted(room)), {"black": "0"}
    for method in ("gamma", "auto-gamma", "auto-exposure"):
        yield f"{method}.png", file(lit), {"method": method}
    yield "exposed.png", file(room), {"method": "auto-exposure", "brightness": 0.5}
    yield (
        "halved.png",
        file(scene(1001, 667, seed=7, window=0.8)),
        {"parameters": {"half_above_mp": 0.3}},
    )
    if weights.is_here("yunet"):
        yield "face.png", file(against_the_light()), {"exposeFor": "faces"}
        yield "face-asked.png", file(against_the_light()), {"exposeFor": "faces", "brightness": 0.3}
    yield "tiles.png", file(scene(1800, 300, seed=8)), {}
    yield "large.jpg", file(scene(4000, 3000, seed=9, window=0.8), "jpeg", quality=92), {}


def expected(data: bytes, name: str, options: dict[str, Any]) -> Pixels:
    """What the package makes of it, (H, W, 4)."""
    photo = decode(data, name=name)
    taken = ("black", "brightness", "cast", "local", "strength")
    given = {key: options[key] for key in taken if key in options}
    method = options.get("method", "relume")
    if "stops" in options:
        map_ = options["stops"]
        given["exposure"] = np.array(map_["data"], np.float32).reshape(
            map_["height"], map_["width"]
        )
    if methods().info(method).takes_local:
        given["expose_for"] = options.get("exposeFor", "scene")
    relit = enhance(
        photo,
        method=method,
        protect_lit=options.get("protectLit", True),
        parameters=options.get("parameters"),
        runtime=Runtime(precision="f32") if methods().info(method).weights else None,
        **given,
    )
    colour = quantise(relit.pixels, np.uint8)
    full = np.full(colour.shape[:2], 255, np.uint8)
    alpha = full if relit.alpha is None else quantise(relit.alpha, np.uint8).reshape(full.shape)
    return np.ascontiguousarray(np.dstack([colour, alpha]))


def visibility(named: tuple[str, Pixels]) -> dict[str, Any]:
    """What is said of how much the picture shows, beside its pixels."""
    name, pixels = named
    image = to_image(pixels)
    hidden = hidden_share(image)
    height, width = pixels.shape[:2]
    rgba = np.dstack([pixels, np.full((height, width), 255, np.uint8)])
    lit = [{"box": box, "lit": holds_light(image, box)} for box in BOXES]
    figures = {
        "clarity": clarity(image),
        "hidden": hidden,
        "warning": warning(hidden),
        "boxes": lit,
    }
    data = base64.b64encode(rgba.tobytes()).decode()
    return {"name": name, "width": width, "height": height, "rgba": data, **figures}


def main(folder: Path) -> None:
    """Write all of it."""
    cases = []
    for name, data, options in pictures():
        result = expected(data, name, options)
        (folder / name).write_bytes(data)
        (folder / f"{name}.rgba").write_bytes(result.tobytes())
        height, width = result.shape[:2]
        cases.append({"name": name, "width": width, "height": height, "options": options})
    (folder / "cases.json").write_text(json.dumps(cases))
    found = []
    with_yunet = ("dark.png", "two.png") if weights.is_here("yunet") else ()
    for name, data in portraits():
        (folder / name).write_bytes(data)
        ways: list[tuple[str, tuple[str, ...] | None]] = [("relume", None)]
        ways += [("relume", (ORIGINAL, RELIT))] if name == "two.png" else []  # fused
        ways += [("yunet", None)] if name in with_yunet else []
        for detector, views in ways:
            photo, runtime = decode(data, name=name), Runtime(precision="f32")
            seen = detect(photo, detector=detector, views=views, runtime=runtime)
            found.append(seen.as_json(name))
    (folder / "faces.json").write_text(json.dumps(found))
    (folder / "dark.json").write_text(json.dumps([*map(visibility, in_the_dark())]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
