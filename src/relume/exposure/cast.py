"""The cast: the colour of the light that a scene was taken in, and what is left without it.

Lamps are warmer than daylight, and a camera takes back a part of that. Multiplied, the rest is an
orange street with mustard skin. A share of it can be taken off where a photo is lifted; what was
lit keeps its colour, and so does a lamp's own glow.

**It is read with evidence.** Edges between surfaces are grey on average, of whatever colour the
surfaces are (van de Weijer, Gevers, Gijsenij, *Edge-Based Color Constancy*, TIP 2007), so their
colour is the light's - in every part of the frame that holds a signal. It is believed as far as

* *different parts* agree in it: under several lamps they do not,
* it is warm as lamps are, neither cold as dusk nor greener than a lamp, as a lawn is,
  nor pink,
* it is no stronger than what a camera leaves of a lamp: red light is meant.

Each is a smooth step, and the cast is multiplied with all of them, so that nothing jumps.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from relume.exposure import constants as c
from relume.exposure.black import parts
from relume.image.color import largest, luma, times
from relume.image.exposure import smoothstep, smoothsteps
from relume.image.filters import fit_within
from relume.photo import Image


@dataclass(frozen=True)
class Cast:
    """Red and blue over green of what is grey: encoded values, as logarithms to base 2."""

    red: float = 0.0
    blue: float = 0.0

    def __bool__(self) -> bool:
        return self.red != 0 or self.blue != 0

    def share(self, share: float) -> Cast:
        """So much of it."""
        return Cast(self.red * share, self.blue * share)

    def off(self, picture: Image, share: Image) -> Image:
        """``picture`` (H, W, 3), the ``share`` (H, W) or (1, 1) of it taken off; luma stays."""
        if not self:
            return picture
        share = share * (1 - smoothsteps(largest(picture), *c.CAST_GLOWS))
        out = picture.copy()
        out[:, :, 0] *= np.exp2(np.float32(-self.red) * share)
        out[:, :, 2] *= np.exp2(np.float32(-self.blue) * share)
        kept = luma(picture) / np.maximum(luma(out), np.float32(1e-6))
        return times(out, np.asarray(kept, np.float32))


NO_CAST = Cast()


def read_cast(image: Image) -> Cast:
    """The cast of a photo (H, W, 3) without the camera's black, as far as there is evidence."""
    cells = fit_within(image, c.PARTED_SIDE_PX)
    if min(cells.shape[:2]) <= c.PARTS:
        return NO_CAST
    signal = (luma(cells) > c.CAST_SIGNAL) & (largest(cells) < c.CAST_CLIPS)
    held = cv2.erode(signal.astype(np.uint8), np.ones((3, 3), np.uint8))[:-1, :-1] > 0
    across, down = cells[:-1, 1:] - cells[:-1, :-1], cells[1:, :-1] - cells[:-1, :-1]
    edges = np.sqrt(across**2 + down**2)
    colours = [
        part[of].mean(axis=0) + np.float32(c.CAST_ROUNDED)
        for part, of in zip(parts(edges), parts(held), strict=True)
        if of.mean() >= c.CAST_HELD
    ]
    share = smoothstep(float(len(colours)), *c.CAST_PARTS)
    if share == 0:
        return NO_CAST
    stops = np.log2(np.array(colours))
    stops = stops[:, ::2] - stops[:, 1:2]  # (parts, 2): red and blue over green
    red, blue = (float(value) for value in np.median(stops, axis=0))
    share *= smoothstep(red - blue, *c.CAST_WARM) * smoothstep(-blue, *c.CAST_BLUER)
    share *= 1 - smoothstep(-red, *c.CAST_GREENER)
    share *= 1 - smoothstep(max(abs(red), abs(blue)), *c.CAST_MOST)
    if share == 0:
        return NO_CAST
    spread = float(np.median(np.abs(stops - (red, blue)), axis=0).sum())
    share *= 1 - smoothstep(spread / (red - blue), *c.CAST_SPREAD)
    return Cast(red, blue).share(share)
