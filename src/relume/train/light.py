"""The light of training scenes: uneven light, lamps, and the exposure maps that undo them.

Light is linear and relative to the reference photograph's: 1 is its white, and a lamp has more.
Stops are of light: +1 doubles it. Everything is drawn from the generator that is handed in.
"""

from __future__ import annotations

import cv2
import numpy as np

from relume.image.color import luma
from relume.image.exposure import smoothsteps
from relume.image.filters import Guide, downscale, enlarged
from relume.photo import Image

MOST_STOPS = 5.7
"""The most light that a pixel gets more than the reference, in stops: 50 times."""
MOST_RATIO = 30.0
"""The most light that two exposures of a scene that are merged may differ by."""


def uneven_stops(height: int, width: int, most: float, rng: np.random.Generator) -> Image:
    """(H, W): light that differs by up to ``most`` stops: a gradient, spot, edge or window."""
    shape = (_gradient, _spot, _edge, _window)[int(rng.integers(4))]
    low = -most / 2 if shape is _gradient else most / 2
    stops = shape(height, width, rng) * np.float32(rng.uniform(low, most))
    if rng.random() < 0.3:
        stops += _window(height, width, rng) * np.float32(rng.uniform(0, most / 2))
    return np.clip(stops, -3.0, MOST_STOPS)


def exposure_map(low: Image, rng: np.random.Generator) -> Image:
    """(H, W) stops, -3 to 1.6 or so: what a person or the metering may ask of the photo ``low``.

    Two of five follow the photo's own light, lifting the dark more than the lit.
    """
    height, width = low.shape[:2]
    kind = int(rng.integers(5))
    if kind < 2:
        return _own_light(low, rng)
    if kind == 2:
        return _gradient(height, width, rng) * np.float32(rng.uniform(0.5, 2.2))
    shape = (_spot, _edge, _window)[int(rng.integers(3))]
    return shape(height, width, rng) * np.float32(rng.uniform(-3.0, 1.6))


def add_lamps(light: Image, k: float, rng: np.random.Generator) -> Image:
    """Scene light (H, W, 3) with one to four coloured lamps in it, textured, with a glow.

    Their brightness is drawn for the exposure ``k``: from well exposed to four times too bright.
    """
    height, width = light.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    for _ in range(int(rng.integers(1, 5))):
        radius = float(np.exp(rng.uniform(np.log(1.5), np.log(28))))
        stretch = float(np.exp(rng.normal(0, 0.4)))
        dy, dx = (y - rng.uniform(0, height)) * stretch, (x - rng.uniform(0, width)) / stretch
        distance = np.sqrt(dy * dy + dx * dx)
        disc = _sigmoid((radius - distance) / max(0.6, 0.08 * radius))
        if rng.random() < 0.6:
            disc *= _texture(height, width, rng)
        glow = rng.uniform(0.003, 0.05) / (1 + (distance / (radius * rng.uniform(1, 3))) ** 2)
        strength = float(np.exp(rng.uniform(np.log(0.15), np.log(4)))) / k
        light = light + np.float32(strength) * (disc + glow)[:, :, None] * _lamp_colour(rng)
    return np.asarray(light, np.float32)


def merge_exposures(under: Image, over: Image) -> Image | None:
    """The light (H, W, 3) of a scene in two linear exposures: where ``over`` clips, ``under``'s.

    None where they share too few well exposed pixels to be brought to one scale, or where
    ``under`` has so little light that its highlights are noise.
    """
    brightest, darkest = over.max(axis=2), over.min(axis=2)
    under_luma, over_luma = luma(under), luma(over)
    shared = (under_luma > 0.003) & (brightest < 0.7) & (darkest > 0.005)
    if shared.sum() < 500:
        return None
    ratio = np.float32(np.median(over_luma[shared] / under_luma[shared]))
    if ratio > MOST_RATIO:
        return None
    share = smoothsteps(brightest, 0.65, 0.95)[:, :, None]
    return np.asarray(over * (1 - share) + np.maximum(under * ratio, over) * share, np.float32)


def _own_light(low: Image, rng: np.random.Generator) -> Image:
    """Stops that fall with the photo's smoothed light, 0 at its median; sometimes with a knee."""
    logs = np.asarray(np.log2(luma(low) + np.float32(0.02)), np.float32)
    height, width = logs.shape
    small = downscale(logs, max(1, width // 4), max(1, height // 4))
    radius = max(2, max(small.shape) // 24)
    parts = Guide.of(small, radius, 0.15).coefficients(small)
    slope, offset = (enlarged(part, width, height) for part in parts)
    base = slope * logs + offset
    stops = np.float32(-2.2 * rng.uniform(0.15, 0.85)) * (base - np.median(base))
    if rng.random() < 0.5:
        stops = np.minimum(stops, np.float32(rng.uniform(-0.2, 0.6)))
    return np.asarray(np.clip(stops, -6, 3), np.float32)


def _gradient(height: int, width: int, rng: np.random.Generator) -> Image:
    cells = int(rng.integers(2, 6))
    grid = rng.uniform(-1, 1, (cells, cells)).astype(np.float32)
    return np.asarray(cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def _spot(height: int, width: int, rng: np.random.Generator) -> Image:
    y, x = np.mgrid[:height, :width].astype(np.float32)
    reach = rng.uniform(0.06, 0.5) * max(height, width)
    square = ((y - rng.uniform(0, height)) ** 2 + (x - rng.uniform(0, width)) ** 2) / reach**2
    return np.asarray(1 / (1 + square ** rng.uniform(1, 6)), np.float32)


def _edge(height: int, width: int, rng: np.random.Generator) -> Image:
    y, x = np.mgrid[:height, :width].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    across = (x / width - 0.5) * np.cos(angle) + (y / height - 0.5) * np.sin(angle)
    softness_px = np.exp(rng.uniform(np.log(0.7), np.log(40)))
    return _sigmoid((across - rng.normal(0, 0.2)) * max(height, width) / softness_px)


def _window(height: int, width: int, rng: np.random.Generator) -> Image:
    mask = np.zeros((height, width), np.float32)
    rows, columns = int(rng.uniform(0.15, 0.6) * height), int(rng.uniform(0.15, 0.6) * width)
    top, left = int(rng.uniform(-0.1, 0.9) * height), int(rng.uniform(-0.1, 0.9) * width)
    mask[max(0, top) : top + rows, max(0, left) : left + columns] = 1
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.5, 12)), np.float32)


def _texture(height: int, width: int, rng: np.random.Generator) -> Image:
    cells = [max(2, int(side / rng.uniform(4, 20))) for side in (height, width)]
    grid = rng.random(cells, dtype=np.float32)
    smooth = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(np.float32(0.35) + np.float32(0.9) * smooth, 0.1, 1.6)


def _lamp_colour(rng: np.random.Generator) -> Image:
    """Three in five are warm, the others of any hue."""
    if rng.random() < 0.6:
        return np.array([1, rng.uniform(0.45, 0.95), rng.uniform(0.1, 0.8)], np.float32)
    hue_saturation_value = np.array([[[rng.uniform(0, 360), rng.beta(2, 1.5), 1]]], np.float32)
    return np.asarray(cv2.cvtColor(hue_saturation_value, cv2.COLOR_HSV2RGB)[0, 0], np.float32)


def _sigmoid(x: Image) -> Image:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -50, 50))), np.float32)
