"""The plan: one way from an aim to a picture, made once and applied anywhere."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

import relume
from relume.enhancers.api import prepare
from relume.enhancers.base import PlansExposure
from relume.exposure.aim import Aim
from relume.exposure.meter import meter
from relume.exposure.plan import Factor, Plan, apply, plan
from relume.image.exposure import mean_level
from relume.photo import Image


def room(height: int = 180, width: int = 240) -> Image:
    """A dark room with a window."""
    rng = np.random.default_rng(2)
    coarse = rng.uniform(0.02, 0.12, (9, 12, 3)).astype(np.float32)
    picture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    picture[height // 6 : height // 2, width // 6 : width // 3] *= 8
    return np.clip(picture + rng.normal(0, 0.004, picture.shape), 0, 1).astype(np.float32)


def simple(image: Image, brightness: float, factor: Factor | None) -> Image:
    """In place of a network: the image times the factor."""
    lift = brightness / mean_level(image) if factor is None else factor
    return np.asarray(np.clip(image * np.float32(np.atleast_3d(lift)), 0, 1), np.float32)


def test_noise_bounds_an_estimate_more_than_what_is_asked_for() -> None:
    noise = np.random.default_rng(0).integers(0, 3, (120, 160, 3)).astype(np.float32) / 255
    estimated = plan(noise, Aim(0.4))
    assert estimated.expected < 2 / 255
    assert plan(noise, Aim(0.4, source="steadied")).expected == estimated.expected
    for over in ("frame", "content"):
        asked = plan(noise, Aim(0.4, over, "asked"))  # type: ignore[arg-type]
        assert 0.25 < asked.expected <= 0.4


@pytest.mark.parametrize("over", ["content", "frame"])
def test_an_aim_is_the_mean_of_what_it_is_over(over: str) -> None:
    framed = np.pad(room(), ((60, 60), (0, 0), (0, 0)))
    aim = Aim(0.3, over, "asked")  # type: ignore[arg-type]
    result = apply(plan(framed, aim), framed, simple)
    of = result if over == "frame" else result[60:-60]
    assert mean_level(of) == pytest.approx(0.3, abs=0.012)


@pytest.mark.parametrize("local", [0.0, 0.5, 1.0])
def test_a_known_reading_makes_the_same_plan(local: float) -> None:
    photo, aim = room(), Aim(0.35, source="steadied")
    once = plan(photo, aim, local=local)
    again = plan(photo, aim, reading=meter(photo), local=local)
    for mine, other in ((once, again), (once, replace(once))):
        np.testing.assert_array_equal(apply(mine, photo, simple), apply(other, photo, simple))


def test_a_plan_of_a_small_copy_exposes_the_large_one() -> None:
    large = room(360, 480)
    small = np.asarray(cv2.resize(large, (240, 180), interpolation=cv2.INTER_AREA), np.float32)
    aim = Aim(0.35, source="steadied")
    of_large, of_small = (apply(plan(x, aim), large, simple) for x in (large, small))
    assert np.abs(of_large - of_small).mean() < 0.004


def test_what_is_hardly_lifted_needs_no_network() -> None:
    def run(image: Image, brightness: float, factor: Factor | None) -> Image:
        pytest.fail("the network was run")

    bright = np.clip(6 * room(), 0, 1)
    aim = Aim(meter(bright).level, source="steadied")
    result = apply(plan(bright, aim, local=0), bright, run)
    np.testing.assert_allclose(result, bright, atol=0.01)


def test_an_enhancer_follows_a_plan_that_was_made_before() -> None:
    photo = room()
    work = prepare()
    method = work.enhancer
    assert isinstance(method, PlansExposure)
    made = method.plan(photo)
    assert isinstance(made, Plan)
    np.testing.assert_array_equal(work(photo, made), relume.enhance(photo, expose_for="scene"))
    darker = work(photo, method.plan(photo, aim=replace(made.aim, level=made.aim.level / 2)))
    assert mean_level(darker) < 0.7 * mean_level(work(photo, made))


def test_where_there_is_no_light_for_it_less_is_expected() -> None:
    """A level of rounding is not multiplied until it is a grey wall."""
    photo = np.full((120, 160, 3), 0, np.float32)
    photo[::2, ::2] = 1 / 255
    photo[20:40, 20:60] = 0.8
    asked = plan(photo, Aim(0.5, "frame", "asked"))
    assert asked.curve is not None
    assert asked.curve.gain <= 150
    assert asked.expected < 0.3
    assert plan(room(), Aim(0.5, "frame", "asked")).expected == 0.5
    result = apply(asked, photo, simple)
    assert mean_level(result) == pytest.approx(asked.expected, abs=0.02)


def test_a_faithful_plan_keeps_texture_and_faint_greys() -> None:
    """What the network wiped away comes back, and what it tinted is grey, only where asked."""
    photo = np.full((64, 64, 3), 8 / 255, np.float32)
    photo[:, 32::4] -= np.float32(2 / 255)

    def wipes(image: Image, level: float, factor: Factor | None) -> Image:
        del factor
        return np.full(image.shape, (level, level, 1.5 * level), np.float32)

    aim = Aim(0.3, "frame", "asked")
    results = {
        faithful: apply(plan(photo, aim, local=0.0, faithful=faithful), photo, wipes)
        for faithful in (False, True)
    }
    assert np.ptp(results[False], axis=(0, 1)).max() == 0
    columns = results[True][32, 36:60].mean(axis=1)
    assert columns[1::4].min() > columns[::4].max() + 0.02
    blue = {key: float((r[:, :, 2] - r[:, :, 0]).mean()) for key, r in results.items()}
    assert 0 <= blue[True] < blue[False]
