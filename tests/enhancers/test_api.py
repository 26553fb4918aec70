from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relume import enhancers, exposure
from relume.catalog import Info
from relume.engine import Runtime
from relume.enhancers import api, describe, enhance, methods, settle
from relume.enhancers.relume import RelumeEnhancer
from relume.errors import InputError, ParameterError, RelumeError
from relume.exposure.meter import Reading, meter
from relume.photo import Image, Photo


@dataclass(frozen=True)
class Stub:
    """An enhancer of any function."""

    fn: Callable[[Image], Image]
    info: ClassVar[Info] = Info("stub", "a stub", "MIT", "tests")

    def __call__(self, image: Image) -> Image:
        return self.fn(image)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Image]:
    """Enhance a picture by a function."""

    def through(fn: Callable[[Image], Image], picture: Image, **options: float) -> Image:
        monkeypatch.setattr(api, "build", lambda *args, **more: Stub(fn))
        return enhance(picture, method="stub", **options)

    return through


PICTURE = np.full((8, 8, 3), (20, 40, 60), np.uint8)


def test_values_above_1_are_clamped_and_never_wrap_around(run: Callable[..., Image]) -> None:
    result = run(lambda image: image * 100, PICTURE, protect_lit=False)
    np.testing.assert_array_equal(result, np.full_like(PICTURE, 255))
    result = run(lambda image: image - 5, PICTURE, protect_lit=False)
    np.testing.assert_array_equal(result, np.zeros_like(PICTURE))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_an_error(run: Callable[..., Image], bad: float) -> None:
    with pytest.raises(RelumeError, match="stub gave values that are not finite"):
        run(lambda image: np.where(image > 0.1, np.float32(bad), image), PICTURE)


def test_finishing_a_result_takes_no_further_picture(run: Callable[..., Image]) -> None:
    """Of 50 MP each would be 600 MB."""
    image = np.random.default_rng(0).random((1000, 2000, 3), np.float32) * np.float32(0.3)
    tracemalloc.start()
    try:
        run(lambda image: image * 2, Photo(image), strength=0.5)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.5 * image.nbytes


def test_an_enhancer_may_give_back_its_input(run: Callable[..., Image]) -> None:
    image = np.full((8, 8, 3), 0.2, np.float32)
    result = run(lambda image: image, Photo(image), strength=0.5)
    assert not np.may_share_memory(result.pixels, image)
    np.testing.assert_array_equal(image, np.float32(0.2))


def test_another_size_is_an_error(run: Callable[..., Image]) -> None:
    with pytest.raises(RelumeError, match="for one of"):
        run(lambda image: image[1:], PICTURE)


@given(st.floats(0, 1), st.integers(0, 255), st.floats(0, 1, width=32))
def test_a_blend_stays_between_its_two_pictures(strength: float, level: int, to: float) -> None:
    start, end = np.float32(level / 255), np.float32(to)
    result = api._blend(np.full((1, 1, 3), start), np.full((1, 1, 3), end), strength)
    assert min(start, end) - 1e-6 <= result[0, 0, 0] <= max(start, end) + 1e-6


def test_lit_parts_are_protected_unless_a_brightness_is_given() -> None:
    lit = np.full((32, 32, 3), 0.5, np.float32)
    kept = enhance(lit, method="auto-exposure:max_gain=8")
    assert np.abs(kept - lit).max() < 0.01
    darker = enhance(lit, method="auto-exposure", brightness=0.2)
    np.testing.assert_allclose(darker, 0.2, atol=0.01)
    auto = enhance(lit, method="gamma:exponent=0.4,normalise=no")
    open_door = enhance(lit, method="gamma:exponent=0.4,normalise=no", protect_lit=False)
    assert np.abs(auto - lit).max() < 0.1 * np.abs(open_door - lit).max()


def test_a_spec_holds_parameters_and_keywords_add_to_it() -> None:
    picture = np.full((4, 4, 3), 0.04, np.float32)
    for result in (
        enhance(picture, method="gamma:0.4"),
        enhance(picture, method="gamma:exponent=0.4"),
        enhance(picture, method="gamma", parameters={"exponent": 0.4}),
        enhance(picture, method="gamma:0.9", parameters={"exponent": 0.4}),
    ):
        np.testing.assert_allclose(result, 0.04**0.4, rtol=1e-5)
    with pytest.raises(ParameterError, match="exponent"):
        enhance(picture, method="gamma:9")


def test_what_is_no_picture_is_refused() -> None:
    for wrong in (np.zeros((0, 4, 3), np.uint8), np.zeros((4, 4, 2), np.uint8), [[1, 2]]):
        with pytest.raises(InputError):
            enhance(wrong, method="gamma")  # type: ignore[type-var]
    with pytest.raises(InputError, match="finite"):
        enhance(Photo(np.full((2, 2, 3), np.nan, np.float32)), method="gamma")


def test_a_precision_is_settled_for_processes_that_share_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(RelumeEnhancer, "precision", "bf16")  # what was measured here
    monkeypatch.setenv("RELUME_PRECISION", "auto")
    assert settle() == Runtime(precision="bf16")
    assert settle(runtime=Runtime(threads=3)) == Runtime(precision="bf16", threads=3)
    # other machines may have other processors
    assert settle(elsewhere=True) == Runtime(precision="f32")
    asked = Runtime(precision="bf16")
    assert settle(runtime=asked, elsewhere=True) == asked
    monkeypatch.setenv("RELUME_PRECISION", "f32")
    assert settle() == Runtime(precision="f32")
    assert settle("gamma") is None


def test_describe_says_what_runs() -> None:
    assert describe("gamma") == "gamma: NumPy and OpenCV on CPU, f32"


def test_the_catalogue_is_one_and_can_be_added_to() -> None:
    catalogue = methods()
    assert methods() is catalogue
    with pytest.raises(ValueError, match="already"):
        catalogue.add(catalogue.info("gamma"), lambda **_: Stub(lambda image: image))


@pytest.mark.parametrize("method", ["relume", "machine", "retinexnet", "gamma"])
def test_where_there_is_no_light_none_is_made_up(method: str) -> None:
    black = np.zeros((40, 60, 3), np.uint8)
    asked = {"brightness": 0.4} if methods().info(method).takes_brightness else {}
    for options in ({}, asked):
        assert not enhance(black, method=method, **options).any()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "metered"),
    [({}, 1), ({"parameters": {"half_above_mp": 0.1}}, 1), ({"local": 0}, 0)],
)
def test_several_brightnesses_are_metered_once(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], metered: int
) -> None:
    """And come out as each by itself."""
    image = np.random.default_rng(0).random((300, 400, 3)).astype(np.float32) ** 6
    levels = (0.3, "auto", 0.5)
    single = [enhance(image, brightness=level, **options) for level in levels]
    calls: list[Image] = []

    def counted(image: Image) -> Reading:
        calls.append(image)
        return meter(image)

    for module in (enhancers.relume, exposure.plan):
        monkeypatch.setattr(module, "meter", counted)
    each = api.enhance_each(image, levels, **options)
    assert len(calls) == metered
    for one, other in zip(single, each, strict=True):
        np.testing.assert_array_equal(one, other)
