"""Denoising of a Retinex reflectance: stronger where there was less light.

A photo S = R * I carries noise of about the same variance everywhere in its dark parts (read
noise, quantisation). Dividing by I hands it to R with

    var_R(x) = var_S / I(x)^2,

so that the noise of R grows as the illumination falls. ``var_S`` is estimated from the picture
itself, for every scale: cameras and JPEG correlate noise, so one number does not fit all scales.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from relume.errors import InputError, MissingExtra, ParameterError, RelumeError
from relume.image.exposure import subsample
from relume.image.filters import Guide
from relume.photo import Image, check_image

METHODS = ("guided", "nlm", "bm3d", "none")
DEFAULT_METHOD = "guided"

DARKEST = 0.05
"""Illumination below this counts as this: with less, outlines in near-black parts are lost."""

QUIET = 30.0
"""Percentile of the local energy that counts as noise: the flat third of a photograph."""

SCALES = 3
LUMA_K = 1.3
"""Noise standard deviations that a luma detail must exceed; of 1.1-2, best SSIM on LOL pairs."""
CHROMA_K = 2.0
CHROMA_RADIUS_PX = 8
CHROMA_EPS = 0.5
WINDOW_PX = 2.0
"""Sigma of the Gaussian window in which local energy is measured."""
TINY = np.float32(1e-12)


class MissingDenoiser(MissingExtra):
    """The package bm3d, which relume never installs by itself, is not there."""

    def __init__(self) -> None:
        RelumeError.__init__(
            self,
            "denoise=bm3d needs the package 'bm3d', which is not installed and which relume does "
            "not bring along, because its licence forbids commercial use; if that suits you: "
            "pip install bm3d; otherwise use denoise=guided or nlm",
        )
        self.extra = ""


def denoise_reflectance(
    reflectance: Image,
    illumination: Image,
    *,
    method: str = DEFAULT_METHOD,
    strength: float = 1.0,
) -> Image:
    """``reflectance`` without its noise, edges kept, smoothed as its ``illumination`` is low.

    ``illumination`` is (H, W). ``strength`` in [0, 2] scales the standard deviation of what is
    taken for noise; at 0 nothing changes. Methods: ``guided`` shrinks luma details at three
    scales where they do not rise above the noise (an empirical Wiener filter) and smooths chroma
    under the guidance of the clean luma (He et al., *Guided Image Filtering*, 2013); ``nlm`` are
    OpenCV's non-local means, ``bm3d`` the user-installed package of that name (non-commercial
    licence); ``none`` does nothing.

    Raises:
        InputError: the shapes do not fit.
        ParameterError: an unknown method or a strength outside [0, 2].
        MissingExtra: ``bm3d`` is asked for and not installed.
    """
    check_image(reflectance)
    if illumination.shape != reflectance.shape[:2]:
        raise InputError(
            f"expected an illumination of shape {reflectance.shape[:2]}, got {illumination.shape}"
        )
    if method not in METHODS:
        raise ParameterError(f"denoise must be one of {', '.join(METHODS)}, got {method!r}")
    if not 0 <= strength <= 2:
        raise ParameterError(f"the strength of denoising must be 0 to 2, got {strength:g}")
    if method == "none" or strength == 0:
        return reflectance
    light = np.maximum(illumination, np.float32(DARKEST)).astype(np.float32, copy=False)
    if method == "guided":
        return _guided(reflectance, light, strength)
    return _whole(reflectance, light, strength, method)


def _guided(reflectance: Image, light: Image, strength: float) -> Image:
    channels = cv2.cvtColor(reflectance, cv2.COLOR_RGB2YCrCb)
    noisy = np.ascontiguousarray(channels[:, :, 0])
    luma = _shrink_luma(noisy, light, LUMA_K * strength)
    eps = CHROMA_EPS**2 * strength**2 * noise_variance(noisy - luma, light) + np.float32(1e-6)
    channels[:, :, 0] = luma
    guide = Guide.of(luma, CHROMA_RADIUS_PX, eps)
    for c in (1, 2):
        chroma = np.ascontiguousarray(channels[:, :, c])
        slope, offset = guide.coefficients(chroma)
        smooth = np.asarray(slope * luma + offset)
        channels[:, :, c] = _keep_signal(chroma, smooth, light, CHROMA_K * strength)
    return np.asarray(cv2.cvtColor(channels, cv2.COLOR_YCrCb2RGB), np.float32)


def _shrink_luma(luma: Image, light: Image, k: float) -> Image:
    """A Laplacian pyramid whose details are shrunk where they do not rise above the noise."""
    details = []
    coarse = luma
    for _ in range(SCALES):
        if min(coarse.shape) < 4:
            break
        lower = cv2.pyrDown(coarse)
        detail = coarse - cv2.pyrUp(lower, dstsize=coarse.shape[::-1])
        details.append(_wiener(detail, light, k))
        coarse, light = lower, cv2.pyrDown(light)
    for detail in reversed(details):
        coarse = cv2.pyrUp(coarse, dstsize=detail.shape[::-1]) + detail
    return coarse


def _wiener(detail: Image, light: Image, k: float) -> Image:
    """Two passes: a first estimate of the signal, and the Wiener gain that follows from it."""
    noise = noise_variance(detail, light)
    energy = _local_mean(detail * detail)
    pilot = detail * (np.maximum(energy - np.float32(k * k) * noise, 0) / (energy + TINY))
    signal = _local_mean(pilot * pilot)
    # k = 0 must leave the detail alone; from k = 1 on the gain is the textbook's
    return np.asarray(detail * (signal / (signal + np.float32(min(k, 1.0)) * noise + TINY)))


def _keep_signal(noisy: Image, smooth: Image, light: Image, k: float) -> Image:
    """``smooth``, with what it lost given back where that is more than noise (coloured edges)."""
    lost = noisy - smooth
    energy = _local_mean(lost * lost)
    noise = np.float32(k * k) * noise_variance(lost, light)
    return np.asarray(smooth + lost * (np.maximum(energy - noise, 0) / (energy + TINY)))


def noise_variance(detail: Image, light: Image) -> Image:
    """The noise variance of ``detail`` at every pixel, (H, W): var_S / I^2.

    ``var_S`` is the local energy of detail * I in the quietest part of the picture.
    """
    scaled = detail * light
    energy = _local_mean(scaled * scaled)
    # a sample is plenty for a percentile, and 12 MP take 0.3 s to sort
    quiet = np.float32(np.percentile(subsample(energy, 250_000), QUIET))
    return np.asarray(quiet / (light * light), np.float32)


def _local_mean(values: Image) -> Image:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), WINDOW_PX), np.float32)


def _whole(reflectance: Image, light: Image, strength: float, method: str) -> Image:
    """Denoisers of one noise level: run at the median, held back where there is less noise."""
    luma = np.ascontiguousarray(cv2.cvtColor(reflectance, cv2.COLOR_RGB2YCrCb)[:, :, 0])
    fine = luma - cv2.GaussianBlur(luma, (0, 0), 1.0)
    sigma = np.sqrt(noise_variance(fine, light))
    level = float(np.percentile(sigma[:: max(1, sigma.shape[0] // 512)], 50))
    weight = np.minimum(sigma / np.float32(max(level, 1e-6)), 1.0)[:, :, None]
    if method == "bm3d":
        clean = _bm3d(reflectance, strength * level)
        return np.asarray(reflectance + weight * (clean - reflectance), np.float32)
    levels = np.rint(np.clip(reflectance, 0.0, 1.0) * 255).astype(np.uint8)
    # 1.3 times the noise: best SSIM of 1-2 on LOL pairs; the filter is 8 bit, so its change is used
    h = float(np.clip(1.3 * strength * level * 255, 0.1, 40))
    clean = cv2.fastNlMeansDenoisingColored(levels, None, h, h, 5, 15)
    change = (clean.astype(np.float32) - levels) / np.float32(255)
    return np.asarray(reflectance + weight * change, np.float32)


def _bm3d(reflectance: Image, sigma: float) -> Image:
    try:
        import bm3d
    except ImportError:
        raise MissingDenoiser from None
    clean: Any = bm3d.bm3d_rgb(reflectance.astype(np.float64), max(sigma, 1e-4))
    return np.asarray(clean, np.float32)
