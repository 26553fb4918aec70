"""HDR as SDR: PQ and HLG (ITU-R BT.2100) as sRGB, highlights rolled off as BT.2390 says.

What is as bright as paper in daylight, 203 nits (BT.2408), is SDR's white before the roll-off. The
curve bends the brightest channel, and the others follow, so that hues stay.
"""

from __future__ import annotations

import cv2
import numpy as np

from relume.image.color import largest, linear_to_srgb
from relume.image.parallel import for_row_blocks
from relume.photo import Array, Image

PQ, HLG = "PQ", "HLG"
WHITE_NITS = 203.0
PEAK_NITS = 1000.0
"""The display that HLG is defined for, and that most PQ is mastered for."""
PQ_NITS = 10_000.0
HLG_GAMMA = 1.2
"""The system gamma at :data:`PEAK_NITS`."""
BT2020_LUMINANCE = (0.2627, 0.6780, 0.0593)
TO_BT709 = {
    "bt2020": [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
    "p3": [[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0197, -0.0786, 1.0979]],
    "bt709": [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
}
"""Linear light of these primaries (white D65) in BT.709's, which are sRGB's; BT.2087."""

M1, M2 = 2610 / 16384, 2523 / 4096 * 128
C1, C2, C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
A, B, C = 0.17883277, 0.28466892, 0.55991073
STEPS = 1 << 16
"""Entries of a curve's table; over the root of light, as the eye sees."""


class ToneMap:
    """Called with frames (H, W, 3) of one transfer curve, uint16 over its whole range."""

    def __init__(
        self, transfer: str, *, primaries: str = "bt2020", peak_nits: float = PEAK_NITS
    ) -> None:
        """``peak_nits`` is the brightest that a PQ clip says it holds; HLG's is fixed."""
        codes = np.linspace(0, 1, STEPS)
        self._is_hlg = transfer == HLG
        self._peak = PEAK_NITS if self._is_hlg else max(peak_nits, WHITE_NITS)
        light = hlg_scene(codes) if self._is_hlg else pq_nits(codes) / self._peak
        self._light = np.minimum(light, 1).astype(np.float32)
        root = np.linspace(0, 1, STEPS)
        nits = np.maximum(root**2 * self._peak, 1e-6)
        rolled = rolled_off(nits, self._peak) / WHITE_NITS
        self._gain = (rolled / (nits / self._peak)).astype(np.float32)
        shown = linear_to_srgb(np.square(root).astype(np.float32))
        self._encoded = np.rint(shown * 65535).astype(np.uint16)
        self._matrix = np.array(TO_BT709[primaries])

    def __call__(self, frame: Array) -> Array:
        """The frame in sRGB, uint16."""
        out = np.empty_like(frame)

        def draw(rows: slice) -> None:
            light = self._light[frame[rows]]  # of the peak
            if self._is_hlg:
                luminance = cv2.transform(light, np.array([BT2020_LUMINANCE]))
                light *= np.power(luminance, np.float32(HLG_GAMMA - 1))[:, :, None]
            light *= self._gain[_index(largest(light))][:, :, None]
            out[rows] = self._encoded[_index(cv2.transform(light, self._matrix))]

        for_row_blocks(draw, frame)
        return out


def pq_nits(codes: Array) -> Array:
    """Luminance in nits of PQ codes in [0, 1] (BT.2100)."""
    root = np.power(codes, 1 / M2)
    return PQ_NITS * np.power(np.maximum(root - C1, 0) / (C2 - C3 * root), 1 / M1)


def pq_code(nits: Array | float) -> Array:
    """The inverse of :func:`pq_nits`."""
    light = np.power(np.asarray(nits) / PQ_NITS, M1)
    return np.power((C1 + C2 * light) / (1 + C3 * light), M2)


def hlg_scene(codes: Array) -> Array:
    """Scene light in [0, 1] of HLG codes in [0, 1] (BT.2100)."""
    return np.where(codes <= 0.5, codes**2 / 3, (np.exp((codes - C) / A) + B) / 12)


def rolled_off(nits: Array, peak_nits: float) -> Array:
    """Nits up to ``peak_nits`` brought to at most :data:`WHITE_NITS` (BT.2390, 5.4.1)."""
    if peak_nits <= WHITE_NITS:
        return nits
    peak = float(pq_code(peak_nits))
    code, most = pq_code(nits) / peak, float(pq_code(WHITE_NITS)) / peak
    knee = 1.5 * most - 0.5
    t = np.maximum(code - knee, 0) / (1 - knee)
    bent = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (3 * t**2 - 2 * t**3) * most
    )
    return np.where(code < knee, nits, pq_nits(np.minimum(bent, most) * peak))


def _index(light: Image) -> Array:
    """Where light in [0, 1] stands in a table over its root."""
    root = np.sqrt(np.clip(light, 0, 1))
    return np.rint(root * np.float32(STEPS - 1)).astype(np.int32)
