"""Detail of the photo's own that a result should have: of its finest scale, and of its lit places.

Full-size results from half-size ones: fine detail carried over, the noise in it left behind.

A large photo costs a network more than its finest scale is worth: in the dark that scale is
mostly noise. So the network sees half the size, and what a half-size picture cannot hold, the
photo's own finest luma detail, is added again, multiplied as the network multiplied contrast at
that point, and shrunk where it does not rise above the noise.

And what was lit needs no relighting: its local contrast stays what it was.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from relume.image.color import largest, luma, times
from relume.image.exposure import smoothsteps, subsample_step
from relume.image.filters import Guide, box_filter, enlarged, gaussian_blur
from relume.image.parallel import for_row_blocks, free_memory, row_blocks
from relume.photo import Image

GAIN_RADIUS_PX = 3
"""Radius of the window of the local gain, at half size."""
FLAT = 1e-5
"""Variance of luma below which a region of the half-size photo counts as flat."""
MOST_GAIN = 12.0
NOISE_K = 1.0
"""Standard deviations of noise that a detail must exceed; of 1 to 3, best PSNR when darkened."""
QUIET = 40.0
"""Percentile of the detail's local energy that counts as noise."""
ENERGY_SAMPLES = 250_000
"""Pixels, about, of which that is taken."""
WINDOW_PX = 1.5
WINDOW_REACH_PX = 8
"""More than the 6 px that the Gaussian window of the energy sees to each side."""
REACH_PX = WINDOW_REACH_PX // 2 + 2
"""Half-size rows that a full-size one needs to each side: that window's, and enlargement's."""

LARGE_VALUES = 24_000_000
"""Values of a photo (8 megapixels) above which memory is given back on the way: of the frames of a
clip the next one needs it again, and to fault it in anew takes a fifth of the time."""

LIT = (0.1, 0.3)
"""Luma around a place from which it counts as lit, and counts in full."""
BESIDE_DARK = (0.03, 0.1)
"""The same for the darkest place in reach: at a lamp's edge nothing is added, so no rim."""
CONTRAST_PX, BASE_PX = 9, 25
"""Windows in which contrast is compared, and whose mean is what detail stands out from."""
LOST = 1 / 12
"""Share of its contrast by which a place must fall short for all of its detail to come back."""


