"""Places that come first: faces that the exposure of their scene would leave dark.

A camera's face priority, as stops for those places alone. What a face reflects differs by three
stops between people, so its mean says little about the light on it. Its *highlights* (forehead,
the whites of the eyes, teeth) differ half as much: measured on 339 faces of LFPW and FairFace their
luma is .86 where skin is light, .76 tan, .66 brown and .55 dark. So the aim is a floor and not a
level: highlights that lie above a floor stay, and those just below it hardly move, as skin
may explain them. The lower they are the less it can, and they are brought near the floor. So dark
skin in good light is left, and light skin in the dark stays darker than in the sun.

Around a face the lift follows the light as the curve does: what is as dark as the face gets
all of it, what is brighter none. So nothing changes order, and a bright window behind a head gets
no halo.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from relume.exposure import constants as c
from relume.exposure.curve import Curve, expose_directly, ratio
from relume.exposure.meter import Reading
from relume.image.color import GAMMA, luma, times
from relume.image.filters import downscale, size_within
from relume.photo import Image


@dataclass(frozen=True)
class Region:
    """A place that comes first: ``box`` (x0, y0, x1, y1) in shares of the photo's sides.

    ``weight`` in [0, 1] is how sure it is.
    """

    box: tuple[float, float, float, float]
    weight: float = 1.0


Find = Callable[[Image], Sequence[Region]]
"""Finds the regions on a small copy of the photo, exposed so that its shadows can be seen."""

ExposeFor = Literal["auto", "scene", "faces"]
Finder = Callable[[ExposeFor], Find | None]
"""What finds the faces that an exposure is to serve; None: none are to be found."""


def face_stops(
    image: Image,
    reading: Reading,
    curve: Curve,
    brightness: float,
    find: Find,
    *,
    share: float = 1.0,
) -> Image | None:
    """Stops (h, w), at the reading's size, that the regions lack; None if they lack none.

    They get ``curve`` in any case, and the photo is brought to the mean grey level ``brightness``;
    ``share`` in [0, 1] of what is lacking is given.
    """
    factor = curve.at(reading.base)
    exposed = np.minimum(reading.base * factor, 1)
    floor = c.FLOOR * min(1.0, brightness / c.USUAL_BRIGHTNESS) ** (1 / 3)
    dark = cv2.erode((exposed < c.FACE_DARK * floor).astype(np.uint8), np.ones((3, 3), np.uint8))
    if float(dark.mean()) < c.DARK_SHARE:
        return None
    size = size_within(image, c.SEARCH_PX)
    lit = expose_directly(downscale(image, *size), cv2.resize(factor, size))
    light = cv2.resize(exposed, size)
    shown = times(lit, ratio(light, c.SEARCH_GAIN, 1.0))
    stops = np.zeros_like(exposed)
    grey = luma(lit)
    for region in find(shown):
        inside = _inside(region, grey.shape)
        if not inside.any():
            continue
        highlights = max(float(np.percentile(grey[inside], c.HIGHLIGHTS)), 1 / 255)
        lift = missing_stops(highlights, floor) * region.weight * share
        np.maximum(stops, _spread(region, lift, exposed), out=stops)
    stops *= reading.evidence * reading.base / (reading.base + np.float32(c.TOE))
    np.minimum(stops, GAMMA * np.log2(c.MOST_GAIN / np.maximum(factor, 1)), out=stops)
    return None if stops.max() < c.UNTOUCHED_STOPS else np.asarray(stops, np.float32)


def missing_stops(highlights: float, floor: float) -> float:
    """Stops that a face lacks whose highlights have this luma, in [0, 4].

    With u stops below the floor, s (u - g (1 - exp(-u / g))), g = .4, s = 1.15: nothing at the
    floor, hardly anything just below it, more than all but g far below. As s is hardly above 1, the
    darker of two faces comes out brighter by .08 at most.
    """
    below = max(GAMMA * math.log2(floor / highlights), 0.0)
    lift = c.SURENESS * (below - c.GIVEN_UP * (1 - math.exp(-below / c.GIVEN_UP)))
    return min(lift, c.MOST_FACE_STOPS)


def _spread(region: Region, lift: float, exposed: Image) -> Image:
    """Stops (h, w): the lift, where it is as dark as in the region and near it.

    Light e of up to c becomes G e / (1 + (G^p - 1) (e / c)^p)^(1 / p), the curve with a
    sharp bend; from c on it stays. So it rises, and no order changes.
    """
    inside = _inside(region, exposed.shape)
    if not inside.any():
        return np.zeros_like(exposed)
    near = 1 / (1 + _distance(region.box, exposed.shape, c.FACE_REACH, c.FACE_LOWER) ** 3)
    gain, p = 2 ** (lift / GAMMA), c.FACE_BEND
    most = c.FACE_ROOM * gain * max(float(exposed[inside].mean()), 1e-4)
    share = np.minimum(exposed / np.float32(most), 1) ** np.float32(p)
    bend = np.log2(1 + np.float32(gain**p - 1) * share) / np.float32(p)
    return np.asarray((np.float32(lift) - np.float32(GAMMA) * bend) * near, np.float32)


def _inside(region: Region, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """(h, w): the face in the region's box."""
    return _distance(region.box, shape, (c.FACE_INNER / 2, c.FACE_INNER / 2), 0.0) < 1


def _distance(
    box: tuple[float, float, float, float],
    shape: tuple[int, ...],
    axes: tuple[float, float],
    lower: float,
) -> Image:
    """(h, w): squared distance from the box's middle, 1 at ``axes`` times its width and height."""
    height, width = shape[:2]
    x0, y0, x1, y1 = box
    wide, high = max(x1 - x0, 1 / width), max(y1 - y0, 1 / height)
    x = (np.arange(width, dtype=np.float32) + 0.5) / width - (x0 + x1) / 2
    y = (np.arange(height, dtype=np.float32) + 0.5) / height - (y0 + y1) / 2 - lower * high
    across, down = (x / (axes[0] * wide)) ** 2, (y / (axes[1] * high)) ** 2
    return np.asarray(across[None, :] + down[:, None], np.float32)
