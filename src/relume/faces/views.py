"""Views of a photograph: itself, and what enhancers make of it, at its size or scaled.

A view is named like ``original``, ``machine``, ``gamma:0.4``, ``machine:brightness=0.45``,
``original@2`` (twice the size) or ``machine@mirrored``. A view smaller than the photograph is
shrunk first and enhanced then: that averages noise, and costs less. Without a scale the photograph
itself is shown at its size, and an enhanced view of a photograph above half a megapixel at
:func:`usual_scale`; ``machine@1`` is never scaled.

How much is looked at follows the light: a bright photograph is looked at once, a dark one as it is
and relit, and of one that is nearly black the plain ``machine`` view comes in several versions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from relume.engine import Runtime
from relume.enhancers import enhance
from relume.enhancers.options import parse_spec
from relume.errors import ParameterError
from relume.exposure.black import read_black
from relume.faces.base import ORIGINAL, Box, Face, Points, is_relit, mirrored_points
from relume.image.exposure import mean_level, subsample
from relume.photo import Image, quantise

DARK_BELOW = 0.2
"""Mean level under which a photograph is dark enough for more views than its own.

Measured on photographs as they are: 6 % of LFPW's and 1 % of FDDB's are below it.
"""
NOISY_DARK_BELOW = 0.25
"""The same for a noisy photograph: a camera lifts half-dark pictures, and their noise with them."""
NOISY_FROM = 0.15
"""Relative noise (see :func:`relative_noise`) from which a photograph is noisy.

Measured: of 107 photographs of LFPW and FDDB as they are between the two levels, none has more
than 0.12: lit photographs cost what they did. At 0.3 times the light, with a camera's noise, it
gives the second view to another 12 % of LFPW's, among them the faces that the level alone missed.
"""
BLACK_BELOW = 0.05
"""Median grey level under which a photograph is nearly black: no view shows all that is there."""
LOOK_AGAIN = (":brightness=0.45", "@mirrored", "@0.5")
"""What follows the name of the plain machine view in the further views of such a photograph.

Measured (docs/who-is-found.md) on 336 photographs of FDDB and 96 of FairFace that no figure is
reported of: brighter finds dark faces, half the size averages noise, and the mirrored picture costs
the detector alone.
"""
NOISE_PIXELS = 250_000
MAD_OF_NORMAL = 0.6745
"""The median of a standard normal's absolute value."""
LARGEST_SCALE = 4.0
MIRROR = "mirrored"

VIEW_PIXELS = 500_000
"""Enhanced views are shrunk towards this many pixels, unless their scale is given."""
LEAST_SCALE = 0.5
"""But by no more than this: a face of 20 pixels is still one of 10, which YuNet finds."""


@dataclass(frozen=True)
class ViewSpec:
    """A view's name, the enhancer's spec in it (or "original"), its scale (None: the usual).

    ``options`` are those of :func:`relume.enhance`, by name; ``mirrored`` is left for right;
    ``further`` is one that nobody asked for (see ``LOOK_AGAIN``).
    """

    name: str
    method: str
    scale: float | None
    options: tuple[tuple[str, Any], ...] = ()
    mirrored: bool = False
    further: bool = False

    @property
    def is_plain_machine(self) -> bool:
        """Whether this is the machine view with nothing said about how."""
        plain = self.scale is None and not self.options and not self.mirrored
        return plain and self.method.partition(":")[0] == "machine"

    @property
    def is_photograph(self) -> bool:
        """Whether this is the photograph itself, at its own size."""
        return self.method == ORIGINAL and self.scale == 1.0 and not self.mirrored

    def shows(self, image: Image) -> tuple[object, ...]:
        """What tells views of this photograph apart."""
        return (self.method, self.options, self.scale_of(image), self.mirrored)

    def scale_of(self, image: Image) -> float:
        """The size of this view over the photograph's."""
        return usual_scale(image) if self.scale is None else self.scale


