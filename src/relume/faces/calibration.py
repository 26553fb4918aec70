"""What a score on a view is worth on the original: all calibration data, in one place.

Enhanced views can make a detector surer than it should be. A curve maps a view's scores to the
original's scale, so that merging views does not buy recall with false alarms. Views without a
curve are taken as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from relume.errors import ParameterError


@dataclass(frozen=True)
class Curve:
    """A rising piecewise linear map of [0, 1] into itself, through its knots.

    >>> Curve(scores=(0.0, 0.8, 1.0), worth=(0.0, 0.6, 1.0))(0.9)
    0.8

    Raises:
        ParameterError: knots that do not rise, or leave [0, 1].
    """

    scores: tuple[float, ...] = (0.0, 1.0)
    worth: tuple[float, ...] = (0.0, 1.0)

    def __post_init__(self) -> None:
        steps = zip(self.scores, self.scores[1:], strict=False)
        fits = len(self.scores) == len(self.worth) and self.scores[:1] + self.scores[-1:] == (0, 1)
        inside = all(0 <= worth <= 1 for worth in self.worth)
        rises = sorted(self.worth) == list(self.worth) and all(a < b for a, b in steps)
        if not (fits and inside and rises):
            raise ParameterError(
                f"expected rising knots from 0 to 1, got {self.scores} to {self.worth}"
            )

    def __call__(self, score: float) -> float:
        """What the score is worth."""
        return round(float(np.interp(score, self.scores, self.worth)), 12)


IDENTITY = Curve()

CURVES: Mapping[tuple[str, str], Curve] = {}
"""By detector and view; (detector, view) pairs that are not named are taken as they are."""


def curve(detector: str, view: str) -> Curve:
    """The curve of a detector's scores on a view."""
    return CURVES.get((detector, view), IDENTITY)
