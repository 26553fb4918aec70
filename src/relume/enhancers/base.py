"""What an enhancer is."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import cv2
import numpy as np

from relume import weights as store
from relume.catalog import Info, Parameter
from relume.engine import Network, Runtime, Sample, load
from relume.engine.base import check_interface
from relume.errors import MissingExtra, ParameterError, WeightsError
from relume.exposure.aim import Aim
from relume.exposure.black import Black
from relume.exposure.faces import Find
from relume.exposure.meter import Reading
from relume.exposure.plan import Plan
from relume.photo import Image

Brightness = float | Literal["auto"]
"""A target mean grey level in (0, 1], or "auto": the enhancer's own choice."""


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
        self, *, local: float | None, exposure: Image | None, protect_lit: bool, find: Find | None
    ) -> Enhancer:
        """The same method with these options; ``exposure`` is (h, w) stops, of any size.

        ``find`` finds places that come first: they are lifted if they would stay dark.
        """


@runtime_checkable
class PlansExposure(Protocol):
    """An enhancer that plans a photo's exposure (:mod:`relume.exposure`)."""

    def working_copy(self, image: Image) -> Image:
        """The photo at the size that it is worked on, and therefore planned at."""

    def with_black(self, black: Black | None) -> Enhancer:
        """The same method, the camera's black known or (None) to be read."""

    def with_cast(self, share: float) -> Enhancer:
        """The same method, so much of the light's colour taken off."""

    def as_taken(self, image: Image) -> PlansExposure:
        """The same method, the camera's black and the light's colour known: those of this photo."""

    def read(self, image: Image) -> Reading | None:
        """The photo as the meter sees it, where the method needs to know."""

    def aim_for(self, image: Image, reading: Reading | None = None) -> Aim:
        """What the photo is brought to: what is asked for, or the method's own choice."""

    def plan(self, image: Image, *, aim: Aim | None = None, reading: Reading | None = None) -> Plan:
        """How the photo is exposed; its aim and its reading, where they are known."""

    def with_plan(self, plan: Plan) -> Enhancer:
        """The same method for a photo whose plan is made."""


@runtime_checkable
class RunsNetwork(Protocol):
    """An enhancer that runs a network, on a device and in a precision."""

    def with_runtime(self, runtime: Runtime) -> Enhancer:
        """The same method, run as ``runtime`` says."""

    def describe(self) -> str:
        """One line: what runs, on what, in which precision."""


@runtime_checkable
class ChoosesPrecision(Protocol):
    """An enhancer whose network runs in the precision that suits the machine, unless it is told."""

    @property
    def precision(self) -> str:
        """The one it runs in here, f32 or bf16."""


WEIGHTS = Parameter("weights", "an .onnx file to use in place of the shipped weights", "")


def own_network(file: str, what: str = "weights") -> Path:
    """The path of a user's own network; ``what`` it is called in the error.

    Raises:
        ParameterError: not the name of an .onnx file.
    """
    model = Path(os.path.expanduser(file))  # noqa: PTH111  as it is for a user without a home
    if model.suffix != ".onnx":
        raise ParameterError(f"{what} must name an .onnx file, got {file!r}")
    return model


def dark_sample(side_px: int) -> Image:
    """A dark picture (S, S, 3) of soft shapes and noise, always the same, to try a network on."""
    rng = np.random.default_rng(0)
    shapes = rng.random((8, 8, 3), np.float32) * np.float32(0.2)
    shapes = cv2.resize(shapes, (side_px, side_px), interpolation=cv2.INTER_LINEAR)
    noise = rng.standard_normal(shapes.shape, np.float32) * np.float32(0.02)
    return np.asarray(np.clip(shapes + noise, 0, 1), np.float32)


Build = Callable[[Mapping[str, Any], Mapping[str, str]], Any]
"""From tensors by name, and the metadata beside them, to a torch module that holds them."""


def load_network(
    weights: str,
    shipped: str,
    build: Build,
    *,
    runtime: Runtime,
    kind: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    sample: Sample,
) -> Network:
    """A user's own network, or where ``weights`` is empty the ``shipped`` one, loaded once.

    ``kind`` names what it should be in errors; ``build`` makes the torch module for a GPU, from
    the safetensors file beside the ONNX. On the ``sample`` of its inputs f32 and bf16 are compared.

    Raises:
        WeightsError: the weights are missing, damaged, or of another network.
        DeviceError: the device or precision is not there.
    """
    model = own_network(weights) if weights else store.path(shipped)

    def module() -> Any:
        own = model.with_suffix(".safetensors")
        return build_module(own if weights else store.path(f"{shipped}-safetensors"), build)

    network = load(model, runtime=runtime, module=module, sample=sample)
    check_interface(network, model, kind, inputs, outputs)
    return network


def build_module(tensors: Path, build: Build) -> Any:
    """A network as a torch module, for a GPU, from its safetensors file.

    Raises:
        WeightsError: no such file, or one of another network.
        MissingExtra: safetensors is not installed.
    """
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        raise MissingExtra("running a network on a GPU", "train", "safetensors") from None
    try:
        with safe_open(str(tensors), framework="pt") as file:
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            return build(state, file.metadata() or {})
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(f"a GPU needs the weights as {tensors}: {reason}") from error