@dataclass(frozen=True)
class View:
    """A rendered view; ``scale`` is its size over the photograph's, ``mirrored`` left for right.

    What a ``further`` view shows needs more to be believed: see :mod:`relume.faces.fusion`.
    """

    name: str
    image: Image
    scale: float
    mirrored: bool = False
    further: bool = False

    @property
    def is_photograph(self) -> bool:
        """Whether this is the photograph as it is, at whatever size."""
        return not is_relit(self.name)

    @property
    def is_whole_photograph(self) -> bool:
        """Whether this is the photograph as it is, at its size."""
        return self.is_photograph and self.scale == 1 and not self.mirrored

    def to_photograph(self, face: Face) -> Face:
        """A face found on this view, in the photograph's pixels and with the view's name."""
        points = None if face.landmarks is None else self.points_to_photograph(face.landmarks)
        x0, y0, x1, y1 = (value / self.scale for value in self._turned(face.box))
        return Face((x0, y0, x1, y1), face.score, points, self.name)

    def from_photograph(self, box: Box) -> Box:
        """A box of the photograph in this view's pixels."""
        x0, y0, x1, y1 = (value * self.scale for value in box)
        return self._turned((x0, y0, x1, y1))

    def points_to_photograph(self, points: Points) -> Points:
        """Points placed on this view, in the photograph's pixels and order."""
        if self.mirrored:
            points = mirrored_points(points, self.image.shape[1])
        return points / np.float32(self.scale)

    def points_from_photograph(self, points: Points) -> Points:
        """Points of the photograph in this view's pixels and order."""
        scaled = points * np.float32(self.scale)
        return mirrored_points(scaled, self.image.shape[1]) if self.mirrored else scaled

    def _turned(self, box: Box) -> Box:
        x0, y0, x1, y1 = box
        width = self.image.shape[1]
        return (width - x1, y0, width - x0, y1) if self.mirrored else box


def parse_views(names: Sequence[str]) -> list[ViewSpec]:
    """The views by name, checked before any is rendered.

    Raises:
        ParameterError: none, one twice, an unknown method, or a scale outside (0, 4].
    """
    specs = [_parse(name) for name in names]
    if not specs:
        raise ParameterError("expected at least one view, such as 'original'")
    if len({replace(spec, name="") for spec in specs}) < len(specs):
        raise ParameterError(f"expected different views, got {', '.join(names)}")
    return specs


def select_views(
    specs: Sequence[ViewSpec], image: Image, *, nearly_black: bool | None = None
) -> list[ViewSpec]:
    """The views worth looking at: of a bright photograph its own, if that is asked for at all.

    Of a nearly black photograph the plain machine view comes with further ones (``LOOK_AGAIN``). Of
    those that show the same at this photograph's size (``machine`` and ``machine@1`` of a small
    one), the first. ``nearly_black`` is :func:`is_nearly_black`, where that is known.
    """
    own = [spec for spec in specs if spec.is_photograph]
    if own and len(specs) > 1 and not is_dark(image):
        return own
    machine = next((spec for spec in specs if spec.is_plain_machine), None)
    if nearly_black is None:
        nearly_black = machine is not None and is_nearly_black(image)
    if machine is not None and nearly_black:
        again = (_parse(_renamed(machine.method, how)) for how in LOOK_AGAIN)
        specs = [*specs, *(replace(spec, further=True) for spec in again)]
    different: dict[tuple[object, ...], ViewSpec] = {}
    for spec in specs:
        different.setdefault(spec.shows(image), spec)
    return list(different.values())


def _renamed(method: str, how: str) -> str:
    """A method's spec with an option, which a comma divides from those it has already."""
    return method + (how.replace(":", ",") if ":" in method else how)


def is_nearly_black(image: Image) -> bool:
    """Whether half of a picture, or more of it, is so dark that a single view may miss a face.

    The camera's black is no light.
    """
    light = read_black(image).off(subsample(image, NOISE_PIXELS))
    grey = cv2.cvtColor(light, cv2.COLOR_RGB2GRAY)
    return float(np.median(grey)) < BLACK_BELOW


def is_dark(image: Image) -> bool:
    """Whether a photograph may hide faces: it is dark, or half dark and noisy."""
    level = mean_level(image)
    if DARK_BELOW <= level < NOISY_DARK_BELOW:
        return relative_noise(image) > NOISY_FROM
    return level < DARK_BELOW


