"""What an enhancer is."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from relume.catalog import Info, Parameter
from relume.engine import Runtime
from relume.errors import ParameterError
from relume.photo import Image

Brightness = float | Literal["auto"]
"""A wanted mean grey level in (0, 1], or "auto": the enhancer's own choice."""


class Enhancer(Protocol):
    """A method of the catalogue, its parameters set."""

    @property
    def info(self) -> Info:
        """The catalogue's data about the method."""

    def __call__(self, image: Image) -> Image:
        """The enhanced image, new, of the same shape, not clamped; the input is never changed."""


@runtime_checkable
class TakesBrightness(Protocol):
    """An enhancer whose result can be asked to have a certain brightness."""

    def with_brightness(self, brightness: Brightness) -> Enhancer:
        """The same method, aiming at ``brightness``."""


@runtime_checkable
class TakesLocal(Protocol):
    """An enhancer that exposes every place of a photo by itself."""

    @property
    def local(self) -> float:
        """How much the exposure follows the light from place to place, in [0, 1]."""

    def with_exposure(
        self, *, local: float | None, exposure: Image | None, protect_lit: bool
    ) -> Enhancer:
        """The same method with these options; ``exposure`` is (h, w) stops, of any size."""


@runtime_checkable
class RunsNetwork(Protocol):
    """An enhancer that runs a network, on a device and in a precision."""

    def with_runtime(self, runtime: Runtime) -> Enhancer:
        """The same method, run as ``runtime`` says."""

    def describe(self) -> str:
        """One line: what runs, on what, in which precision."""


WEIGHTS = Parameter("weights", "an .onnx file to use in place of the shipped weights", "")


def own_network(file: str, what: str = "weights") -> Path:
    """The path of a user's own network; ``what`` it is called in the error.

    Raises:
        ParameterError: not the name of an .onnx file.
    """
    model = Path(file).expanduser()
    if model.suffix != ".onnx":
        raise ParameterError(f"{what} must name an .onnx file, got {file!r}")
    return model
