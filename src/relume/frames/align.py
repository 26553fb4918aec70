"""Where the pixels of one relit frame lie in another.

On relit frames there is something to see; on dark ones alignment fits noise. First one affine
motion of the whole frame, by Evangelidis and Psarakis' ECC (*Parametric Image Alignment Using
Enhanced Correlation Coefficient*, PAMI 2008) on a reduced copy, then what is left from place to
place, by dense inverse search (Kroeger et al., *Fast Optical Flow using DIS*, ECCV 2016).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from relume.image.color import luma
from relume.image.filters import fit_within
from relume.photo import Array, Image

ECC_SIDE_PX = 480
"""Longer side of the copies on which the motion of the whole frame is found."""
ECC_STEPS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 60, 1e-5)
ECC_BLUR_PX = 9

FIT_SIDE_PX = 160
"""Longer side of the copies on which frames are compared: small enough that noise is averaged."""
DETAIL_PX, BROAD_PX = 1.0, 12.0
"""Sigmas of the band that the comparison sees: noise is finer, and light that any two rooms share
is broader."""

FLOW_SIDE_PX = 640
"""Longer side of the copies on which motion from place to place is found."""


@dataclass(frozen=True)
class Motion:
    """Sampling positions (H, W, 2): where each pixel of the reference is found in the frame.

    ``overlap`` (H, W) is 1 where that lies inside the frame.
    """

    positions: Image
    overlap: Image

    def apply(self, frame: Image) -> Image:
        """The frame as the reference sees it."""
        return np.asarray(
            cv2.remap(
                frame, self.positions, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
            ),
            np.float32,
        )


def reduced(image: Image, side_px: int) -> Image:
    """The luma (h, w) of a copy whose longer side is ``side_px`` at most."""
    return fit_within(luma(image), side_px)


def align_globally(reference: Image, frame: Image) -> Motion:
    """The one motion of the whole ``frame`` to ``reference``, both relit and of one size."""
    height, width = reference.shape[:2]
    grid, warp = pixel_grid(height, width), global_motion(reference, frame)
    positions = np.asarray(grid @ warp[:, :2].T + warp[:, 2], np.float32)
    return Motion(positions, inside(positions))


def refine(motion: Motion, reference: Image, moved: Image, *, blur_px: float = 4.0) -> Motion:
    """``motion`` and what is left from place to place; ``moved`` is what it made of the frame.

    The flow is blurred with a Gaussian of ``blur_px`` (sigma, on the reduced copy) against noise.
    """
    height, width = reference.shape[:2]
    flow = local_motion(reduced(reference, FLOW_SIDE_PX), reduced(moved, FLOW_SIDE_PX))
    flow = np.asarray(cv2.GaussianBlur(flow, (0, 0), blur_px), np.float32)
    # a pixel of the moved frame lies where the motion so far has put it
    at = pixel_grid(height, width) + enlarged_flow(flow, height, width)
    positions = cv2.remap(
        motion.positions, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return Motion(np.asarray(positions, np.float32), inside(positions) * inside(at))


def global_motion(reference: Image, frame: Image) -> Image:
    """The affine motion (2, 3) that takes pixels of ``reference`` to those of ``frame``.

    Of standing still, turning and shifting, and any affine motion what fits best: in deep noise
    the search for the last may go astray. What comes of it is judged by :func:`fit`.
    """
    small = [reduced(x, ECC_SIDE_PX) for x in (reference, frame)]
    a, b = (_equalised(x) for x in small)
    scale = np.float32(max(reference.shape[:2]) / max(a.shape))
    still = np.eye(2, 3, dtype=np.float32)
    if min(a.shape) < 16:
        return still
    window = cv2.createHanningWindow(a.shape[::-1], cv2.CV_32F)
    shift, response = cv2.phaseCorrelate(a, b, window)
    warp = still.copy()
    if response > 0.03:
        warp[:, 2] = shift
    warps = [still]
    for kind in (cv2.MOTION_EUCLIDEAN, cv2.MOTION_AFFINE):
        try:
            _, warp = cv2.findTransformECC(a, b, warp, kind, ECC_STEPS, None, ECC_BLUR_PX)
        except cv2.error:  # it did not converge
            break
        warps.append(np.array(warp, np.float32))
    fits = [_fit_of(warp, *small) for warp in warps]
    best = warps[int(np.argmax(fits))].copy()
    best[:, 2] *= scale
    return best


def _fit_of(warp: Image, reference: Image, frame: Image) -> float:
    """:func:`fit` of a frame moved by ``warp``, both lumas (h, w)."""
    positions = np.asarray(pixel_grid(*reference.shape) @ warp[:, :2].T + warp[:, 2], np.float32)
    moved = cv2.remap(frame, positions, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return _correlation(reference, np.asarray(moved, np.float32), inside(positions))


def local_motion(reference: Image, frame: Image) -> Image:
    """Flow (h, w, 2) in pixels from ``reference`` to ``frame``, lumas (h, w) in [0, 1]."""
    if min(reference.shape) < 16:
        return np.zeros((*reference.shape, 2), np.float32)
    a, b = (np.rint(x * 255).clip(0, 255).astype(np.uint8) for x in (reference, frame))
    return np.asarray(_flow().calc(a, b, None), np.float32)


def fit(reference: Image, moved: Image, overlap: Image) -> float:
    """How far two aligned frames show one scene: the correlation of their structure, at most 1."""
    return _correlation(reduced(reference, FIT_SIDE_PX), reduced(moved, FIT_SIDE_PX), overlap)


def _correlation(reference: Image, moved: Image, overlap: Image) -> float:
    """:func:`fit` of lumas (h, w)."""
    inner = fit_within(overlap, FIT_SIDE_PX) > 0.9
    if inner.mean() < 0.3:
        return 0.0
    a, b = (_band(fit_within(x, FIT_SIDE_PX))[inner] for x in (reference, moved))
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / norm if norm > 1e-9 else 1.0


def enlarged_flow(flow: Image, height: int, width: int) -> Image:
    """Flow found on a smaller copy, at full size and in its pixels."""
    scaled = flow * np.array([width / flow.shape[1], height / flow.shape[0]], np.float32)
    return np.asarray(cv2.resize(scaled, (width, height), interpolation=cv2.INTER_LINEAR))


@lru_cache(maxsize=4)
def pixel_grid(height: int, width: int) -> Image:
    """(H, W, 2): every pixel's own position (x, y); not to be written to."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    grid = np.dstack([x, y])
    grid.flags.writeable = False
    return grid


def inside(positions: Array) -> Image:
    """(H, W): 1 where sampling positions lie inside a frame of that size, else 0."""
    height, width = positions.shape[:2]
    x, y = positions[..., 0], positions[..., 1]
    within = (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)
    return np.asarray(within, np.float32)


def _equalised(grey: Image) -> Image:
    """Of zero mean and unit deviation, the square root taken so that lamps do not lead."""
    root = np.sqrt(np.maximum(grey, 0))
    return np.asarray((root - root.mean()) / max(float(root.std()), 1e-4), np.float32)


def _band(grey: Image) -> Image:
    fine, broad = (cv2.GaussianBlur(grey, (0, 0), sigma) for sigma in (DETAIL_PX, BROAD_PX))
    return np.asarray(fine - broad, np.float32)


def _flow() -> Any:
    """A new one for every pair: it keeps the scales that it has once chosen for a small picture."""
    return cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
