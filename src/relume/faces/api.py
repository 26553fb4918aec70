"""The one door to faces: :func:`detect_faces`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from relume.catalog import Value
from relume.errors import ParameterError
from relume.faces.base import ORIGINAL, Detector, Face, Landmarker, by_score
from relume.faces.calibration import curve
from relume.faces.fusion import Cluster, clusters
from relume.faces.registry import detectors, landmarkers
from relume.faces.views import View, landmark_view, needed, parse_views, render
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
) -> list[Face]:
    """Find the faces in a photograph, best score first; [] if there are none.

    ``detector`` and ``landmarks`` are names of the catalogues, with parameters if wanted
    (``"haar:cascade=default"``); without ``landmarks`` a face has the points its detector gives,
    if any. ``threshold`` is the lowest score of a face; without it, the detector's own. ``views``
    are looked at together and their faces merged: ``original``, any enhancer (``machine``,
    ``gamma:0.4``), scaled or not (``original@2``). What the first view finds at ``threshold`` stays
    found. A bright photograph costs one view only, if ``original`` is among them. Large pictures
    are searched at full size and smaller, never smaller only.

    Raises:
        InputError: an array that is not an image.
        ParameterError: a threshold outside [0, 1], an unknown name, view or parameter.
        WeightsError: weights that are not here and cannot be fetched.
        MissingExtra: a detector, landmarker or view whose package is not installed.
    """
    image = check_image(photo.pixels) if isinstance(photo, Photo) else to_image(photo)
    if threshold is not None and not 0 <= threshold <= 1:
        raise ParameterError(f"threshold must be between 0 and 1, got {threshold}")
    specs = parse_views((views,) if isinstance(views, str) else views)
    name, parameters = detectors().parse(detector)
    if threshold is not None:
        parameters["threshold"] = threshold
    parameters = detectors().info(name).check_parameters(parameters)
    find = _detector(name, _frozen(parameters))
    place = _landmarker_of(landmarks)
    shown = list(render(needed(specs, image), image))
    least = float(parameters["threshold"])
    return faces_on(shown, find, detector=name, threshold=least, landmarker=place)


def faces_on(
    shown: Sequence[View],
    find: Detector,
    *,
    detector: str,
    threshold: float,
    sure: float = 0.0,
    landmarker: Landmarker | None = None,
) -> list[Face]:
    """The faces of rendered views as one answer, best score first.

    ``detector`` is the name of ``find``, by which its calibration is known; ``sure`` is the score
    from which the first view's faces lead (see :func:`relume.faces.fusion.clusters`).
    """
    found = [_faces_on(view, find, detector, threshold) for view in shown]
    gathered = clusters(found, sure=sure)
    return by_score([_face(cluster, shown, landmarker) for cluster in gathered])


def _faces_on(view: View, find: Detector, detector: str, threshold: float) -> list[Face]:
    """The faces of one view in the photograph's pixels, their scores on the original's scale."""
    worth = curve(detector, view.name)
    faces = [view.to_photograph(face) for face in find(view.image)]
    faces = [replace(face, score=worth(face.score)) for face in faces]
    return [face for face in faces if face.score >= threshold]


def _face(cluster: Cluster, shown: Sequence[View], place: Landmarker | None) -> Face:
    """The cluster as one face; a landmarker looks at it on the view that shows most."""
    fused = cluster.fused()
    if place is None:
        return fused
    view = landmark_view(shown)
    points = place(view.image, view.from_photograph(fused.box))
    return replace(fused, landmarks=view.points_to_photograph(points))


def _landmarker_of(spec: str | None) -> Landmarker | None:
    if spec is None:
        return None
    name, parameters = landmarkers().parse(spec)
    return _landmarker(name, _frozen(parameters))


_Frozen = tuple[tuple[str, Value], ...]


def _frozen(parameters: Mapping[str, Value]) -> _Frozen:
    return tuple(sorted(parameters.items()))


@lru_cache(maxsize=8)
def _detector(name: str, parameters: _Frozen) -> Detector:
    """A detector, built once: loading a network costs more than one picture."""
    return detectors().create(name, dict(parameters))


@lru_cache(maxsize=4)
def _landmarker(name: str, parameters: _Frozen) -> Landmarker:
    return landmarkers().create(name, dict(parameters))
