"""The pictures of the README and of docs/, made anew by the shipped weights.

    python benchmarks/pictures.py            # writes docs/images/*.jpg

All of them are made from scikit-image's astronaut (NASA, public domain), darkened by relume.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from skimage import data

import relume
from relume.enhancers import decompose
from relume.image import draw
from relume.image.darken import Camera, darken, planckian
from relume.io import write
from relume.photo import Image, Photo, to_image

SEED = 2018
K = 0.05
QUALITY = 88


def dark_portrait(k: float = K) -> Image:
    return darken(to_image(data.astronaut()), k, np.random.default_rng(SEED))


def demo() -> Image:
    dark = dark_portrait()
    return draw.before_after(dark, relume.enhance(dark))


def brightness() -> Image:
    dark = dark_portrait()
    asked = 0.2, 0.35, 0.5
    shown = [relume.enhance(dark, brightness=level) for level in asked]
    captions = ["a twentieth of the light", *(f"--brightness {level:g}" for level in asked)]
    return draw.panels([dark, *shown], captions, height_px=380)


def methods() -> Image:
    dark = dark_portrait()
    names = "gamma", "clahe", "fusion", "lime", "retinexnet", "relume"
    shown = [relume.enhance(dark, method=name) for name in names]
    rows = [
        draw.panels([dark, *shown[:3]], ["input", *names[:3]], height_px=330),
        draw.panels(
            [*shown[3:], to_image(data.astronaut())], [*names[3:], "never darkened"], height_px=330
        ),
    ]
    width = min(row.shape[1] for row in rows)
    return np.concatenate([row[:, :width] for row in rows])


def reflectance() -> Image:
    parts = decompose(dark_portrait(0.1))
    raw = np.clip(parts.reflectance * parts.relit_illumination[:, :, None], 0, 1)
    face = np.s_[20:240, 130:350]
    shown = [parts.reflectance, parts.denoised, raw, np.clip(parts.enhanced, 0, 1)]
    captions = ["R raw", "R denoised", "result, R raw", "result, R denoised"]
    return draw.panels([image[face] for image in shown], captions, height_px=380)


def camera() -> Image:
    """What each part of a camera does to a fortieth of the light, all brightened alike."""
    face = to_image(data.astronaut())[10:210, 110:350]
    plain = replace(Camera.draw(np.random.default_rng(SEED)), jpeg_quality=97)
    parts: dict[str, Camera] = {
        "noise alone": plain,
        "black 14, 3, 14": replace(plain, black=(14 / 255, 3 / 255, 14 / 255)),
        "a sensor's noise": replace(plain, sensor=0, raw_bits=12),
        "smoothed, sharpened": replace(plain, smoothing=15.0, chroma_px=2.5, sharpening=1.0),
        "lamp of 2,700 K": replace(plain, lamp=planckian(2700), adapted=0.4),
        "dark corners, a veil": replace(plain, glare=0.08, shading=0.5),
        "JPEG of 50": replace(plain, jpeg_quality=50),
        "smaller, JPEG again": replace(plain, jpeg_quality=75, again_quality=60, again_scale=0.6),
    }
    seen = []
    for part in parts.values():
        dark = darken(face, 1 / 40, np.random.default_rng(SEED), camera=part)
        seen.append(1 - (1 - dark) ** np.float32(5))
    captions = list(parts)
    return np.concatenate(
        [draw.panels(seen[i : i + 4], captions[i : i + 4], height_px=250) for i in (0, 4)]
    )


def phone() -> Image:
    """A nearly black photograph as a phone takes it: lifted blacks, one warm lamp, JPEG."""
    portrait = to_image(data.astronaut())[:400, 30:480]
    large = cv2.resize(portrait, None, fx=1.6, fy=1.6, interpolation=cv2.INTER_CUBIC)
    portrait = np.clip(large, 0, 1)
    camera = replace(
        Camera.draw(np.random.default_rng(SEED)),
        lamp=planckian(3000),
        adapted=0.75,
        glare=0.01,
        shading=0.3,
        sensor=4,
        raw_bits=12,
        chroma_px=1.0,
        smoothing=6.0,
        black=(14 / 255, 3 / 255, 14 / 255),
        black_shading=0.1,
        jpeg_quality=90,
    )
    dark = darken(portrait, 0.02, np.random.default_rng(SEED), camera=camera)
    shown = [dark, np.minimum(dark * 4, 1)]
    shown += [relume.enhance(dark, expose_for="scene", black=black) for black in (0, "auto")]
    captions = ["a phone in the dark", "four times as bright", "--black 0", "relume"]
    return draw.panels(shown, captions, height_px=380)


PICTURES = {
    "phone": phone,
    "camera": camera,
    "demo": demo,
    "brightness": brightness,
    "methods": methods,
    "reflectance": reflectance,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--only", choices=PICTURES)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name in [options.only] if options.only else PICTURES:
        photo = Photo(np.ascontiguousarray(np.clip(PICTURES[name](), 0, 1), dtype=np.float32))
        print(write(photo, options.out / f"{name}.jpg", overwrite=True, quality=QUALITY))


if __name__ == "__main__":
    main()
