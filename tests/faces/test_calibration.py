"""What a score on a view is worth."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from relume.enhancers import enhancers
from relume.errors import ParameterError
from relume.faces import calibration, detectors
from relume.faces.calibration import IDENTITY, Curve, curve

from .conftest import given

scores = st.floats(0, 1)
rising = st.lists(st.floats(0.001, 0.999), max_size=5, unique=True).map(
    lambda inner: (0.0, *sorted(inner), 1.0)
)


def test_a_curve_by_hand() -> None:
    """From (0, 0) to (0.5, 0.2), then to (1, 0.9)."""
    worth = Curve((0.0, 0.5, 1.0), (0.0, 0.2, 0.9))
    assert [worth(s) for s in (0, 0.25, 0.5, 0.75, 1)] == [0, 0.1, 0.2, 0.55, 0.9]


@given(scores)
def test_without_a_curve_a_score_is_what_it_is(score: float) -> None:
    assert IDENTITY(score) == pytest.approx(score, abs=1e-12)
    assert curve("yunet", "no such view")(score) == pytest.approx(score, abs=1e-12)


@given(rising, st.data(), scores, scores)
def test_a_curve_keeps_the_order_and_the_range(
    knots: tuple[float, ...], data: st.DataObject, one: float, other: float
) -> None:
    count = len(knots)
    worth = tuple(sorted(data.draw(st.lists(scores, min_size=count, max_size=count))))
    mapped = Curve(knots, worth)
    low, high = sorted((one, other))
    assert 0 <= mapped(low) <= mapped(high) <= 1


@pytest.mark.parametrize(
    ("knots", "worth"),
    [
        ((), ()),
        ((0.0, 1.0), (0.0, 0.5, 1.0)),
        ((0.1, 1.0), (0.0, 1.0)),
        ((0.0, 0.9), (0.0, 1.0)),
        ((0.0, 0.5, 0.5, 1.0), (0.0, 0.2, 0.3, 1.0)),
        ((0.0, 0.5, 1.0), (0.0, 0.6, 0.5)),
        ((0.0, 1.0), (0.0, 1.1)),
        ((0.0, 1.0), (-0.1, 1.0)),
    ],
)
def test_knots_that_are_no_curve(knots: tuple[float, ...], worth: tuple[float, ...]) -> None:
    with pytest.raises(ParameterError, match="rising knots from 0 to 1"):
        Curve(knots, worth)


def test_a_curve_is_found_by_detector_and_view(monkeypatch: pytest.MonkeyPatch) -> None:
    halved = Curve((0.0, 1.0), (0.0, 0.5))
    monkeypatch.setattr(calibration, "CURVES", {("haar", "machine"): halved})
    assert curve("haar", "machine")(0.8) == 0.4
    assert curve("haar", "original")(0.8) == 0.8
    assert curve("yunet", "machine")(0.8) == 0.8


def test_the_curves_are_of_detectors_and_views_that_exist() -> None:
    for detector, view in calibration.CURVES:
        assert detector in detectors()
        assert view.partition("@")[0].partition(":")[0] in enhancers()
