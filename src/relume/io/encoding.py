"""What pixel values mean as colours, where a file says so in other words than an ICC profile's.

PNG has chunks for it (cICP; gAMA and cHRM), HEIC and AVIF a box (nclx), TIFF two tags. Primaries
are carried along, as an ICC profile; what is no usual encoding of a picture (linear light, PQ,
HLG) is converted, as everything behind this floor assumes sRGB-like values.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from relume.image.color import linear_to_srgb
from relume.image.tonemap import HLG, PEAK_NITS, PQ, ToneMap, pq_nits
from relume.photo import Image, as_float, quantise

Primaries = tuple[tuple[float, float], ...]
"""CIE xy of red, green, blue and white."""

Matrix = npt.NDArray[np.float64]
D65, C, DCI, E = (0.3127, 0.3290), (0.310, 0.316), (0.314, 0.351), (1 / 3, 1 / 3)
BT709: Primaries = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), D65)
PRIMARIES: dict[int, Primaries] = {
    1: BT709,
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), C),
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), D65),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65),
    8: ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), C),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), D65),
    10: ((1.0, 0.0), (0.0, 1.0), (0.0, 0.0), E),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), DCI),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), D65),
    22: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), D65),
}
"""By ITU-T H.273's ColourPrimaries."""

SRGB = "sRGB"
GAMUTS = {1: "bt709", 11: "p3", 12: "p3"}
"""The primaries by the names that the tone mapping has; others are taken for BT.2020's."""

TRANSFERS: dict[int, str | float] = {4: 2.2, 5: 2.8, 8: 1.0, 16: PQ, 17: 2.6, 18: HLG}
"""By ITU-T H.273's TransferCharacteristics; all others are taken for sRGB's, as viewers do."""

USUAL_GAMMA = (1.6, 2.9)
"""Between these a picture is encoded for viewing, and relit as it is."""

SAME_GAMMA, SAME_XY = 0.05, 0.002
"""Differences that nobody means: files round, and libpng overlooks as much."""

D50 = (0.9642, 1.0, 0.8249)
BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
LINEAR_CURVES = (
    b"curv" + bytes(8),
    b"curv" + bytes(7) + b"\1\1\0",
    b"para" + bytes(8) + b"\0\1\0\0",
)


@dataclass(frozen=True)
class Encoding:
    """Primaries, and how values grow with light: "sRGB", "PQ", "HLG" or a gamma (1 is linear)."""

    primaries: Primaries = BT709
    transfer: str | float = SRGB

    @property
    def is_hdr(self) -> bool:
        """Whether values stand for more light than a screen's white."""
        return self.transfer in (PQ, HLG)

    @property
    def is_srgb(self) -> bool:
        """Whether there is nothing to be done, and nothing to be said."""
        same = isinstance(self.transfer, str) or abs(self.transfer / 2.2 - 1) < SAME_GAMMA
        apart = np.abs(np.subtract(self.primaries, BT709)).max()
        return not self.is_hdr and same and apart < SAME_XY


def by_code_points(primaries: int, transfer: int) -> Encoding:
    """The encoding that ITU-T H.273's numbers stand for; unknown ones are taken for sRGB's."""
    return Encoding(PRIMARIES.get(primaries, BT709), TRANSFERS.get(transfer, SRGB))


def code_points_of(icc: bytes) -> Encoding | None:
    """The encoding that an ICC profile (of version 4.4) names in code points; None if none."""
    cicp = _tags(icc).get(b"cicp", b"")
    return by_code_points(cicp[8], cicp[9]) if len(cicp) >= 12 else None


def of_profile(icc: bytes) -> Encoding | None:
    """What an ICC profile says that has to be converted: HDR, or linear light; else None."""
    told = code_points_of(icc)
    if told is not None and told.is_hdr:
        return told
    tags = _tags(icc)
    title = tags.get(b"desc", b"").replace(b"\0", b"")
    if b"2100" in title and (b"PQ" in title or b"HLG" in title):
        return Encoding(PRIMARIES[9], PQ if b"PQ" in title else HLG)
    curve = tags.get(b"rTRC", b"")
    if icc[16:20] == b"RGB " and curve.startswith(LINEAR_CURVES):
        return Encoding(transfer=1.0)
    return None


