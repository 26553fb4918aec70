"""The black point: read with evidence, taken off in floats, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from relume import enhance, enhance_burst, enhance_frames, read
from relume.errors import ParameterError
from relume.exposure.black import NO_BLACK, Black, black_text, read_black
from relume.image.darken import darken, through_jpeg
from relume.metrics.quality import fog
from relume.photo import Image, quantise, to_image

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
PEDESTAL = np.array((14, 3, 14), np.float32) / np.float32(255)


@pytest.fixture(scope="module")
def portrait() -> Image:
    return to_image(data.astronaut())


def to_bytes(image: Image) -> np.ndarray:
    return np.asarray(quantise(image, np.uint8))


def lifted(image: Image, k: float, *, seed: int = 0) -> Image:
    """A darkened photograph whose blacks are lifted, as a phone's JPEG."""
    dark = darken(image, k, np.random.default_rng(seed))
    return through_jpeg(np.clip(dark + PEDESTAL, 0, 1), 90)


@pytest.mark.parametrize("k", [0.03, 0.01, 0.003])
def test_a_lifted_black_is_read_and_taken_off(portrait: Image, k: float) -> None:
    photo = lifted(portrait, k)
    black = read_black(photo)
    assert np.array(black.levels) * 255 == pytest.approx([14, 3, 14], abs=3)
    darkest = np.percentile(cv2.blur(black.off(photo), (9, 9)), 2, axis=(0, 1))
    assert (darkest * 255 < 2.5).all()


@pytest.mark.parametrize("k", [1.0, 0.3, 0.1, 0.03, 0.01, 0.003])
def test_where_there_is_none_none_is_read(portrait: Image, k: float) -> None:
    assert read_black(darken(portrait, k, np.random.default_rng(1))) == NO_BLACK


def test_what_a_lit_photograph_has_for_black_is_left(portrait: Image) -> None:
    """Haze: there is nothing to gain, and a lit photograph is changed by a level at most."""
    assert read_black(lifted(portrait, 1.0)) == NO_BLACK


@pytest.mark.parametrize("k", [0.3, 0.1, 0.03])
def test_a_portrait_in_red_light_stays_red(portrait: Image, k: float) -> None:
    """Red rises with the light, from part to part, and no camera lifts its black so far."""
    red = portrait * np.array([1.0, 0.15, 0.1], np.float32)
    assert read_black(red) == NO_BLACK
    assert read_black(darken(red, k, np.random.default_rng(2))) == NO_BLACK
    glow = np.clip(red * np.float32(0.3) + np.array([40, 0, 0], np.float32) / 255, 0, 1)
    assert read_black(np.asarray(glow, np.float32)) == NO_BLACK


def test_bars_hide_no_black(portrait: Image) -> None:
    """Black bars lie below the camera's black, but nobody photographed them."""
    photo = lifted(portrait, 0.01)
    barred = np.pad(photo, ((60, 60), (0, 0), (0, 0)))
    found, alone = (np.array(read_black(x).levels) * 255 for x in (barred, photo))
    assert found == pytest.approx(alone, abs=2)
    assert found[0] > 10


def test_one_dark_place_below_it_says_that_it_is_none(portrait: Image) -> None:
    photo = lifted(portrait, 0.01).copy()
    photo[200:280, 200:280] = 0
    assert read_black(photo) == NO_BLACK


def test_black_of_one_place_is_not_the_cameras(portrait: Image) -> None:
    """A ramp: the parts' darkest places agree in nothing."""
    ramp = np.linspace(6, 40, 256, dtype=np.float32)[None, :, None] / np.float32(255)
    tilted = ramp + np.linspace(0, 30, 256, dtype=np.float32)[:, None, None] / np.float32(255)
    assert read_black(np.repeat(tilted, 3, axis=2)) == NO_BLACK


def test_nothing_is_known_of_the_black_of_a_frame_that_shows_nothing() -> None:
    assert read_black(np.full((90, 120, 3), 13 / 255, np.float32)) == NO_BLACK


