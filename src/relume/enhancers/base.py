"""What an enhancer is."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

from relume.catalog import Info
from relume.engine import Runtime
from relume.photo import Image

Brightness = float | Literal["auto"]
"""A wanted mean grey level in (0, 1], or "auto": the enhancer's own choice."""


class Enhancer(Protocol):
    """A method of the catalogue, its parameters set."""

    @property
    def info(self) -> Info:
        """The catalogue's data about the method."""

    def __call__(self, image: Image) -> Image:
        """The enhanced image, of the same shape; not clamped yet, and never the input changed."""


@runtime_checkable
class TakesBrightness(Protocol):
    """An enhancer whose result can be asked to have a certain brightness."""

    def with_brightness(self, brightness: Brightness) -> Enhancer:
        """The same method, aiming at ``brightness``."""


@runtime_checkable
class RunsNetwork(Protocol):
    """An enhancer that runs a network, and so can be told where."""

    def on(self, runtime: Runtime) -> Enhancer:
        """The same method, run as ``runtime`` says."""

    def describe(self) -> str:
        """One line: what runs, on what, in which precision."""
