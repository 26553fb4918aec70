"""The one door to faces: :func:`detect_faces`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from relume.catalog import Catalog, Value
from relume.engine import Runtime
from relume.faces.base import ORIGINAL, Detector, Face, Landmarker, by_score
from relume.faces.fusion import Cluster, clusters
from relume.faces.registry import detectors, landmarkers
from relume.faces.views import View, landmark_view, parse_views, render_views, select_views
from relume.photo import Array, Photo, check_image, to_image

DEFAULT_DETECTOR = "yunet"
DEFAULT_VIEWS = (ORIGINAL, "machine")


def detect_faces(
    photo: Photo | Array,
    *,
    detector: str = DEFAULT_DETECTOR,
    landmarks: str | None = None,
    threshold: float | None = None,
    views: Sequence[str] = DEFAULT_VIEWS,
    runtime: Runtime | None = None,
) -> list[Face]:
    """Find the faces in a photograph, best score first; [] if there are none.

    ``detector`` and ``landmarks`` are names of the catalogues, with parameters if wanted
    (``"haar:cascade=default"``); without ``landmarks`` a face has the points its detector gives,
    if any. ``threshold`` in [0, 1] is the lowest score of a face; without it, that of the
    detector's spec (``"yunet:0.9"``) or its default. ``views`` are looked at together and their
    faces merged: ``original``, any enhancer (``machine``, ``gamma:0.4``), scaled or not
    (``original@2``); ``runtime`` is where and how the enhancers run. What the first view finds at
    ``threshold`` stays found. A bright photograph costs one view only, if ``original`` is among
    them. Large pictures are searched at full size and smaller, never smaller only. The last eight
    detectors and landmarkers are kept loaded.

    Raises:
        InputError: an array that is not an image.
        ParameterError: a threshold outside [0, 1], or another wrong view or parameter.
        UnknownName: no such detector, landmarker or enhancer; the nearest is named.
        WeightsError: weights that are not here and cannot be fetched.
        MissingExtra: a detector, landmarker or view whose package is not installed.
        DeviceError: a device or precision that is not there.
    """
    image = check_image(photo.pixels) if isinstance(photo, Photo) else to_image(photo)
    specs = parse_views((views,) if isinstance(views, str) else views)
    overrides = {} if threshold is None else {"threshold": threshold}
    find: Detector = _built(detectors(), detector, overrides)
    landmarker = None if landmarks is None else _built(landmarkers(), landmarks)
    rendered = list(render_views(select_views(specs, image), image, runtime=runtime))
    return detect_on_views(rendered, find, landmarker=landmarker)


def detect_on_views(
    views: Sequence[View],
    detector: Detector,
    *,
    lead_score: float = 0.0,
    landmarker: Landmarker | None = None,
) -> list[Face]:
    """The faces of rendered views as one answer in the photograph's pixels, best score first.

    ``lead_score`` is the score from which the first view's faces lead (see
    :func:`relume.faces.fusion.clusters`).
    """
    found = [_detect_on_view(view, detector) for view in views]
    merged = clusters(found, lead_score=lead_score)
    return by_score([_merged_face(cluster, views, landmarker) for cluster in merged])


def _detect_on_view(view: View, detector: Detector) -> list[Face]:
    """The faces of one view in the photograph's pixels."""
    return [view.to_photograph(face) for face in detector(view.image)]


def _merged_face(cluster: Cluster, views: Sequence[View], landmarker: Landmarker | None) -> Face:
    """The cluster as one face; a landmarker looks at it on the view that shows most."""
    face = cluster.fused()
    if landmarker is None:
        return face
    view = landmark_view(views)
    points = landmarker(view.image, view.from_photograph(face.box))
    return replace(face, landmarks=view.points_to_photograph(points))


def _built(catalog: Catalog[Any], spec: str, overrides: Mapping[str, Value] | None = None) -> Any:
    """A detector or landmarker by its spec: loading a network costs more than one picture."""
    name, parameters = catalog.parse(spec)
    return _keep_built(catalog, name, tuple(sorted({**parameters, **(overrides or {})}.items())))


@lru_cache(maxsize=8)
def _keep_built(catalog: Catalog[Any], name: str, parameters: tuple[tuple[str, Value], ...]) -> Any:
    return catalog.create(name, dict(parameters))
