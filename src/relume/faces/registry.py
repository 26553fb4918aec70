"""The catalogues of detectors and landmarkers: one line for each."""

from __future__ import annotations

from functools import cache

from relume.catalog import Catalog
from relume.faces import fan, haar, peppa, yunet
from relume.faces.base import Detector, Landmarker


@cache
def detectors() -> Catalog[Detector]:
    """All face detectors by name; each has a parameter ``threshold``.

    >>> detectors().names()
    ['yunet', 'haar', 's3fd']
    """
    catalog: Catalog[Detector] = Catalog("detector")
    catalog.add(yunet.INFO, yunet.YuNet)
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
