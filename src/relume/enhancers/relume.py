"""relume's own network in the catalogue: the brightness that is asked for, without the noise.

The picture network is told the wanted mean grey level; when nobody says one, the exposure
estimator picks it from a thumbnail of the whole photo (``relume.nets.picture``). ``machine`` is
the same network at the one brightness that serves detectors best.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np

from relume import weights as store
from relume.catalog import Info, Parameter
from relume.engine import Inference, Network, Runtime, load
from relume.enhancers.base import Brightness
from relume.errors import MissingExtra, WeightsError
from relume.image.detail import half, restore_detail
from relume.image.exposure import mean_level, subsample
from relume.image.filters import downscale
from relume.image.tiles import run_tiled
from relume.photo import Image

THUMBNAIL_PX = 96
HALO_PX = 128
"""What the network sees to each side, measured by its gradient, with some to spare."""

STRIDE_PX = 16
TOLERANCE = 0.02
"""Relative error of the mean level that is left alone."""

CORRECTION = 1.6
"""The most that the result's values are multiplied or divided with to meet the brightness."""

MACHINE_LEVEL = 0.25
"""The mean grey level of the view for detectors: dimmer than people like it.

Measured on every second photograph of LFPW's test half, darkened (docs/dark-faces.md): YuNet finds
as many faces at 0.15 to 0.36 and fewer from 0.42 on; landmarks are best at 0.2 to 0.25.
"""

HALF_ABOVE = Parameter(
    "half_above_mp",
    "megapixels above which the network sees half the size and fine detail is carried over",
    4.0,
    0.1,
    1000.0,
)
TILE = Parameter("tile_px", "side of a tile; smaller needs less memory", 2048, 128, 8192)


@dataclass(frozen=True)
class RelumeEnhancer:
    """The photo relit to a brightness: one that is asked for, or the estimator's choice."""

    brightness: Brightness = "auto"
    half_above_mp: float = 4.0
    tile_px: int = 2048
    runtime: Runtime = field(default_factory=Runtime)
    picture: Inference | None = None
    estimator: Inference | None = None
    """Networks in place of the shipped ones: those under training, to be validated."""

    info: ClassVar[Info] = Info(
        name="relume",
        summary="relume's own network: relit to the brightness you ask for, noise removed",
        licence="MIT",
        source="relume; trained by relume on LOL, SICE and photographs it darkened",
        parameters=(HALF_ABOVE, TILE),
        weights=("relume", "relume-exposure"),
        takes_brightness=True,
    )

    def with_brightness(self, brightness: Brightness) -> RelumeEnhancer:
        """The same method, aiming at ``brightness``."""
        return replace(self, brightness=brightness)

    def on(self, runtime: Runtime) -> RelumeEnhancer:
        """The same method, run as ``runtime`` says."""
        return replace(self, runtime=runtime)

    def describe(self) -> str:
        """One line: what runs, on what, in which precision."""
        return self._picture().describe()

    def __call__(self, image: Image) -> Image:
        """The relit photo, not clamped; its mean grey level is the one asked for."""
        if image.shape[0] * image.shape[1] <= self.half_above_mp * 1e6:
            return self._relit(image)
        small = half(image)
        return restore_detail(self._relit(small), small, image)

    def _relit(self, image: Image) -> Image:
        """The photo, or a smaller copy of it, relit tile by tile, at the level wanted."""
        level = self.wanted(image)
        told, network = np.array([[level]], np.float32), self.picture or self._picture()
        context = _batch(thumbnail(image))

        def relight(tile: Image) -> Image:
            inputs = {"image": _batch(tile), "thumbnail": context, "brightness": told}
            return np.asarray(cv2.merge(list(network(inputs)["photo"][0])))

        tile_px = max(self.tile_px // STRIDE_PX, 1) * STRIDE_PX
        relit = run_tiled(relight, image, tile_px=tile_px, halo_px=HALO_PX, multiple=STRIDE_PX)
        return match_mean(np.clip(relit, 0.0, 1.0, out=relit), level)

    def wanted(self, image: Image) -> float:
        """The mean grey level aimed at: the one asked for, or the method's own choice."""
        return self.chosen(image) if isinstance(self.brightness, str) else self.brightness

    def chosen(self, image: Image) -> float:
        """The exposure estimator's guess of what a photographer would have chosen."""
        estimator = self.estimator or load(
            store.path("relume-exposure"), runtime=Runtime(precision="f32")
        )
        return float(estimator({"thumbnail": _batch(thumbnail(image))})["brightness"][0, 0])

    def _picture(self) -> Network:
        return load(
            store.path("relume"),
            runtime=self.runtime,
            module=lambda: build_module(store.path("relume-safetensors")),
        )


class MachineEnhancer(RelumeEnhancer):
    """The view for detectors: the same network, at one brightness whatever the scene."""

    info: ClassVar[Info] = Info(
        name="machine",
        summary="the view for face detectors: relume's network at a mean level of 0.25",
        licence="MIT",
        source="relume; the same weights as the method relume",
        parameters=(HALF_ABOVE, TILE),
        weights=("relume",),
        takes_brightness=True,
    )

    def chosen(self, image: Image) -> float:
        """The same for every photo: it is not a matter of taste."""
        del image
        return MACHINE_LEVEL


def build_module(tensors: Path) -> Any:
    """The picture network as a torch module, for a GPU.

    Raises:
        WeightsError: not the tensors of this network.
        MissingExtra: safetensors is not installed.
    """
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError:
        raise MissingExtra("running relume on a GPU", "train", "safetensors") from None
    from relume.nets.picture import PictureNet

    try:
        state = load_file(str(tensors))
        net = PictureNet()
        own = {k.removeprefix("picture."): v for k, v in state.items() if k.startswith("picture.")}
        net.load_state_dict(own)
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(f"a GPU needs the weights as {tensors}: {reason}") from error
    return net


def thumbnail(image: Image) -> Image:
    """(96, 96, 3): the whole photo, area-averaged, its proportions not kept."""
    return downscale(image, THUMBNAIL_PX, THUMBNAIL_PX)


def match_mean(image: Image, level: float) -> Image:
    """``image`` in [0, 1] with its mean grey level brought to ``level``, clipping allowed for.

    The network meets the brightness within a few percent; this takes the rest, by one factor.
    """
    factor, sample = 1.0, subsample(image, 250_000)
    for _ in range(6):
        mean = mean_level(np.minimum(sample * np.float32(factor), 1.0))
        if mean <= 0 or abs(mean / level - 1) < TOLERANCE:
            break
        factor = float(np.clip(factor * level / mean, 1 / CORRECTION, CORRECTION))
    return image if factor == 1 else image * np.float32(factor)


def _batch(image: Image) -> Image:
    return np.ascontiguousarray(image.transpose(2, 0, 1))[None]