def relative_noise(image: Image) -> float:
    """The noise over the grey level around it: the median of both, in a picture's middle.

    Immerkaer, *Fast Noise Variance Estimation* (1996): a mask that neither flat places nor straight
    edges pass; the median leaves texture out.
    """
    height, width = image.shape[:2]
    share = min(1.0, (NOISE_PIXELS / (height * width)) ** 0.5)
    top, left = (int(side * (1 - share) / 2) for side in (height, width))
    grey = cv2.cvtColor(image[top : height - top, left : width - left], cv2.COLOR_RGB2GRAY)
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
    around = np.maximum(cv2.blur(grey, (3, 3)), np.float32(1 / 255))
    return float(np.median(np.abs(cv2.filter2D(grey, -1, mask)) / around)) / MAD_OF_NORMAL


def render_views(
    specs: Sequence[ViewSpec],
    image: Image,
    *,
    runtime: Runtime | None = None,
    eight_bit: bool = False,
) -> Iterator[View]:
    """The views one by one; an enhancer runs once for all scales from 1 on.

    ``runtime`` is where and how enhancers run; ``eight_bit`` puts their results into the 256 steps
    that a file would hold.

    Raises:
        WeightsError: an enhancer's weights are not here and cannot be fetched.
        DeviceError: a device or precision that is not there.
    """
    enhanced: dict[tuple[object, ...], Image] = {}
    for spec in specs:
        scale = spec.scale_of(image)
        key = (spec.method, spec.options, min(scale, 1.0))
        if key not in enhanced:
            picture = _resized(image, min(scale, 1.0))
            if spec.method != ORIGINAL:
                options = dict(spec.options)
                picture = enhance(picture, method=spec.method, runtime=runtime, **options)
            if eight_bit:
                picture = quantise(picture, np.uint8).astype(np.float32) / np.float32(255)
            enhanced[key] = picture
        shown = _resized(enhanced[key], max(scale, 1.0))
        if spec.mirrored:
            shown = np.ascontiguousarray(shown[:, ::-1])
        yield View(spec.name, shown, scale, spec.mirrored, spec.further)


def render_full_size(name: str, image: Image) -> View:
    """The view of this name at the photograph's own size, whatever scale it is searched at.

    Raises:
        ParameterError: a wrong name or parameter.
        RelumeError: as :func:`render_views`.
    """
    spec = replace(_parse(name), scale=1.0)
    (view,) = render_views([spec], image)
    return replace(view, name=spec.method)


def usual_scale(image: Image) -> float:
    """The scale of an enhanced view of a photograph: 1 up to half a megapixel, then down to 1/2.

    Costs are bounded by it: what is searched at full size in any case is the photograph itself.
    """
    height, width = image.shape[:2]
    return float(np.clip((VIEW_PIXELS / (height * width)) ** 0.5, LEAST_SCALE, 1.0))


def landmark_view(views: Sequence[View]) -> View:
    """The view that landmarks are placed on: the first enhanced one, if there is any.

    Measured on 56 darkened photographs (docs/dark-faces.md): points from the machine view alone
    are nearer than their mean with those of the dark original, at every level below 1.
    """
    return next((view for view in views if not view.is_photograph), views[0])


def _parse(name: str) -> ViewSpec:
    method, *how = (part.strip() for part in name.strip().split("@"))
    mirrored = MIRROR in how
    how = [part for part in how if part != MIRROR]
    scale: float | None = 1.0 if method == ORIGINAL else None
    if how:
        scale = _number("@".join(how))
    if scale is not None and not 0 < scale <= LARGEST_SCALE:
        raise ParameterError(
            f"expected a scale above 0 and up to {LARGEST_SCALE:g} after '@', or '{MIRROR}'; "
            f"got {name!r}"
        )
    if method == ORIGINAL:
        return ViewSpec(name.strip(), method, scale, mirrored=mirrored)
    info, _, options = parse_spec(method)
    if options.get("brightness") == "auto":
        raise ParameterError(f"expected a number as the brightness of a view, got {name!r}")
    if options.get("expose_for") == "faces":
        raise ParameterError(f"a view is exposed as a scene, not for faces: got {name!r}")
    parts = method.partition(":")[2].split(",")
    own = ",".join(part for part in parts if part.partition("=")[0].strip() not in options)
    method = f"{info.name}:{own}" if own else info.name
    return ViewSpec(name.strip(), method, scale, tuple(sorted(options.items())), mirrored)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _resized(image: Image, scale: float) -> Image:
    if scale == 1.0:
        return image
    height, width = image.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.clip(np.asarray(cv2.resize(image, size, interpolation=how), np.float32), 0, 1)
