"""The catalogues of detectors and landmarkers: one line for each."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import cache, lru_cache
from typing import Any

from relume import weights
from relume.catalog import Catalog, Value
from relume.errors import WeightsError
from relume.faces import centerface, fan, haar, landmarks, peppa, relume, yunet
from relume.faces.base import ORIGINAL, Detector, Landmarker

RELIT = "machine"
"""The view that shows a frozen detector what is in the dark."""


@cache
def detectors() -> Catalog[Detector]:
    """All face detectors by name; each has a parameter ``threshold``.

    >>> detectors().names()
    ['yunet', 'relume', 'centerface', 'haar', 's3fd']
    """
    catalog: Catalog[Detector] = Catalog("detector")
    catalog.add(yunet.INFO, yunet.YuNet)
    catalog.add(relume.INFO, relume.RelumeDetector)
    catalog.add(centerface.INFO, centerface.CenterFace)
    catalog.add(haar.INFO, haar.Haar)
    catalog.add(fan.DETECTOR_INFO, fan.S3FD)
    catalog.add_installed("relume.detectors")
    return catalog


@cache
def landmarkers() -> Catalog[Landmarker]:
    """All landmarkers by name.

    >>> landmarkers().names()
    ['relume', 'peppa', 'fan']
    """
    catalog: Catalog[Landmarker] = Catalog("landmarker")
    catalog.add(landmarks.INFO, landmarks.RelumeLandmarker)
    catalog.add(peppa.INFO, peppa.Peppa)
    catalog.add(fan.LANDMARKER_INFO, fan.Fan)
    catalog.add_installed("relume.landmarkers")
    return catalog


def usual_detector() -> str:
    """The detector where none is named: YuNet if its weights are here, else the shipped one.

    Nothing is fetched for it: ``detector="yunet"`` does that, once.
    """
    if weights.is_here(*yunet.INFO.weights):
        with suppress(WeightsError):  # damaged: asking for yunet says so
            weights.path(*yunet.INFO.weights)
            return yunet.INFO.name
    return relume.INFO.name


USUAL_LANDMARKER = landmarks.INFO.name
"""The landmarker where none is named."""


def usual_views(detector: str, landmarker: str | None = None) -> tuple[str, ...]:
    """The views where none are named: the shipped detector sees the dark in the photograph itself.

    ``detector`` is its name, ``landmarker`` a spec or none; any but the shipped ones needs a
    relit view.
    """
    places = (landmarker or USUAL_LANDMARKER).partition(":")[0]
    if detector == relume.INFO.name and places == landmarks.INFO.name:
        return (ORIGINAL,)
    return (ORIGINAL, RELIT)


def built(catalog: Catalog[Any], name: str, parameters: Mapping[str, Value]) -> Any:
    """A detector or landmarker, built once: loading a network costs more than one picture."""
    given = catalog.info(name).check_parameters(parameters)
    return _keep_built(catalog, name, tuple(sorted(given.items())))


@lru_cache(maxsize=8)
def _keep_built(catalog: Catalog[Any], name: str, parameters: tuple[tuple[str, Value], ...]) -> Any:
    return catalog.create(name, dict(parameters))
