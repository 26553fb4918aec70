"""Making darkness: a bright photograph as a camera would have recorded it with less light.

After Brooks et al., *Unprocessing Images for Learned Raw Denoising* (CVPR 2019), and Cui et al.,
*Multitask AET* (ICCV 2021): sRGB -> inverse tone curve -> linear -> white balance undone ->
``k`` times the light -> shot and read noise -> white balance -> sRGB -> 8 bit -> JPEG.

It stands on the floor of pure functions, because three flows need the same darkness: training
(pairs), the study (its ladder) and the demo.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from relume.errors import ParameterError
from relume.photo import Image, check_image

GAMMA = 2.2
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
    raw = light * (np.float32(k) / gains)
    if camera.motion_px:
        angle = rng.uniform(0, np.pi)
        raw = _moved(raw, camera.motion_px, angle)
    noise: Image = np.asarray(rng.standard_normal(raw.shape, dtype=np.float32))
    if camera.correlation_px:
        noise = _correlated(noise, camera.correlation_px)
    if camera.blotches:
        noise += np.float32(camera.blotches) * _coarse(raw.shape, camera.blotch_px, rng)
    raw += noise * np.sqrt(raw * np.float32(camera.shot) + np.float32(camera.read))
    gains *= np.array([1 + camera.red_error, 1, 1 + camera.blue_error], np.float32)
    encoded = _encoded(np.clip(raw * gains, 0.0, 1.0))
    if camera.smoothing or camera.sharpening:
        encoded = _processed(encoded, camera)
    return through_jpeg(encoded, camera.jpeg_quality)


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
