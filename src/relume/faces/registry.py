"""The catalogues of detectors and landmarkers: one line for each."""

from __future__ import annotations

from functools import cache

from relume import weights
from relume.catalog import Catalog
from relume.errors import WeightsError
from relume.faces import fan, haar, peppa, relume, yunet
from relume.faces.base import Detector, Landmarker


@cache
def detectors() -> Catalog[Detector]:
    """All face detectors by name; each has a parameter ``threshold``.

    >>> detectors().names()
    ['yunet', 'relume', 'haar', 's3fd']
    """
    catalog: Catalog[Detector] = Catalog("detector")
    catalog.add(yunet.INFO, yunet.YuNet)
    catalog.add(relume.INFO, relume.RelumeDetector)
    catalog.add(haar.INFO, haar.Haar)
    catalog.add(fan.DETECTOR_INFO, fan.S3FD)
    catalog.add_installed("relume.detectors")
    return catalog


@cache
def landmarkers() -> Catalog[Landmarker]:
    """All landmarkers by name.

    >>> landmarkers().names()
    ['peppa', 'fan']
    """
    catalog: Catalog[Landmarker] = Catalog("landmarker")
    catalog.add(peppa.INFO, peppa.Peppa)
    catalog.add(fan.LANDMARKER_INFO, fan.Fan)
    catalog.add_installed("relume.landmarkers")
    return catalog


def usual_detector() -> tuple[str, str]:
    """``"yunet"``, or ``"relume"``, which is shipped, and why YuNet's weights cannot be had."""
    try:
        weights.path(*yunet.INFO.weights)
    except WeightsError as error:
        return relume.INFO.name, f"; not with yunet: {error.args[0]}"
    return yunet.INFO.name, ""
