"""Filters on planes (H, W) and images (H, W, C), float32, borders reflected, any size from 1x1."""

from __future__ import annotations

import cv2
import numpy as np

from relume.errors import ParameterError
from relume.photo import Image


def box_filter(image: Image, radius_px: int) -> Image:
    """Mean over a square of side ``2 radius_px + 1``.

    Raises:
        ParameterError: a negative radius.
    """
    if radius_px < 0:
        raise ParameterError(f"a radius must be 0 px or more, got {radius_px}")
    side = 2 * radius_px + 1
    blurred = cv2.blur(image, (side, side), borderType=cv2.BORDER_REFLECT)
    return np.asarray(blurred, np.float32).reshape(image.shape)


def gaussian_blur(image: Image, sigma_px: float) -> Image:
    """Gaussian blur of standard deviation ``sigma_px``; 0 leaves the image alone.

    Raises:
        ParameterError: a negative sigma.
    """
    if sigma_px < 0:
        raise ParameterError(f"a sigma must be 0 px or more, got {sigma_px}")
    if sigma_px == 0:
        return image
    blurred = cv2.GaussianBlur(image, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT)
    return np.asarray(blurred, np.float32).reshape(image.shape)


def downscale(image: Image, width: int, height: int) -> Image:
    """Area-averaged down to ``width`` x ``height``; a large picture by whole factors first.

    OpenCV averages whole factors with all cores and many values at once, others one by one.
    """
    factor = min(image.shape[0] // (4 * height), image.shape[1] // (4 * width))
    if factor > 1:
        near = (image.shape[1] // factor, image.shape[0] // factor)
        whole = image[: near[1] * factor, : near[0] * factor]
        image = cv2.resize(whole, near, interpolation=cv2.INTER_AREA)
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)


def guided_filter(
    guide: Image, source: Image, *, radius_px: int, eps: float, subsample: int = 1
) -> Image:
    """``source`` (H, W) smoothed along the edges of ``guide`` (H, W).

    He, Sun, Tang, *Guided Image Filtering* (TPAMI 2013): in each window the output is linear in
    the guide, q = a I + b, by eq. 5, 6 and 8. With ``subsample`` the coefficients are computed at
    1 / subsample of the size (He, Sun, *Fast Guided Filter*, 2015) and only they are enlarged:
    details come from the guide at full size. ``eps`` is the variance below which the guide counts
    as flat.

    Raises:
        ParameterError: sizes that do not fit, or a radius, eps or subsample that is not positive.
    """
    if source.ndim != 2 or guide.shape != source.shape:
        raise ParameterError(
            f"expected a source (H, W) and a guide of its size, got {source.shape}, {guide.shape}"
        )
    if radius_px < 1 or eps <= 0 or subsample < 1:
        raise ParameterError(
            "expected a radius of 1 px or more, eps above 0 and subsample of 1 or more, got "
            f"{radius_px}, {eps} and {subsample}"
        )
    height, width = source.shape
    step = max(1, min(subsample, radius_px, min(height, width) // 4))
    small = (-(-width // step), -(-height // step))
    radius = max(1, radius_px // step)
    coarse_guide, coarse = (downscale(x, *small) for x in (guide, source))
    slope, offset = _coefficients(coarse_guide, coarse, radius, eps)
    slope, offset = (_grown(box_filter(x, radius), (width, height)) for x in (slope, offset))
    return np.asarray(slope * guide + offset, np.float32)


def _coefficients(guide: Image, source: Image, radius: int, eps: float) -> tuple[Image, Image]:
    """a = cov(I, p) / (var(I) + eps), b = mean(p) - a mean(I): eq. 5 and 6."""
    guide_mean, mean = box_filter(guide, radius), box_filter(source, radius)
    variance = box_filter(guide * guide, radius) - guide_mean * guide_mean
    covariance = box_filter(guide * source, radius) - guide_mean * mean
    slope = covariance / (np.maximum(variance, 0) + np.float32(eps))
    return np.asarray(slope, np.float32), np.asarray(mean - slope * guide_mean, np.float32)


def _grown(image: Image, size: tuple[int, int]) -> Image:
    if size == (image.shape[1], image.shape[0]):
        return image
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.float32)
