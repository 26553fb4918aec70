"""The curve: what places of a photo are multiplied with, by the light that they have.

One exposure for a whole photo lifts the dark and ruins the lit. So the photo's *base light* B - the
largest of its channels, smoothed but for edges - is taken through one rising curve,

    f(B) = M B / (1 + (M^p - 1) B^p)^(1 / p),

which multiplies the dark with M as a longer exposure would, and bends before it reaches white: p is
2.5, and less where lamps are many times too bright. What is so dark that 8 bits hold no signal is
lifted less, so that black stays black. Every place is multiplied with f(B) / B: as f rises,
nothing changes order; as B follows edges, there is no halo; as neighbours share a factor, their
contrast stays. M is where the mean of f(B) meets the wanted brightness. A photo that is dark all
over has no lit places to save, and one that is evenly dim none that would burn out: they get one
exposure, as their scenes had.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from relume.exposure import constants as c
from relume.image.color import largest, times
from relume.image.filters import enlarged
from relume.image.parallel import for_row_blocks
from relume.photo import Image


@dataclass(frozen=True)
class Curve:
    """A photo's curve, of gain M; ``softness`` in [0, 1] leads from the sharp p to the soft one.

    ``toe`` is the base light that is lifted by half of it. ``local`` in [0, 1] leads to the curve
    from ``overall``, the one factor for the whole photo.
    """

    gain: float
    softness: float
    toe: float
    overall: float
    local: float

    def at(self, base: Image) -> Image:
        """What places of this base light, of any shape, are multiplied with."""
        curved = ratio(base, self.gain, self.softness, self.toe)
        if self.local == 1:
            return curved
        return np.asarray(curved**self.local * self.overall ** (1 - self.local), np.float32)

    def factor(self, image: Image, slope: Image, offset: Image) -> Image:
        """(H, W): what the encoded values of each pixel of ``image`` are multiplied with.

        ``slope`` and ``offset`` (h, w) lead from the root of its largest channel to that of its
        base light.
        """
        height, width = image.shape[:2]
        brightest = largest(image)
        root = np.sqrt(brightest)
        root *= enlarged(slope, width, height)
        root += enlarged(offset, width, height)
        np.maximum(root, 0, out=root)
        factor = np.multiply(root, root, out=root)  # the base light, and then its factor
        texture = np.ones((c.TEXTURE_PX, c.TEXTURE_PX), np.uint8)
        envelope = cv2.morphologyEx(brightest, cv2.MORPH_CLOSE, texture)
        del brightest

        def draw(rows: slice) -> None:
            lift = self.at(factor[rows])
            room = c.TEXTURE_ROOM / np.maximum(envelope[rows], np.float32(1e-3))
            limit = lift + np.float32(self.local) * (np.maximum(room, np.minimum(lift, 1)) - lift)
            np.minimum(lift, limit, out=factor[rows])

        for_row_blocks(draw, factor)
        return factor


def ratio(base: Image, gain: float, softness: float, toe: float = c.TOE) -> Image:
    """f(B) / B of base light in [0, 1]."""
    return ratios(base, softness, toe)(gain)


def ratios(base: Image, softness: float, toe: float = c.TOE) -> Callable[[float], Image]:
    """The same for any gain: what does not depend on it is computed once."""
    power = c.SHOULDER + softness * (c.SOFT_SHOULDER - c.SHOULDER)
    bent = np.power(base, np.float32(power))
    dimmed = 1 - np.float32(c.HEADROOM * softness) * (1 - base)
    signal = base / (base + np.float32(toe))

    def at(gain: float) -> Image:
        lift = np.power(1 + np.float32(gain**power - 1) * bent, np.float32(-1 / power))
        lift *= np.float32(gain)
        if gain <= 1:
            return lift
        lift *= dimmed
        return np.asarray(1 + (lift - 1) * signal, np.float32)

    return at


def expose_directly(image: Image, factor: Image) -> Image:
    """The photo times the factor (H, W), limited where a channel would clip, so that hues stay."""
    room = largest(image)
    np.maximum(room, np.float32(1e-6), out=room)
    np.divide(1, room, out=room)
    np.maximum(room, np.minimum(factor, 1), out=room)
    return times(image, np.minimum(factor, room, out=room))