def halve(image: Image) -> Image:
    """``image`` at half its height and width, area-averaged; an odd last row or column counts."""
    height, width = image.shape[:2]
    odd = (height % 2, width % 2)
    if any(odd):
        image = cv2.copyMakeBorder(image, 0, odd[0], 0, odd[1], cv2.BORDER_REPLICATE)
    size = (image.shape[1] // 2, image.shape[0] // 2)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)


def relight_halved(image: Image, relight: Callable[[Image], Image]) -> Image:
    """``relight`` of ``image`` at half its size, at full size again with the photo's own detail.

    With Y the luma, small = halve(image) and up() bilinear enlargement, the result is

        up(relight(small)) + up(g) * w * (Y(image) - up(Y(small))),

    g = cov(Y(small), Y(relight(small))) / (var(Y(small)) + eps) in windows of 7x7 (the slope of
    He et al.'s guided filter), in [0, 12], and w in [0, 1] the Wiener share of the detail's local
    energy above the noise, which is the energy of the picture's quieter regions. Not clamped.

    Besides ``image`` and the result, only what is still to be done of the half size is in memory.
    """
    small = halve(image)
    after = relight(small)
    before = luma(small)
    del small
    gain = _gain(before, luma(after))
    noise = NOISE_K**2 * float(np.percentile(_sampled_energy(image, before), QUIET))
    blocks = _blocks(before)
    parts = {rows.start or 0: _cut(rows, before, gain, after) for rows in row_blocks(blocks)}
    del before, gain, after
    free_memory()
    is_large = image.size > LARGE_VALUES
    out = np.empty_like(image)

    def finish(rows: slice) -> None:
        first, before, gain, after = parts.pop(rows.start or 0)
        full = _full_rows(rows, image)
        detail, energy = _detail(image, before, first, full)
        share = _wiener_share(energy, noise)
        share *= detail
        share *= _enlarged(gain, first, full, image)
        added = cv2.cvtColor(share, cv2.COLOR_GRAY2RGB)
        np.add(_enlarged(after, first, full, image), added, out=out[full])
        if is_large and len(parts) % 4 == 0:
            free_memory()

    for_row_blocks(finish, blocks)
    return out


def _blocks(small: Image) -> Image:
    """What stands for the half-size plane where work is parted: full-size rows of about 2 MB."""
    return np.broadcast_to(np.float32(0), (*small.shape, 2))


def _full_rows(rows: slice, image: Image) -> slice:
    """The rows of ``image`` that those rows of half its size stand for."""
    top, bottom, _ = rows.indices(-(-len(image) // 2))
    return slice(2 * top, min(2 * bottom, len(image)))


def _cut(rows: slice, before: Image, gain: Image, after: Image) -> tuple[int, Image, Image, Image]:
    """Copies of those rows with what filters see around them, and the first row's number."""
    first = max(0, (rows.start or 0) - REACH_PX)
    around = slice(first, None if rows.stop is None else rows.stop + REACH_PX)
    return first, before[around].copy(), gain[around].copy(), after[around].copy()


def _sampled_energy(image: Image, before: Image) -> Image:
    """The energy of the detail at every n-th pixel."""
    step = subsample_step(image, ENERGY_SAMPLES)
    sampled = np.empty((-(-image.shape[0] // step), -(-image.shape[1] // step)), np.float32)

    def measure(rows: slice) -> None:
        full = _full_rows(rows, image)
        energy = _detail(image, before, 0, full)[1]
        start = -(-full.start // step)
        chosen = energy[start * step - full.start :: step, ::step]
        sampled[start : start + len(chosen)] = chosen

    for_row_blocks(measure, _blocks(before))
    return sampled


def _detail(image: Image, before: Image, first: int, full: slice) -> tuple[Image, Image]:
    """Those rows' luma without what half the size holds, and its local energy.

    ``before`` is the half-size luma from its row ``first`` on.
    """
    top, bottom = full.start - WINDOW_REACH_PX, full.stop + WINDOW_REACH_PX
    around = slice(max(0, top), min(len(image), bottom))
    detail = luma(image[around]) - _enlarged(before, first, around, image)
    inner = slice(full.start - around.start, full.stop - around.start)
    return detail[inner], gaussian_blur(detail * detail, WINDOW_PX)[inner]


def _enlarged(small: Image, first: int, full: slice, image: Image) -> Image:
    """Rows ``full``, from an even one on, of half-size rows that start at ``first``, bilinearly."""
    top = max(first, full.start // 2 - 1)
    part = small[top - first : -(-full.stop // 2) + 1 - first]
    large = cv2.resize(part, (2 * part.shape[1], 2 * len(part)), interpolation=cv2.INTER_LINEAR)
    return np.asarray(large[full.start - 2 * top : full.stop - 2 * top, : image.shape[1]])


def _gain(before: Image, after: Image) -> Image:
    """The local slope of ``after`` over ``before``."""
    out = np.empty_like(before)

    def slope(rows: slice) -> None:
        top, bottom, _ = rows.indices(len(before))
        first = max(0, top - 2 * GAIN_RADIUS_PX)
        part = np.s_[first : bottom + 2 * GAIN_RADIUS_PX]
        out[rows] = _slope(before[part], after[part])[top - first : bottom - first]

    for_row_blocks(slope, before)
    return out


def _slope(before: Image, after: Image) -> Image:
    slope = Guide.of(before, GAIN_RADIUS_PX, FLAT).slope(after)
    return box_filter(np.clip(slope, 0, np.float32(MOST_GAIN)), GAIN_RADIUS_PX)


def _wiener_share(energy: Image, noise: float) -> Image:
    """Overwrites ``energy``."""
    share = energy - np.float32(noise)
    np.maximum(share, 0, out=share)
    energy += np.float32(1e-9)
    return np.asarray(np.divide(share, energy, out=share))


def keep_lit_detail(before: Image, after: Image, strength: float) -> Image:
    """``after`` in [0, 1], changed in place: lit places keep the local contrast of ``before``.

    With y the luma, d = y - (its mean in 25 x 25 px) and w in [0, ``strength``] the share by which
    a place is lit and its contrast (standard deviation in 9 x 9 px) fell short, luma becomes

        y(after) + w (d(before) - d(after)),

    never darker than both pictures and never beyond white; hues stay. Where nothing is lit, or no
    contrast was lost, nothing changes.
    """
    ratios = np.ones(before.shape[:2], np.float32)
    reach = BASE_PX + CONTRAST_PX  # even, as blocks begin at even rows

    def measure(rows: slice) -> None:
        top, bottom, _ = rows.indices(len(before))
        around = slice(max(0, top - reach), bottom + reach)
        ratio = _detail_ratio(luma(before[around]), after[around], strength)
        if ratio is not None:
            ratios[rows] = ratio[top - around.start :][: bottom - top]

    def apply(rows: slice) -> None:
        after[rows] = times(after[rows], ratios[rows])

    # of planes, and with 68 rows around each block: larger ones than those of an image are faster
    for_row_blocks(measure, before[:, :, :2])
    for_row_blocks(apply, before)
    return after


def _detail_ratio(old: Image, after: Image, strength: float) -> Image | None:
    """What the values of ``after`` are multiplied with, or None where nothing is lit.

    What is smooth (means, contrasts, the share) is found at half the size.
    """
    height, width = old.shape
    half = (-(-width // 2), -(-height // 2))
    small_old = np.asarray(cv2.resize(old, half, interpolation=cv2.INTER_AREA), np.float32)
    mean, contrast = _contrast(small_old)
    if mean.max() <= LIT[0]:
        return None
    new = luma(after)
    small_new = np.asarray(cv2.resize(new, half, interpolation=cv2.INTER_AREA), np.float32)
    darkest = cv2.erode(mean, np.ones((BASE_PX // 2, BASE_PX // 2), np.uint8))
    share = smoothsteps(mean, *LIT) * smoothsteps(darkest, *BESIDE_DARK) * np.float32(strength)
    lost = (contrast - _contrast(small_new)[1]) / np.maximum(contrast, np.float32(1e-3))
    share *= np.clip(lost / np.float32(LOST), 0, 1)
    base = box_filter(small_new - small_old, BASE_PX // 4)
    share, base = (enlarged(x, width, height) for x in (share, base))
    wanted = np.maximum(new + share * (base + old - new), cv2.min(old, new))
    ratio = cv2.min(wanted, 1) / np.maximum(new, np.float32(1e-3))
    room = 1 / np.maximum(largest(after), np.float32(1e-3))
    return np.asarray(cv2.min(ratio, np.maximum(room, 1)), np.float32)


def _contrast(plane: Image) -> tuple[Image, Image]:
    """The mean and the standard deviation in windows of 9 x 9 px of a plane at half its size."""
    mean, square = (box_filter(x, CONTRAST_PX // 4) for x in (plane, plane * plane))
    return mean, np.asarray(np.sqrt(np.maximum(square - mean * mean, 0)), np.float32)
