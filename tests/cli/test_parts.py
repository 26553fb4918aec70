"""``relume enhance --parts`` with the shipped network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image as Pil

from .conftest import Relume


def test_five_panels_beside_the_photo(relume: Relume, night: Path) -> None:
    result = relume("enhance", night, "--parts", "-f", "png", "-v")
    target = night.with_name("night.relume-retinexnet-parts.png")
    assert (result.code, f"-> {target} (" in result.err) == (0, True)
    with Pil.open(target) as image:
        shown = np.asarray(image.convert("RGB")).astype(float)
    assert shown.shape[0] >= 64
    assert shown.shape[1] > 5 * 64
    panel = shown.shape[1] // 5
    middles = [shown[:, i * panel + 10 : (i + 1) * panel - 10].mean() for i in range(5)]
    assert middles[4] > 1.5 * middles[0], "the result is not brighter than the input"


def test_what_exists_and_what_cannot_be(relume: Relume, night: Path) -> None:
    existing = night.with_name("night.relume-retinexnet-parts.jpg")
    existing.write_bytes(b"mine")
    assert relume("enhance", night, "--parts").code == 1
    assert existing.read_bytes() == b"mine"
    assert relume("enhance", night, "--parts", "-o", "x.xyz").code == 1
    assert relume("enhance", night, "--parts", "--param", "denoise=nope").code == 2
    assert relume("enhance", night, "--parts", "-m", "gamma").code == 2
    assert relume("enhance", night.with_name("missing.jpg"), "--parts").code == 1
