"""A dark photograph opened up without a network: its black level taken off, one curve for all.

    y = 1 - (1 - x) ** g

is x itself for a gain g of 1, rises g times as fast from black, and clips nothing: lamps and lit
places keep their order. It is what relume's own face detector looks at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from relume.image.color import luma
from relume.image.exposure import gain_for, subsample
from relume.photo import Image

LEVEL = 0.3
"""The mean luma that a photograph is opened to, if it is not brighter."""
MOST_GAIN = 512.0
BLACK_SHARE = 0.005
"""The share of pixels, of each channel, that are not brighter than black."""
MOST_BLACK = 0.5
MEASURED_PIXELS = 8_000


@dataclass(frozen=True)
class Opening:
    """The black level of each channel, ``float32 (3,)`` in [0, 0.5], and the gain, 1 or more."""

    black: Image
    gain: float

    @classmethod
    def of(cls, image: Image) -> Opening:
        """What opens up a picture (H, W, 3); measured on some of its pixels."""
        some = subsample(image, MEASURED_PIXELS).reshape(-1, 3)
        rank = int(BLACK_SHARE * len(some))
        black = np.minimum(np.partition(some, rank, axis=0)[rank], np.float32(MOST_BLACK))
        dark = 1 - luma(_above(some, black)[None])
        gain = gain_for(lambda g: 1 - float((dark ** np.float32(g)).mean()), LEVEL, most=MOST_GAIN)
        return cls(np.asarray(black, np.float32), max(1.0, gain))

    def __call__(self, image: Image) -> Image:
        """The picture (H, W, 3) opened up."""
        return 1 - (1 - _above(image, self.black)) ** np.float32(self.gain)


def _above(image: Image, black: Image) -> Image:
    """What is above black, white kept."""
    return np.asarray(np.clip((image - black) / (1 - black), 0, 1), np.float32)
