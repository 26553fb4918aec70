"""The light's colour: read with evidence, taken off where a photo is lifted, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from skimage import data

from relume import enhance, enhance_burst, enhance_frames
from relume.errors import ParameterError
from relume.exposure.aim import Aim
from relume.exposure.cast import NO_CAST, Cast, read_cast
from relume.exposure.plan import apply, plan
from relume.image.color import luma
from relume.image.darken import Camera, darken, planckian
from relume.photo import Image, quantise, to_image


@pytest.fixture(scope="module")
def street() -> Image:
    """Surfaces of every colour in every part of the frame, grey on average."""
    rng = np.random.default_rng(4)
    cells = rng.uniform(0.1, 0.7, (36, 48, 3)).astype(np.float32)
    sharp = cv2.resize(cells, (320, 240), interpolation=cv2.INTER_NEAREST)
    return np.asarray(cv2.GaussianBlur(sharp, (0, 0), 0.8), np.float32)


def by_lamp(image: Image, kelvin: float, k: float = 0.1, *, seed: int = 0) -> Image:
    rng = np.random.default_rng(seed)
    camera = replace(Camera.draw(rng), lamp=planckian(kelvin), adapted=0.3)
    return darken(image, k, rng, camera=camera)


def test_a_known_colour_is_read(street: Image) -> None:
    """Encoded values of a dark picture times 1.5, 1 and 0.7: log2 of these is what is read."""
    cast = read_cast(street * np.float32(0.3) * np.array([1.5, 1, 0.7], np.float32))
    assert cast.red == pytest.approx(np.log2(1.5), abs=0.12)
    assert cast.blue == pytest.approx(np.log2(0.7), abs=0.12)


@pytest.mark.parametrize("k", [0.3, 0.1])
def test_lamps_light_is_read_and_daylight_is_not(street: Image, k: float) -> None:
    cast = read_cast(by_lamp(street, 2700, k))
    assert cast.red > 0.2 > -0.2 > cast.blue
    plain = darken(street, k, np.random.default_rng(1))
    assert read_cast(plain) == NO_CAST


@pytest.mark.parametrize(
    "colour",
    [(1, 0.25, 0.2), (0.5, 1, 0.4), (0.6, 0.8, 1), (1, 0.55, 0.57)],
    ids=["red light", "a lawn", "dusk", "pink"],
)
def test_what_is_no_lamps_colour_is_left(street: Image, colour: tuple[float, ...]) -> None:
    assert read_cast(street * np.float32(0.3) * np.array(colour, np.float32)) == NO_CAST


def test_parts_that_do_not_agree_have_no_light_in_common(street: Image) -> None:
    lamps = street * np.float32(0.3) * np.array([1.5, 1, 0.6], np.float32)
    assert read_cast(lamps)
    cold = lamps[:, :, ::-1]
    mixed = np.where((np.arange(320) // 80 % 2)[None, :, None] > 0, cold, lamps)
    assert read_cast(np.ascontiguousarray(mixed)) == NO_CAST


def test_a_portrait_without_a_lamp_keeps_its_skin() -> None:
    portrait = to_image(data.astronaut())
    for k in (1.0, 0.1, 0.03, 0.01):
        assert read_cast(darken(portrait, k, np.random.default_rng(2))) == NO_CAST


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (5, 5)])
def test_small_pictures_have_none(size: tuple[int, int]) -> None:
    picture = np.full((*size, 3), (0.3, 0.2, 0.1), np.float32)
    assert read_cast(picture) == NO_CAST


def test_what_is_taken_off_leaves_luma_and_a_lamps_glow() -> None:
    grey_by_lamp = np.full((1, 2, 3), (0.4, 0.2, 0.1), np.float32)
    grey_by_lamp[0, 1] = (1.0, 0.8, 0.4)  # the lamp
    out = Cast(red=1.0, blue=-1.0).off(grey_by_lamp, np.ones((1, 1), np.float32))
    np.testing.assert_allclose(luma(out), luma(grey_by_lamp), atol=1e-6)
    np.testing.assert_allclose(out[0, 0], luma(grey_by_lamp)[0, 0], atol=1e-6)  # all channels alike
    np.testing.assert_allclose(out[0, 1], grey_by_lamp[0, 1], atol=1e-6)


def test_lit_places_keep_their_colour(street: Image) -> None:
    """What is not lifted is not the network's, and is left."""
    photo = street * np.float32(0.1)
    photo[:, :160] = 0.7 + 0.3 * street[:, :160]
    made = plan(photo, Aim(0.5, "frame", "asked"), cast=Cast(0.5, -0.5))
    without = replace(made, cast=NO_CAST)

    def relight(image: Image, level: float, factor: object) -> Image:
        return np.clip(image * np.float32(3), 0, 1)

    after, before = (apply(one, photo, relight) for one in (made, without))
    lit, dark = (
        float(np.abs(after - before)[:, part].mean() / before[:, part].mean())
        for part in (slice(140), slice(180, None))
    )
    assert dark > 0.1 > 5 * lit


def test_so_much_goes_as_is_asked_for(street: Image) -> None:
    photo = by_lamp(street, 2700)

    def warmth(image: Image) -> float:
        red, _, blue = image.reshape(-1, 3).mean(axis=0)
        return float(np.log2(red / blue))

    left = [warmth(enhance(photo, expose_for="scene", cast=cast)) for cast in (0, 0.5, 1)]
    assert left[0] - left[1] > 0.15 < left[1] - left[2]
    usual = enhance(photo, expose_for="scene")
    np.testing.assert_array_equal(usual, enhance(photo, expose_for="scene", cast=0.5))
    plain = darken(street, 0.1, np.random.default_rng(3))
    unchanged = (enhance(plain, expose_for="scene", cast=cast) for cast in (0, 1))
    np.testing.assert_array_equal(*unchanged)


def test_a_clips_and_a_bursts_frames_have_one_colour_of_light(street: Image) -> None:
    frames = [quantise(by_lamp(street, 2700, seed=seed), np.uint8) for seed in range(2)]
    seen: list[Cast] = []

    def read_once(image: Image) -> Cast:
        seen.append(read_cast(image))
        return seen[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("relume.enhancers.relume.read_cast", read_once)
        list(enhance_frames(frames))
        assert len(seen) == 1
        enhance_burst(frames)
        assert len(seen) == 2


def test_outside_its_range() -> None:
    with pytest.raises(ParameterError, match="cast must be 0 to 1"):
        enhance(np.full((16, 16, 3), 9, np.uint8), cast=1.5)
    with pytest.raises(ParameterError, match=r"machine takes no cast; these do: relume"):
        enhance(np.full((16, 16, 3), 9, np.uint8), method="machine", cast=0.5)
