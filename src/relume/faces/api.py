"""The one door to faces: :func:`detect_faces`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from relume import __version__
from relume.engine import Runtime
from relume.faces.base import (
    Box,
    Detector,
    Face,
    Landmarker,
    Placed,
    SureLandmarker,
    by_score,
    is_relit,
)
from relume.faces.fusion import AGREES, clusters
from relume.faces.light import NOISE_IS_SURER, holds_light
from relume.faces.quality import hidden_share, quality_of, warning
from relume.faces.registry import (
    built,
    detectors,
    landmarkers,
    usual_detector,
    usual_views,
)
from relume.faces.views import (
    View,
    is_nearly_black,
    landmark_view,
    parse_views,
    render_views,
    select_views,
)
from relume.metrics.landmarks import POINTS
from relume.photo import Array, Photo, check_image, to_image


@dataclass(frozen=True, eq=False)
class Detection:
    """The faces of a photograph, best score first, and how they were found.

    ``threshold`` is the lowest score that was asked for; ``views`` are the names of those that
    were looked at: of a bright photograph its own alone. ``hidden`` is the share of faces that may
    be expected to stay hidden: above 0 where it is too dark to be sure that there are no others.
    """

    faces: list[Face]
    width: int
    height: int
    detector: str
    threshold: float
    views: tuple[str, ...]
    hidden: float = 0.0

    @property
    def warning(self) -> str | None:
        """What a user should be told before "no face" is believed; None where it is bright."""
        return warning(self.hidden)

    @property
    def relit_views(self) -> list[str]:
        """The views that were looked at and are not the photograph itself."""
        return [name for name in self.views if is_relit(name)]

    def as_json(self, photo: str) -> dict[str, Any]:
        """What the command line writes and the service answers, under the photograph's name."""
        unsure = {} if self.warning is None else {"warning": self.warning}
        return {
            "photo": photo,
            "width": self.width,
            "height": self.height,
            "detector": self.detector,
            "threshold": self.threshold,
            "views": list(self.views),
            "version": __version__,
            **unsure,
            "faces": [face.as_json(self.width, self.height) for face in self.faces],
        }


def detect_faces(
    photo: Photo | Array,
    *,
    detector: str | None = None,
    landmarks: str | None = None,
    threshold: float | None = None,
    views: Sequence[str] | None = None,
    runtime: Runtime | None = None,
) -> list[Face]:
    """Find the faces in a photograph, best score first; [] if there are none.

    An array is RGB, as for :func:`relume.enhance`; boxes and points are in its pixels.

    ``detector`` and ``landmarks`` are names of the catalogues, with parameters if wanted
    (``"haar:cascade=default"``). Without ``detector`` it is YuNet if its weights are here, else
    relume's own, which is shipped: nothing is fetched that is not asked for by name. Without
    ``landmarks`` a face has the points its detector gives, if any. ``threshold`` in [0, 1] is the
    lowest score of a face; without it, that of the detector's spec (``"yunet:0.9"``) or its
    default. ``views`` are looked at together and their faces merged: ``original``, any enhancer
    (``machine``, ``gamma:0.4``), scaled or not (``original@2``). Without it they are the original,
    and for detectors that did not learn the dark ``machine``, too. ``runtime`` is where and how the
    enhancers run. What the first view finds at ``threshold`` stays found. A bright photograph costs
    one view only, if ``original`` is among them. Large pictures are searched at full size and
    smaller, never smaller only. The last eight detectors and landmarkers are kept loaded.

    Raises:
        InputError: an array that is not an image.
        ParameterError: a threshold outside [0, 1], or another wrong view or parameter.
        UnknownName: no such detector, landmarker or enhancer; the nearest is named.
        WeightsError: weights that are not here and cannot be fetched.
        MissingExtra: a detector, landmarker or view whose package is not installed.
        DeviceError: a device or precision that is not there.
    """
    return detect(
        photo,
        detector=detector,
        landmarks=landmarks,
        threshold=threshold,
        views=views,
        runtime=runtime,
    ).faces


