"""LIME: a classical Retinex method that estimates illumination by the brightest channel.

Guo, Li, Ling: *LIME: Low-light Image Enhancement via Illumination Map Estimation*, IEEE TIP 2017.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from relume.catalog import Info, Parameter
from relume.image.color import luma
from relume.image.denoise import denoise_reflectance
from relume.image.filters import guided_filter
from relume.photo import Image

DARKEST = 0.02
"""The illumination is taken to be at least this: five levels of 255."""

EPS = 1e-3
SIDE_TO_RADIUS = 40


@dataclass(frozen=True)
class Lime:
    """L / T^gamma, with T the brightest channel, smoothed under the guidance of luma.

    The guided filter stands in for the paper's structure-aware solver: the same edges, without
    a linear system of the size of the photo.
    """

    gamma: float = 0.8
    denoise: float = 1.0

    info: ClassVar[Info] = Info(
        name="lime",
        summary="illumination from the brightest channel, edge-aware; its gamma, denoised",
        licence="MIT",
        source="Guo et al., LIME, IEEE TIP 2017; refined by a guided filter",
        parameters=(
            Parameter("gamma", "how much of the darkness is taken away", 0.8, 0.0, 1.0),
            Parameter("denoise", "strength of denoising, 0 is off", 1.0, 0.0, 2.0),
        ),
    )

    def __call__(self, image: Image) -> Image:
        """The photo with its illumination T turned into T^(1 - gamma)."""
        illumination = illumination_map(image)
        light = np.asarray(illumination ** np.float32(self.gamma), np.float32)
        relit = np.asarray(image / light[:, :, None], np.float32)
        clean = denoise_reflectance(relit, light, strength=self.denoise)
        # the paper's recomposition (eq. 20): well lit parts keep their grain
        share = illumination[:, :, None]
        return np.asarray(relit * share + clean * (1 - share), np.float32)


def illumination_map(image: Image) -> Image:
    """T, (H, W) in [0.02, 1]: the brightest channel (eq. 3), smooth but for luma's edges."""
    radius_px = max(1, min(image.shape[:2]) // SIDE_TO_RADIUS)
    subsample = max(1, min(4, radius_px // 4))
    brightest = np.ascontiguousarray(image.max(axis=2))
    smooth = guided_filter(
        luma(image), brightest, radius_px=radius_px, eps=EPS, subsample=subsample
    )
    return np.clip(smooth, np.float32(DARKEST), np.float32(1))
