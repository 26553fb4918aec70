"""What a study does to one picture."""

from __future__ import annotations

from typing import Any

import pytest

from relume.study.evaluate import LOW_SCORE, make_detector


@pytest.mark.parametrize(
    ("spec", "threshold"),
    [("haar", LOW_SCORE), ("haar:0.9", 0.9), ("haar:threshold=0.9", 0.9)],
)
def test_a_threshold_in_a_detectors_spec_counts(spec: str, threshold: float) -> None:
    detector: Any = make_detector(spec)
    assert detector.threshold == threshold