def detect(
    photo: Photo | Array,
    *,
    detector: str | None = None,
    landmarks: str | None = None,
    threshold: float | None = None,
    views: Sequence[str] | None = None,
    runtime: Runtime | None = None,
) -> Detection:
    """:func:`detect_faces`, with how the faces were found.

    Raises:
        RelumeError: as :func:`detect_faces`.
    """
    image = check_image(photo.pixels) if isinstance(photo, Photo) else to_image(photo)
    detector = detector or usual_detector()
    name, given = detectors().parse(detector)
    views = usual_views(name, landmarks) if views is None else views
    specs = parse_views((views,) if isinstance(views, str) else views)
    if threshold is not None:
        given["threshold"] = threshold
    parameters = detectors().info(name).check_parameters(given)
    least = float(parameters["threshold"])
    landmarker: Landmarker | None = None
    if landmarks is not None:
        landmarker = built(landmarkers(), *landmarkers().parse(landmarks))
    black = is_nearly_black(image)
    selected = select_views(specs, image, nearly_black=black)
    rendered = list(render_views(selected, image, runtime=runtime))
    if any(view.further for view in rendered):  # a second view may be less sure
        parameters = {**parameters, "threshold": max(0.0, least - AGREES)}
    find: Detector = built(detectors(), name, parameters)
    faces = detect_on_views(rendered, find, lead_score=least, least=least, landmarker=landmarker)
    return Detection(
        faces=[replace(face, quality=quality_of(image, face)) for face in faces],
        width=image.shape[1],
        height=image.shape[0],
        detector=detector,
        threshold=least,
        views=tuple(view.name for view in rendered),
        hidden=hidden_share(image, nearly_black=black),
    )


def detect_on_views(
    views: Sequence[View],
    detector: Detector,
    *,
    lead_score: float = 0.0,
    least: float = 0.0,
    landmarker: Landmarker | None = None,
) -> list[Face]:
    """The faces of rendered views as one answer in the photograph's pixels, best score first.

    ``lead_score`` is the score from which the first view's faces lead (see
    :func:`relume.faces.fusion.clusters`), ``least`` the lowest that is kept. Where
    there are further views, the photograph has a say, too (see :mod:`relume.faces.light`).
    """
    found = [[view.to_photograph(face) for face in detector(view.image)] for view in views]
    merged = clusters(found, lead_score=lead_score)
    further = {view.name for view in views if view.further}
    fused = [cluster.fused(further) for cluster in merged]
    if further and (photograph := next((v for v in views if v.is_whole_photograph), None)):
        fused = [_doubted(face, photograph) for face in fused]
    faces = by_score([face for face in fused if face.score >= least])
    if landmarker is None or not faces:
        return faces
    placed = place_landmarks(views, [face.box for face in faces], landmarker)
    sigmas = [None] * len(faces) if placed.sigma is None else placed.sigma
    return [
        replace(face, landmarks=points, sigma=sigma)
        for face, points, sigma in zip(faces, placed.points, sigmas, strict=True)
    ]


def _doubted(face: Face, photograph: View) -> Face:
    """A face of a nearly black photograph, less sure if only relit noise shows it."""
    seen = photograph.name in face.view.split("+")
    if seen or holds_light(photograph.image, face.box):
        return face
    return replace(face, score=max(0.0, face.score - NOISE_IS_SURER))


def place_landmarks(views: Sequence[View], boxes: Sequence[Box], landmarker: Landmarker) -> Placed:
    """The 68 points of the faces in boxes of the photograph, on what shows them best.

    A landmarker that was taught in the dark looks at the photograph itself, if that is among the
    views; another at the view that shows most.
    """
    view = landmark_view(views)
    if isinstance(landmarker, SureLandmarker):
        view = next((view for view in views if view.is_whole_photograph), view)
        placed = landmarker.place(view.image, [view.from_photograph(box) for box in boxes])
    else:
        points = [landmarker(view.image, view.from_photograph(box)) for box in boxes]
        placed = Placed(np.asarray(points, np.float32).reshape(-1, POINTS, 2))
    found = [view.points_to_photograph(points) for points in placed.points]
    sigma = None if placed.sigma is None else placed.sigma / np.float32(view.scale)
    return Placed(np.asarray(found, np.float32).reshape(-1, POINTS, 2), sigma)
