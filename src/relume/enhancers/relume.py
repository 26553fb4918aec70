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
from relume.exposure.aim import Aim
from relume.exposure.black import Black, read_black
from relume.exposure.cast import NO_CAST, Cast, read_cast
from relume.exposure.faces import Find
from relume.exposure.meter import WHOLE, Reading, meter
from relume.exposure.plan import Factor, Plan, apply, plan
from relume.image.detail import halve, relight_halved
from relume.image.exposure import mean_level
from relume.image.filters import downscale
from relume.image.grain import put_back_grain
from relume.image.tiles import run_tiled
from relume.nets.sizes import DARKEST, PICTURE_HALO_PX, THUMBNAIL_PX
from relume.nets.sizes import PICTURE_STRIDE_PX as STRIDE_PX
from relume.photo import Image

HALF_ABOVE = Parameter(
    "half_above_mp",
    "larger photos, in megapixels, are relit at half their size: faster, fine detail is kept",
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
DENOISE = Parameter(
    "denoise",
    "share of the noise, and with it of skin's texture, that is taken out; 0 keeps the grain",
    1.0,
    0.0,
    1.0,
)
SAMPLE_PX = 128
"""Side of the picture on which precisions are compared: much of what a smaller one takes is not
arithmetic, which alone gets faster."""
INPUTS, OUTPUTS = ("image", "thumbnail", "brightness", "gain"), ("photo",)


@dataclass(frozen=True)
class RelumeEnhancer:
    """The photo relit to a brightness: one that is asked for, or the estimator's choice.

    ``local``, ``exposure`` and ``protect_lit`` are those of :func:`relume.enhance`, ``find``
    finds the faces to expose for, ``black`` is the camera's, None for what is read of the photo.
    ``cast`` is what goes of the light's colour, or a share of what is read of it.
    ``faithful`` is the plan's. ``planned`` comes before all of these.
    """

    brightness: Brightness = "auto"
    local: float = 1.0
    exposure: Image | None = None
    protect_lit: bool = True
    find: Find | None = None
    planned: Plan | None = None
    black: Black | None = None
    cast: Cast | float = 0.5
    half_above_mp: float = 4.0
    faithful: bool = True
    tile_px: int = 2048
    ensemble: int = 1
    denoise: float = 1.0
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
        parameters=(HALF_ABOVE, TILE, ENSEMBLE, DENOISE, WEIGHTS),
        weights=("relume", "relume-exposure"),
        takes_brightness=True,
        takes_local=True,
        takes_black=True,
        takes_cast=True,
    )

    shipped: ClassVar[str] = "relume"

    @staticmethod
    def build_net(state: Mapping[str, Any], metadata: Mapping[str, str]) -> Any:
        """The picture network, out of the tensors that are trained and shipped together."""
        del metadata
        from relume.nets.picture import PictureNet

        net = PictureNet()
        own = {k.removeprefix("picture."): v for k, v in state.items() if k.startswith("picture.")}
        net.load_state_dict(own)
        return net

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

    def with_black(self, black: Black | None) -> RelumeEnhancer:
        """The same method, the camera's black known or (None) to be read."""
        return replace(self, black=black)

    def working_copy(self, image: Image) -> Image:
        """The photo, or if it is large a copy of half its size: what is planned for."""
        return halve(image) if self._is_large(image) else image

    def _is_large(self, image: Image) -> bool:
        return bool(image.shape[0] * image.shape[1] > self.half_above_mp * 1e6)

    def black_of(self, image: Image) -> Black:
        """The camera's black in this photo."""
        return read_black(image) if self.black is None else self.black

    def with_cast(self, share: float) -> RelumeEnhancer:
        """The same method, so much of the light's colour taken off."""
        return replace(self, cast=share)

    def cast_of(self, image: Image) -> Cast:
        """What goes of the colour of the light in this photo."""
        if isinstance(self.cast, Cast):
            return self.cast
        return read_cast(self.black_of(image).off(image)).share(self.cast) if self.cast else NO_CAST

    def as_taken(self, image: Image) -> RelumeEnhancer:
        """The same method, the camera's black and the light's colour known: those of this photo."""
        known = self.with_black(self.black_of(image))
        return replace(known, cast=known.cast_of(image))

    def with_plan(self, plan: Plan) -> RelumeEnhancer:
        """The same method for a photo whose plan is made."""
        return replace(self, planned=plan)

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
        large = self._is_large(image)
        relit = relight_halved(image, self._relight) if large else self._relight(image)
        return relit if self.denoise == 1 else put_back_grain(image, relit, 1 - self.denoise)

    def _relight(self, image: Image) -> Image:
        """The photo, or a smaller copy of it, relit as is planned for it."""
        return apply(self.planned or self.plan(image), image, self._relit)

    def plan(self, image: Image, *, aim: Aim | None = None, reading: Reading | None = None) -> Plan:
        """How the photo is exposed; its aim and its reading, where they are known."""
        known = self.as_taken(image)
        reading = reading or known.read(image)
        return plan(
            image,
            aim or known.aim_for(image, reading),
            black=known.black_of(image),
            cast=known.cast_of(image),
            reading=reading,
            local=self.local,
            stops=self.exposure,
            protect_lit=self.protect_lit,
            find=self.find,
            faithful=self.faithful,
        )

    def read(self, image: Image) -> Reading | None:
        """The photo as the meter sees it, where the method needs to know."""
        if not self.local and self.exposure is None:
            return None
        return meter(self.black_of(image).off(image))

    def aim_for(self, image: Image, reading: Reading | None = None) -> Aim:
        """What the photo is brought to: what is asked for, or the method's own choice."""
        if not isinstance(self.brightness, str):
            return Aim(self.brightness, "frame", "asked")
        image = self.black_of(image).off(image)
        if not self.local:
            return Aim(self.estimate_brightness(_batch(thumbnail(image))), "frame")
        reading = reading or meter(image)
        content = image if reading.content == WHOLE else reading.crop(image)
        level = self.estimate_brightness(_batch(thumbnail(content)))
        return Aim(reading.scene_brightness(level) if self.protect_lit else level)

    def _relit(self, image: Image, brightness: float, factor: Factor | None) -> Image:
        """What the network makes of the photo, each place's encoded values lifted by ``factor``."""
        small = thumbnail(image)
        if factor is None:
            return self._infer(image, small, brightness, None)
        level = max(mean_level(small), DARKEST)
        if isinstance(factor, float):
            return self._infer(image, small, brightness, None, scale=factor * level / brightness)
        return self._infer(image, small, brightness, factor, scale=level / brightness)

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
            self.shipped,
            self.build_net,
            runtime=self.runtime,
            kind="a network of relume's",
            inputs=INPUTS,
            outputs=OUTPUTS,
            sample=_sample,
        )


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


def _batch(image: Image) -> Image:
    return np.ascontiguousarray(image.transpose(2, 0, 1))[None]


def _turned(image: Image, turn: int) -> Image:
    """One of the eight orientations of an image (H, W, C); 0 is the image itself."""
    turned = np.rot90(image, turn // 2)
    return turned[:, ::-1] if turn % 2 else turned


def _turned_back(image: Image, turn: int) -> Image:
    """The inverse of :func:`_turned`."""
    return np.rot90(image[:, ::-1] if turn % 2 else image, -(turn // 2))
