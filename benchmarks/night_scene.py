"""A street at night, drawn by formulas, for the pictures of benchmarks/night.py.

Nothing in it is a photograph: walls, windows, lamps and a passer-by are cast ray by ray as linear
light, the wet street reflects them, and a camera with noise takes the picture.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from relume.image.darken import Camera, record
from relume.photo import Image

WIDTH_PX, HEIGHT_PX, OVERSAMPLED = 880, 1100, 1
SEED = 2026
EYE_M, LEFT_M, RIGHT_M, END_M = 1.65, -4.6, 5.2, 64.0
CURB_M = (-2.9, 3.4)
WARM, COOL = (1.0, 0.56, 0.2), (0.62, 0.8, 1.0)
LAMPS_M = (
    (-2.6, 4.3, 8.0),
    (3.1, 4.3, 17.0),
    (-2.6, 4.3, 26.0),
    (3.1, 4.3, 37.0),
    (-2.6, 4.3, 50.0),
)
SHOP_M = (12.6, 19.0)
CAMERA = Camera(1.0, 1.0, shot=0.0012, read=2.5e-6, jpeg_quality=92, correlation_px=0.5)
EXPOSURE = 0.8

Floats = NDArray[Any]


def noise(x: Floats, y: Floats, octaves: int = 4, seed: int = 0) -> Floats:
    """Smooth noise of about [0, 1] at any points, the same everywhere; periods from 1 down."""
    table = np.random.default_rng(seed).random((256, 256), dtype=np.float32)
    total, weight = np.zeros(np.broadcast(x, y).shape, np.float32), 0.0
    for octave in range(octaves):
        u, v = (np.asarray(np.clip(c, -1e4, 1e4) * 2.0**octave, np.float64) for c in (x, y))
        i, j = np.floor(u).astype(np.int64), np.floor(v).astype(np.int64)
        s, t = u - i, v - j
        s, t = s * s * (3 - 2 * s), t * t * (3 - 2 * t)
        a, b = table[j & 255, i & 255], table[j & 255, (i + 1) & 255]
        c, d = table[(j + 1) & 255, i & 255], table[(j + 1) & 255, (i + 1) & 255]
        total += np.float32(0.5**octave) * ((a + (b - a) * s) * (1 - t) + (c + (d - c) * s) * t)
        weight += 0.5**octave
    return np.asarray(total / weight, np.float32)


def step(low: float, high: float, x: Floats) -> Floats:
    t = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def lamplight(point: tuple[Floats, Floats, Floats], normal: tuple[float, float, float]) -> Image:
    """Linear light that the lamps, the shop and the sky give a surface, (..., 3)."""
    x, y, z = point
    light = np.zeros((*x.shape, 3), np.float32) + np.array([0.0016, 0.0022, 0.0038], np.float32)
    sources = [(lamp, WARM, 1.5) for lamp in LAMPS_M]
    sources.append(((RIGHT_M - 0.7, 1.9, sum(SHOP_M) / 2), (1.0, 0.78, 0.5), 0.55))
    for (lx, ly, lz), colour, power in sources:
        dx, dy, dz = lx - x, ly - y, lz - z
        square = dx * dx + dy * dy + dz * dz + 0.15
        facing = (dx * normal[0] + dy * normal[1] + dz * normal[2]) / np.sqrt(square)
        facing = np.maximum(facing, 0) * 0.85 + 0.03
        light += (power * facing / square)[..., None] * np.array(colour, np.float32)
    return light


def facade(along: Floats, up: Floats, side: int) -> tuple[Image, Image, Floats]:
    """Albedo, own light and height of the house walls at (metres along the street, metres up)."""
    house = np.floor((along + 3.0 * side) / 8.5)
    chance = np.random.default_rng(side + 7).random((64, 6), dtype=np.float32)[
        np.clip(house, 0, 63).astype(int)
    ]
    height = 8.2 + 4.2 * chance[..., 0]
    tint = np.stack(
        [0.42 + 0.2 * chance[..., 1], 0.3 + 0.16 * chance[..., 2], 0.24 + 0.12 * chance[..., 3]], -1
    )
    row = np.floor(up / 0.16)
    brick_x = along / 0.42 + 0.5 * (row % 2)
    mortar = np.maximum(step(0.06, 0.0, brick_x % 1), step(0.16, 0.0, (up / 0.16) % 1))
    tone = (
        noise(np.floor(brick_x) * 0.713, row * 0.377, 1, 3) * 0.5
        + noise(along * 1.3, up * 1.3, 4, 4) * 0.7
    )
    albedo = tint * (0.35 + 0.75 * tone)[..., None] * (1 - 0.45 * mortar)[..., None]
    albedo *= (1 - 0.5 * step(1.4, 0.0, up) * noise(along * 0.7, up, 4, 5))[..., None]
    own = np.zeros_like(albedo)
    # windows: one every 2.8 m of each house, floors of 3 m
    column, floor = np.floor(along / 2.8), np.floor((up - 0.2) / 3.0)
    x, y = (along / 2.8 - column) * 2.8 - 1.4, (up - 0.2) - floor * 3.0 - 1.65
    frame = (np.abs(x) < 0.72) & (np.abs(y) < 1.0) & (up < height - 0.7)
    glass = frame & (np.abs(x) < 0.6) & (np.abs(y) < 0.88)
    bars = (np.abs(x) < 0.035) | (np.abs(y - 0.25) < 0.03)
    luck = noise(column * 7.31 + 0.5, floor * 3.77 + 0.5, 1, 11 + side)
    lit = glass & (luck > 0.6) & (floor > 0)
    albedo[frame] = (0.34, 0.33, 0.3)
    albedo[glass] = (0.015, 0.018, 0.022)
    own[glass] = (0.0012, 0.0016, 0.0026)
    curtain = 0.35 + 0.65 * step(0.15, 0.6, np.abs(x)) * (0.7 + 0.3 * np.sin(x * 70))
    room = (curtain * (0.55 + 0.45 * step(-0.9, 0.9, y)) * (0.25 + 1.1 * (luck - 0.5)))[..., None]
    hue = np.where((luck > 0.72)[..., None], (1.0, 0.66, 0.32), (1.0, 0.8, 0.52))
    own[lit] = (1.3 * room * hue)[lit]
    own[lit & bars], albedo[glass & bars] = 0.0, (0.3, 0.29, 0.27)
    sill = (np.abs(x) < 0.82) & (np.abs(y + 1.06) < 0.07) & (up < height - 0.7)
    albedo[sill] = (0.5, 0.48, 0.44)
    cornice = (np.abs(up - height + 0.25) < 0.25) | (np.abs(up - 3.25) < 0.09)
    albedo[cornice] = (0.42, 0.39, 0.34)
    if side:
        _shop(along, up, albedo, own)
    return albedo.astype(np.float32), own.astype(np.float32), height


def _shop(along: Floats, up: Floats, albedo: Floats, own: Floats) -> None:
    """A lit shop window with goods on shelves, and the name above it."""
    low, high = SHOP_M
    front = (along > low - 0.3) & (along < high + 0.3) & (up < 3.1)
    albedo[front], own[front] = (0.05, 0.09, 0.08), 0.0
    pane = (along > low) & (along < high) & (up > 0.55) & (up < 2.5)
    shelf, item = np.floor((up - 0.55) / 0.65), np.floor(along / 0.21)
    u, v = along / 0.21 - item - 0.5, (up - 0.55) / 0.65 - shelf
    kind = np.random.default_rng(5).random((8, 128, 4), dtype=np.float32)[
        np.clip(shelf, 0, 7).astype(int), np.clip(item, 0, 127).astype(int)
    ]
    goods = (
        (np.abs(u) < 0.2 + 0.22 * kind[..., 3] * step(1.0, 0.4, v))
        & (v > 0.07)
        & (v < 0.45 + 0.4 * kind[..., 0])
    )
    back = (0.55 + 0.45 * v)[..., None] * np.array([1.0, 0.78, 0.5], np.float32)
    colour = (0.15 + 0.85 * kind[..., :3]) * np.array([1.0, 0.75, 0.5], np.float32)
    shown = np.where(goods[..., None], colour * (0.3 + 0.5 * v)[..., None], 0.75 * back)
    shown = np.where((v < 0.07)[..., None], np.float32(0.12), shown)
    post = np.abs((along - low) % 1.4) < 0.05
    own[pane] = (1.05 * shown)[pane]
    own[pane & post] = 0.0
    sign = np.zeros((64, 512), np.uint8)
    cv2.putText(sign, "BOOKS", (100, 52), cv2.FONT_HERSHEY_DUPLEX, 1.9, 255, 4, cv2.LINE_AA)
    board = (along > low) & (along < high) & (up > 2.6) & (up < 3.05)
    column = np.clip((high - along) / (high - low) * 511, 0, 511).astype(int)
    row = np.clip((3.05 - up) / 0.45 * 63, 0, 63).astype(int)
    letters = (sign[row, column].astype(np.float32) / 255)[..., None]
    own[board] = (letters * np.array([1.1, 0.5, 0.2], np.float32) + 0.004)[board]


def _wall(hit: NDArray[np.bool_], x: Floats, y: Floats, z: Floats, side: int, sky: Floats) -> Image:
    """The light of the points that are on a wall: the left one, the right one, or the far end."""
    x, y, z = x[hit], y[hit], z[hit]
    albedo, own, height = facade(x + 40 if side == 2 else z, y, side % 2 if side < 2 else 0)
    light = lamplight((x, y, z), ((1, 0, 0), (-1, 0, 0), (0, 0, -1))[side])
    return np.where((y < height)[..., None], albedo * light + own, sky)


def cast(dx: Floats, dy: Floats, dz: Floats, start: tuple[Floats, Floats, Floats]) -> Image:
    """Linear light (..., 3) that comes along rays which do not meet the street."""
    x0, y0, z0 = start
    up = dy / np.maximum(np.hypot(dx, dz), 1e-3)
    cloud = noise(dx * 3 / (np.abs(dy) + 0.3) + 7, dz * 2 / (np.abs(dy) + 0.3), 5, 21)
    sky = np.array([0.0035, 0.0055, 0.011], np.float32) * (1.5 - np.clip(up, 0, 1))[..., None]
    out = sky * (0.35 + 1.6 * step(0.4, 0.75, cloud))[..., None]
    out += np.array([0.012, 0.007, 0.003], np.float32) * np.exp(-5 * np.clip(up, 0, 2))[..., None]
    far = (END_M - z0) / np.maximum(dz, 1e-6)
    x, y = x0 + far * dx, y0 + far * dy
    hit = (np.abs(x) < 30) & (y < 14)
    out[hit] = _wall(hit, x, y, np.full_like(x, END_M), 2, out[hit])
    for side, wall in enumerate((LEFT_M, RIGHT_M)):
        facing = dx * (1 if side else -1) > 1e-6
        t = np.where(facing, (wall - x0) / np.where(facing, dx, 1), np.inf)
        z, y = z0 + np.minimum(t, 1e3) * dz, y0 + np.minimum(t, 1e3) * dy
        hit = (t < far) & (y < 13)
        out[hit] = _wall(hit, np.full_like(z, wall), y, z, side, out[hit])
    return np.asarray(out, np.float32)


class Eye:
    """The camera: pixels to rays, and points of the street to pixels."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.focal, self.cx, self.cy = 0.98 * height, 0.46 * width, 0.60 * height

    def rays(self) -> tuple[Floats, Floats, Floats]:
        """The direction of every pixel's ray: right, up, ahead."""
        v, u = np.mgrid[0 : self.height, 0 : self.width].astype(np.float32) + 0.5
        return (u - self.cx) / self.focal, (self.cy - v) / self.focal, np.ones_like(u)

    def pixel(self, x: float, y: float, z: float) -> tuple[float, float, float]:
        """Column and row of a point, and pixels for a metre there."""
        scale = self.focal / z
        return self.cx + x * scale, self.cy - (y - EYE_M) * scale, scale


