"""Colour spaces: sRGB and linear light, luma, YCbCr. All float32, Rec. 601 on encoded values."""

from __future__ import annotations

import cv2
import numpy as np

from relume.image.parallel import map_row_blocks, row_blocks
from relume.photo import Image

REC601 = (0.299, 0.587, 0.114)
"""The weights of red, green and blue in luma."""

GAMMA = 2.2
"""A stop of light multiplies encoded values by about 2 ** (1 / 2.2)."""

# OpenCV's own conversion rounds its constants: 18 levels of 16 bits there and back
TO_YCBCR = np.array(
    [
        [*REC601, 0],
        [-0.299 / 1.772, -0.587 / 1.772, 0.5, 0.5],
        [0.5, -0.587 / 1.402, -0.114 / 1.402, 0.5],
    ]
)
_UNMIX = np.linalg.inv(TO_YCBCR[:, :3])
FROM_YCBCR = np.column_stack([_UNMIX, -_UNMIX @ TO_YCBCR[:, 3]])


def srgb_to_linear(image: Image) -> Image:
    """Linear light of sRGB values (IEC 61966-2-1), [0, 1] to [0, 1], any shape."""
    return map_row_blocks(_to_linear, image)


def linear_to_srgb(image: Image) -> Image:
    """sRGB values of linear light, [0, 1] to [0, 1]; the inverse of :func:`srgb_to_linear`."""
    return map_row_blocks(_to_srgb, image)


def is_grey(image: Image) -> bool:
    """Whether all three channels are equal everywhere."""
    # one row tells of nearly all photos that they are not
    return all(
        (image[rows, :, :1] == image[rows, :, 1:]).all() for rows in (slice(1), *row_blocks(image))
    )


def luma(image: Image) -> Image:
    """Rec. 601 luma, (H, W): 0.299 R + 0.587 G + 0.114 B."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.float32)


def largest(image: Image) -> Image:
    """(H, W): the largest channel of each pixel; a coloured lamp is as bright as that."""
    # cv2.split takes ten times as long: three new planes, and their page faults
    most = np.maximum(image[:, :, 0], image[:, :, 1])
    return np.asarray(np.maximum(most, image[:, :, 2], out=most), np.float32)


def times(image: Image, plane: Image) -> Image:
    """``image`` (H, W, 3), each pixel's channels times the value of ``plane`` (H, W)."""
    # a fourth of the time that NumPy takes to spread the plane over the channels
    spread = cv2.cvtColor(plane, cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.multiply(image, spread, dst=spread), np.float32)


def rgb_to_ycbcr(image: Image) -> Image:
    """Luma and two colour differences around 0.5 (full range, as in JPEG: ITU T.871)."""
    return np.asarray(cv2.transform(image, TO_YCBCR), np.float32)


def ycbcr_to_rgb(image: Image) -> Image:
    """The inverse of :func:`rgb_to_ycbcr`; not clamped."""
    return np.asarray(cv2.transform(image, FROM_YCBCR), np.float32)


def _to_linear(values: Image) -> Image:
    low = values / np.float32(12.92)
    base = np.maximum((values + np.float32(0.055)) / np.float32(1.055), np.float32(0))
    return np.where(values <= np.float32(0.04045), low, base ** np.float32(2.4))


def _to_srgb(light: Image) -> Image:
    low = light * np.float32(12.92)
    root = np.maximum(light, np.float32(0)) ** np.float32(1 / 2.4)
    high = np.float32(1.055) * root - np.float32(0.055)
    return np.where(light <= np.float32(0.0031308), low, high)
