"""Landmark errors and their curves."""

from __future__ import annotations

import math

import numpy as np
import pytest

from relume.errors import ParameterError
from relume.metrics.catalogue import METRICS
from relume.metrics.landmarks import (
    error_curve_area,
    failure_rate,
    nme,
)

INF = math.inf


def face() -> np.ndarray:
    points = np.random.default_rng(0).uniform(0, 100, (68, 2))
    points[36], points[45] = (10, 20), (40, 60)
    return points


def test_nme_is_measured_in_outer_eye_distances() -> None:
    truth = face()
    assert nme(truth, truth) == 0
    assert nme(truth + np.array([3, 4]), truth) == pytest.approx(5 / 50)
    assert nme(2 * truth + 1, 2 * truth) == pytest.approx(nme(truth + 0.5, truth))


def test_nme_refuses_other_marks_and_a_face_without_width() -> None:
    with pytest.raises(ParameterError, match="68 points"):
        nme(face()[:5], face())
    flat = face()
    flat[45] = flat[36]
    with pytest.raises(ParameterError, match="coincide"):
        nme(face(), flat)


def test_missed_faces_are_failures() -> None:
    errors = [0.05, 0.09, INF, 0.11]
    assert failure_rate(errors, limit=0.08) == 0.75
    assert failure_rate(errors, limit=0.10) == 0.5
    assert math.isnan(failure_rate([]))
    assert math.isnan(error_curve_area([]))


def test_curve_area_is_the_integral_of_the_curve() -> None:
    errors = np.append(np.random.default_rng(1).gamma(4, 0.015, 200), INF)
    steps = np.linspace(0, 0.08, 20_001)
    curve = [(errors <= limit).mean() for limit in steps]
    assert error_curve_area(errors) == pytest.approx(np.mean(curve), abs=1e-4)


def test_the_catalogue_knows_direction_and_range() -> None:
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.direction in ("higher", "lower")
        assert metric.low < metric.high