def ground(eye: Eye, mirror: Image) -> tuple[Image, NDArray[np.bool_]]:
    """The wet street (H, W, 3), and where it is; ``mirror`` is what stands on it, turned."""
    dx, dy, dz = eye.rays()
    below = dy < -1e-3
    z = np.where(below, EYE_M / np.where(below, -dy, 1), 1e3)
    x = dx * z
    hit = below & (z < END_M) & (x > LEFT_M) & (x < RIGHT_M)
    path = (x < CURB_M[0]) | (x > CURB_M[1])
    grain = noise(x * 9, z * 9, 4, 31)
    albedo = (0.05 + 0.09 * grain)[..., None] * np.array([1.0, 0.97, 0.92], np.float32)
    slab = np.minimum(np.minimum(x / 0.6 % 1, z / 0.6 % 1), 1)
    albedo[path] = ((0.17 + 0.12 * grain) * (1 - 0.5 * step(0.06, 0.0, slab)))[path, None]
    for curb in CURB_M:
        albedo[np.abs(x - curb) < 0.1] = 0.3
    dash = (np.abs(x - 0.25) < 0.07) & (z % 4 < 2.2)
    albedo[dash] = (0.35 + 0.25 * grain)[dash, None]
    light = lamplight((x, np.zeros_like(x), z), (0, 1, 0))
    wet = step(0.44, 0.62, noise(x * 0.55 + 3, z * 0.3, 4, 33)) * np.where(path, 0.35, 1.0)
    # ripples of the film of water; what is farther away is averaged over more of them
    rough = (0.012 + 0.05 * (1 - wet)) / (1 + z / 14)
    tilt_x = (noise(x * 11, z * 5, 3, 35) - 0.5) * rough * 2
    tilt_z = (noise(x * 7 + 50, z * 4, 3, 36) - 0.5) * rough * 4
    length = np.sqrt(dx * dx + dy * dy + 1)
    seen = np.zeros((*x.shape, 3), np.float32)
    seen[hit] = cast(
        (dx + tilt_x)[hit],
        np.maximum(-dy + tilt_z, 1e-3)[hit],
        dz[hit],
        (x[hit], 0 * x[hit], z[hit]),
    )
    v, u = np.mgrid[0 : eye.height, 0 : eye.width].astype(np.float32)
    at_u = np.asarray(u + tilt_x * eye.focal * 0.6, np.float32)
    at_v = np.asarray(v + tilt_z * eye.focal * 1.6, np.float32)
    moved = cv2.remap(mirror, at_u, at_v, cv2.INTER_LINEAR)
    alpha = moved[..., 3:]
    seen = seen * (1 - alpha) + moved[..., :3]
    cosine = -dy / length
    fresnel = (0.03 + 0.97 * np.clip(1 - cosine, 0, 1) ** 5) * (0.2 + 0.8 * wet)
    out = albedo * light * (1 - 0.6 * wet)[..., None] + fresnel[..., None] * seen
    return np.asarray(out, np.float32), hit


