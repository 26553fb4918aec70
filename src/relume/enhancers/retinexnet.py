"""Retinex-Net in the catalogue: decompose, denoise the reflectance, relight, multiply.

Wei et al., *Deep Retinex Decomposition for Low-Light Enhancement*, BMVC 2018.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from relume.catalog import Info, Parameter
from relume.engine import Inference, Network, Runtime
from relume.enhancers.base import WEIGHTS, dark_sample, load_network
from relume.image.denoise import METHODS, denoise_reflectance
from relume.image.tiles import run_tiled
from relume.nets.sizes import RETINEX_HALO_PX as HALO_PX
from relume.nets.sizes import RETINEX_STRIDE_PX as STRIDE_PX
from relume.photo import Image, check_image

OUTPUTS = ("reflectance", "illumination", "relit_illumination")


@dataclass(frozen=True)
class Decomposition:
    """A photo taken apart, S = R * I, and relit: ``enhanced`` = denoised R * relit I.

    ``illumination`` and ``relit_illumination`` are (H, W); the relit one and ``enhanced`` are
    unbounded, as the network gives them.
    """

    image: Image
    reflectance: Image
    denoised: Image
    illumination: Image
    relit_illumination: Image

    @property
    def enhanced(self) -> Image:
        """The relit photo, not clamped."""
        return np.asarray(self.denoised * self.relit_illumination[:, :, None])

    def panels(self) -> list[Image]:
        """Input, R, I, relit I and result, (H, W, 3) in [0, 1] each."""
        grey = (plane[:, :, None] for plane in (self.illumination, self.relit_illumination))
        maps = [np.repeat(plane, 3, axis=2) for plane in grey]
        planes = (self.image, self.reflectance, *maps, self.enhanced)
        return [np.clip(plane, 0, 1) for plane in planes]


@dataclass(frozen=True)
class RetinexNetEnhancer:
    """Retinex-Net with the shipped weights, or those of a file."""

    denoise: str = "guided"
    denoise_strength: float = 1.0
    weights: str = ""
    tile_px: int = 640
    runtime: Runtime = field(default_factory=Runtime)
    inference: Inference | None = None
    """A network in place of the shipped one: the one under training, to be validated."""

    info: ClassVar[Info] = Info(
        name="retinexnet",
        summary="Retinex-Net: a learned decomposition, relit, its reflectance denoised",
        licence="MIT",
        source="Wei et al., Deep Retinex Decomposition, BMVC 2018; trained by relume",
        parameters=(
            Parameter(
                "denoise",
                "how the reflectance is denoised (bm3d: your own installation, non-commercial)",
                "guided",
                choices=METHODS,
            ),
            Parameter("denoise_strength", "how strongly it is denoised", 1.0, 0.0, 2.0),
            WEIGHTS,
            Parameter("tile_px", "side of a tile; smaller needs less memory", 640, 64, 8192),
        ),
        weights=("retinexnet",),
    )

    def with_runtime(self, runtime: Runtime) -> RetinexNetEnhancer:
        """The same method, run as ``runtime`` says."""
        return replace(self, runtime=runtime)

    def describe(self) -> str:
        """One line: what runs, on what, in which precision."""
        return self.network().describe()

    @property
    def precision(self) -> str:
        """What the network runs in here, f32 or bf16."""
        return self.network().precision

    def __call__(self, image: Image) -> Image:
        """The relit photo, not clamped."""
        maps = self._maps(image)
        reflectance = np.ascontiguousarray(maps[:, :, :3])
        illumination, relit = maps[:, :, 3].copy(), maps[:, :, 4, None].copy()
        del maps  # 240 MB at 12 MP, while the denoiser needs its own
        enhanced = self._denoised(reflectance, illumination)
        return np.multiply(enhanced, relit)

    def decompose(self, image: Image) -> Decomposition:
        """The photo taken apart: R, I, the relit I and the denoised R.

        Raises:
            WeightsError: the weights are missing, damaged, or of another network.
        """
        maps = self._maps(image)
        reflectance = np.ascontiguousarray(maps[:, :, :3])
        illumination = maps[:, :, 3].copy()
        denoised = self._denoised(reflectance, illumination)
        return Decomposition(image, reflectance, denoised, illumination, maps[:, :, 4].copy())

    def network(self) -> Network:
        """The network, loaded (once a process).

        Raises:
            WeightsError: the weights are missing, damaged, or of another network.
            DeviceError: the device or precision is not there.
        """
        return load_network(
            self.weights,
            "retinexnet",
            build_retinexnet,
            runtime=self.runtime,
            kind="a Retinex-Net",
            inputs=("image",),
            outputs=OUTPUTS,
            sample=_sample,
        )

    def _maps(self, image: Image) -> Image:
        """R, I and the relit I as five channels, (H, W, 5)."""
        check_image(image)
        network = self.inference or self.network()

        def split(tile: Image) -> Image:
            batch = np.ascontiguousarray(tile.transpose(2, 0, 1))[None]
            results = network({"image": batch})
            stacked = np.concatenate([results[name][0] for name in OUTPUTS])
            return np.ascontiguousarray(stacked.transpose(1, 2, 0))

        tile_px = max(self.tile_px // STRIDE_PX, 1) * STRIDE_PX
        maps = run_tiled(split, image, tile_px=tile_px, halo_px=HALO_PX, multiple=STRIDE_PX)
        if max(image.shape[:2]) > tile_px and self.inference is None:
            self.network().release_memory()  # a gigabyte, while the denoiser needs its own
        return maps

    def _denoised(self, reflectance: Image, illumination: Image) -> Image:
        return denoise_reflectance(
            reflectance, illumination, method=self.denoise, strength=self.denoise_strength
        )


def _sample() -> dict[str, Image]:
    """It is slow: a small picture tells."""
    return {"image": np.ascontiguousarray(dark_sample(64).transpose(2, 0, 1))[None]}


def build_retinexnet(state: Mapping[str, Any], metadata: Mapping[str, str]) -> Any:
    """The network, of the kind that the metadata names."""
    from relume.nets.retinexnet import RetinexNet

    skips: Any = metadata.get("skips", "add")
    net = RetinexNet(skips=skips, padding=metadata.get("padding", "zeros"))
    net.load_state_dict(state)
    return net
