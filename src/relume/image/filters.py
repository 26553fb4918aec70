"""Filters on planes (H, W) and images (H, W, C), float32, borders reflected, any size from 1x1."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from relume.errors import ParameterError
from relume.photo import Array, Image


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


def size_within(image: Array, side_px: int) -> tuple[int, int]:
    """Width and height of a copy whose longer side is ``side_px`` at most, its shape kept."""
    height, width = image.shape[:2]
    scale = min(1.0, side_px / max(height, width))
    return max(1, round(width * scale)), max(1, round(height * scale))


def fit_within(image: Image, side_px: int) -> Image:
    """The image, area-averaged down to a longer side of ``side_px`` at most."""
    return downscale(image, *size_within(image, side_px))


@dataclass(frozen=True)
class Guide:
    """A plane (H, W) along whose edges others are smoothed, and what its windows hold.

    He, Sun, Tang, *Guided Image Filtering* (TPAMI 2013): in each window the output is linear in
    the guide, q = a I + b, by eq. 5, 6 and 8.
    """

    plane: Image
    radius_px: int
    mean: Image
    variance: Image
    eps: Image

    @classmethod
    def of(cls, plane: Image, radius_px: int, eps: Image | float) -> Guide:
        """``eps``, everywhere or (H, W), is the variance below which the guide counts as flat."""
        mean = box_filter(plane, radius_px)
        variance = np.maximum(box_filter(plane * plane, radius_px) - mean * mean, 0)
        return cls(plane, radius_px, mean, variance, np.asarray(eps, np.float32))

    def slope(self, source: Image) -> Image:
        """a = cov(I, p) / (var(I) + eps), not averaged over the windows that a pixel is in."""
        return self._slope(source, box_filter(source, self.radius_px))

    def _slope(self, source: Image, mean: Image) -> Image:
        covariance = self.variance
        if source is not self.plane:
            covariance = box_filter(self.plane * source, self.radius_px) - self.mean * mean
        return np.asarray(covariance / (self.variance + self.eps), np.float32)

    def coefficients(self, source: Image) -> tuple[Image, Image]:
        """a and b = mean(p) - a mean(I), averaged: ``source`` is smoothed to a I + b."""
        mean = self.mean if source is self.plane else box_filter(source, self.radius_px)
        slope = self._slope(source, mean)
        offset = np.asarray(mean - slope * self.mean, np.float32)
        return box_filter(slope, self.radius_px), box_filter(offset, self.radius_px)


def guided_filter(
    guide: Image, source: Image, *, radius_px: int, eps: float, subsample: int = 1
) -> Image:
    """``source`` (H, W) smoothed along the edges of ``guide`` (H, W); see :class:`Guide`.

    With ``subsample`` the coefficients are computed at 1 / subsample of the size (He, Sun, *Fast
    Guided Filter*, 2015) and only they are enlarged: details come from the guide at full size.

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
    coarse_guide, coarse = (downscale(x, *small) for x in (guide, source))
    coefficients = Guide.of(coarse_guide, max(1, radius_px // step), eps).coefficients(coarse)
    slope, offset = (enlarged(x, width, height) for x in coefficients)
    return np.asarray(slope * guide + offset, np.float32)


def enlarged(image: Image, width: int, height: int) -> Image:
    """``image`` at ``width`` x ``height``, bilinearly; itself where it has that size."""
    if (height, width) == image.shape[:2]:
        return image
    large = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(large, np.float32)
