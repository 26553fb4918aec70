"""Views by name, when they are worth looking at, and the way there and back."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import strategies as st

import relume
from relume.errors import ParameterError, UnknownName
from relume.faces import (
    Face,
    View,
    landmark_view,
    parse_views,
    render_full_size,
    render_views,
    select_views,
)
from relume.faces.views import (
    BLACK_BELOW,
    DARK_BELOW,
    LARGEST_SCALE,
    NOISY_DARK_BELOW,
    is_dark,
    is_nearly_black,
    relative_noise,
    usual_scale,
)
from relume.photo import Image

from .conftest import given

TWO = ("original", "gamma:0.4")


def flat(level: float, height: int = 20, width: int = 30) -> Image:
    return np.full((height, width, 3), level, np.float32)


def names(level: float, *wanted: str) -> list[str]:
    """The views that are looked at of a flat picture."""
    return [spec.name for spec in select_views(parse_views(wanted), flat(level))]


def test_a_view_that_shows_the_same_is_looked_at_once() -> None:
    both = ("original", "gamma:0.4", "gamma:0.4@1", "gamma")
    assert names(0.05, *both) == ["original", "gamma:0.4", "gamma"]
    large = flat(0.05, 1000, 1000)
    assert [s.name for s in select_views(parse_views(both), large)] == list(both)


def test_names_are_parsed() -> None:
    specs = parse_views(("original", "gamma:0.4@0.5", " machine@2 ", "gamma"))
    assert [(s.name, s.method, s.scale) for s in specs] == [
        ("original", "original", 1.0),
        ("gamma:0.4@0.5", "gamma:0.4", 0.5),
        ("machine@2", "machine", 2.0),
        ("gamma", "gamma", None),
    ]
    assert [s.is_photograph for s in specs] == [True, False, False, False]
    assert not parse_views(("original@2",))[0].is_photograph


@pytest.mark.parametrize("scale", ["0", "-1", "4.1", "nan", "inf", "two", ""])
def test_wrong_scales(scale: str) -> None:
    with pytest.raises(ParameterError, match=r"a scale above 0 and up to 4 after '@'"):
        parse_views((f"original@{scale}",))


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ((), "at least one view"),
        (("original", "original"), "different views"),
        (("original", "original@1"), "different views"),
        (("gamma:0",), "exponent must be 0.05 to 5"),
        (("original:2",), "original takes no parameters"),
    ],
)
def test_views_that_cannot_be(wanted: tuple[str, ...], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        parse_views(wanted)


def test_an_unknown_view_suggests_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'machine'"):
        parse_views(("original", "machin"))


def test_a_bright_photograph_costs_its_own_view_only() -> None:
    assert names(DARK_BELOW, *TWO) == ["original"]
    assert names(0.99 * DARK_BELOW, *TWO) == list(TWO)


def with_noise(level: float, sigma: float, height: int = 200, width: int = 300) -> Image:
    noise = np.random.default_rng(3).normal(0, sigma, (height, width, 1))
    return np.clip(flat(level, height, width) + noise.astype(np.float32), 0, 1)


def test_a_half_dark_and_noisy_photograph_is_dark() -> None:
    """One that is half dark and clean is not, nor one that is lit and noisy."""
    half_dark = (DARK_BELOW + NOISY_DARK_BELOW) / 2
    specs = parse_views(TWO)
    assert [s.name for s in select_views(specs, with_noise(half_dark, 0.06))] == list(TWO)
    assert [s.name for s in select_views(specs, with_noise(half_dark, 0.01))] == ["original"]
    assert [s.name for s in select_views(specs, with_noise(0.3, 0.08))] == ["original"]


@pytest.mark.parametrize("size", [(200, 300), (1500, 1200)])
def test_relative_noise_by_hand(size: tuple[int, int]) -> None:
    """Its standard deviation over the level, whatever the picture's size; edges are none."""
    assert relative_noise(with_noise(0.25, 0.05, *size)) == pytest.approx(0.2, rel=0.1)
    steps = np.repeat(np.linspace(0.1, 0.9, size[1] // 10, dtype=np.float32), 10)
    edges = np.broadcast_to(steps[None, :, None], (size[0], len(steps), 3))
    assert relative_noise(np.ascontiguousarray(edges)) < 1e-3


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (1, 400)])
def test_tiny_pictures_are_judged(size: tuple[int, int]) -> None:
    assert not is_dark(flat(0.22, *size))
    assert is_dark(flat(0.1, *size))


def test_what_was_asked_for_alone_is_looked_at() -> None:
    assert names(0.9, "gamma") == ["gamma"]
    assert names(0.9, "gamma", "machine") == ["gamma", "machine"], "no original to fall back on"
    assert names(0.9, "original@2", "gamma") == ["original@2", "gamma"]
    assert names(0.9, "gamma", "original") == ["original"]


