"""A tiny training set and recipe: seconds, not hours."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

RECIPE = """
name = "tiny"
network = "retinexnet"
seed = 5
[data]
patch_px = 16
batch = 2
scenes = "scenes.csv"
validation_scenes = 1
[[phases]]
name = "decom"
epochs = 3
[[phases]]
name = "enhance"
epochs = 3
[watch]
validate_epochs = 2
panels_epochs = 3
panels = 1
checkpoint_s = 0.0
"""


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Nets of a few pixels: threads that wait for each other take most of the time."""
    with suppress(ImportError):
        import torch

        torch.set_num_threads(1)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Seven 24x32 pairs of five scenes; the dark one is a fifth of the bright one, with noise."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "pairs"
    for side in ("low", "high"):
        (folder / side).mkdir(parents=True)
    lines = ["name,scene"]
    for i in range(7):
        bright = rng.uniform(0.2, 1.0, (6, 8, 3)).repeat(4, 0).repeat(4, 1)
        dark = bright / 5 + rng.normal(0, 0.01, bright.shape)
        for side, values in (("low", dark), ("high", bright)):
            pixels = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
            PillowImage.fromarray(pixels).save(folder / side / f"p{i}.png")
        lines.append(f"p{i}.png,s{min(i, 4)}")
    (folder / "scenes.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return path
