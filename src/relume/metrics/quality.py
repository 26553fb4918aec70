"""How near a picture is to its reference, and what fell apart in it."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from relume.errors import InputError
from relume.image.color import largest, luma
from relume.image.exposure import mean_level
from relume.image.filters import gaussian_blur
from relume.photo import Image, check_image

SSIM_SIGMA_PX = 1.5
SSIM_RADIUS_PX = 5
"""The 11x11 window of Wang et al. (2004)."""
SSIM_C1 = 0.01**2
SSIM_C2 = 0.03**2

LIT_WINDOW_PX = 9
LIT_CLIPPED = 245 / 255

HOLE_BELOW, LIT_AROUND, AROUND_PX = 10 / 255, 60 / 255, 17
"""A hole's largest channel, the mean of it that is lit, and the side of the square it is taken in.
"""
AGREEMENT_SIGMA_PX = 4.0
HOLDS = 2 / 255
"""Light above a photo's darkest places from which a place holds something."""

FLAT_SQUARE_PX, FLAT_SIGMA_PX, FLATTEST = 16, 2.0, 0.25
"""Side of the squares that noise is measured in, the blur that tells what is flat from what is
noisy, and the share of the dark squares that is called flat."""

Plane = npt.NDArray[np.float64]


def psnr(image: Image, reference: Image) -> float:
    """Peak signal-to-noise ratio in dB over all pixels and channels; inf for equal pictures.

    Raises:
        InputError: different sizes.
    """
    _check_pair(image, reference)
    error = np.mean(np.square(image.astype(np.float64) - reference))
    return math.inf if error == 0 else float(-10.0 * np.log10(error))


def psnr_gt_mean(image: Image, reference: Image) -> float:
    """PSNR once ``image`` has the mean grey level of ``reference``; never comparable with raw PSNR.

    Raises:
        InputError: different sizes.
    """
    return psnr(with_mean_of(image, reference), reference)


def with_mean_of(image: Image, reference: Image) -> Image:
    """``image`` scaled to the mean grey level of ``reference``, clamped: the "GT-mean" correction.

    Raises:
        InputError: different sizes.
    """
    _check_pair(image, reference)
    mean = mean_level(image)
    gain = mean_level(reference) / mean if mean > 0 else 1.0
    scaled: Image = np.clip(image * np.float32(gain), 0.0, 1.0)
    return scaled


def lit_detail(photo: Image, result: Image) -> float:
    """Local contrast that the brightest unclipped 5 % of ``photo`` keep in ``result``; 1 is all.

    The contrast is the standard deviation of the luma in 9 x 9 pixels; places with a channel above
    245 / 255 do not count.

    Raises:
        InputError: different sizes.
    """
    _check_pair(photo, result)
    before, after = luma(photo), luma(result)
    mean = cv2.blur(before, (LIT_WINDOW_PX, LIT_WINDOW_PX))
    unclipped = photo.max(axis=2) < LIT_CLIPPED
    if not unclipped.any():
        return 1.0
    lit = unclipped & (mean >= np.percentile(mean[unclipped], 95))
    contrast = _contrast(before)[lit].mean()
    return float(_contrast(after)[lit].mean() / max(contrast, 1e-4))


def _contrast(plane: Image) -> Image:
    window = (LIT_WINDOW_PX, LIT_WINDOW_PX)
    mean, square = cv2.blur(plane, window), cv2.blur(plane * plane, window)
    return np.asarray(np.sqrt(np.maximum(square - mean * mean, 0)), np.float32)


def holes(result: Image) -> float:
    """The share of pixels that stayed near black amid lit surroundings: what fell apart.

    The largest channel lies below 10 / 255 where its mean over 17 x 17 pixels is above 60 / 255.
    """
    most = largest(check_image(result))
    around = cv2.blur(most, (AROUND_PX, AROUND_PX))
    return float(((most < HOLE_BELOW) & (around > LIT_AROUND)).mean())


def agreement(image: Image, reference: Image) -> float:
    """PSNR in dB once both are blurred (sigma 4 px): do they show the same places alike?

    Raises:
        InputError: different sizes.
    """
    _check_pair(image, reference)
    blurred = (gaussian_blur(picture, AGREEMENT_SIGMA_PX) for picture in (image, reference))
    return psnr(*blurred)