def sprites(eye: Eye, *, flipped: bool) -> Image:
    """What stands on the street, (H, W, 4) with its alpha; ``flipped`` as its mirror image."""
    layer = np.zeros((eye.height, eye.width, 4), np.float32)
    things = [(lamp[2], partial(_lamp, eye, layer, lamp, flipped)) for lamp in LAMPS_M]
    for place, umbrella in (((0.55, 7.4), (0.3, 0.05, 0.05)), ((-3.5, 13.0), (0.05, 0.16, 0.18))):
        things.append((place[1], partial(_walker, eye, layer, place, umbrella, flipped)))
    for _, stand in sorted(things, key=lambda thing: -thing[0]):
        stand()
    return layer


def _stamp(layer: Image, mask: Floats, light: Image | tuple[float, float, float]) -> None:
    alpha = mask[..., None]
    layer[..., :3] = layer[..., :3] * (1 - alpha) + np.asarray(light, np.float32) * alpha
    layer[..., 3:] = layer[..., 3:] * (1 - alpha) + alpha


def _filled(layer: Image, points: list[tuple[float, float]]) -> Floats:
    """A polygon's mask, smooth at its edges."""
    mask = np.zeros(layer.shape[:2], np.uint8)
    corners = np.round(np.array(points) * 16).astype(np.int32)
    cv2.fillPoly(mask, [corners], 255, cv2.LINE_AA, 4)
    return np.asarray(mask, np.float32) / 255


