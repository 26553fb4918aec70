"""What the fast network learns from, and a tiny run of it."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from relume.errors import RecipeError  # noqa: E402
from relume.train import run  # noqa: E402
from relume.train.data import BrightPhotos, Pair  # noqa: E402
from relume.train.recipe import Data, Phase  # noqa: E402
from relume.train.sampler import PatchSampler  # noqa: E402
from relume.train.taught import PARTS, TaughtPatches, make_examples  # noqa: E402

TINY = """
name = "tiny"
network = "relume-fast"
seed = 5
[data]
patch_px = 16
batch = 2
scenes = "scenes.csv"
validation_scenes = 1
darkened_share = 0.5
epoch_steps = 3
examples = 5
examples_px = 16
[[phases]]
name = "fast"
epochs = 1
ema = 0.9
map_share = 0.5
[watch]
validate_epochs = 1
panels_epochs = 1
panels = 1
"""


def doubled(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {"photo": inputs["image"] * 2}


def sampler() -> PatchSampler:
    rng = np.random.default_rng(3)
    high = rng.integers(0, 256, (32, 40, 3), np.uint8)
    pairs = [Pair("a", "a", high // 5, high)]
    bright = BrightPhotos.of([rng.integers(0, 256, (48, 48, 3), np.uint8)])
    data = Data(patch_px=24, batch=2, epoch_steps=1)
    return PatchSampler(pairs, bright, data, Phase("fast", 1, map_share=0.5), 7)


def examples(cache: Path, notes: list[str]) -> dict[str, np.ndarray]:
    return make_examples(sampler(), doubled, 4, {"seed": 7}, cache, notes.append)


def test_examples_hold_the_answer_to_their_dark_patch(tmp_path: Path) -> None:
    made = examples(tmp_path, [])
    assert [made[name].shape[0] for name in PARTS] == [4] * 6
    wanted = np.minimum(made["low"].astype(int) * 2, 255)
    assert np.abs(wanted - made["taught"]).max() <= 1  # each is rounded to 8 bit by itself


def test_examples_are_made_once(tmp_path: Path) -> None:
    notes: list[str] = []
    first, second = examples(tmp_path, notes), examples(tmp_path, notes)
    assert len(notes) == 1
    for name in PARTS:
        np.testing.assert_array_equal(first[name], second[name])
    assert [path.name for path in (tmp_path / "examples").iterdir()] == [notes[0].split("/")[-1]]


def test_an_answer_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    def broken(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        raise RuntimeError("no answer")

    with pytest.raises(RuntimeError, match="no answer"):
        make_examples(sampler(), broken, 4, {}, tmp_path, lambda _: None)
    assert not list((tmp_path / "examples").iterdir())


def test_all_parts_of_a_patch_are_cut_and_turned_alike(tmp_path: Path) -> None:
    """Where every part of an example is the same ramp, every part of its patch is."""
    ramp = np.arange(20 * 20, dtype=np.float32).reshape(1, 1, 20, 20)
    made = dict.fromkeys(("low", "high", "gain", "taught", "thumbnail"), ramp)
    made["brightness"] = np.array([[0.5]], np.float32)
    patches = TaughtPatches(made, 12, 4, 10, seed=1)
    seen = set()
    for step in range(12):
        low, high, _, brightness, gain, taught = patches.batch(0, step)
        assert low.shape == (4, 1, 12, 12)
        assert (brightness == 0.5).all()
        for other in (high, gain, taught):
            np.testing.assert_array_equal(low, other)
        seen |= {
            (patch[0, 0, 1] - patch[0, 0, 0], patch[0, 1, 0] - patch[0, 0, 0]) for patch in low
        }
    assert seen == {(a, b) for a, b in ((1, 20), (-1, 20), (1, -20), (-1, -20))} | {
        (b, a) for a, b in ((1, 20), (-1, 20), (1, -20), (-1, -20))
    }


def test_a_step_is_a_function_of_its_number(tmp_path: Path) -> None:
    patches = TaughtPatches(examples(tmp_path, []), 16, 4, 10, seed=1)
    whole = patches.batch(0, 3)
    parts = [patches.batch(0, 3, rank=rank, world=2) for rank in (0, 1)]
    for part, (even, odd) in zip(whole, zip(*parts, strict=True), strict=True):
        np.testing.assert_array_equal(part[::2], even)
        np.testing.assert_array_equal(part[1::2], odd)


def test_patches_that_the_network_cannot_take_are_refused(pairs: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(TINY.replace("examples_px = 16", "examples_px = 24"))
    with pytest.raises(RecipeError, match="multiples of 16, got 24"):
        run(recipe, pairs=pairs, out=tmp_path / "out", device="cpu")


def test_a_run_exports_a_network_that_takes_what_the_large_one_takes(
    pairs: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(TINY)
    out = run(recipe, pairs=pairs, out=tmp_path / "out", device="cpu")
    from relume.engine import load

    network = load(out / "relume-fast.onnx")
    assert set(network.inputs) == {"image", "thumbnail", "brightness", "gain"}
    for height, width in ((16, 32), (48, 16)):
        photo = network(
            {
                "image": np.full((1, 3, height, width), 0.1, np.float32),
                "thumbnail": np.full((1, 3, 96, 96), 0.1, np.float32),
                "brightness": np.array([[0.4]], np.float32),
                "gain": np.ones((1, 1, height, width), np.float32),
            }
        )["photo"]
        assert photo.shape == (1, 3, height, width)
    summary = json.loads((out / "summary.json").read_text())
    assert summary["validation"]["psnr_db"] > 0
    assert (out / "panels-1-fast-001.jpg").exists()
