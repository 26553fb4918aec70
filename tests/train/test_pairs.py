from pathlib import Path

import numpy as np
import pytest

from relume.errors import InputError
from relume.train.pairs import Pair, Patches, darkened, find, split
from relume.train.recipe import Data

DATA = Data(patch_px=16, batch=4, scenes="scenes.csv", validation_scenes=2)


def position_pairs(count: int = 5) -> list[Pair]:
    """Pairs whose dark pixels name their own place, and whose bright ones are 100 above."""
    y, x = np.mgrid[:24, :32].astype(np.uint8)
    low = np.dstack([x, y, np.zeros_like(x)])
    return [
        Pair(f"p{i}", f"s{i}", low + np.uint8(i), low + np.uint8(100 + i)) for i in range(count)
    ]


def test_find_names_what_has_no_partner(pairs: Path) -> None:
    assert [name for name, _, _ in find(pairs)] == [f"p{i}" for i in range(7)]
    (pairs / "high" / "p3.png").unlink()
    with pytest.raises(InputError, match="p3"):
        find(pairs)


def test_find_says_which_folder_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="got no low/"):
        find(tmp_path)


def test_split_keeps_scenes_apart_and_leaves_out_what_is_excluded(pairs: Path) -> None:
    data = Data(patch_px=16, scenes="scenes.csv", validation_scenes=2, exclude=("p0",))
    train, validation = split(pairs, data, seed=3)
    assert {p.scene for p in train}.isdisjoint(p.scene for p in validation)
    assert len({p.scene for p in validation}) == 2
    assert {p.name for p in train + validation} == {f"p{i}" for i in range(1, 7)}
    again = split(pairs, data, seed=3)[1]
    assert [p.name for p in again] == [p.name for p in validation]


def test_split_says_when_the_scenes_file_is_missing(pairs: Path) -> None:
    with pytest.raises(InputError, match="cannot read the scenes file"):
        split(pairs, Data(scenes="none.csv"), seed=0)


def test_patches_are_aligned_and_change_with_the_step() -> None:
    patches = Patches(position_pairs(), DATA, seed=1)
    low, high = patches.batch(0, 0)
    assert low.shape == high.shape == (4, 3, 16, 16)
    np.testing.assert_allclose(high - low, 100 / 255, atol=1e-6)
    other = patches.batch(0, 1)[0]
    assert (low != other).any()
    np.testing.assert_array_equal(low, patches.batch(0, 0)[0])


def test_all_eight_orientations_occur() -> None:
    patches = Patches(position_pairs(), DATA, seed=1)
    seen = set()
    for step in range(40):
        for patch in patches.batch(0, step)[0]:
            across, down = patch[:, 0, 1] - patch[:, 0, 0], patch[:, 1, 0] - patch[:, 0, 0]
            seen.add(tuple(np.rint(np.concatenate([across, down]) * 255).astype(int)))
    assert len(seen) == 8


def test_an_epoch_sees_every_pair() -> None:
    patches = Patches(position_pairs(8), DATA, seed=1)
    assert patches.steps_per_epoch == 2
    blue = [patches.batch(0, step)[0][:, 2] for step in range(2)]
    seen = {round(float(patch.max() * 255)) for batch in blue for patch in batch}
    assert seen == set(range(8))


def test_processes_share_a_batch() -> None:
    patches = Patches(position_pairs(), DATA, seed=1)
    whole = patches.batch(1, 3)[0]
    parts = [patches.batch(1, 3, rank=r, world=2)[0] for r in range(2)]
    np.testing.assert_array_equal(whole[0::2], parts[0])
    np.testing.assert_array_equal(whole[1::2], parts[1])


def test_pairs_smaller_than_a_patch_are_an_error() -> None:
    with pytest.raises(InputError, match="at least 30 px"):
        Patches(position_pairs(), Data(patch_px=30), seed=1)


def test_darkened_pairs_are_darker_and_reproducible(pairs: Path) -> None:
    data = Data(patch_px=16, darkened=3)
    made = darkened([pairs / "high"], data, seed=4)
    assert len(made) == 3
    assert all(p.low.mean() < p.high.mean() for p in made)
    again = darkened([pairs / "high"], data, seed=4)
    np.testing.assert_array_equal(made[0].low, again[0].low)


def test_a_folder_without_photographs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected bright photographs"):
        darkened([tmp_path], Data(darkened=1), seed=0)