def test_rendering() -> None:
    """Smaller views are shrunk and then enhanced, larger ones enhanced and then enlarged."""
    image = flat(0.25)
    own, smaller, larger = render_views(
        parse_views(("original", "gamma:0.5@0.5", "original@2")), image
    )
    assert own.image is image
    assert (smaller.image.shape, larger.image.shape) == ((10, 15, 3), (40, 60, 3))
    parameters = {"exponent": 0.5}
    enhanced = relume.enhance(flat(0.25, 10, 15), method="gamma", parameters=parameters)
    np.testing.assert_array_equal(smaller.image, enhanced)
    np.testing.assert_allclose(larger.image, 0.25, atol=1e-6)
    assert [v.is_photograph for v in (own, smaller, larger)] == [True, False, True]


def test_eight_bit_steps_are_a_files() -> None:
    """As an enhanced picture would be read back from a file, also where it is enlarged."""
    image = np.linspace(0, 1, 20 * 30 * 3, dtype=np.float32).reshape(20, 30, 3)
    (view,) = render_views(parse_views(("gamma:0.4",)), image, eight_bit=True)
    (exact,) = render_views(parse_views(("gamma:0.4",)), image)
    steps = view.image * 255
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-4)
    np.testing.assert_allclose(view.image, exact.image, atol=0.5 / 255 + 1e-6)
    assert not np.array_equal(view.image, exact.image)


def test_a_view_at_the_photographs_size() -> None:
    """Large photographs are searched on a smaller view; people look at one of their size."""
    image = flat(0.05, 900, 1000)
    assert usual_scale(image) < 1
    for name in ("gamma:0.4", "gamma:0.4@0.5", "gamma:0.4@2"):
        view = render_full_size(name, image)
        assert (view.name, view.image.shape, view.scale) == ("gamma:0.4", image.shape, 1.0)
        assert not view.is_photograph
    own = render_full_size("original", image)
    assert own.image is image
    assert own.is_photograph


@pytest.mark.parametrize(
    ("height", "width", "scale"),
    [(1, 1, 1.0), (500, 1000, 1.0), (800, 1250, 0.5**0.5), (1000, 2000, 0.5), (3000, 4000, 0.5)],
)
def test_enhanced_views_of_large_photographs_are_shrunk(
    height: int, width: int, scale: float
) -> None:
    """Towards half a megapixel, by no more than a half."""
    image = np.broadcast_to(np.float32(0.1), (height, width, 3))
    assert usual_scale(image) == pytest.approx(scale)
    assert [spec.scale_of(image) for spec in parse_views(("original", "gamma", "gamma@1"))] == [
        1,
        usual_scale(image),
        1,
    ]


def test_scaling_stays_in_range() -> None:
    """Cubic interpolation overshoots at edges."""
    image = flat(0.0)
    image[:, 15:] = 1
    for view in render_views(parse_views(("original@3", "original@0.3")), image):
        assert view.image.dtype == np.float32
        assert view.image.min() >= 0
        assert view.image.max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 5)])
def test_tiny_pictures_keep_a_pixel(size: tuple[int, int]) -> None:
    (view,) = render_views(parse_views(("original@0.05",)), flat(0.1, *size))
    assert min(view.image.shape) >= 1


