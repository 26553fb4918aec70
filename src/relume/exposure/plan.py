"""The plan: what is decided about a photo's exposure, as a value; and a photo exposed by it.

A plan is made once, and holds only numbers and small arrays. It can be applied to any size of the
photo, by any network: :func:`apply` is handed what relights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from relume.exposure import constants as c
from relume.exposure.aim import Aim
from relume.exposure.black import NO_BLACK, Black
from relume.exposure.cast import NO_CAST, Cast
from relume.exposure.curve import Curve, expose_directly
from relume.exposure.faces import Find, face_stops
from relume.exposure.maps import fit_stops
from relume.exposure.meter import Reading, meter
from relume.image.color import GAMMA, luma, times
from relume.image.detail import keep_lit_detail
from relume.image.exposure import FRAME_TOLERANCE, mean_level, scale_to, smoothsteps, subsample
from relume.image.parallel import for_row_blocks
from relume.image.texture import believed_colour, put_back_texture
from relume.photo import Image

Factor = Image | float
"""What encoded values are multiplied with: a plane (H, W), or one number for the whole photo."""

Relight = Callable[[Image, float, Factor | None], Image]
"""A network's picture (H, W, 3), in memory of its own, of an image that is brought to a mean grey
level, each place's encoded values lifted by the factor; None: by whatever that level takes."""


@dataclass(frozen=True)
class Plan:
    """What every place of a photo gets: made by :func:`plan`, followed by :func:`apply`.

    ``black`` is taken off before anything else, ``cast`` where the photo is lifted. ``reading``
    and ``curve`` are None where the whole frame gets one exposure, which the network finds by
    itself. ``expected`` is the mean level of what counts before any stops, 0 for none: below the
    aim where there is no light for it.
    ``face_stops`` (h, w) are what faces lack, ``stops`` (any size) the map that was asked for.
    ``protect_lit`` leaves what is hardly lifted to the photo itself, and so much of the
    local contrast of lit places is kept as ``kept`` says, in [0, 1]. ``faithful`` puts back the
    photo's texture that the network wiped away, and takes off colour that too little light has.
    """

    aim: Aim
    black: Black = NO_BLACK
    cast: Cast = NO_CAST
    reading: Reading | None = None
    curve: Curve | None = None
    expected: float = 0.0
    face_stops: Image | None = None
    stops: Image | None = None
    protect_lit: bool = True
    kept: float = 0.0
    faithful: bool = False

    @property
    def is_even(self) -> bool:
        """Whether the whole photo gets one exposure."""
        local = self.curve is not None and self.curve.local != 0
        return not local and self.face_stops is None and self.stops is None

    def network_share(self, factor: Factor) -> Image:
        """(H, W) or (1, 1), in [0, 1]: how much of places lifted so is the network's."""
        lift = np.atleast_2d(np.asarray(factor, np.float32))
        if self.reading is None:
            return np.ones_like(lift)
        share = network_share(lift) if self.protect_lit else np.ones_like(lift)
        return share * np.float32(self.reading.evidence)


def plan(
    image: Image,
    aim: Aim,
    *,
    black: Black = NO_BLACK,
    cast: Cast = NO_CAST,
    reading: Reading | None = None,
    local: float = 1.0,
    stops: Image | None = None,
    protect_lit: bool = True,
    find: Find | None = None,
    faithful: bool = False,
) -> Plan:
    """How ``image`` is brought to ``aim``.

    ``black`` is what the camera recorded where there is no light, ``cast`` how much of the light's
    colour goes. ``reading`` is the image's without the black, if it is known; ``local`` in [0, 1]
    is how far the exposure follows the light from place to place, ``stops`` (h, w) a map that is
    added, and ``find`` finds faces, which may need more light.
    """
    if local == 0 and stops is None and aim.over == "frame":
        return Plan(aim, black, cast, protect_lit=protect_lit, faithful=faithful)
    image = black.off(image)
    reading = (reading or meter(image)).counted_for(aim)
    softness = reading.softness(aim.level)
    gain = reading.shadow_gain(aim.level, softness, bounded=aim.is_bounded)
    expected = reading.mean_at(gain, softness)
    if not aim.is_bounded:
        expected = min(aim.level, expected)
    overall = reading.overall_gain(expected)
    share = local * reading.needs_curve(overall)
    curve = Curve(gain, softness, reading.toe, overall, share)
    lacking = None
    if find is not None and local:
        lacking = face_stops(image, reading, curve, aim.level, find, share=local)
    kept = share if protect_lit else 0.0
    return Plan(
        aim, black, cast, reading, curve, expected, lacking, stops, protect_lit, kept, faithful
    )