def _lamp(eye: Eye, layer: Image, lamp: tuple[float, float, float], flipped: bool) -> None:
    x, y, z = lamp
    sign = -1 if flipped else 1

    def at(px: float, py: float) -> tuple[float, float]:
        column, row, _ = eye.pixel(x + px, sign * (y + py), z)
        return column, row

    def box(width: float, low: float, high: float, top: float | None = None) -> Floats:
        upper = width if top is None else top
        return _filled(layer, [at(-width, low), at(width, low), at(upper, high), at(-upper, high)])

    dark = (0.003, 0.0031, 0.0032)
    for part in (box(0.1, -y, -y + 0.9), box(0.045, -y + 0.9, -0.42), box(0.3, -0.66, -0.62)):
        _stamp(layer, part, dark)
    glass = box(0.17, -0.36, 0.28, 0.27)
    rows, columns = np.mgrid[0 : eye.height, 0 : eye.width].astype(np.float32)
    column, row = at(0.0, -0.06)
    scale = eye.focal / z
    u, v = (columns - column) / scale, (row - rows) / scale * sign
    pane = 0.8 + 0.2 * noise(u * 14 + x, v * 14, 3, 41)
    bulb = 2.6 * np.exp(-((u / 0.055) ** 2 + (v / 0.1) ** 2))
    fall = 0.3 + 0.42 * np.exp(-((u / 0.15) ** 2 + (v / 0.22) ** 2)) + bulb
    # frosted, ribbed glass: the structure that too much light burns away
    rib = 0.78 + 0.22 * np.cos(u * 2 * np.pi / 0.045)
    hue = np.stack([np.full_like(u, 1.0), 0.5 + 0.1 * bulb, 0.12 + 0.12 * bulb], -1)
    _stamp(layer, glass, np.asarray((fall * pane * rib)[..., None] * hue, np.float32))
    for side in (-1.0, -0.34, 0.34, 1.0):
        low, high = 0.17 * side, 0.27 * side
        bar = [
            at(low - 0.012, -0.36),
            at(low + 0.012, -0.36),
            at(high + 0.012, 0.28),
            at(high - 0.012, 0.28),
        ]
        _stamp(layer, _filled(layer, bar), (0.03, 0.017, 0.007))
    _stamp(layer, box(0.255, 0.06, 0.085), (0.03, 0.017, 0.007))
    _stamp(layer, box(0.2, -0.42, -0.35), dark)
    _stamp(layer, box(0.33, 0.27, 0.32), dark)
    _stamp(layer, box(0.31, 0.32, 0.52, 0.07), dark)
    _stamp(layer, box(0.03, 0.5, 0.66, 0.012), dark)


