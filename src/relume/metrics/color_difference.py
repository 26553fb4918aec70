"""Colour difference as people see it: CIEDE2000 on CIE L*a*b*.

Sharma, Wu and Dalal, *The CIEDE2000 Color-Difference Formula: Implementation Notes,
Supplementary Test Data, and Mathematical Observations* (2005); the equation numbers are theirs.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from relume.errors import InputError
from relume.photo import Image, check_image

Lab = npt.NDArray[np.float64]

# IEC 61966-2-1: linear sRGB to XYZ, and its white point D65 (2 degree observer)
SRGB_TO_XYZ = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
)
D65_WHITE = np.array([0.95047, 1.0, 1.08883])
C25_7 = 25.0**7


def color_difference(image: Image, reference: Image) -> float:
    """Mean CIEDE2000 difference of two pictures; 1 is about the smallest a person sees.

    Raises:
        InputError: different sizes.
    """
    check_image(image)
    check_image(reference)
    if image.shape != reference.shape:
        raise InputError(f"expected pictures of one size, got {image.shape} and {reference.shape}")
    return float(ciede2000(srgb_to_lab(image), srgb_to_lab(reference)).mean())


def srgb_to_lab(image: Image) -> Lab:
    """CIE L*a*b* ``(..., 3)`` of sRGB colours: L in [0, 100], a and b about [-100, 100]; D65."""
    values = np.asarray(image, np.float64)
    linear = np.where(values > 0.04045, ((values + 0.055) / 1.055) ** 2.4, values / 12.92)
    t = linear @ SRGB_TO_XYZ.T / D65_WHITE
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def ciede2000(first: Lab, second: Lab) -> Lab:
    """CIEDE2000 difference ``(...)`` of L*a*b* colours ``(..., 3)``, with k_L = k_C = k_H = 1.

    >>> blue, bluer = np.array([50.0, 2.6772, -79.7751]), np.array([50.0, 0.0, -82.7485])
    >>> float(ciede2000(blue, bluer).round(4))
    2.0425
    """
    lightness_1, chroma_1, hue_1 = _adjusted(first, second)
    lightness_2, chroma_2, hue_2 = _adjusted(second, first)
    grey = chroma_1 * chroma_2 == 0
    # eq. 10: the hue difference, the short way round; none if either is grey
    turn = (hue_2 - hue_1 + 180.0) % 360.0 - 180.0
    turn = np.where((turn == -180.0) & (hue_2 > hue_1), 180.0, turn)
    turn = np.where(grey, 0.0, turn)
    delta_l = lightness_2 - lightness_1
    delta_c = chroma_2 - chroma_1
    delta_h = 2.0 * np.sqrt(chroma_1 * chroma_2) * np.sin(np.radians(turn) / 2.0)  # eq. 11
    hue = _mean_hue(hue_1, hue_2, grey)
    chroma = (chroma_1 + chroma_2) / 2.0
    s_l, s_c, s_h, rotation = _weights((lightness_1 + lightness_2) / 2.0, chroma, hue)
    l_term, c_term, h_term = delta_l / s_l, delta_c / s_c, delta_h / s_h
    square = l_term**2 + c_term**2 + h_term**2 + rotation * c_term * h_term  # eq. 22
    return np.asarray(np.sqrt(np.maximum(square, 0.0)))


def _adjusted(color: Lab, other: Lab) -> tuple[Lab, Lab, Lab]:
    """Lightness, C' and h' in degrees of one colour, given its partner (eqs. 2-7)."""
    a, b = color[..., 1], color[..., 2]
    mean_7 = ((np.hypot(a, b) + np.hypot(other[..., 1], other[..., 2])) / 2.0) ** 7
    stretched = a * (1.5 - 0.5 * np.sqrt(mean_7 / (mean_7 + C25_7)))
    hue = np.degrees(np.arctan2(b, stretched)) % 360.0
    return color[..., 0], np.hypot(stretched, b), hue


def _mean_hue(hue_1: Lab, hue_2: Lab, grey: npt.NDArray[np.bool_]) -> Lab:
    """Eq. 14: the mean of two hues in degrees, the short way round; their sum if one is grey."""
    total = hue_1 + hue_2
    far = np.abs(hue_1 - hue_2) > 180.0
    mean = np.where(far, np.where(total < 360.0, total + 360.0, total - 360.0), total) / 2.0
    return np.where(grey, total, mean)


def _weights(lightness: Lab, chroma: Lab, hue: Lab) -> tuple[Lab, Lab, Lab, Lab]:
    """S_L, S_C, S_H and R_T of the mean colour (eqs. 15-21)."""
    t = (
        1.0
        - 0.17 * np.cos(np.radians(hue - 30.0))
        + 0.24 * np.cos(np.radians(2.0 * hue))
        + 0.32 * np.cos(np.radians(3.0 * hue + 6.0))
        - 0.20 * np.cos(np.radians(4.0 * hue - 63.0))
    )
    from_50 = (lightness - 50.0) ** 2
    s_l = 1.0 + 0.015 * from_50 / np.sqrt(20.0 + from_50)
    s_c = 1.0 + 0.045 * chroma
    s_h = 1.0 + 0.015 * chroma * t
    angle = np.radians(60.0 * np.exp(-(((hue - 275.0) / 25.0) ** 2)))
    chroma_7 = chroma**7
    rotation = -2.0 * np.sqrt(chroma_7 / (chroma_7 + C25_7)) * np.sin(angle)
    return s_l, s_c, s_h, rotation
