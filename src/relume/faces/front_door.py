"""Faces that come first when a photo is exposed: :func:`enhance`, the package's front door.

It is :func:`relume.enhancers.enhance` with a search for faces: this floor stands above that one, so
that it is handed the search and asks for it where a place is too dark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from relume import enhancers
from relume.catalog import Value
from relume.engine import Runtime
from relume.enhancers import Brightness
from relume.enhancers.options import DEFAULT_METHOD
from relume.exposure.black import BlackLevel
from relume.exposure.faces import ExposeFor, Find, Region
from relume.faces.base import Detector
from relume.faces.registry import built, detectors, usual_detector
from relume.image.exposure import smoothstep
from relume.photo import Array, Image, Photo

Picture = TypeVar("Picture", bound=Photo | Array)

SURE = (0.6, 0.8)
"""A detector's score from which a face counts, and from which it counts in full."""


def enhance(
    picture: Picture,
    *,
    method: str = DEFAULT_METHOD,
    strength: float = 1.0,
    brightness: Brightness | None = None,
    local: float | None = None,
    expose_for: ExposeFor | None = None,
    exposure: Array | None = None,
    black: BlackLevel | None = None,
    cast: float | None = None,
    protect_lit: bool = True,
    parameters: Mapping[str, Value] | None = None,
    runtime: Runtime | None = None,
) -> Picture:
    """The picture enhanced: a Photo for a Photo, an array of the same dtype and shape for an array.

    An array is RGB (OpenCV's is BGR: turn it round), of uint8, uint16 or floats in [0, 1], and of
    shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) with alpha; it is never written to.

    ``method`` is a name of the catalogue, with parameters if you like (``"gamma:0.4"``), and
    ``parameters`` adds to them. ``strength`` in [0, 1] blends with the input; 0 gives it back bit
    for bit. ``brightness``, a wanted mean grey level in (0, 1] or "auto", is for methods whose
    ``Info.takes_brightness``. ``protect_lit`` keeps what is well lit already; a brightness that
    is given as a number comes before it.

    For methods whose ``Info.takes_local``, ``local`` in [0, 1] says how much the exposure follows
    the light from place to place: 0 is one exposure for the whole photo, 1 (the method relume's
    default) lifts the dark and leaves the lit. ``exposure`` adds a map of stops, an array (h, w) of
    any size that is fitted to the photo and its edges: +1 is twice the light there. ``expose_for``
    "faces" and "auto" (the default) lift faces that would stay dark, as in a picture taken against
    the light, "scene" does not. They are found by YuNet where its weights are here already, else by
    relume's own detector, which is shipped.

    ``black``, for methods whose ``Info.takes_black``, is what the camera recorded where there is no
    light, of 255: one number, or red, green and blue (``(14, 3, 14)`` or ``"14,3,14"``). It is
    taken off before anything else. "auto" (the default) reads it of the photo, with evidence: lit
    photographs have none, 0 is none.

    ``cast`` in [0, 1], for methods whose ``Info.takes_cast``, is how much of the colour that lamps
    gave a scene goes, .5 by default: where that can be read, with evidence, and the photo is
    lifted. What was lit keeps its colour, and red light that is meant stays.

    Alpha and metadata are kept, grey stays grey, and the same input gives the same output.

    Raises:
        InputError: an array that is no picture.
        ParameterError: an option outside its range or that the method cannot take, or an exposure
            that is not a map of stops.
        UnknownName: no such method; the nearest is named.
        WeightsError: the method's weights are missing or damaged.
        DeviceError: the runtime's device or precision is not there.
    """
    return enhancers.enhance(
        picture,
        method=method,
        strength=strength,
        brightness=brightness,
        local=local,
        expose_for=expose_for,
        exposure=exposure,
        black=black,
        cast=cast,
        protect_lit=protect_lit,
        parameters=parameters,
        runtime=runtime,
        finder=face_finder,
    )


def face_finder(expose_for: ExposeFor) -> Find | None:
    """What finds the faces to expose for, or None if none are to be found."""
    if expose_for == "scene":
        return None
    detector: Detector = built(detectors(), usual_detector(), {})

    def find(image: Image) -> Sequence[Region]:
        height, width = image.shape[:2]
        regions = []
        for face in detector(image):
            x0, y0, x1, y1 = face.box
            box = (x0 / width, y0 / height, x1 / width, y1 / height)
            regions.append(Region(box, smoothstep(face.score, *SURE)))
        return regions

    return find