def _walker(
    eye: Eye,
    layer: Image,
    place: tuple[float, float],
    umbrella: tuple[float, float, float],
    flipped: bool,
) -> None:
    """Somebody in a coat under an umbrella, lit from behind."""
    x, z = place
    sign = -1 if flipped else 1
    shapes = [
        [(-0.13, 0.0), (0.0, 0.0), (-0.01, 0.9), (-0.16, 0.9)],
        [(0.05, 0.04), (0.19, 0.02), (0.15, 0.9), (0.0, 0.9)],
        [
            (-0.27, 0.5),
            (0.27, 0.5),
            (0.22, 1.1),
            (0.24, 1.4),
            (0.09, 1.5),
            (-0.09, 1.5),
            (-0.24, 1.4),
            (-0.2, 1.1),
        ],
        [(0.2, 1.36), (0.34, 1.1), (0.2, 0.98), (0.16, 1.12)],
    ]
    angles = np.linspace(0, 2 * np.pi, 40)
    shapes.append([(0.105 * np.cos(a), 1.63 + 0.135 * np.sin(a)) for a in angles])
    dome = [(0.12 + 0.68 * np.cos(a), 1.84 + 0.36 * np.sin(a)) for a in np.linspace(0, np.pi, 40)]
    scallop = [
        (0.12 - 0.68 + 1.36 * s, 1.84 + 0.05 * abs(np.sin(5 * np.pi * s)))
        for s in np.linspace(0, 1, 60)
    ]
    handle = [(0.11, 1.15), (0.13, 1.15), (0.13, 2.26), (0.11, 2.26)]

    def mask(points: list[tuple[float, float]]) -> Floats:
        moved = [eye.pixel(x + px, sign * py, z)[:2] for px, py in points]
        return _filled(layer, moved)

    legs, coat, head = shapes[:2], shapes[2:4], shapes[4:]
    for part, albedo, round_m in (
        (mask(handle), (0.05, 0.05, 0.05), 0.01),
        (np.max([mask(shape) for shape in legs], axis=0), (0.03, 0.03, 0.04), 0.08),
        (np.max([mask(shape) for shape in head], axis=0), (0.06, 0.035, 0.02), 0.1),
        (np.max([mask(shape) for shape in coat], axis=0), (0.07, 0.085, 0.12), 0.12),
        (mask(dome + scallop), umbrella, 0.25),
    ):
        inside = cv2.distanceTransform((part > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
        depth = np.minimum(inside / (eye.focal / z) / round_m, 1)
        smooth = cv2.GaussianBlur(depth, (0, 0), max(0.02 * eye.focal / z, 0.5))
        gx = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, ksize=5)
        gy = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, ksize=5)
        slope = np.hypot(gx, gy) + 1e-6
        # the lamps behind stand to the left and above, the shop to the right
        rim = (1 - depth) ** 2
        left, top, right = gx / slope, gy / slope * sign, -gx / slope
        lit = 0.012 + rim * (0.1 * np.maximum(left, 0) + 0.12 * np.maximum(top, 0))
        shop = rim * 0.14 * np.maximum(right, 0) + 0.006
        rows, columns = np.mgrid[0 : eye.height, 0 : eye.width].astype(np.float32)
        weave = 0.75 + 0.5 * noise(columns / 9, rows / 30, 3, 51)
        light = lit[..., None] * np.array(WARM, np.float32) + shop[..., None] * np.array(
            [1, 0.75, 0.45], np.float32
        )
        light = light * 3 + np.array([0.0016, 0.0022, 0.0038], np.float32)
        _stamp(
            layer,
            part,
            np.asarray(light * weave[..., None] * np.array(albedo, np.float32), np.float32),
        )


