"""The light of training scenes."""

import numpy as np
import pytest

from relume.image.darken import render, scene_light
from relume.train.light import MOST_STOPS, add_lamps, exposure_map, merge_exposures, uneven_stops


@pytest.mark.parametrize("seed", range(12))
def test_light_and_maps_are_bounded_and_not_constant(seed: int) -> None:
    uneven = uneven_stops(90, 120, 4.0, np.random.default_rng(seed))
    assert uneven.shape == (90, 120)
    assert -3 <= uneven.min() < uneven.max() <= MOST_STOPS
    low = np.random.default_rng(1).random((90, 120, 3), np.float32) * 0.3
    stops = exposure_map(low, np.random.default_rng(seed))
    assert stops.shape == (90, 120)
    assert np.abs(stops).max() <= 6
    assert np.ptp(stops) > 0
    again = exposure_map(low, np.random.default_rng(seed))
    np.testing.assert_array_equal(stops, again)


def test_lamps_add_light() -> None:
    dark = np.full((80, 100, 3), 0.01, np.float32)
    lit = add_lamps(dark, 0.05, np.random.default_rng(2))
    assert (lit >= dark).all()
    assert lit.max() > 0.15 / 0.05 / 4
    assert np.median(lit) < 0.5  # a lamp is a place, its glow falls off


def test_what_one_exposure_clips_the_other_one_tells() -> None:
    rng = np.random.default_rng(0)
    light = rng.uniform(0.01, 0.3, (60, 80, 3)).astype(np.float32)
    light[20:40, 20:40] *= 10  # a window
    over, under = np.minimum(light, 1), np.minimum(light / 8, 1)
    merged = merge_exposures(under, over)
    assert merged is not None
    np.testing.assert_allclose(merged, light, rtol=0.02)
    assert merge_exposures(under / 100, over) is None  # its highlights would be noise
    assert merge_exposures(under[:4, :4], over[:4, :4]) is None


def test_merged_light_shows_as_the_photograph_where_nothing_clips() -> None:
    photo = np.random.default_rng(3).uniform(0.1, 0.7, (60, 60, 3)).astype(np.float32)
    dark = render(scene_light(photo), -3.0)
    merged = merge_exposures(scene_light(dark), scene_light(photo))
    assert merged is not None
    np.testing.assert_allclose(render(merged), photo, atol=2e-3)
