"""What a face is, and what detectors and landmarkers promise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from relume.catalog import Info
from relume.errors import ParameterError
from relume.photo import Image

Box: TypeAlias = tuple[float, float, float, float]
Points: TypeAlias = npt.NDArray[np.float32]

ORIGINAL = "original"
"""The name of the view that is the photograph itself."""


@dataclass(frozen=True)
class Quality:
    """How well a face can be seen in the photograph as it is.

    ``level`` is its mean grey level in [0, 1], ``noise`` the noise of a point over the level
    around it, ``clarity`` the contrast of its parts over that noise, ``expected_nme`` the error
    that 68 landmarks may be expected to have, over the distance of the outer eye corners.
    """

    level: float
    noise: float
    clarity: float
    expected_nme: float

    def as_json(self) -> dict[str, float]:
        """The figures by name, rounded to what they can say."""
        return {name: float(f"{value:.3g}") for name, value in asdict(self).items()}


# the point that each one becomes when the picture is mirrored, by how many there are: a detector's
# five (eyes, nose, mouth corners) and iBUG's 68
MIRRORED = {
    5: (1, 0, 2, 4, 3),
    68: (
        *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),
        45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
        *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1),
    ),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Face:
    """A face that a detector found.

    ``box`` is (x0, y0, x1, y1) in pixels, half open, and reaches past the picture where the face
    is cut by its border. ``score`` is in [0, 1]; detectors do not share a scale. ``landmarks`` is
    ``float32 (K, 2)`` or None: 68 points in iBUG order from a landmarker, or the few points a
    detector gives by itself (YuNet: right eye, left eye, nose tip, right and left mouth corner;
    right and left are the person's). ``view`` names the views that showed the face, joined by "+".
    ``sigma`` ``float32 (K,)`` is how far off each landmark may be, where the landmarker knows:
    a standard deviation in pixels, along x and along y. ``quality`` is how well the photograph
    itself shows the face, where that was measured.

    Raises:
        ParameterError: a box without area, a score outside [0, 1], landmarks of another shape.
    """

    box: Box
    score: float
    landmarks: Points | None = None
    view: str = ORIGINAL
    quality: Quality | None = None
    sigma: Points | None = None

    def __post_init__(self) -> None:
        x0, y0, x1, y1 = self.box
        if not all(map(math.isfinite, self.box)) or x1 <= x0 or y1 <= y0:
            raise ParameterError(f"expected a box (x0, y0, x1, y1) with an area, got {self.box}")
        if not 0 <= self.score <= 1:
            raise ParameterError(f"expected a score in [0, 1], got {self.score}")
        points = self.landmarks
        if points is not None and (points.ndim != 2 or points.shape[1] != 2):
            raise ParameterError(f"expected landmarks of shape (K, 2), got {points.shape}")

    @property
    def only_relit(self) -> bool:
        """Whether no view of the photograph as it is showed the face."""
        return all(map(is_relit, self.view.split("+")))

    def as_json(self, width: int, height: int) -> dict[str, Any]:
        """The face as JSON has it: corners by name, cut to a picture of this size, in tenths."""
        x0, y0, x1, y1 = self.box
        box = {
            "x0": round(min(max(x0, 0.0), width), 1),
            "y0": round(min(max(y0, 0.0), height), 1),
            "x1": round(min(max(x1, 0.0), width), 1),
            "y1": round(min(max(y1, 0.0), height), 1),
        }
        points = None
        if self.landmarks is not None:
            points = [[round(float(x), 1), round(float(y), 1)] for x, y in self.landmarks]
        score = round(float(self.score), 3)
        # in one order for all faces, to group by: the photograph's own views first, then by name
        views = sorted(self.view.split("+"), key=lambda view: (is_relit(view), view))
        found = {"box": box, "score": score, "view": "+".join(views), "landmarks": points}
        if self.sigma is not None:
            found["sigma"] = [round(float(value), 2) for value in self.sigma]
        return found if self.quality is None else {**found, "quality": self.quality.as_json()}


class Detector(Protocol):
    """Finds faces in one picture."""

    @property
    def info(self) -> Info:
        """The detector's entry in the catalogue."""

    def __call__(self, image: Image) -> list[Face]:
        """The faces with at least the detector's threshold, best score first; [] if none.

        Takes any size from 1x1 on, leaves ``image`` as it is, gives the same answer every time.
        """


class Landmarker(Protocol):
    """Places points on one face whose box is known."""

    @property
    def info(self) -> Info:
        """The landmarker's entry in the catalogue."""

    def __call__(self, image: Image, box: Box) -> Points:
        """The 68 iBUG points ``float32 (68, 2)`` of the face in ``box``.

        The box is a detector's, from hairline to chin; :func:`relume.faces.box_around` makes
        such a box from labelled points.
        """


@dataclass(frozen=True, eq=False)
class Placed:
    """The points of N faces (N, 68, 2), and how far off each may be (N, 68), if that is known.

    ``sigma`` is a standard deviation in pixels, along x and along y.
    """

    points: Points
    sigma: Points | None = None


@runtime_checkable
class SureLandmarker(Landmarker, Protocol):
    """Places points in any light, on many faces at once, and says how far off each may be."""

    def place(self, image: Image, boxes: Sequence[Box]) -> Placed:
        """The points of the faces in ``boxes``, and their ``sigma``."""


def mirrored_points(points: Points, width: float) -> Points:
    """Points of a mirrored picture of this width as points of the picture: right is right again.

    Five or 68 points change sides; those of another number keep their order.
    """
    order = MIRRORED.get(len(points))
    turned = points.copy() if order is None else points[list(order)]
    turned[:, 0] = np.float32(width) - turned[:, 0]
    return turned


def is_relit(view: str) -> bool:
    """Whether a view of this name is an enhancer's, and not the photograph at some size."""
    return view.partition("@")[0] != ORIGINAL


def by_score(faces: list[Face]) -> list[Face]:
    """Faces with the best score first; the box decides between equals, so the order is fixed."""
    return sorted(faces, key=lambda face: (-face.score, face.box))
