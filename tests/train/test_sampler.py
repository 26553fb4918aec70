import numpy as np
import pytest

from relume.errors import InputError
from relume.train.pairs import Pair
from relume.train.recipe import Data, Phase

torch = pytest.importorskip("torch")

from relume.train.sampler import (  # noqa: E402
    ExposureSupply,
    PictureSupply,
    sample_of,
    thumbnail,
)

DATA = Data(patch_px=32, batch=4, epoch_steps=3, k_low=0.05, k_high=0.1, darkened_share=0.5)
PHASE = Phase("picture", 1)


def photo(seed: int, side: int = 40) -> np.ndarray:
    return np.random.default_rng(seed).integers(100, 256, (side, side + 8, 3), dtype=np.uint8)


@pytest.fixture
def supply() -> PictureSupply:
    pairs = [Pair(f"p{i}", "s", photo(i) // 10, photo(i)) for i in range(3)]
    return PictureSupply(pairs, [photo(9), photo(10)], DATA, PHASE, seed=1)


def test_a_batch_is_a_function_of_its_number(supply: PictureSupply) -> None:
    first = supply.batch(0, 4)
    shapes = [part.shape for part in first]
    assert shapes == [(4, 3, 32, 32), (4, 3, 32, 32), (4, 3, 96, 96), (4, 1)]
    assert all(part.dtype == np.float32 for part in first)
    supply.batch(0, 0)
    for part, again in zip(first, supply.batch(0, 4), strict=True):
        np.testing.assert_array_equal(part, again)
    assert (first[0] != supply.batch(0, 5)[0]).any()


def test_processes_share_a_batch(supply: PictureSupply) -> None:
    whole = supply.batch(0, 1)
    for rank in range(2):
        part = supply.batch(0, 1, rank=rank, world=2)
        for a, b in zip(whole, part, strict=True):
            np.testing.assert_array_equal(a[rank::2], b)


def test_brightness_is_the_bright_photos_mean_grey() -> None:
    high = np.zeros((10, 10, 3), np.uint8)
    high[:, :, 1] = 255
    sample = sample_of(high // 5, high)
    assert sample.brightness == pytest.approx(0.587)
    assert sample.thumbnail.shape == (96, 96, 3)


def test_thumbnails_average() -> None:
    bright = photo(1, 192)
    mean = sample_of(bright // 4, bright).thumbnail.mean()
    assert mean == pytest.approx((bright // 4).mean() / 255, rel=1e-3)


def test_photographs_are_darkened_anew_every_epoch(supply: PictureSupply) -> None:
    first = [s.low for s in supply._darkened(0, 0)]
    other = [s.low for s in supply._darkened(0, 1)]
    assert (first[0] != other[0]).any()
    np.testing.assert_array_equal(first[0], supply._darkened(0, 0)[0].low)


def test_some_are_asked_for_darker_than_their_reference() -> None:
    pairs = [Pair("p", "s", photo(1) // 10, photo(1))]
    asked = PictureSupply(pairs, [], DATA, Phase("picture", 1, aim_share=1.0), seed=1)
    _, high, _, level = asked.batch(0, 0)
    whole = sample_of(pairs[0].low, pairs[0].high).brightness
    assert (level < whole).all()
    # noise of equal spread everywhere: a patch is about as bright as the whole
    np.testing.assert_allclose(high.mean(axis=(1, 2, 3)), level[:, 0], rtol=0.1)


def test_uneven_light_is_asked_for_by_halves() -> None:
    flat = np.full((300, 300, 3), 200, np.uint8)
    even = PictureSupply([], [flat], DATA, Phase("picture", 1), seed=1)._darkened(0, 0)[0]
    phase = Phase("picture", 1, uneven_share=1.0)
    uneven = PictureSupply([], [flat], DATA, phase, seed=1)._darkened(0, 0)[0]
    assert even.high.std() == 0
    assert uneven.high.std() > 5
    # the dark and the bright one are lit alike, the dark one more unevenly
    low, high = (
        np.log(thumbnail(side / np.float32(255)).mean(axis=2).ravel())
        for side in (uneven.low, uneven.high)
    )
    assert np.corrcoef(low, high)[0, 1] > 0.9
    assert low.std() > high.std()


def test_the_estimator_sees_upright_thumbnails_of_any_light() -> None:
    high = np.zeros((64, 64, 3), np.uint8)
    high[:32], high[32:] = 200, 100  # a bright sky above
    pairs = [Pair("p", "s", high // 4, high)]
    supply = ExposureSupply(pairs, [], DATA, Phase("exposure", 1, batch=16), seed=1)
    small, level = supply.batch(0, 0)
    assert small.shape == (16, 3, 96, 96)
    np.testing.assert_allclose(level, 150 / 255, rtol=1e-3)
    above, below = small[:, :, :30].mean(axis=(1, 2, 3)), small[:, :, -30:].mean(axis=(1, 2, 3))
    np.testing.assert_allclose(above / below, 2, rtol=0.01)
    assert above.max() / above.min() > 1.2
    assert above.max() <= 50 / 255 * np.exp(0.4) * 1.01
    for part, again in zip((small, level), supply.batch(0, 0), strict=True):
        np.testing.assert_array_equal(part, again)


def test_nothing_to_train_on_is_an_error() -> None:
    with pytest.raises(InputError, match="expected pairs or bright"):
        PictureSupply([], [], DATA, PHASE, seed=1)
