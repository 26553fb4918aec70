"""relume's own network in the catalogue: the brightness that is asked for, without the noise.

The picture network takes the target brightness, a mean grey level, as an input; where none is
asked for, the exposure estimator picks it from a thumbnail of the whole photo
(``relume.nets.picture``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import cv2
import numpy as np

from relume import weights as store
from relume.catalog import Info, Parameter
from relume.engine import Inference, Network, Runtime, load
from relume.engine.base import check_interface
from relume.enhancers.base import WEIGHTS, Brightness, dark_sample, load_network, own_network
from relume.enhancers.metering import (
    WHOLE,
    Metering,
    expose_directly,
    meter,
    network_share,
)
from relume.enhancers.priority import Find, priority_stops
from relume.enhancers.stops import fit_stops
from relume.image.color import luma, times
from relume.image.detail import keep_lit_detail, relight_halved
from relume.image.exposure import mean_level, scale_to, subsample
from relume.image.filters import downscale
from relume.image.parallel import for_row_blocks
from relume.image.tiles import run_tiled
from relume.nets.sizes import DARKEST, GAMMA, PICTURE_HALO_PX, THUMBNAIL_PX, TOLERANCE
from relume.nets.sizes import PICTURE_STRIDE_PX as STRIDE_PX
from relume.photo import Image

MOSTLY_PICTURE = 0.9
"""Share of what counts from which the mean of the whole frame is that of the picture."""

NETWORK_BRIGHTNESS = (0.01, 0.95)
"""The mean grey levels that the network was trained for."""

HALF_ABOVE = Parameter(
    "half_above_mp",
    "megapixels above which a photo is worked on at half its size, its fine detail kept",
    4.0,
    0.1,
    1000.0,
)
TILE = Parameter(
    "tile_px",
    "longest side done in one go; a longer one is done in tiles of half of that",
    2048,
    128,
    8192,
)
ENSEMBLE = Parameter(
    "ensemble",
    "mirrored and turned copies that are averaged: 8 for the best quality at 8 times the time",
    1,
    1,
    8,
)
SAMPLE_PX = 128
"""Side of the picture on which precisions are compared: much of what a smaller one takes is not
arithmetic, which alone gets faster."""
INPUTS, OUTPUTS = ("image", "thumbnail", "brightness", "gain"), ("photo",)


@dataclass(frozen=True)
class RelumeEnhancer:
    """The photo relit to a brightness: one that is asked for, or the estimator's choice.

    ``local``, ``exposure`` and ``protect_lit`` are those of :func:`relume.enhance`, ``find``
    finds the faces to expose for.
    """

    brightness: Brightness = "auto"
    local: float = 1.0
    exposure: Image | None = None
    protect_lit: bool = True
    find: Find | None = None
    half_above_mp: float = 4.0
    tile_px: int = 2048
    ensemble: int = 1
    weights: str = ""
    runtime: Runtime = field(default_factory=Runtime)
    picture: Inference | None = None
    estimator: Inference | None = None
    """Networks in place of the shipped ones: those under training, to be validated."""

    info: ClassVar[Info] = Info(
        name="relume",
        summary="relume's own network: relit to the brightness you ask for, noise removed",
        licence="MIT",
        source="relume; trained by relume on LOL, SICE and photographs it darkened",
        parameters=(HALF_ABOVE, TILE, ENSEMBLE, WEIGHTS),
        weights=("relume", "relume-exposure"),
        takes_brightness=True,
        takes_local=True,
    )

    def with_brightness(self, brightness: Brightness) -> RelumeEnhancer:
        """The same method, aiming at ``brightness``."""
        return replace(self, brightness=brightness)

    def with_exposure(
        self,
        *,
        local: float | None,
        exposure: Image | None,
        protect_lit: bool,
        find: Find | None = None,
    ) -> RelumeEnhancer:
        """The same method with these options."""
        local = self.local if local is None else local
        return replace(self, local=local, exposure=exposure, protect_lit=protect_lit, find=find)

    def with_runtime(self, runtime: Runtime) -> RelumeEnhancer:
        """The same method, run as ``runtime`` says."""
        return replace(self, runtime=runtime)

    def describe(self) -> str:
        """One line: what runs, on what, in which precision."""
        return self._network().describe()

    @property
    def precision(self) -> str:
        """What the network runs in here, f32 or bf16."""
        return self._network().precision

    def __call__(self, image: Image) -> Image:
        """The relit photo, not clamped; its mean grey level is the target brightness."""
        if image.shape[0] * image.shape[1] <= self.half_above_mp * 1e6:
            return self._relight(image)
        return relight_halved(image, self._relight)

    def _relight(self, image: Image) -> Image:
        """The photo, or a smaller copy of it, relit at the target brightness."""
        small = thumbnail(image)
        if self.local == 0 and self.exposure is None:
            target = self._target(small)
            return _match_mean(self._infer(image, small, target, None), target)
        reading = meter(image)
        asked = self.local == 0 or not isinstance(self.brightness, str)
        if asked:
            reading = reading.counting_all()
        target = self._metered(image, reading, small) if self.local else self._target(small)
        softness = reading.softness(target)
        gain = reading.shadow_gain(target, softness, asked=asked)
        expected = target if asked else reading.mean_at(gain, softness)
        overall = reading.overall_gain(expected)
        local = self.local * reading.needs_curve(overall)
        lacking = None
        if self.find is not None and self.local:
            here = reading.curve(reading.base, gain, softness, overall=overall, local=local)
            lacking = priority_stops(image, reading, here, target, self.find, share=self.local)
        if local == 0 and self.exposure is None and lacking is None:
            return self._expose_evenly(image, small, overall, reading, expected)
        factor = reading.factor(image, gain, softness, overall=overall, local=local)
        for stops in (lacking, self.exposure):
            if stops is None:
                continue
            if stops is self.exposure or not asked:
                # what is painted is not undone, and what is not painted stays as it is
                outside = reading.outside(stops)
                expected *= outside.mean_with(factor) / max(reading.mean_with(factor), 1e-6)
                reading = outside
            factor *= np.exp2(fit_stops(stops, image) / np.float32(GAMMA))
        kept = local if self.protect_lit else 0.0
        return self._expose(image, small, factor, reading, expected, kept)

    def _expose_evenly(
        self, image: Image, small: Image, overall: float, reading: Metering, expected: float
    ) -> Image:
        """The photo at one exposure, its encoded values lifted by about ``overall``."""
        even = np.full((1, 1), overall, np.float32)
        share = float(network_share(even)[0, 0]) if self.protect_lit else 1.0
        share *= reading.evidence
        if share == 0:
            return expose_directly(image, even)
        grey = np.minimum(reading.grey * np.float32(overall), 1)
        brightness = float(np.clip(grey.mean(), *NETWORK_BRIGHTNESS))
        gain = None
        if reading.weight.mean() < MOSTLY_PICTURE:  # a frame's light says nothing about the rest
            level = max(mean_level(small), DARKEST)
            gain = np.full(image.shape[:2], overall * level / brightness, np.float32)
        relit = self._infer(image, small, brightness, gain)
        if share < 1:
            direct = expose_directly(image, even)
            relit = direct + np.float32(share) * (relit - direct)
        return reading.match(relit, expected, by_factor=True)

    def _expose(
        self,
        image: Image,
        small: Image,
        factor: Image,
        reading: Metering,
        expected: float,
        kept: float,
    ) -> Image:
        """The photo with every place's encoded values lifted by ``factor`` (H, W), noise removed.

        What is hardly lifted is the photo's own: it needs no network. ``expected`` is the mean
        level that the result is brought to, 0 for none, ``kept`` how much of lit detail stays.
        """

        def share(of: Image) -> Image:
            part = network_share(of) if self.protect_lit else np.ones_like(of)
            return part * np.float32(reading.evidence)

        if not share(factor.max(keepdims=True)).any():
            return expose_directly(image, factor)
        level = max(mean_level(small), DARKEST)
        grey = np.minimum(subsample(luma(image), 60_000) * subsample(factor, 60_000), 1)
        brightness = float(np.clip(grey.mean(), *NETWORK_BRIGHTNESS))
        relit = self._infer(image, small, brightness, factor, scale=level / brightness)

        def blend(rows: slice) -> None:
            direct = expose_directly(image[rows], factor[rows])
            direct += times(relit[rows] - direct, share(factor[rows]))
            relit[rows] = direct

        for_row_blocks(blend, relit)
        if expected:
            relit = reading.match(relit, expected)
        return keep_lit_detail(image, relit, kept) if kept else relit

    def _infer(
        self,
        image: Image,
        small: Image,
        brightness: float,
        gain: Image | None,
        *,
        scale: float = 1.0,
    ) -> Image:
        """What the network makes of the photo, tile by tile, in [0, 1].

        ``small`` is its thumbnail, ``gain`` (H, W) times ``scale`` what encoded values are
        multiplied with beside what the brightness asks for; None is 1 everywhere.
        """
        network = None if self.picture else self._network()
        infer = self.picture or network
        assert infer is not None
        target = np.array([[brightness]], np.float32)
        tile_px = self.tile_px // STRIDE_PX * STRIDE_PX
        tiled = max(image.shape[:2]) > tile_px
        if tiled:
            tile_px = tile_px // 2 // STRIDE_PX * STRIDE_PX

        def relight_turned(tile: Image, local: Image, turn: int) -> Image:
            inputs = {
                "image": _batch(_turned(tile, turn)),
                "thumbnail": _batch(_turned(small, turn)),
                "brightness": target,
                "gain": np.ascontiguousarray(_turned(local, turn))[None, None],
            }
            relit = infer(inputs)["photo"][0]
            del inputs
            if tiled and network is not None:
                network.release_memory()  # up to 200 bytes a pixel, and more for each new size
            return _turned_back(np.asarray(cv2.merge(list(relit))), turn)

        def relight(tile: Image, local: Image | None = None) -> Image:
            local = np.ones(tile.shape[:2], np.float32) if local is None else local
            local = local * np.float32(scale)
            relit = relight_turned(tile, local, 0)
            for turn in range(1, self.ensemble):
                relit = relit + relight_turned(tile, local, turn)
            return relit / np.float32(self.ensemble) if self.ensemble > 1 else relit

        relit = run_tiled(
            relight,
            image,
            plane=gain,
            tile_px=tile_px,
            halo_px=PICTURE_HALO_PX,
            multiple=STRIDE_PX,
        )
        return np.clip(relit, 0.0, 1.0, out=relit)

    def target_brightness(self, image: Image) -> float:
        """The mean grey level aimed at: the one asked for, or the method's own choice."""
        small = thumbnail(image)
        return self._metered(image, meter(image), small) if self.local else self._target(small)

    def reached_brightness(self, image: Image) -> float:
        """The mean grey level of the result, as far as metering bounds what is aimed at."""
        if self.local == 0 or not isinstance(self.brightness, str):
            return self.target_brightness(image)
        reading = meter(image)
        target = self._metered(image, reading, thumbnail(image))
        softness = reading.softness(target)
        return reading.mean_at(reading.shadow_gain(target, softness), softness)

    def _target(self, small: Image) -> float:
        if isinstance(self.brightness, str):
            return self.estimate_brightness(_batch(small))
        return self.brightness

    def _metered(self, image: Image, reading: Metering, small: Image) -> float:
        """The target brightness of what holds light in the photo."""
        if reading.content != WHOLE and isinstance(self.brightness, str):
            small = thumbnail(reading.crop(image))
        target = self._target(small)
        automatic = isinstance(self.brightness, str)
        return reading.wanted(target) if automatic and self.protect_lit else target

    def estimate_brightness(self, context: Image) -> float:
        """The exposure estimator's guess of what a photographer would have chosen.

        ``context`` is the batch (1, 3, 96, 96) of the photo's thumbnail.
        """
        estimator = self.estimator or self._estimator()
        return float(estimator({"thumbnail": context})["brightness"][0, 0])

    def _estimator(self) -> Network:
        """The exposure estimator: the one beside the user's own network, if there is one."""
        beside = self.weights and own_network(self.weights).with_name("relume-exposure.onnx")
        model = beside if beside and beside.exists() else store.path("relume-exposure")
        network = load(model, runtime=Runtime(precision="f32"))
        check_interface(network, model, "an exposure estimator", ("thumbnail",), ("brightness",))
        return network

    def _network(self) -> Network:
        return load_network(
            self.weights,
            "relume",
            build_picture_net,
            runtime=self.runtime,
            kind="a network of relume's",
            inputs=INPUTS,
            outputs=OUTPUTS,
            sample=_sample,
        )


