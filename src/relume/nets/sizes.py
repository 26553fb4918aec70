"""The geometry of the networks, without torch: what inputs must be like, for all who run them."""

from __future__ import annotations

THUMBNAIL_PX = 96
"""Height and width of the picture network's thumbnail; the photo's proportions are not kept."""

DARKEST = 1.0 / 1024
"""Mean grey levels below a quarter of an 8-bit step are treated as this, to bound the gain."""

PICTURE_STRIDE_PX = 16
"""Heights and widths for the picture network must be multiples of this."""

PICTURE_HALO_PX = 128
"""What the picture network sees to each side, measured by its gradient, with some to spare."""

RETINEX_STRIDE_PX = 8
"""Heights and widths for Retinex-Net must be multiples of this."""

RETINEX_HALO_PX = 40
"""More than the 33 px that Retinex-Net sees to either side, and a multiple of its stride."""

DETECTOR_STRIDES_PX = (8, 16, 32)
"""Pixels between the cells of a face detector's levels; a picture is padded to the coarsest."""

LANDMARKS_PX = 96
"""Side of the square crop that relume's own landmarks are looked for in."""