def fog(photo: Image, result: Image) -> float:
    """The 5th percentile of the result's largest channel where the photo holds something.

    Places count whose largest channel, over 17 x 17 pixels, is above 2 / 255 of the photo's own
    darkest percentile. A picture with blacks has a small value, a veiled one a large one.

    Raises:
        InputError: different sizes.
    """
    _check_pair(photo, result)
    most = cv2.blur(largest(photo), (AROUND_PX, AROUND_PX))
    held = most > np.percentile(most, 1) + HOLDS
    return float(np.percentile(largest(result)[held], 5)) if held.any() else 0.0


def dark_noise(photo: Image, result: Image) -> float:
    """What ``result`` shows in the flat dark places of ``photo``: standard deviation of its luma.

    Places are squares of 16 x 16 px, darker than half of the photo's, of which the quarter counts
    whose light, blurred (sigma 2 px), varies least. NaN in a photo smaller than a square.

    Raises:
        InputError: different sizes.
    """
    _check_pair(photo, result)
    before = luma(photo)
    smooth = _squares(gaussian_blur(before, FLAT_SIGMA_PX)).std(axis=1)
    level = _squares(before).mean(axis=1)
    if not len(level):
        return math.nan
    dark = level <= np.median(level)
    flat = dark & (smooth <= np.quantile(smooth[dark], FLATTEST))
    return float(_squares(luma(result))[flat].std(axis=1).mean())


def _squares(plane: Image) -> Image:
    """The pixels of a plane's squares, (N, 256); what is over right and below is left out."""
    side = FLAT_SQUARE_PX
    rows, columns = plane.shape[0] // side, plane.shape[1] // side
    cut = plane[: rows * side, : columns * side].reshape(rows, side, columns, side)
    return np.asarray(cut.transpose(0, 2, 1, 3).reshape(rows * columns, side * side))


def ssim(image: Image, reference: Image) -> float:
    """Mean structural similarity over RGB and the pixels whose whole window lies in the picture.

    Wang, Bovik, Sheikh and Simoncelli, *Image Quality Assessment: From Error Visibility to
    Structural Similarity* (IEEE TIP 2004), eq. 13: 11x11 Gaussian window of sigma 1.5, population
    covariance, K = (0.01, 0.03). The same as scikit-image's with ``gaussian_weights=True,
    sigma=1.5, use_sample_covariance=False``.

    Raises:
        InputError: different sizes, or a side shorter than the window's 11 px.
    """
    _check_pair(image, reference)
    if min(image.shape[:2]) < 2 * SSIM_RADIUS_PX + 1:
        raise InputError(f"SSIM needs at least 11x11 pixels, got {image.shape[1]}x{image.shape[0]}")
    x, y = image.astype(np.float64), reference.astype(np.float64)
    mean_x, mean_y = _window_mean(x), _window_mean(y)
    variance_x = _window_mean(x * x) - mean_x * mean_x
    variance_y = _window_mean(y * y) - mean_y * mean_y
    covariance = _window_mean(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + SSIM_C1) / (mean_x**2 + mean_y**2 + SSIM_C1)
    structure = (2 * covariance + SSIM_C2) / (variance_x + variance_y + SSIM_C2)
    inside = slice(SSIM_RADIUS_PX, -SSIM_RADIUS_PX)
    return float((luminance * structure)[inside, inside].mean())


def _window_mean(values: Plane) -> Plane:
    kernel = cv2.getGaussianKernel(2 * SSIM_RADIUS_PX + 1, SSIM_SIGMA_PX, cv2.CV_64F)
    return np.asarray(cv2.sepFilter2D(values, cv2.CV_64F, kernel, kernel))


def _check_pair(image: Image, reference: Image) -> None:
    check_image(image)
    check_image(reference)
    if image.shape != reference.shape:
        raise InputError(
            f"expected pictures of one size, got {image.shape[1]}x{image.shape[0]} and "
            f"{reference.shape[1]}x{reference.shape[0]}"
        )
