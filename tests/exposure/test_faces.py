"""Places that come first: what they lack, and where it is given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from relume.enhancers import enhance
from relume.errors import ParameterError
from relume.exposure.constants import FLOOR, MOST_FACE_STOPS
from relume.exposure.curve import Curve
from relume.exposure.faces import Region, face_stops, missing_stops
from relume.exposure.meter import meter
from relume.image.color import GAMMA, luma
from relume.photo import Image

HEAD = (slice(60, 120), slice(130, 180))
REGION = Region((130 / 300, 60 / 200, 180 / 300, 120 / 200))


def against_the_light() -> Image:
    """A dark head before a bright wall."""
    rng = np.random.default_rng(3)
    picture = np.full((200, 300, 3), [0.7, 0.68, 0.6], np.float32)
    picture[HEAD] = [0.12, 0.09, 0.07]
    picture[120:, 90:220] = [0.08, 0.09, 0.12]
    return np.clip(picture + rng.normal(0, 0.006, picture.shape), 0, 1).astype(np.float32)


def level(picture: Image, place: tuple[slice, slice]) -> float:
    return float(luma(picture)[place].mean())


def test_a_face_lacks_nothing_above_the_floor_and_more_the_darker_it_is() -> None:
    highlights = np.geomspace(0.02, 1, 200)
    lift = np.array([missing_stops(float(x), FLOOR) for x in highlights])
    assert (lift[highlights >= FLOOR] == 0).all()
    assert (np.diff(lift) <= 0).all()
    assert lift.max() == MOST_FACE_STOPS
    reached = highlights * np.exp2(lift / GAMMA)
    brighter = np.maximum.accumulate(reached) - reached
    assert brighter.max() < 0.08, "the darker of two faces comes out brighter"
    # half a stop too dark is hardly touched: dark skin in good light is such a face
    assert missing_stops(FLOOR * 2 ** (-0.5 / GAMMA), FLOOR) == pytest.approx(0.247, abs=0.005)
    assert missing_stops(FLOOR * 2 ** (-3 / GAMMA), FLOOR) == pytest.approx(2.99, abs=0.01)


def test_a_dark_head_is_lifted_and_the_wall_behind_it_stays() -> None:
    photo = against_the_light()
    scene, face = enhance(photo), enhance(photo, finder=lambda _: lambda image: [REGION])
    assert level(face, HEAD) > 1.5 * level(scene, HEAD)
    far, near = (slice(0, 200), slice(0, 60)), (slice(70, 110), slice(184, 196))
    assert np.abs(face - scene)[far].mean() < 1.5 / 255
    assert np.abs(face - scene)[near].mean() < 4 / 255, "a halo"


def test_no_region_is_the_same_picture() -> None:
    photo = against_the_light()
    np.testing.assert_array_equal(enhance(photo, finder=lambda _: lambda image: []), enhance(photo))
    unsure = [Region(REGION.box, 0.0)]
    np.testing.assert_array_equal(
        enhance(photo, finder=lambda _: lambda image: unsure), enhance(photo)
    )


def test_a_lit_photo_is_not_searched() -> None:
    rng = np.random.default_rng(0)
    lit = np.clip(0.6 + rng.normal(0, 0.05, (200, 300, 3)), 0, 1).astype(np.float32)
    enhance(lit, finder=lambda _: lambda image: pytest.fail("searched"))


def test_a_well_lit_region_is_left() -> None:
    photo = against_the_light()
    photo[HEAD] = [0.7, 0.6, 0.5]
    np.testing.assert_array_equal(
        enhance(photo, finder=lambda _: lambda image: [REGION]), enhance(photo)
    )


def test_one_exposure_for_all_lifts_no_place() -> None:
    photo = against_the_light()
    even = enhance(photo, local=0, finder=lambda _: lambda image: [REGION])
    np.testing.assert_array_equal(even, enhance(photo, local=0))


@pytest.mark.parametrize("options", [{"local": 0}, {"method": "machine"}])
def test_faces_are_refused_where_one_exposure_lifts_none(options: dict[str, Any]) -> None:
    """And nothing is searched, nor fetched, where they could not be lifted."""
    photo = against_the_light()

    def finder(expose_for: str) -> None:
        pytest.fail(f"asked for faces: {expose_for}")

    with pytest.raises(ParameterError, match=r"needs local above 0"):
        enhance(photo, expose_for="faces", finder=finder, **options)
    enhance(photo, expose_for="auto", finder=finder, **options)
    lit = enhance(
        photo, **{**options, "local": 1}, expose_for="faces", finder=lambda _: lambda i: [REGION]
    )
    assert level(lit, HEAD) > level(enhance(photo, **{**options, "local": 1}), HEAD)


def test_the_search_sees_the_dark_face() -> None:
    seen: list[Image] = []

    def find(image: Image) -> list[Region]:
        seen.append(image)
        return []

    photo = against_the_light()
    enhance(photo, finder=lambda _: find)
    assert max(seen[0].shape) <= 256
    assert level(seen[0], HEAD) > 2.5 * level(photo, HEAD)


def test_no_order_changes_between_neighbours() -> None:
    """Of two places as near to the face, the darker one never comes out brighter."""
    rng = np.random.default_rng(1)
    squares = np.sqrt(rng.uniform(0.001, 0.9, (10, 10))).repeat(10, axis=0).repeat(10, axis=1)
    photo = squares[..., None] * np.ones(3)
    photo[40:60, 40:60] = 0.15
    photo = photo.astype(np.float32)
    reading = meter(photo)
    region = Region((0.4, 0.4, 0.6, 0.6))
    left = Curve(1.0, 0.0, 0.0, 1.0, 1.0)  # a gain of 1
    stops = face_stops(photo, reading, left, 0.45, lambda i: [region])
    assert stops is not None
    assert stops.max() > 1
    assert stops.min() >= 0
    light = reading.base * np.exp2(stops / GAMMA)
    left, right = reading.base[:, :50], reading.base[:, :49:-1]  # mirrored: as near as each other
    after_left, after_right = light[:, :50], light[:, :49:-1]
    clear = np.abs(left - right) > 0.01
    assert ((left > right) == (after_left > after_right))[clear].all()


def test_the_brightness_that_is_asked_for_is_kept() -> None:
    result = enhance(against_the_light(), brightness=0.4, finder=lambda _: lambda image: [REGION])
    assert level(result, (slice(None), slice(None))) == pytest.approx(0.4, rel=0.03)
