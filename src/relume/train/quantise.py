"""int8 networks: post-training quantisation by NNCF, which is asked for at run time never.

    python -m relume.train.quantise RUN/NET.onnx --pairs LOL/train -o RUN/NET-int8.onnx

NNCF (Apache-2.0) is not part of any extra: ``pip install nncf``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from relume.errors import MissingExtra
from relume.train.pairs import Pair, split
from relume.train.recipe import load

PHOTOS = 60


def quantise(model: Path, photos: Sequence[npt.NDArray[np.uint8]], out: Path) -> Path:
    """Write ``model`` (ONNX, one input ``image``) with int8 convolutions to ``out``.

    ``photos`` are typical inputs ``(H, W, 3)``; they set the ranges of the activations.

    Raises:
        MissingExtra: NNCF is not installed.
    """
    try:
        import nncf
        import onnx
    except ImportError as error:
        raise MissingExtra("quantising", "train", error.name or "nncf") from None

    def batch(photo: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[np.float32]]:
        height, width = (n // 8 * 8 for n in photo.shape[:2])
        image = photo[:height, :width].astype(np.float32) / np.float32(255)
        return {"image": np.ascontiguousarray(image.transpose(2, 0, 1))[None]}

    quantised = nncf.quantize(
        onnx.load(str(model)),
        nncf.Dataset(list(photos), batch),
        subset_size=len(photos),
        preset=nncf.QuantizationPreset.MIXED,
        fast_bias_correction=True,
    )
    partial = out.with_name(out.name + ".part")
    onnx.save(quantised, str(partial))
    partial.replace(out)
    return out


def calibration(pairs: Sequence[Pair], count: int = PHOTOS) -> list[npt.NDArray[np.uint8]]:
    """The dark photos of ``count`` training pairs, evenly spread, 192 px squares of them."""
    chosen = pairs[:: max(1, len(pairs) // count)][:count]
    return [p.low[100:292, 100:292] for p in chosen]


def main() -> None:
    """Quantise a network with the photos that its recipe trained on."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--recipe", type=Path, default=Path("recipes/retinexnet.toml"))
    parser.add_argument("-o", "--out", type=Path, required=True)
    options = parser.parse_args()
    recipe = load(options.recipe)
    training, _ = split(options.pairs, recipe.data, recipe.seed)
    quantise(options.model, calibration(training), options.out)


if __name__ == "__main__":
    main()