def converted(
    pixels: Image, encoding: Encoding | None, icc: bytes | None
) -> tuple[Image, bytes | None, str | None]:
    """Pixels (H, W, 3) as everything else expects them, their ICC profile, and what was done.

    A profile goes before ``encoding``, unless that is HDR.
    """
    own = of_profile(icc) if icc and not (encoding and encoding.is_hdr) else None
    if icc and not (encoding and encoding.is_hdr):
        if own is None:
            return pixels, icc, None
        encoding = own
    if encoding is None or encoding.is_srgb:
        return pixels, icc, None
    if encoding.is_hdr:
        note = f"it is HDR ({encoding.transfer}): shown as SDR, highlights rolled off"
        return _tone_mapped(pixels, encoding), None, note
    gamma = encoding.transfer
    if isinstance(gamma, float) and not USUAL_GAMMA[0] <= gamma <= USUAL_GAMMA[1]:
        light = pixels if gamma == 1 else np.power(pixels, np.float32(gamma))
        curve = "in linear light" if gamma == 1 else f"of gamma {gamma:.3g}"
        icc = _with_srgb_curve(icc) if icc else _profile(replace(encoding, transfer=SRGB))
        return linear_to_srgb(light), icc, f"the picture was {curve}; it got the curve of sRGB"
    return pixels, _profile(encoding), "its colour space is kept as an ICC profile"


def _tone_mapped(pixels: Image, encoding: Encoding) -> Image:
    peak = float(pq_nits(pixels.max())) if encoding.transfer == PQ else PEAK_NITS
    same = (name for code, name in GAMUTS.items() if PRIMARIES[code] == encoding.primaries)
    mapping = ToneMap(str(encoding.transfer), primaries=next(same, "bt2020"), peak_nits=peak)
    return as_float(mapping(quantise(pixels, np.uint16)))


def _to_xyz(primaries: Primaries) -> Matrix:
    """Linear RGB to XYZ, white having a luminance of 1."""
    columns = np.array([(x, y, 1 - x - y) for x, y in primaries[:3]]).T
    return np.asarray(columns * np.linalg.solve(columns, _white(primaries[3])))


def _white(xy: tuple[float, float]) -> Matrix:
    x, y = xy
    return np.array([x / y, 1, (1 - x - y) / y])


def _adapted(primaries: Primaries) -> Matrix:
    """Linear RGB to XYZ under ICC's white, D50 (Bradford's adaptation)."""
    gains = (BRADFORD @ np.array(D50)) / (BRADFORD @ _white(primaries[3]))
    return np.asarray(np.linalg.inv(BRADFORD) @ np.diag(gains) @ BRADFORD @ _to_xyz(primaries))


def _profile(encoding: Encoding) -> bytes | None:
    """An ICC profile (version 4.3, a matrix and a curve); None for sRGB itself."""
    if encoding.is_srgb:
        return None
    try:
        columns = _adapted(encoding.primaries).T
    except np.linalg.LinAlgError:  # three primaries on one line
        return None
    if not np.isfinite(columns).all() or np.abs(columns).max() > 100:
        return None
    words = b"\0\1\0\0\0\x0cenUS" + struct.pack(">II", 2 * len("relume"), 28)
    text = b"mluc" + bytes(6) + words + "relume".encode("utf-16-be")
    tags = {b"desc": text, b"cprt": text, b"wtpt": _xyz(D50)}
    tags |= {
        name + b"XYZ": _xyz(column)
        for name, column in zip((b"r", b"g", b"b"), columns, strict=True)
    }
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _curve(encoding.transfer))
    return _packed(tags)


def _with_srgb_curve(icc: bytes) -> bytes:
    """A linear profile of a matrix and curves, with sRGB's curves instead."""
    return _packed(_tags(icc) | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _curve(SRGB)))


def _xyz(values: npt.ArrayLike) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(*np.asarray(values))


def _curve(transfer: str | float) -> bytes:
    if isinstance(transfer, float):
        return b"para" + bytes(8) + _fixed(transfer)
    return (
        b"para" + bytes(4) + b"\0\3\0\0" + _fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    )


def _fixed(*values: float) -> bytes:
    """Numbers of 16 bits and 16 bits behind the point."""
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def _tags(icc: bytes) -> dict[bytes, bytes]:
    """The parts of an ICC profile by name; those outside of it are left out."""
    count = min(int.from_bytes(icc[128:132], "big"), 100)
    found = {}
    for at in range(132, min(132 + 12 * count, len(icc) - 11), 12):
        name, start, size = struct.unpack_from(">4sII", icc, at)
        found[name] = icc[start : start + size]
    return found


def _packed(tags: dict[bytes, bytes]) -> bytes:
    """A profile for screens of these parts; equal ones are stored once."""
    body, table, places = b"", b"", {}
    start = 132 + 12 * len(tags)
    for name, part in tags.items():
        if part not in places:
            places[part] = start + len(body)
            body += part + bytes(-len(part) % 4)
        table += struct.pack(">4sII", name, places[part], len(part))
    header = struct.pack(">I4xI", start + len(body), 0x04300000) + b"mntrRGB XYZ " + bytes(12)
    header += b"acsp" + bytes(28) + _fixed(*D50) + bytes(48)
    return header + struct.pack(">I", len(tags)) + table + body
