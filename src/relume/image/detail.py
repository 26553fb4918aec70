"""Full-size results from half-size ones: fine detail carried over, the noise in it left behind.

A large photo costs a network more than its finest scale is worth: in the dark that scale is
mostly noise. So the network sees half the size, and what a half-size picture cannot hold, the
photo's own finest luma detail, is added again, multiplied as the network multiplied contrast in
that place, and shrunk where it does not rise above the noise.
"""

from __future__ import annotations

import cv2
import numpy as np

from relume.image.color import luma
from relume.image.filters import box_filter, gaussian_blur
from relume.photo import Image

GAIN_RADIUS_PX = 3
"""Radius of the window of the local gain, at half size."""
FLAT = 1e-5
"""Variance of luma below which a place of the half-size photo counts as flat."""
MOST_GAIN = 12.0
NOISE_K = 1.0
"""Standard deviations of noise that a detail must exceed; of 1 to 3, best PSNR when darkened."""
QUIET = 40.0
"""Percentile of the detail's local energy that counts as noise."""
WINDOW_PX = 1.5


def half(image: Image) -> Image:
    """``image`` at half its height and width (rounded up), area-averaged."""
    height, width = image.shape[:2]
    size = (-(-width // 2), -(-height // 2))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)


def with_full_detail(small_result: Image, small: Image, image: Image) -> Image:
    """``small_result``, made of ``small`` = ``half(image)``, at the size of ``image``.

    With Y the luma and up() bilinear enlargement, the result is

        up(small_result) + up(g) * w * (Y(image) - up(Y(small))),

    g = cov(Y(small), Y(small_result)) / (var(Y(small)) + eps) in windows of 7x7 (the slope of He
    et al.'s guided filter), in [0, 12], and w in [0, 1] the Wiener share of the detail's local
    energy above the noise, which is the energy of the picture's quieter places. Not clamped.
    """
    size = (image.shape[1], image.shape[0])
    before = luma(small)
    gain = _gain(before, luma(small_result))
    detail = luma(image) - cv2.resize(before, size, interpolation=cv2.INTER_LINEAR)
    detail *= _share(detail)
    detail *= cv2.resize(gain, size, interpolation=cv2.INTER_LINEAR)
    full = np.asarray(cv2.resize(small_result, size, interpolation=cv2.INTER_LINEAR), np.float32)
    full += detail[:, :, None]
    return full


def _gain(before: Image, after: Image) -> Image:
    mean, mean_after = (box_filter(x, GAIN_RADIUS_PX) for x in (before, after))
    covariance = box_filter(before * after, GAIN_RADIUS_PX) - mean * mean_after
    variance = box_filter(before * before, GAIN_RADIUS_PX) - mean * mean
    slope = covariance / (np.maximum(variance, 0) + np.float32(FLAT))
    return box_filter(np.clip(slope, 0, np.float32(MOST_GAIN)), GAIN_RADIUS_PX)


def _share(detail: Image) -> Image:
    energy = gaussian_blur(detail * detail, WINDOW_PX)
    # every step-th pixel is plenty for a percentile
    step = max(1, int((energy.size / 250_000) ** 0.5))
    noise = NOISE_K**2 * float(np.percentile(energy[::step, ::step], QUIET))
    return np.asarray(np.maximum(energy - np.float32(noise), 0) / (energy + np.float32(1e-9)))
