"""The view for machines: relume's network at the one brightness that serves detectors best."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from relume.catalog import Info
from relume.enhancers.relume import RelumeEnhancer
from relume.exposure.cast import Cast
from relume.photo import Image

MACHINE_LEVEL = 0.25
"""The mean grey level of the view for detectors: dimmer than people like it.

Measured on every second photograph of LFPW's test half, darkened (docs/dark-faces.md): YuNet finds
as many faces at 0.15 to 0.36 and fewer from 0.42 on; landmarks are best at 0.2 to 0.25.
"""


@dataclass(frozen=True)
class MachineEnhancer(RelumeEnhancer):
    """The view for detectors: the same network, at one brightness whatever the scene."""

    local: float = 0.0
    cast: Cast | float = 0.0
    faithful: bool = False

    info: ClassVar[Info] = replace(
        RelumeEnhancer.info,
        name="machine",
        summary="the view for face detectors: relume's network at a mean level of 0.25",
        source="relume; the same weights as the method relume",
        weights=("relume",),
        takes_cast=False,
    )

    def estimate_brightness(self, context: Image) -> float:
        """The same for every photo: it is not a matter of taste."""
        del context
        return MACHINE_LEVEL