def test_an_enhancer_runs_once_for_all_scales_from_1_on(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def enhance(image: Image, *, method: str, **options: object) -> Image:
        calls.append((method, image.shape[:2]))
        return image

    monkeypatch.setattr("relume.faces.views.enhance", enhance)
    wanted = ("machine", "machine@2", "machine@0.5", "gamma@3", "original")
    shown = list(render_views(parse_views(wanted), flat(0.1)))
    assert calls == [("machine", (20, 30)), ("machine", (10, 15)), ("gamma", (20, 30))]
    assert [view.image.shape[0] for view in shown] == [20, 40, 10, 60, 20]


def test_landmarks_are_placed_on_the_first_enhanced_view() -> None:
    own, larger, seen = (View(n, flat(0.1), 1.0) for n in ("original", "original@2", "gamma"))
    assert landmark_view([own]) is own
    assert landmark_view([own, larger]) is own
    assert landmark_view([own, larger, seen]) is seen


coordinate = st.integers(-50, 5000)
length = st.integers(1, 3000)


@given(coordinate, coordinate, length, length, st.floats(0.05, LARGEST_SCALE))
def test_there_and_back(x: int, y: int, width: int, height: int, scale: float) -> None:
    box = (float(x), float(y), float(x + width), float(y + height))
    view = View("machine@s", flat(0.1), scale)
    points = np.array([box[:2], box[2:]], np.float32)
    inside = view.from_photograph(box)
    back = view.to_photograph(Face(inside, 0.7, points * np.float32(scale)))
    assert back.box == pytest.approx(box, rel=1e-9, abs=1e-6)
    assert (back.score, back.view) == (0.7, "machine@s")
    assert back.landmarks is not None
    assert back.landmarks.dtype == np.float32
    np.testing.assert_allclose(back.landmarks, points, rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(view.points_to_photograph(points * np.float32(scale)), points,
                               rtol=1e-5, atol=1e-3)  # fmt: skip


def test_there_by_hand() -> None:
    """A view of twice the size shows everything at twice the place."""
    view = View("original@2", flat(0.1), 2.0)
    assert view.from_photograph((1, 2, 3, 5)) == (2, 4, 6, 10)
    assert view.to_photograph(Face((2, 4, 6, 10), 0.5)).box == (1, 2, 3, 5)


MACHINE = ("original", "machine")
AGAIN = ["machine:brightness=0.45", "machine@mirrored", "machine@0.5"]


def test_a_nearly_black_photograph_is_looked_at_again() -> None:
    assert names(1.01 * BLACK_BELOW, *MACHINE) == list(MACHINE)
    assert names(0.99 * BLACK_BELOW, *MACHINE) == [*MACHINE, *AGAIN]
    assert names(0.01, "machine", "original") == ["machine", "original", *AGAIN]
    assert names(0.01, *MACHINE, "machine@0.5") == [*MACHINE, "machine@0.5", *AGAIN[:2]]


def test_a_lamp_in_the_night_makes_no_photograph_bright() -> None:
    image = flat(0.01)
    image[:5, :15] = 1
    looked_at = [spec.name for spec in select_views(parse_views(MACHINE), image)]
    assert looked_at == [*MACHINE, *AGAIN]


def test_only_the_plain_machine_view_is_looked_at_again() -> None:
    """Who says how, gets that; another method has versions of its own."""
    for only in ("gamma:0.4", "machine@1", "machine:brightness=0.3", "machine@mirrored"):
        assert names(0.01, "original", only) == ["original", only]
    weights = "machine:tile_px=512"
    assert names(0.01, weights) == [
        weights,
        "machine:tile_px=512,brightness=0.45",
        "machine:tile_px=512@mirrored",
        "machine:tile_px=512@0.5",
    ]


def test_a_brightness_is_asked_of_the_enhancer() -> None:
    (spec,) = parse_views(("machine:brightness=0.45,tile_px=512@0.5",))
    assert (spec.method, spec.options, spec.scale) == (
        "machine:tile_px=512",
        (("brightness", 0.45),),
        0.5,
    )
    image = with_noise(0.05, 0.01, 64, 64)
    (view,) = render_views(parse_views(("machine:brightness=0.45",)), image)
    np.testing.assert_array_equal(
        view.image, relume.enhance(image, method="machine", brightness=0.45)
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gamma:brightness=0.4", "gamma takes no brightness"),
        ("machine:brightness=2", "brightness"),
        ("machine:brightness=auto", "a number as the brightness"),
    ],
)
def test_a_brightness_that_cannot_be(name: str, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        parse_views((name,))


@given(st.sampled_from((1.0, 0.5, 2.0)), st.floats(0, 12), st.floats(13, 30))
def test_a_mirrored_view_answers_in_the_photographs_pixels(
    scale: float, x0: float, x1: float
) -> None:
    """There and back, and right is right again."""
    image = flat(0.1)
    image[:, :5] = 1
    (view,) = render_views(parse_views((f"original@{scale}@mirrored",)), image)
    assert view.image[:, -1].min() > 0.5 > view.image[:, 0].max()
    box = view.from_photograph((x0, 2, x1, 12))
    points = np.array([[5, 3], [1, 3], [3, 5], [4, 7], [2, 7]], np.float32)
    back = view.to_photograph(Face(box, 0.5, view.points_from_photograph(points)))
    np.testing.assert_allclose(back.box, (x0, 2, x1, 12), atol=1e-9)
    np.testing.assert_allclose(back.landmarks, points, atol=1e-5)
    eyes = view.points_from_photograph(points)[:2]
    assert eyes[0, 0] > eyes[1, 0], "the person's right eye is on the right of the mirrored one"
    assert view.name == f"original@{scale}@mirrored"
    assert not parse_views((view.name,))[0].is_photograph


def test_a_cameras_black_is_no_light() -> None:
    """A phone's lifted black lies above the level from which a picture is not nearly black."""
    rng = np.random.default_rng(3)
    light = rng.random((12, 16, 3)).astype(np.float32) * np.float32(8 / 255)
    dark = cv2.resize(light, (320, 240), interpolation=cv2.INTER_LINEAR)
    dark[:, ::80] = 0
    dark[60:120, 100:220] = 0
    dark[::60] = 0
    lifted = dark + np.array((18, 9, 18), np.float32) / np.float32(255)
    assert is_nearly_black(dark)
    assert np.median(cv2.cvtColor(lifted, cv2.COLOR_RGB2GRAY)) > 0.05
    assert is_nearly_black(lifted)
    assert not is_nearly_black(np.asarray(lifted * 3, np.float32))
