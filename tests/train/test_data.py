import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from relume.errors import InputError
from relume.train.data import (
    BrightPhotos,
    ExcludedHashes,
    Pair,
    average_hash,
    darkened_pairs,
    find_pairs,
    read_bright,
    split,
)
from relume.train.recipe import Data
from relume.train.sampler import PairPatches

DATA = Data(patch_px=16, batch=4, scenes="scenes.csv", validation_scenes=2)


def position_pairs(count: int = 5) -> list[Pair]:
    """Pairs whose dark pixels name their own place, and whose bright ones are 100 above."""
    y, x = np.mgrid[:24, :32].astype(np.uint8)
    low = np.dstack([x, y, np.zeros_like(x)])
    return [
        Pair(f"p{i}", f"s{i}", low + np.uint8(i), low + np.uint8(100 + i)) for i in range(count)
    ]


def test_find_names_what_has_no_partner(pairs: Path) -> None:
    assert [name for name, _, _ in find_pairs(pairs)] == [f"p{i}" for i in range(7)]
    (pairs / "high" / "p3.png").unlink()
    with pytest.raises(InputError, match="p3"):
        find_pairs(pairs)


def test_find_says_which_folder_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="got no low/"):
        find_pairs(tmp_path)


def test_split_keeps_scenes_apart_and_leaves_out_what_is_excluded(pairs: Path) -> None:
    data = Data(patch_px=16, scenes="scenes.csv", validation_scenes=2, exclude=("p0",))
    train, validation = split([pairs], data, seed=3)
    assert {p.scene for p in train}.isdisjoint(p.scene for p in validation)
    assert len({p.scene for p in validation}) == 2
    assert {p.name for p in train + validation} == {f"p{i}" for i in range(1, 7)}
    again = split([pairs], data, seed=3)[1]
    assert [p.name for p in again] == [p.name for p in validation]


def test_runs_of_several_seeds_can_share_their_validation_scenes(pairs: Path) -> None:
    def held(seed: int, data: Data = DATA) -> set[str]:
        return {pair.scene for pair in split([pairs], data, seed)[1]}

    shared = replace(DATA, validation_seed=7)
    assert held(1, shared) == held(2, shared) == held(7)
    assert len({frozenset(held(seed)) for seed in range(8)}) > 1


def test_without_the_scenes_file_every_pair_is_a_scene_and_a_note_says_so(pairs: Path) -> None:
    notes: list[str] = []
    data = Data(scenes="../none.csv", validation_scenes=3)
    train, validation = split([pairs], data, seed=0, note=notes.append)
    assert (len(train), len(validation)) == (4, 3)
    assert all(p.scene == p.name for p in train)
    (note,) = notes
    assert "none.csv, a CSV (name,scene)" in note
    assert 'scenes = ""' in note


def test_a_scenes_file_of_other_columns_is_an_error(pairs: Path) -> None:
    (pairs / "scenes.csv").write_text("photo,place\np0.png,a\n")
    with pytest.raises(InputError, match="expected the columns name, scene"):
        split([pairs], Data(scenes="scenes.csv"), seed=0)


def test_patches_are_aligned_and_change_with_the_step() -> None:
    patches = PairPatches(position_pairs(), DATA, seed=1)
    low, high = patches.batch(0, 0)
    assert low.shape == high.shape == (4, 3, 16, 16)
    np.testing.assert_allclose(high - low, 100 / 255, atol=1e-6)
    other = patches.batch(0, 1)[0]
    assert (low != other).any()
    np.testing.assert_array_equal(low, patches.batch(0, 0)[0])


def test_all_eight_orientations_occur() -> None:
    patches = PairPatches(position_pairs(), DATA, seed=1)
    seen = set()
    for step in range(40):
        for patch in patches.batch(0, step)[0]:
            across, down = patch[:, 0, 1] - patch[:, 0, 0], patch[:, 1, 0] - patch[:, 0, 0]
            seen.add(tuple(np.rint(np.concatenate([across, down]) * 255).astype(int)))
    assert len(seen) == 8


