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
from relume.image.exposure import subsample
from relume.image.filters import box_filter, gaussian_blur
from relume.image.parallel import for_row_blocks
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
WINDOW_REACH_PX = 8
"""More than the 6 px that the Gaussian window of the energy sees to each side."""


def half(image: Image) -> Image:
    """``image`` at half its height and width, area-averaged; an odd last row or column counts."""
    height, width = image.shape[:2]
    odd = (height % 2, width % 2)
    if any(odd):
        image = cv2.copyMakeBorder(image, 0, odd[0], 0, odd[1], cv2.BORDER_REPLICATE)
    size = (image.shape[1] // 2, image.shape[0] // 2)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)


def restore_detail(small_result: Image, small: Image, image: Image) -> Image:
    """``small_result``, made of ``small`` = ``half(image)``, at the size of ``image``.

    With Y the luma and up() bilinear enlargement, the result is

        up(small_result) + up(g) * w * (Y(image) - up(Y(small))),

    g = cov(Y(small), Y(small_result)) / (var(Y(small)) + eps) in windows of 7x7 (the slope of He
    et al.'s guided filter), in [0, 12], and w in [0, 1] the Wiener share of the detail's local
    energy above the noise, which is the energy of the picture's quieter places. Not clamped.
    """
    before = luma(small)
    gain = _gain(before, luma(small_result))
    detail = np.empty(image.shape[:2], np.float32)
    energy, full = np.empty_like(detail), np.empty_like(image)

    def take(rows: slice) -> None:
        np.subtract(luma(image[rows]), _double(before, rows, image), out=detail[rows])

    def measure(rows: slice) -> None:
        energy[rows] = _energy(detail, rows)

    def add(rows: slice) -> None:
        share = _share(energy[rows], noise)
        share *= detail[rows]
        share *= _double(gain, rows, image)
        added = cv2.cvtColor(share, cv2.COLOR_GRAY2RGB)
        np.add(_double(small_result, rows, image), added, out=full[rows])

    for_row_blocks(take, image)
    for_row_blocks(measure, image)
    noise = NOISE_K**2 * float(np.percentile(subsample(energy, 250_000), QUIET))
    for_row_blocks(add, image)
    return full


def _double(small: Image, rows: slice, image: Image) -> Image:
    """Those rows, the first of them even, of ``small`` enlarged bilinearly to ``image``'s size."""
    top, bottom, _ = rows.indices(len(image))
    first, last = max(0, top // 2 - 1), min(len(small), -(-bottom // 2) + 1)
    size = (2 * small.shape[1], 2 * (last - first))
    large = cv2.resize(small[first:last], size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(large[top - 2 * first : bottom - 2 * first, : image.shape[1]], np.float32)


def _energy(detail: Image, rows: slice) -> Image:
    """The blurred square of ``detail`` in those rows."""
    top, bottom, _ = rows.indices(len(detail))
    first = max(0, top - WINDOW_REACH_PX)
    part = detail[first : bottom + WINDOW_REACH_PX]
    return gaussian_blur(part * part, WINDOW_PX)[top - first : bottom - first]


def _gain(before: Image, after: Image) -> Image:
    """The local slope of ``after`` over ``before``."""
    out = np.empty_like(before)

    def slope(rows: slice) -> None:
        top, bottom, _ = rows.indices(len(before))
        first = max(0, top - 2 * GAIN_RADIUS_PX)
        part = np.s_[first : bottom + 2 * GAIN_RADIUS_PX]
        out[rows] = _slope(before[part], after[part])[top - first : bottom - first]

    for_row_blocks(slope, before)
    return out


def _slope(before: Image, after: Image) -> Image:
    mean, mean_after = (box_filter(x, GAIN_RADIUS_PX) for x in (before, after))
    covariance = box_filter(before * after, GAIN_RADIUS_PX) - mean * mean_after
    variance = box_filter(before * before, GAIN_RADIUS_PX) - mean * mean
    slope = covariance / (np.maximum(variance, 0) + np.float32(FLAT))
    return box_filter(np.clip(slope, 0, np.float32(MOST_GAIN)), GAIN_RADIUS_PX)


def _share(energy: Image, noise: float) -> Image:
    return np.asarray(np.maximum(energy - np.float32(noise), 0) / (energy + np.float32(1e-9)))
