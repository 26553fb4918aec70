from dataclasses import replace

import numpy as np
import pytest

from relume.errors import InputError
from relume.train.data import BrightPhotos, Pair
from relume.train.recipe import Data, Phase

torch = pytest.importorskip("torch")

from relume.train import sampler as module  # noqa: E402
from relume.train.sampler import (  # noqa: E402
    PatchSampler,
    Sample,
    ThumbnailSampler,
    prefetch,
)

DATA = Data(patch_px=32, batch=4, epoch_steps=3, k_low=0.05, k_high=0.1, darkened_share=0.5)
PHASE = Phase("picture", 1)


def photo(seed: int, side: int = 40) -> np.ndarray:
    return np.random.default_rng(seed).integers(100, 256, (side, side + 8, 3), dtype=np.uint8)


@pytest.fixture
def sampler() -> PatchSampler:
    pairs = [Pair(f"p{i}", "s", photo(i) // 10, photo(i)) for i in range(3)]
    return PatchSampler(pairs, BrightPhotos.of([photo(9), photo(10)]), DATA, PHASE, seed=1)


def test_a_batch_is_a_function_of_its_number(sampler: PatchSampler) -> None:
    first = sampler.batch(0, 4)
    shapes = [part.shape for part in first]
    assert shapes == [(4, 3, 32, 32), (4, 3, 32, 32), (4, 3, 96, 96), (4, 1), (4, 1, 32, 32)]
    assert all(part.dtype == np.float32 for part in first)
    sampler.batch(0, 0)
    for part, again in zip(first, sampler.batch(0, 4), strict=True):
        np.testing.assert_array_equal(part, again)
    assert (first[0] != sampler.batch(0, 5)[0]).any()


def test_processes_share_a_batch(sampler: PatchSampler) -> None:
    whole = sampler.batch(0, 1)
    for rank in range(2):
        part = sampler.batch(0, 1, rank=rank, world=2)
        for a, b in zip(whole, part, strict=True):
            np.testing.assert_array_equal(a[rank::2], b)


def test_brightness_is_the_bright_photos_mean_grey() -> None:
    high = np.zeros((10, 10, 3), np.uint8)
    high[:, :, 1] = 255
    sample = Sample.of(high // 5, high)
    assert sample.brightness == pytest.approx(0.587)
    assert sample.thumbnail.shape == (96, 96, 3)


def test_thumbnails_average() -> None:
    bright = photo(1, 192)
    mean = Sample.of(bright // 4, bright).thumbnail.mean()
    assert mean == pytest.approx((bright // 4).mean() / 255, rel=1e-3)


def test_photographs_are_darkened_anew_every_epoch(sampler: PatchSampler) -> None:
    first, other = (sampler.darkened_sample(0, epoch, 0).low for epoch in (0, 1))
    assert (first != other).any()


def test_only_what_is_drawn_is_darkened_within_bounds(
    sampler: PatchSampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands of photographs neither stall an epoch's beginning nor fill the memory."""
    many = BrightPhotos.of([photo(i) for i in range(40)])
    made = []
    darken = PatchSampler._darken
    monkeypatch.setattr(PatchSampler, "_darken", lambda *a: made.append(1) or darken(*a))
    sampler = PatchSampler([], many, DATA, PHASE, seed=1)
    first = sampler.batch(0, 0)
    assert len(made) <= DATA.batch
    monkeypatch.setattr(module, "CACHE_BYTES", 3 * sampler.darkened_sample(0, 0, 0).nbytes)
    for step in range(6):
        sampler.batch(0, step)
    assert len(sampler._darkened) == 3
    for part, again in zip(first, sampler.batch(0, 0), strict=True):  # whatever was forgotten
        np.testing.assert_array_equal(part, again)


def test_batches_made_ahead_come_in_order_and_stop_with_the_loop(sampler: PatchSampler) -> None:
    begun: list[int] = []

    def make(step: int) -> np.ndarray:
        begun.append(step)
        return sampler.batch(0, step)[0]

    batches = prefetch(make, range(2, 50), threads=2)
    for step in (2, 3, 4):
        np.testing.assert_array_equal(next(batches), sampler.batch(0, step)[0])
    batches.close()
    assert len(begun) <= 3 + 2 * 2
    assert len(list(prefetch(make, range(7), threads=2))) == 7


def test_some_are_asked_for_darker_than_their_reference() -> None:
    pairs = [Pair("p", "s", photo(1) // 10, photo(1))]
    asked = PatchSampler(pairs, BrightPhotos([]), DATA, Phase("picture", 1, aim_share=1.0), seed=1)
    _, high, _, level, _ = asked.batch(0, 0)
    whole = Sample.of(pairs[0].low, pairs[0].high).brightness
    assert (level < whole).all()
    # noise of equal spread everywhere: a patch is about as bright as the whole
    np.testing.assert_allclose(high.mean(axis=(1, 2, 3)), level[:, 0], rtol=0.1)


def test_uneven_light_is_asked_for_by_halves() -> None:
    flat = np.full((300, 300, 3), 200, np.uint8)
    even = PatchSampler(
        [], BrightPhotos.of([flat]), DATA, Phase("picture", 1), seed=1
    ).darkened_sample(0, 0, 0)
    phase = Phase("picture", 1, uneven_share=1.0)
    sampler = PatchSampler([], BrightPhotos.of([flat]), DATA, phase, seed=1)
    undone = []
    for index in range(8):
        uneven = sampler.darkened_sample(0, index, 0)
        assert uneven.light is not None
        assert uneven.stops is not None
        light = np.log2(uneven.light.astype(np.float32).mean(axis=2))
        assert np.ptp(light) > 0.1
        undone.append(float(np.ptp(light + uneven.stops) / np.ptp(light)))
    assert even.stops is None
    assert min(undone) < 0.02  # all of it
    assert max(undone) > 0.15  # or part of it


def test_a_map_leads_from_the_dark_photo_to_the_target() -> None:
    """gain * brightness / level, times the dark photo, is the bright one: nothing else does it."""
    high = np.repeat(np.linspace(60, 160, 64).astype(np.uint8)[None, :, None], 64, 0).repeat(3, 2)
    pairs = [Pair("p", "s", high // 5, high)]
    phase = Phase("picture", 1, map_share=1.0, batch=16)
    sampler = PatchSampler(pairs, BrightPhotos([]), replace(DATA, patch_px=64), phase, seed=1)
    low, target, small, brightness, gain = sampler.batch(0, 0)
    level = small.mean(axis=(1, 2, 3))[:, None, None, None]
    exposed = np.clip(low * gain * brightness[:, :, None, None] / level, 0, 1)
    assert np.ptp(gain) > 0.5
    # the tone curve is no power law: within a sixth of the range
    assert np.abs(exposed - target).mean() < 0.06


def test_the_estimator_sees_turned_thumbnails_of_any_light() -> None:
    high = np.zeros((64, 64, 3), np.uint8)
    high[:32], high[32:] = 200, 100  # a bright sky above
    pairs = [Pair("p", "s", high // 4, high)]
    sampler = ThumbnailSampler(
        pairs, BrightPhotos([]), DATA, Phase("exposure", 1, batch=16), seed=1
    )
    small, level = sampler.batch(0, 0)
    assert small.shape == (16, 3, 96, 96)
    np.testing.assert_allclose(level, 150 / 255, rtol=1e-3)
    ends = [small[:, :, :30], small[:, :, -30:], small[:, :, :, :30], small[:, :, :, -30:]]
    means = np.stack([end.mean(axis=(1, 2, 3)) for end in ends])
    np.testing.assert_allclose(means.max(axis=0) / means.min(axis=0), 2, rtol=0.01)
    assert len(set(means.argmax(axis=0))) == 4  # the sky is on every side
    assert means.max() / means.max(axis=0).min() > 1.2
    assert means.max() <= 50 / 255 * np.exp(0.4) * 1.01
    for part, again in zip((small, level), sampler.batch(0, 0), strict=True):
        np.testing.assert_array_equal(part, again)


def test_nothing_to_train_on_is_an_error() -> None:
    with pytest.raises(InputError, match="expected pairs or bright"):
        PatchSampler([], BrightPhotos([]), DATA, PHASE, seed=1)


def test_phones_lamps_keep_part_of_their_colour_in_the_reference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    warm = replace(
        module.Camera.draw(np.random.default_rng(0)),
        lamp=(2.4, 0.24),
        adapted=0.0,
        black=(0.1,) * 3,
    )
    monkeypatch.setitem(module.CAMERAS, "phone", lambda rng: warm)
    grey = BrightPhotos.of([np.full((300, 300, 3), 128, np.uint8)])
    samples = [
        PatchSampler([], grey, replace(DATA, camera=camera), PHASE, seed=1).darkened_sample(0, 0, 0)
        for camera in ("real", "phone")
    ]
    real, phone = (sample.light_in((slice(0, 64), slice(0, 64))) for sample in samples)
    assert real[..., 0].mean() == pytest.approx(real[..., 2].mean(), rel=1e-3)
    assert phone[..., 0].mean() / phone[..., 2].mean() == pytest.approx(10**0.4, rel=0.01)
    seen = samples[1].low.mean(axis=(0, 1))
    assert seen.min() > 20  # the camera's black, which the reference does not have
