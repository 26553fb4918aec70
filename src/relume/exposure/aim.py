"""What a photo is brought to: a level, over what it is the mean, and who says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Over = Literal["content", "frame"]
Source = Literal["estimated", "steadied", "asked"]


@dataclass(frozen=True)
class Aim:
    """A mean grey ``level`` in (0, 1].

    It is the mean ``over`` the "content", in which bars, frames and clipped places do not count, or
    over the whole "frame", each pixel alike. Its ``source``: "estimated" for this photo alone,
    "steadied" over the frames of a clip or a burst, or "asked" by somebody.
    """

    level: float
    over: Over = "content"
    source: Source = "estimated"

    @property
    def is_bounded(self) -> bool:
        """Whether the photo's noise bounds how far it is brought there.

        An estimate is of a picture, and noise is none; whoever asks for a level knows that it is
        one, and a whole frame's level is met by a single exposure.
        """
        return self.over == "content" and self.source != "asked"