def street() -> Image:
    """The linear light (H, W, 3) of the scene; lamps are brighter than 1."""
    eye = Eye(WIDTH_PX * OVERSAMPLED, HEIGHT_PX * OVERSAMPLED)
    rays, zero = eye.rays(), np.zeros((eye.height, eye.width), np.float32)
    light = cast(*rays, (zero, zero + np.float32(EYE_M), zero))
    floor, hit = ground(eye, sprites(eye, flipped=True))
    light[hit] = floor[hit]
    things = sprites(eye, flipped=False)
    light = light * (1 - things[..., 3:]) + things[..., :3]
    light = cv2.resize(light, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA)
    # glow: in the lens, and in the damp air
    bright = np.maximum(light - 0.35, 0)
    for sigma_px, share in ((2.5, 0.1), (12, 0.06), (45, 0.05), (140, 0.035)):
        light = light + np.float32(share) * cv2.GaussianBlur(bright, (0, 0), sigma_px)
    v, u = np.mgrid[-1 : 1 : HEIGHT_PX * 1j, -1 : 1 : WIDTH_PX * 1j]
    return np.asarray(light * (1 - 0.22 * (u * u + v * v) / 2)[..., None], np.float32)


def photograph() -> Image:
    """The picture that a camera takes of the street."""
    return record(street(), EXPOSURE, np.random.default_rng(SEED), CAMERA)