def build_picture_net(state: Mapping[str, Any], metadata: Mapping[str, str]) -> Any:
    """The picture network, out of the tensors that are trained and shipped together."""
    del metadata
    from relume.nets.picture import PictureNet

    net = PictureNet()
    own = {k.removeprefix("picture."): v for k, v in state.items() if k.startswith("picture.")}
    net.load_state_dict(own)
    return net


def _sample() -> dict[str, Image]:
    picture = dark_sample(SAMPLE_PX)
    planes = _batch(picture)
    return {
        "image": planes,
        "thumbnail": _batch(thumbnail(picture)),
        "brightness": np.array([[0.4]], np.float32),
        "gain": np.ones_like(planes[:, :1]),
    }


def thumbnail(image: Image) -> Image:
    """(96, 96, 3): the whole photo, area-averaged, its proportions not kept."""
    return downscale(image, THUMBNAIL_PX, THUMBNAIL_PX)


def _match_mean(image: Image, level: float) -> Image:
    """``image``, scaled in place so that its mean grey level, once clipped, is ``level``."""
    sample = subsample(image, 250_000)

    def mean_at(factor: float) -> float:
        return mean_level(np.minimum(sample * np.float32(factor), 1))

    return scale_to(image, level, mean_at, within=TOLERANCE)


def _batch(image: Image) -> Image:
    return np.ascontiguousarray(image.transpose(2, 0, 1))[None]


def _turned(image: Image, turn: int) -> Image:
    """One of the eight orientations of an image (H, W, C); 0 is the image itself."""
    turned = np.rot90(image, turn // 2)
    return turned[:, ::-1] if turn % 2 else turned


def _turned_back(image: Image, turn: int) -> Image:
    """The inverse of :func:`_turned`."""
    return np.rot90(image[:, ::-1] if turn % 2 else image, -(turn // 2))
