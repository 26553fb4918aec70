"""Relit frames in steady light, with what the frames before have seen.

The last result is moved along the flow from frame to frame and mixed in by trust, as in a Kalman
filter. What is found out (motion, light, trust) is found on small copies. At full size only luma
is moved and mixed: colour has no finer detail than noise there, and follows the small copies.
"""

from __future__ import annotations

import cv2
import numpy as np

from relume.frames.align import enlarged_flow, local_motion, pixel_grid
from relume.frames.merge import disagreement
from relume.image.color import luma
from relume.image.exposure import smoothsteps
from relume.image.filters import downscale, enlarged, fit_within
from relume.photo import Image

LEAK = 0.05
"""The share of a change of brightness that lasts which is let through in a frame; the rest is
flicker."""
LASTS = 0.1
"""How much a frame counts in what lasts."""
MOST_STEADYING = 1.35
STILL_PX = 9
STILL = (1.3, 2.0)
"""How much worse, in squared differences of neighbourhoods of that size, the last result fits where
it stays than where the flow has moved it, up to which a place stands still, and from which it
moves: what noise moves must not be resampled again and again."""
SLACK, WIDTH = 3.0, 4.0
"""More trust than bursts have (:mod:`relume.frames.merge`): what lingers is gone in some frames,
but light that trembles is seen."""
MOST_FRAMES = 10.0
"""What a place holds at most: more would follow changes too slowly."""
CELL_PX = 8
"""Pixels of the small copies in a row of a cell, in which light is compared."""


class Merger:
    """Called with each relit frame (H, W, 3) of a shot in order, which it overwrites and returns.

    ``side_px`` is the longer side of the copies on which frames are compared.
    """

    def __init__(self, side_px: int) -> None:
        self._side_px = side_px
        self.restart()

    def restart(self) -> None:
        """Forget all frames: the next one is taken as it is."""
        self._grey: Image | None = None  # luma of the last result (H, W)
        self._small = self._held = np.zeros(0, np.float32)  # a copy (h, w, 3); frames held (h, w)
        self._lasting = np.zeros(3, np.float32)

    def fade(self, factor: float) -> None:
        """The frames to come are darker by this factor: that is no flicker."""
        if self._grey is not None:
            self._grey = self._grey * np.float32(factor)
            self._small = self._small * np.float32(factor)

    def __call__(self, relit: Image) -> Image:
        """The relit frame with what the last result knows of it, in [0, 1]."""
        height, width = relit.shape[:2]
        small = fit_within(relit, self._side_px)
        if self._grey is None:
            self._grey, self._small = luma(relit), small
            self._held = np.ones(small.shape[:2], np.float32)
            return relit
        # a flow between frames of different light finds what is as bright, not what is the same
        flow = _steady_flow(luma(small * _flicker(small, self._small)), luma(self._small))
        before = self._grey  # what stands still is not resampled
        if flow.any():
            large = pixel_grid(height, width) + enlarged_flow(flow, height, width)
            before = _warped(before, large, cv2.INTER_CUBIC)
        positions = pixel_grid(*flow.shape[:2]) + flow
        held, old = (_warped(x, positions) for x in (self._held, self._small))
        gain = self._steadied(_flicker(small, old))
        steady = small * gain
        # of the last result's variance, in those of a frame's noise: its own, and being off
        still = float((flow == 0).all(axis=2).mean())
        off = disagreement(steady, old, still=still, slack=SLACK, width=WIDTH)
        known = np.asarray(1 / (1 / held + off), np.float32)
        trust = known / (known + 1)
        change = trust[:, :, None] * (old - steady)
        self._small = np.clip(steady + change, 0, 1)
        self._held = np.asarray(np.minimum(known + 1, np.float32(MOST_FRAMES)), np.float32)
        cv2.transform(relit, np.diag(gain), dst=relit)
        grey = luma(relit)
        before -= grey
        before *= enlarged(trust, width, height)
        cv2.add(relit, cv2.cvtColor(before, cv2.COLOR_GRAY2RGB), dst=relit)
        change -= luma(change)[:, :, None]
        cv2.add(relit, enlarged(change, width, height), dst=relit)
        np.clip(relit, 0, 1, out=relit)
        self._grey = luma(relit)
        return relit

    def _steadied(self, factors: Image) -> Image:
        """``factors`` (3,), but for what of the change they take out has lasted."""
        self._lasting += LASTS * (-np.log(factors) - self._lasting)
        return np.asarray(factors * np.exp(LEAK * self._lasting), np.float32)


def _warped(image: Image, positions: Image, how: int = cv2.INTER_LINEAR) -> Image:
    moved = cv2.remap(image, positions, None, how, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.float32).reshape(image.shape)


def _steady_flow(now: Image, before: Image) -> Image:
    """Flow (h, w, 2) from the luma ``now`` to that ``before``, 0 where nothing has moved.

    Noise moves, too: a place has moved only if ``before`` fits better there when it is moved.
    """
    flow = np.asarray(cv2.GaussianBlur(local_motion(now, before), (0, 0), 1.5), np.float32)
    moved = _warped(before, pixel_grid(*now.shape) + flow)
    stays, moves = (
        cv2.blur(np.square(other - now), (STILL_PX, STILL_PX)) for other in (before, moved)
    )
    share = smoothsteps(stays / (moves + np.float32(1e-7)), *STILL)
    return np.asarray(flow * share[:, :, None], np.float32)


def _flicker(frame: Image, last: Image) -> Image:
    """The factors (3,) of the channels that make most places of ``frame`` as in ``last``."""
    height, width = (max(1, side // CELL_PX) for side in frame.shape[:2])
    a, b = (downscale(x, width, height) for x in (last, frame))
    open_ = (b.max(axis=2) < 0.93) & (b.min(axis=2) > 0.03)
    if open_.sum() < 30:
        return np.ones(3, np.float32)
    logs = np.median(np.log(np.maximum(a[open_], 1e-3) / b[open_]), axis=0)
    return np.asarray(np.exp(logs).clip(1 / MOST_STEADYING, MOST_STEADYING), np.float32)
