"""Making darkness: a bright photograph as a camera would have recorded it with less light.

After Brooks et al., *Unprocessing Images for Learned Raw Denoising* (CVPR 2019), and Cui et al.,
*Multitask AET* (ICCV 2021): sRGB -> inverse tone curve -> linear -> white balance undone ->
``k`` times the light -> shot and read noise -> white balance -> sRGB -> 8 bit -> JPEG.

Phones do more, and each part of it can be switched on by itself (:class:`Camera`): lamps of one
colour that the white balance undoes in part, glare in the lens, shading towards the corners, a
sensor's own noise (:mod:`relume.image.sensor`), raw levels of 10 to 14 bits, hot pixels, a smoothed
and sharpened picture whose colour is smoothed more, lifted and coloured blacks, and a JPEG that is
made smaller and saved again.

It stands on the floor of pure functions, because three flows need the same darkness: training
(pairs), the study (its ladder) and the demo.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from relume.errors import ParameterError
from relume.image.color import GAMMA, REC601, rgb_to_ycbcr, ycbcr_to_rgb
from relume.image.filters import downscale, gaussian_blur
from relume.image.sensor import SENSORS, expose_sensor
from relume.photo import Image, check_image

LOG_SHOT = (float(np.log(1e-4)), float(np.log(0.012)))
"""Range of the log of the shot noise (Brooks et al., eq. 7)."""


@dataclass(frozen=True)
class Camera:
    """What one darkened photograph draws from chance: gains, noise and JPEG quality.

    ``shot`` and ``read`` give the variance of the noise, ``x * shot + read``, on linear values x
    before white balance. The others are zero in the published recipe: the noise's correlation
    (sigma of a Gaussian, as demosaicing and in-camera denoising leave it), its coarse blotches
    (their share of the noise's standard deviation, and their size), the camera's error in white
    balance (relative, of red and blue), the length of a motion blur, and what a phone does to its
    pictures: ``smoothing`` (sigma of a bilateral filter in levels of 255) and ``sharpening`` (the
    amount of an unsharp mask).

    What follows is what real dark photographs have beside that. ``lamp`` is the light's colour
    (linear red and blue over green's), ``adapted`` the share of it that the white balance undoes.
    ``glare`` is the share of the light that the lens spreads over the frame, ``shading`` what the
    corners lack. ``sensor`` (the index of a calibrated one) makes the noise in place of ``shot``
    and ``read``, ``raw_bits`` rounds it, ``hot`` is the share of pixels that always shine.
    ``chroma_px`` is the sigma that colour is smoothed with. ``black`` are red, green and blue where
    there is no light, of encoded values, more towards the corners by ``black_shading``; negative
    ones are clipped. ``again_quality`` is that of a second JPEG, made at ``again_scale`` times the
    size; 0 is none.
    """

    red_gain: float
    blue_gain: float
    shot: float
    read: float
    jpeg_quality: int
    correlation_px: float = 0.0
    blotches: float = 0.0
    blotch_px: float = 0.0
    red_error: float = 0.0
    blue_error: float = 0.0
    motion_px: int = 0
    smoothing: float = 0.0
    sharpening: float = 0.0
    lamp: tuple[float, float] = (1.0, 1.0)
    adapted: float = 1.0
    glare: float = 0.0
    shading: float = 0.0
    sensor: int | None = None
    raw_bits: int = 0
    hot: float = 0.0
    chroma_px: float = 0.0
    black: tuple[float, float, float] = (0.0, 0.0, 0.0)
    black_shading: float = 0.0
    again_quality: int = 0
    again_scale: float = 1.0

    @property
    def cast(self) -> Image:
        """(3,): what is left of the lamp's colour, of the luma of a white one."""
        red, blue = (value ** (1 - self.adapted) for value in self.lamp)
        left = np.array([red, 1.0, blue], np.float32)
        return np.asarray(left / np.dot(left, REC601), np.float32)

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Camera:
        """A camera with the distributions of Brooks et al. (2019), section 3."""
        log_shot = rng.uniform(*LOG_SHOT)
        log_read = 2.18 * log_shot + 1.20 + rng.normal(0.0, 0.26)
        return cls(
            red_gain=rng.uniform(1.9, 2.4),
            blue_gain=rng.uniform(1.5, 1.9),
            shot=float(np.exp(log_shot)),
            read=float(np.exp(log_read)),
            jpeg_quality=int(rng.integers(80, 98)),
        )

    @classmethod
    def draw_real(cls, rng: np.random.Generator) -> Camera:
        """A camera with the faults of real ones too, for training: each with some probability."""
        plain = cls.draw(rng)
        correlated, blotched, tinted, moved, phone = rng.random(5) < (0.6, 0.3, 0.4, 0.1, 0.3)
        return replace(
            plain,
            jpeg_quality=int(rng.integers(60, 90)) if phone else plain.jpeg_quality,
            smoothing=float(rng.uniform(0.0, 25.0)) if phone else 0.0,
            sharpening=float(rng.uniform(0.2, 1.0)) if phone else 0.0,
            correlation_px=float(rng.uniform(0.3, 1.1)) if correlated else 0.0,
            blotches=float(rng.uniform(0.1, 0.4)) if blotched else 0.0,
            blotch_px=float(rng.uniform(3.0, 10.0)) if blotched else 0.0,
            red_error=float(rng.uniform(-0.15, 0.15)) if tinted else 0.0,
            blue_error=float(rng.uniform(-0.15, 0.15)) if tinted else 0.0,
            motion_px=int(rng.integers(2, 5)) if moved else 0,
        )

    @classmethod
    def draw_phone(cls, rng: np.random.Generator) -> Camera:
        """A camera with all that phones do to a dark photograph, each part with some probability.

        Black levels reach from a little below zero to what was seen in phones' photographs (20 of
        255), red and blue more often than green, as the white balance multiplies them.
        """
        plain = cls.draw_real(rng)
        lit, glared, shaded, calibrated, pixels, black, again = rng.random(7) < (
            (0.6, 0.4, 0.5, 0.6, 0.2, 0.5, 0.5)
        )
        lift = rng.gamma(1.5, 4.0) / 255
        tint = np.array([rng.uniform(0.3, 1.3), rng.uniform(-0.2, 0.8), rng.uniform(0.3, 1.3)])
        level = np.minimum(lift * tint, MOST_BLACK)
        return replace(
            plain,
            lamp=lamp_colour(rng) if lit else (1.0, 1.0),
            adapted=float(rng.uniform(0.3, 1.0)) if lit else 1.0,
            glare=float(rng.uniform(0.0, 0.06)) if glared else 0.0,
            shading=float(rng.uniform(0.1, 0.6)) if shaded else 0.0,
            sensor=int(rng.integers(len(SENSORS))) if calibrated else None,
            raw_bits=int(rng.choice([10, 12, 14])),
            hot=float(np.exp(rng.uniform(np.log(1e-6), np.log(1e-4)))) if pixels else 0.0,
            smoothing=float(rng.uniform(0.0, 25.0)),
            sharpening=float(rng.uniform(0.0, 1.0)),
            chroma_px=float(rng.uniform(0.0, 4.0)),
            black=(float(level[0]), float(level[1]), float(level[2])) if black else (0.0, 0.0, 0.0),
            black_shading=float(rng.uniform(0.0, 1.0)) if black and shaded else 0.0,
            jpeg_quality=int(rng.integers(50, 96)),
            again_quality=int(rng.integers(50, 96)) if again else 0,
            again_scale=float(rng.uniform(0.5, 1.0)) if again else 1.0,
        )


def lamp_colour(rng: np.random.Generator) -> tuple[float, float]:
    """Red and blue of a lamp over its green, linear: a glowing one, an LED, or sodium vapour."""
    kind = rng.random()
    if kind < 0.6:
        return planckian(float(rng.uniform(2000, 4000)))
    if kind < 0.85:  # a white LED: bluer than its temperature says, or greener
        red, blue = planckian(float(rng.uniform(3500, 7000)))
        return red * float(rng.uniform(0.85, 1.0)), blue * float(rng.uniform(0.95, 1.15))
    return SODIUM


SODIUM = (3.55, 0.036)
"""High pressure sodium, CIE 1931 x .519, y .418, in linear sRGB."""
MOST_BLACK = 20 / 255


def planckian(kelvin: float) -> tuple[float, float]:
    """Linear sRGB red and blue over green of a black body of 1667 to 25000 K, as D65 is white.

    The locus in CIE 1931 by the cubic splines of Kim et al. (US patent 7024034, 2002).
    """
    t = 1000 / kelvin
    if kelvin < 4000:
        x = -0.2661239 * t**3 - 0.2343589 * t**2 + 0.8776956 * t + 0.179910
    else:
        x = -3.0258469 * t**3 + 2.1070379 * t**2 + 0.2226347 * t + 0.240390
    if kelvin < 2222:
        y = -1.1063814 * x**3 - 1.34811020 * x**2 + 2.18555832 * x - 0.20219683
    elif kelvin < 4000:
        y = -0.9549476 * x**3 - 1.37418593 * x**2 + 2.09137015 * x - 0.16748867
    else:
        y = 3.0817580 * x**3 - 5.87338670 * x**2 + 3.75112997 * x - 0.37001483
    red, green, blue = XYZ_TO_SRGB @ np.array([x / y, 1.0, (1 - x - y) / y])
    return float(red / green), float(max(blue / green, 0.01))


XYZ_TO_SRGB = np.array(
    [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]
)
"""IEC 61966-2-1."""


def darken(
    image: Image, k: float, rng: np.random.Generator, *, camera: Camera | None = None
) -> Image:
    """``image`` with ``k`` times its light, with sensor noise, 8 bit quantisation and JPEG.

    ``k`` is the linear exposure in (0, 1]; noise is added at k = 1 too. ``camera`` is drawn from
    ``rng`` unless given. The same generator state gives the same picture.

    Raises:
        ParameterError: ``k`` outside (0, 1].
    """
    check_image(image)
    if not 0 < k <= 1:
        raise ParameterError(f"the exposure k must be in (0, 1], got {k}")
    return record(scene_light(image), k, rng, camera or Camera.draw(rng))


def record(light: Image, k: float, rng: np.random.Generator, camera: Camera) -> Image:
    """The picture in [0, 1] that a camera takes of linear scene light (H, W, 3) at exposure ``k``.

    The light may exceed 1, as lamps do; what does so times ``k`` clips.
    """
    gains = np.array([camera.red_gain, 1.0, camera.blue_gain], np.float32)
    if camera.lamp != (1.0, 1.0):
        light = light * camera.cast
    if camera.glare or camera.shading:
        light = _through_lens(light, camera)
    raw = light * (np.float32(k) / gains)
    if camera.motion_px:
        angle = rng.uniform(0, np.pi)
        raw = _moved(raw, camera.motion_px, angle)
    raw = _sensed(raw, rng, camera)
    gains *= np.array([1 + camera.red_error, 1, 1 + camera.blue_error], np.float32)
    encoded = _encoded(np.clip(raw * gains, 0.0, 1.0))
    if camera.smoothing or camera.sharpening:
        encoded = _processed(encoded, camera)
    if camera.chroma_px:
        encoded = _smoothed_colour(encoded, camera.chroma_px)
    if any(camera.black):
        encoded = _lifted(encoded, camera)
    picture = through_jpeg(encoded, camera.jpeg_quality)
    return _saved_again(picture, camera) if camera.again_quality else picture


def _sensed(raw: Image, rng: np.random.Generator, camera: Camera) -> Image:
    """Linear light on the sensor (H, W, 3) as its raw file holds it, in place or not."""
    if camera.sensor is not None:
        raw = expose_sensor(raw, camera.sensor, rng)
    else:
        noise: Image = np.asarray(rng.standard_normal(raw.shape, dtype=np.float32))
        if camera.correlation_px:
            noise = _correlated(noise, camera.correlation_px)
        if camera.blotches:
            noise += np.float32(camera.blotches) * _coarse(raw.shape, camera.blotch_px, rng)
        raw += noise * np.sqrt(raw * np.float32(camera.shot) + np.float32(camera.read))
    if camera.hot:
        shines = rng.random(raw.shape, dtype=np.float32) < np.float32(camera.hot)
        raw = np.where(shines, np.float32(1), raw)
    if camera.raw_bits:
        steps = np.float32(2**camera.raw_bits - 1)
        raw = np.rint(raw * steps) / steps
    return raw


def _through_lens(light: Image, camera: Camera) -> Image:
    """Scene light with a share of it spread over the frame, and less of it towards the corners."""
    height, width = light.shape[:2]
    if camera.glare:
        small = downscale(light, max(1, width // GLARE_STEP), max(1, height // GLARE_STEP))
        wide = cv2.GaussianBlur(
            small, (0, 0), max(small.shape) * GLARE_REACH, borderType=cv2.BORDER_CONSTANT
        )
        spread = np.reshape(cv2.resize(wide, (width, height)), light.shape)
        light = light + np.float32(camera.glare) * (spread - light)
    if camera.shading:
        light = light * (1 - np.float32(camera.shading) * _to_corners(height, width))
    return np.asarray(light, np.float32)


GLARE_STEP, GLARE_REACH = 8, 0.25
"""The glare is spread on a copy this many times smaller, over that share of its longer side."""


def _to_corners(height: int, width: int) -> Image:
    """(H, W, 1): 0 in the middle, 1 in the corners, with the square of the distance."""
    y, x = (np.linspace(-1, 1, side, dtype=np.float32) for side in (height, width))
    return np.asarray((y[:, None] ** 2 + x[None, :] ** 2)[:, :, None] / 2, np.float32)


def _lifted(image: Image, camera: Camera) -> Image:
    """Encoded values with the camera's blacks under them; clipped when they are rounded."""
    black = np.array(camera.black, np.float32)
    if camera.black_shading:
        black = black * (1 + np.float32(camera.black_shading) * _to_corners(*image.shape[:2]))
    return np.asarray(black + (1 - black) * image, np.float32)


def _smoothed_colour(image: Image, sigma_px: float) -> Image:
    planes = rgb_to_ycbcr(image)
    planes[:, :, 1:] = gaussian_blur(np.ascontiguousarray(planes[:, :, 1:]), sigma_px)
    return np.asarray(np.clip(ycbcr_to_rgb(planes), 0, 1), np.float32)


def _saved_again(image: Image, camera: Camera) -> Image:
    """The picture made smaller, saved once more, and back at its size: tiles of another grid."""
    height, width = image.shape[:2]
    size = [max(1, round(side * camera.again_scale)) for side in (width, height)]
    small = downscale(image, *size) if camera.again_scale != 1 else image
    small = through_jpeg(small, camera.again_quality)
    if camera.again_scale == 1:
        return small
    grown = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.rint(np.clip(grown, 0, 1) * 255) / np.float32(255), np.float32)


def render(light: Image, stops: Image | float = 0.0) -> Image:
    """Linear scene light (H, W, 3) as a camera without noise shows it, in [0, 1].

    ``stops`` of exposure are added, everywhere or from place to place (H, W). What is brighter
    than white keeps its hue and pales over four stops, instead of being clipped channel by channel.
    """
    exposed = light * np.exp2(np.asarray(stops, np.float32))[..., None]
    over = np.maximum(exposed.max(axis=2, keepdims=True), 1)
    colour = exposed / over
    pale = np.clip(np.log2(over) / 4, 0, 0.9) ** 1.5
    return _encoded(np.asarray(np.clip(colour + pale * (1 - colour), 0, 1), np.float32))


def through_jpeg(image: Image, quality: int) -> Image:
    """``image`` after 8 bit quantisation and a JPEG of this quality (1-100)."""
    bgr = np.rint(np.clip(image, 0.0, 1.0) * 255).astype(np.uint8)[:, :, ::-1]
    data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    decoded = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.float32)
    return decoded[:, :, ::-1] / np.float32(255)


def _correlated(noise: Image, sigma_px: float) -> Image:
    """White noise of unit variance made smooth, of unit variance again."""
    kernel = cv2.getGaussianKernel(7, sigma_px, cv2.CV_32F)
    smooth = cv2.sepFilter2D(noise, -1, kernel, kernel, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(smooth / np.float32((kernel**2).sum()), np.float32)


def _coarse(shape: tuple[int, ...], size_px: float, rng: np.random.Generator) -> Image:
    """Noise of about unit variance in coloured blotches, as denoising and JPEG leave it."""
    height, width = shape[:2]
    cells = (max(2, round(height / size_px)), max(2, round(width / size_px)), 3)
    small = rng.standard_normal(cells, dtype=np.float32)
    large = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(large, np.float32)


def _moved(image: Image, length_px: int, angle: float) -> Image:
    """A straight motion blur of about ``length_px`` in direction ``angle`` (radians)."""
    kernel = np.zeros((2 * length_px + 1,) * 2, np.float32)
    for t in np.linspace(-0.5, 0.5, 4 * length_px):
        x, y = length_px * (1 + t * np.cos(angle)), length_px * (1 + t * np.sin(angle))
        kernel[round(y), round(x)] += 1
    moved = cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(np.maximum(moved, 0), np.float32)


def scene_light(image: Image) -> Image:
    """Linear light of a photo: the inverse of the smoothstep tone curve, then of the gamma."""
    # what resizing left a rounding error above white has no arcsine
    tone = 0.5 - np.sin(np.arcsin(1.0 - 2.0 * np.clip(image, 0.0, 1.0)) / 3.0)
    return np.asarray(np.maximum(tone, 0.0) ** np.float32(GAMMA), np.float32)


def _encoded(linear: Image) -> Image:
    """The forward camera curve: gamma, then the smoothstep tone curve 3x^2 - 2x^3."""
    x = linear ** np.float32(1.0 / GAMMA)
    return np.asarray(x * x * (3.0 - 2.0 * x), np.float32)


def _processed(image: Image, camera: Camera) -> Image:
    """What a phone does to a picture before it is stored: smoothed but for edges, sharpened."""
    levels = np.rint(image * 255).astype(np.uint8)
    if camera.smoothing:
        levels = np.asarray(cv2.bilateralFilter(levels, 5, camera.smoothing, 2.0), np.uint8)
    smooth = levels.astype(np.float32) / np.float32(255)
    detail = smooth - cv2.GaussianBlur(smooth, (0, 0), 1.0)
    return np.asarray(np.clip(smooth + np.float32(camera.sharpening) * detail, 0, 1), np.float32)
