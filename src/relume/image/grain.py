"""A photo's own grain, put back into its result where the denoising is turned down."""

from __future__ import annotations

import numpy as np

from relume.image.color import luma
from relume.image.filters import gaussian_blur
from relume.photo import Image

SIGMA_PX = 6.0
"""Below this scale the result's luma may follow the photo's; above it, light is the result's."""
MOST_GAIN = 48.0


def put_back_grain(image: Image, result: Image, share: float) -> Image:
    """``result`` (H, W, 3) with ``share``, in [0, 1], of the luma grain that ``image`` has.

    Y' = Y + share * (g * Y_photo - Y),   g = blur(Y) / blur(Y_photo)

    So at 1 fine luma is the photo's own, noise and skin's texture alike, as bright as the result;
    its colours stay without their noise. What was left as it was stays so.
    """
    before, after = luma(image), luma(result)
    light = np.maximum(gaussian_blur(before, SIGMA_PX), np.float32(1e-4))
    gain = np.minimum(gaussian_blur(after, SIGMA_PX) / light, np.float32(MOST_GAIN))
    grain = np.float32(share) * (gain * before - after)
    return np.asarray(result + grain[:, :, None], np.float32)
