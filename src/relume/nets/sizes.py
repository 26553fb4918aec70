"""The geometry of the networks, without torch: what inputs must be like, for all who run them."""

from __future__ import annotations

THUMBNAIL_PX = 96
"""Height and width of the picture network's thumbnail; the photo's proportions are not kept."""

GAMMA = 2.2
"""A stop of light multiplies encoded values by about 2 ** (1 / 2.2)."""

DARKEST = 1.0 / 1024
"""Mean grey levels below a quarter of an 8-bit step are treated as this, to bound the gain."""

TOLERANCE = 0.02
"""Relative error of a result's mean grey level that is left alone."""

CORRECTION, MATCHES = 1.6, 6
"""The most that a result is multiplied or divided with to meet a level, and the most steps."""

PICTURE_STRIDE_PX = 16
"""Heights and widths for the picture network must be multiples of this."""

PICTURE_HALO_PX = 128
"""What the picture network sees to each side, measured by its gradient, with some to spare."""

RETINEX_STRIDE_PX = 8
"""Heights and widths for Retinex-Net must be multiples of this."""

RETINEX_HALO_PX = 40
"""More than the 33 px that Retinex-Net sees to either side, and a multiple of its stride."""
