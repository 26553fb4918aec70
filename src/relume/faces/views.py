"""Views of a photograph: itself, and what enhancers make of it, at its size or scaled.

A view is named like ``original``, ``machine``, ``gamma:0.4`` or ``original@2`` (twice the size).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from relume.errors import ParameterError
from relume.faces.contract import ORIGINAL, Box, Face, Points
from relume.image.exposure import mean_level
from relume.photo import Image

DARK_BELOW = 0.2
"""Mean level under which a photograph is dark enough for more views than its own.

Measured on bright photographs: 1-2 % of LFPW's and FDDB's are below it.
"""
LARGEST_SCALE = 4.0


@dataclass(frozen=True)
class ViewSpec:
    """A view's name, the enhancer's spec in it (or "original"), and its scale."""

    name: str
    method: str
    scale: float

    @property
    def is_photograph(self) -> bool:
        """Whether this is the photograph itself, at its own size."""
        return self.method == ORIGINAL and self.scale == 1.0


@dataclass(frozen=True)
class View:
    """A rendered view; ``scale`` is its size over the photograph's."""

    name: str
    image: Image
    scale: float

    @property
    def is_photograph(self) -> bool:
        """Whether this is the photograph as it is, at whatever size."""
        return self.name.partition("@")[0] == ORIGINAL

    def to_photograph(self, face: Face) -> Face:
        """A face found on this view, in the photograph's pixels and with the view's name."""
        x0, y0, x1, y1 = (value / self.scale for value in face.box)
        points = None if face.landmarks is None else face.landmarks / np.float32(self.scale)
        return Face((x0, y0, x1, y1), face.score, points, self.name)

    def from_photograph(self, box: Box) -> Box:
        """A box of the photograph in this view's pixels."""
        x0, y0, x1, y1 = (value * self.scale for value in box)
        return (x0, y0, x1, y1)

    def points_to_photograph(self, points: Points) -> Points:
        """Points placed on this view, in the photograph's pixels."""
        return points / np.float32(self.scale)


def parse_views(names: Sequence[str]) -> list[ViewSpec]:
    """The views by name, checked before any is rendered.

    Raises:
        ParameterError: none, one twice, an unknown method, or a scale outside (0, 4].
    """
    specs = [_parse(name) for name in names]
    if not specs:
        raise ParameterError("expected at least one view, such as 'original'")
    if len({(spec.method, spec.scale) for spec in specs}) < len(specs):
        raise ParameterError(f"expected different views, got {', '.join(names)}")
    return specs


def needed(specs: Sequence[ViewSpec], image: Image) -> list[ViewSpec]:
    """The views worth looking at: of a bright photograph its own, if that is asked for at all."""
    own = [spec for spec in specs if spec.is_photograph]
    if own and len(specs) > 1 and mean_level(image) >= DARK_BELOW:
        return own
    return list(specs)


def render(specs: Sequence[ViewSpec], image: Image) -> Iterator[View]:
    """The views one by one; an enhancer runs once for all its scales."""
    shown: dict[str, Image] = {ORIGINAL: image}
    for spec in specs:
        if spec.method not in shown:
            shown[spec.method] = _enhanced(spec.method, image)
        yield View(spec.name, _resized(shown[spec.method], spec.scale), spec.scale)


def landmark_view(shown: Sequence[View]) -> View:
    """The view that landmarks are placed on: the first enhanced one, if any is shown.

    Measured on 56 darkened photographs (docs/dark-faces.md): points from the machine view alone
    are nearer than their mean with those of the dark original, at every level below 1.
    """
    return next((view for view in shown if not view.is_photograph), shown[0])


def _parse(name: str) -> ViewSpec:
    method, at, factor = name.strip().partition("@")
    try:
        scale = float(factor) if at else 1.0
    except ValueError:
        scale = 0.0
    if not 0 < scale <= LARGEST_SCALE:
        raise ParameterError(
            f"expected a scale above 0 and up to {LARGEST_SCALE:g} after '@', got {name!r}"
        )
    if method != ORIGINAL:
        from relume.enhancers import enhancers

        enhancers().parse(method)
    return ViewSpec(name.strip(), method, scale)


def _enhanced(method: str, image: Image) -> Image:
    from relume.enhancers import enhance, enhancers

    name, parameters = enhancers().parse(method)
    return np.asarray(enhance(image, method=name, parameters=parameters), np.float32)


def _resized(image: Image, scale: float) -> Image:
    if scale == 1.0:
        return image
    height, width = image.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.clip(np.asarray(cv2.resize(image, size, interpolation=how), np.float32), 0, 1)
