"""int8 networks: post-training quantisation by NNCF, needed here and never at run time.

    python -m relume.train.quantise RUN/NET.onnx --recipe RECIPE --pairs LOL/train -o NET-int8.onnx

NNCF (Apache-2.0) is not part of any extra: ``pip install nncf``.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from relume.errors import MissingExtra
from relume.nets.picture import MULTIPLE
from relume.train.pairs import Pair, split_all
from relume.train.recipe import load
from relume.train.sampler import sample_of

Inputs = Mapping[str, npt.NDArray[np.float32]]
PHOTOS, PATCH_PX = 60, 192
RETINEX_MULTIPLE = 8


def quantise(
    model: Path, batches: Sequence[Inputs], out: Path, *, keep: Sequence[str] = ()
) -> Path:
    """Write the ONNX network ``model`` with int8 convolutions to ``out``.

    ``batches`` are typical inputs by name; they set the ranges of the activations. Nodes whose
    names match one of the regular expressions ``keep`` stay in f32.

    Raises:
        MissingExtra: NNCF is not installed.
    """
    try:
        import nncf
        import onnx
    except ImportError as error:
        raise MissingExtra("quantising", "train", error.name or "nncf") from None
    quantised = nncf.quantize(
        onnx.load(str(model)),
        nncf.Dataset(list(batches)),
        subset_size=len(batches),
        preset=nncf.QuantizationPreset.MIXED,
        fast_bias_correction=True,
        ignored_scope=nncf.IgnoredScope(patterns=list(keep), validate=False) if keep else None,
    )
    partial = out.with_name(out.name + ".part")
    onnx.save(quantised, str(partial))
    partial.replace(out)
    return out


def calibration(network: str, pairs: Sequence[Pair], count: int = PHOTOS) -> list[Inputs]:
    """Inputs of the network ("retinexnet" or "relume") from ``count`` pairs, evenly spread."""
    chosen = pairs[:: max(1, len(pairs) // count)][:count]
    if network == "retinexnet":
        return [{"image": _batch(_patch(p.low, RETINEX_MULTIPLE))} for p in chosen]
    samples = [sample_of(p.low, p.high) for p in chosen]
    return [
        {
            "image": _batch(_patch(s.low, MULTIPLE)),
            "thumbnail": _batch(s.thumbnail),
            "brightness": np.array([[s.brightness]], np.float32),
        }
        for s in samples
    ]


def _patch(photo: npt.NDArray[np.uint8], multiple: int) -> npt.NDArray[np.float32]:
    """The middle of a photo, of a size that the network takes."""
    height, width = (min(n, PATCH_PX) // multiple * multiple for n in photo.shape[:2])
    y, x = (photo.shape[0] - height) // 2, (photo.shape[1] - width) // 2
    return photo[y : y + height, x : x + width].astype(np.float32) / np.float32(255)


def _batch(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(image.transpose(2, 0, 1))[None]


def main() -> None:
    """Quantise a network with photos that its recipe trained on."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--recipe", type=Path, required=True)
    parser.add_argument("--pairs", type=Path, action="append", required=True)
    parser.add_argument("--keep", action="append", default=[], help="nodes that stay in f32")
    parser.add_argument("-o", "--out", type=Path, required=True)
    options = parser.parse_args()
    recipe = load(options.recipe)
    training, _ = split_all(options.pairs, recipe.data, recipe.seed)
    batches = calibration(recipe.network, training)
    quantise(options.model, batches, options.out, keep=options.keep)


if __name__ == "__main__":
    main()