def carried_over(plan: Plan, image: Image, *, find: Find | None = None) -> Plan:
    """The same exposure for another photo of a series: its curve, on the light of that photo.

    What was dark in both is lifted alike, whatever mean that leads to. A painted map belongs to
    one photo and is left out; faces are looked for anew.
    """
    if plan.curve is None:
        return plan
    image = plan.black.off(image)
    curve, reading = plan.curve, meter(image).counted_for(plan.aim)
    expected = reading.mean_at(curve.gain, curve.softness)
    lacking = None
    if find is not None and curve.local:
        lacking = face_stops(image, reading, curve, plan.aim.level, find, share=curve.local)
    return replace(plan, reading=reading, expected=expected, face_stops=lacking, stops=None)


def apply(plan: Plan, image: Image, relight: Relight) -> Image:
    """``image`` exposed as planned, not clamped: by ``relight`` where it is lifted, else by itself.

    The image may be of another size than the planned one. What is hardly lifted needs no network,
    which is not run if nothing is.
    """
    image = plan.black.off(image)
    factor, reading, expected = _exposed(plan, image)
    if not plan.network_share(float(np.max(factor))).any():
        return expose_directly(image, np.atleast_2d(np.asarray(factor, np.float32)))
    result = relight(image, *_wanted(plan, image, factor))
    _blend(plan, image, result, factor)
    if reading is None:
        _match_frame(result, expected)
    elif expected:
        reading.match(result, expected, by_factor=plan.is_even)
    if plan.kept:
        result = keep_lit_detail(image, result, plan.kept)
    if plan.faithful:
        put_back_texture(image, result)
    if plan.cast or plan.faithful:
        _correct_colour(plan, image, result, factor)
    return result


def _exposed(plan: Plan, image: Image) -> tuple[Factor, Reading | None, float]:
    """The factor, what counts beside the places that got stops, and the mean level of that."""
    reading, curve, expected = plan.reading, plan.curve, plan.expected
    if reading is None or curve is None:
        return 1.0, None, plan.aim.level
    if plan.is_even:
        return curve.overall, reading, expected
    factor = curve.factor(image, reading.slope, reading.offset)
    for stops in (plan.face_stops, plan.stops):
        if stops is None:
            continue
        if stops is plan.stops or plan.aim.is_bounded:
            # what is painted is not undone, and what is not painted stays as it is
            outside = reading.outside(stops)
            expected *= outside.mean_with(factor) / max(reading.mean_with(factor), 1e-6)
            reading = outside
        factor *= np.exp2(fit_stops(stops, image) / np.float32(GAMMA))
    return factor, reading, expected


def _wanted(plan: Plan, image: Image, factor: Factor) -> tuple[float, Factor | None]:
    """The mean level that the network is asked for, and the factor, None where it need not know."""
    if plan.reading is None:
        return plan.aim.level, None
    if isinstance(factor, float):
        grey = np.minimum(plan.reading.grey * np.float32(factor), 1)
    else:
        sampled = (subsample(x, c.GREY_SAMPLES) for x in (luma(image), factor))
        grey = np.minimum(np.multiply(*sampled), 1)
    level = float(np.clip(grey.mean(), *c.NETWORK_BRIGHTNESS))
    if isinstance(factor, float) and plan.reading.weight.mean() >= c.MOSTLY_PICTURE:
        return level, None  # else a frame's light says nothing about the rest
    return level, factor


def _blend(plan: Plan, image: Image, result: Image, factor: Factor) -> None:
    """What is not the network's becomes the photo times the factor, in place."""
    if isinstance(factor, float):
        share = plan.network_share(factor)
        if share != 1:
            direct = expose_directly(image, np.full((1, 1), factor, np.float32))
            np.add(direct, share[0, 0] * (result - direct), out=result)
        return

    def blend(rows: slice) -> None:
        direct = expose_directly(image[rows], factor[rows])
        direct += times(result[rows] - direct, plan.network_share(factor[rows]))
        result[rows] = direct

    for_row_blocks(blend, result)


def _correct_colour(plan: Plan, image: Image, result: Image, factor: Factor) -> None:
    """What is the network's loses colour that is the light's or nobody's, in place."""
    believed = believed_colour(image, result) if plan.faithful else None

    def correct(rows: slice) -> None:
        lift = factor if isinstance(factor, float) else factor[rows]
        share = plan.network_share(lift)
        picture = result[rows]
        if believed is not None:
            grey = luma(picture)[:, :, None]
            kept = 1 - share * (1 - believed[rows])
            picture = grey + times(picture - grey, kept)
        result[rows] = plan.cast.off(picture, share)

    for_row_blocks(correct, result)


def _match_frame(picture: Image, level: float) -> None:
    """``picture``, scaled in place so that its mean grey level, once clipped, is ``level``."""
    sample = subsample(picture, c.FRAME_SAMPLES)

    def mean_at(factor: float) -> float:
        return mean_level(np.minimum(sample * np.float32(factor), 1))

    scale_to(picture, level, mean_at, within=FRAME_TOLERANCE)


def network_share(factor: Image) -> Image:
    """(H, W) in [0, 1]: how much of a place is the network's, by the stops it is lifted."""
    stops = np.float32(GAMMA) * np.log2(np.maximum(factor, np.float32(1e-6)))
    return smoothsteps(stops, *c.NETWORK_STOPS)
