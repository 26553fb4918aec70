"""Where one shot of a clip ends and the next begins."""

from __future__ import annotations

import math

import numpy as np

from relume.frames.align import reduced
from relume.photo import Image

CUT_SIDE_PX = 48
"""Longer side of the copies on which cuts show."""
SAME_SHOT = 0.5
"""Correlation of two frames below which there is a cut between them."""
LIGHT_SWITCHED = math.log(1.8)
"""Change of the mean level, as a log, from which a light was switched: a cut as well."""


class Cuts:
    """Called with every frame (H, W, 3) in order: whether another shot begins with it.

    ``level`` is the log of the last frame's mean level.
    """

    def __init__(self) -> None:
        self.level = 0.0
        self._glance: Image | None = None
        self._shape: tuple[int, ...] = ()

    def __call__(self, frame: Image) -> bool:
        """Whether the frame shows another shot than the one before; the first shows none."""
        grey = np.maximum(reduced(frame, CUT_SIDE_PX), 0)
        glance, level = np.sqrt(grey), math.log(max(float(grey.mean()), 1e-4))
        before, last, shape = self._glance, self.level, self._shape
        self._glance, self.level, self._shape = np.asarray(glance, np.float32), level, frame.shape
        if before is None:
            return False
        if shape != frame.shape or abs(level - last) > LIGHT_SWITCHED:
            return True
        a, b = before - before.mean(), glance - glance.mean()
        norm = math.sqrt(float((a * a).sum() * (b * b).sum()))
        # what shows nothing (black) has no structure that could differ
        return norm > 1e-4 * a.size and float((a * b).sum()) < SAME_SHOT * norm