def test_taking_off_keeps_white_and_order_and_makes_no_copy_of_nothing() -> None:
    black = Black(0.1, 0.0, 0.05)
    image = np.array([[[0.1, 0.0, 0.05], [1.0, 1.0, 1.0], [0.55, 0.5, 0.02]]], np.float32)
    off = black.off(image)
    assert off[0, 0] == pytest.approx([0, 0, 0], abs=1e-7)
    assert off[0, 1] == pytest.approx([1, 1, 1])
    assert off[0, 2] == pytest.approx([0.5, 0.5, 0])
    assert off.dtype == np.float32
    assert NO_BLACK.off(image) is image
    assert not NO_BLACK
    assert black


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 500, 3), (500, 2, 3)])
def test_pictures_too_small_to_tell_have_none(shape: tuple[int, ...]) -> None:
    assert read_black(np.full(shape, 0.05, np.float32)) == NO_BLACK


def test_a_black_is_written_and_read_back() -> None:
    assert Black.parse("14,3,14").levels == pytest.approx(PEDESTAL.tolist())
    assert Black.parse("0") == NO_BLACK
    assert Black.parse("5").levels == pytest.approx([5 / 255] * 3)
    assert str(Black.parse("14,3,14")) == "14,3,14"
    assert black_text((14, 3, 14)) == "14,3,14"
    assert black_text(5) == "5"


@pytest.mark.parametrize(
    "given", ["", "a", "1,2", "1,2,3,4", "-1", "200", "nan", "1,,2", (1, 2), -1]
)
def test_what_is_no_black_is_said(given: object) -> None:
    dark = np.full((16, 16, 3), 9, np.uint8)
    with pytest.raises(ParameterError, match="black must be 0 to 128"):
        enhance(dark, black=given)


def test_methods_that_multiply_nothing_take_no_black() -> None:
    with pytest.raises(ParameterError, match=r"clahe takes no black; these do: relume, .*machine"):
        enhance(np.full((16, 16, 3), 9, np.uint8), method="clahe", black=5)


@pytest.mark.parametrize("method", ["relume", "machine"])
def test_it_is_gone_from_the_result(portrait: Image, method: str) -> None:
    """The veil over a lifted photograph, read or told; 0 leaves it."""
    photo = lifted(portrait, 0.02)
    given = {"method": method, "expose_for": "scene"}
    veiled, read_of_it, told = (
        enhance(photo, black=black, **given) for black in (0, "auto", (14, 3, 14))
    )
    dark = np.percentile(veiled, 5, axis=(0, 1))
    assert min(dark[0], dark[2]) > 1.5 * dark[1]  # purple
    for clear in (read_of_it, told):
        darkest = np.percentile(clear, 5, axis=(0, 1))
        assert (darkest[[0, 2]] < 0.7 * dark[[0, 2]]).all()
        assert fog(photo, clear) < fog(photo, veiled)
    unlifted = darken(portrait, 0.02, np.random.default_rng(0))
    np.testing.assert_array_equal(enhance(unlifted, **given), enhance(unlifted, black=0, **given))


def test_a_clips_and_a_bursts_frames_have_one_black(
    portrait: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the black alone: colours of next to no light are believed
    everywhere = lambda before, after: np.ones(before.shape[:2], np.float32)  # noqa: E731
    monkeypatch.setattr("relume.exposure.plan.believed_colour", everywhere)
    frames = [to_bytes(lifted(portrait[:256, :256], 0.02, seed=n)) for n in range(3)]
    seen: list[Black] = []

    def read_once(image: Image) -> Black:
        seen.append(read_black(image))
        return seen[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("relume.enhancers.relume.read_black", read_once)
        clip = list(enhance_frames(frames))
        assert len(seen) == 1
        burst = enhance_burst(frames)
        assert len(seen) == 2
    veiled = list(enhance_frames(frames, black=0))
    for clear, fogged in ((clip[-1], veiled[-1]), (burst, enhance_burst(frames, black=0))):
        darkest = [np.percentile(picture, 5, axis=(0, 1)) for picture in (clear, fogged)]
        assert darkest[0][0] < 0.7 * darkest[1][0]
        assert darkest[1][0] > 1.5 * darkest[1][1]  # the fog is purple
        assert darkest[0][0] < darkest[0][1]


def test_lit_photographs_and_dark_ones_without_one_change_by_a_level_at_most() -> None:
    """LFPW's, SICE's and LOL's bright halves: 200 photographs."""
    files = [
        *sorted(SHARED.glob("sice/high/*.jpg"))[::3],
        *sorted(SHARED.glob("lol/train/high/*.jpg"))[::6],
        *sorted(SHARED.glob("lfpw68/test/*.jpg"))[::2],
    ]
    if not files:
        pytest.skip("no photographs at ../shared/data")
    worst = max(max(read_black(read(file).pixels).levels) for file in files)
    assert worst * 255 <= 1