def test_an_epoch_sees_every_pair() -> None:
    patches = PairPatches(position_pairs(8), DATA, seed=1)
    assert patches.steps_per_epoch == 2
    blue = [patches.batch(0, step)[0][:, 2] for step in range(2)]
    seen = {round(float(patch.max() * 255)) for batch in blue for patch in batch}
    assert seen == set(range(8))


def test_processes_share_a_batch() -> None:
    patches = PairPatches(position_pairs(), DATA, seed=1)
    whole = patches.batch(1, 3)[0]
    parts = [patches.batch(1, 3, rank=r, world=2)[0] for r in range(2)]
    np.testing.assert_array_equal(whole[0::2], parts[0])
    np.testing.assert_array_equal(whole[1::2], parts[1])


def test_pairs_smaller_than_a_patch_are_an_error() -> None:
    with pytest.raises(InputError, match="at least 30 px"):
        PairPatches(position_pairs(), Data(patch_px=30), seed=1)


def test_darkened_pairs_are_darker_and_reproducible(pairs: Path) -> None:
    data = Data(patch_px=16, darkened=3)
    made = darkened_pairs(read_bright([pairs / "high"], data), data, seed=4)
    assert len(made) == 3
    assert all(p.low.mean() < p.high.mean() for p in made)
    again = darkened_pairs(read_bright([pairs / "high"], data), data, seed=4)
    np.testing.assert_array_equal(made[0].low, again[0].low)


def test_a_folder_without_photographs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected bright photographs"):
        read_bright([tmp_path], Data(darkened=1))


def test_bright_photographs_are_kept_compressed_and_small() -> None:
    y, x = np.mgrid[:300, :400]
    photo = np.dstack([x // 2, y // 2, (x + y) // 4]).astype(np.uint8)
    photos = BrightPhotos.of([photo])
    error = photos[0].astype(float) - photo
    assert photos[0].shape == photo.shape
    assert np.sqrt((error**2).mean()) < 1.0
    assert sum(len(data) for data, _ in photos._encoded) < photo.nbytes / 7
    assert len(photos.at_least(300)) == 1
    assert len(photos.at_least(301)) == 0


def test_files_are_excluded_by_their_hash_and_pictures_by_their_looks(
    pairs: Path, tmp_path: Path
) -> None:
    """A test picture stays out as the same file, or saved again, smaller, under another name."""
    with PillowImage.open(pairs / "high" / "p3.png") as picture:
        hashed = average_hash(np.asarray(picture.convert("RGB")))
        picture.resize((24, 18)).save(pairs / "high" / "p5.jpg")  # another p5, made of p3
        (pairs / "high" / "p5.png").unlink()
        picture.resize((24, 18)).save(pairs / "low" / "p5.png")
    exact = hashlib.sha256((pairs / "low" / "p1.png").read_bytes()).hexdigest()
    listed = tmp_path / "test.sha256"
    listed.write_text(f"{exact}  p1.png\n\n{hashed}\n")
    notes: list[str] = []
    data = Data(validation_scenes=1, exclude_hashes=listed)
    train, validation = split([pairs], data, seed=0, note=notes.append)
    assert {p.name for p in train + validation} == {"p0", "p2", "p4", "p6"}
    assert len(notes) == 3
    bright = read_bright([pairs / "high"], data, note=notes.append)
    assert len(bright) == 5  # p1's low one is listed, not its high one
    assert notes[-1].startswith("2 bright photographs are left out")


@pytest.mark.parametrize("text", ["abc", "not a hash", "ab" * 20])
def test_what_is_no_list_of_hashes_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "list").write_text(text)
    with pytest.raises(InputError, match="64 hexadecimal digits a line"):
        ExcludedHashes(tmp_path / "list")
    with pytest.raises(InputError, match="cannot read exclude_hashes"):
        ExcludedHashes(tmp_path / "none")
