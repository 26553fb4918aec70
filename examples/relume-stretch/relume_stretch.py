"""An enhancer for relume: the darkest values to 0, the brightest to 1, in a straight line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from relume.catalog import Info, Parameter
from relume.photo import Image


@dataclass(frozen=True)
class PercentileStretch:
    """All channels stretched alike, so that ``percent`` of the values are clipped at each end."""

    percent: float = 1.0

    info: ClassVar[Info] = Info(
        name="percentile-stretch",
        summary="all values stretched in a straight line, from the darkest to the brightest",
        licence="MIT",
        source="examples/relume-stretch",
        parameters=(Parameter("percent", "of the values clipped at each end", 1.0, 0.0, 49.0),),
    )

    def __call__(self, image: Image) -> Image:
        """The stretched picture, not clamped; a flat one as it is."""
        low, high = np.percentile(image, [self.percent, 100 - self.percent]).astype(np.float32)
        if high <= low:
            return image.copy()
        return (image - low) / (high - low)
