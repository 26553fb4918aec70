"""Differences between groups, held against published figures and worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from skimage.color import rgb2lab

from relume.errors import ParameterError
from relume.metrics.groups import difference_of_shares, fisher_exact, stratified_difference
from relume.metrics.skin import skin_angle, skin_group
from relume.photo import Image


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        # Newcombe (1998), table II, method 10
        ((56, 70, 48, 80), (0.2000, 0.0524, 0.3339)),
        ((9, 10, 3, 10), (0.6000, 0.1705, 0.8090)),
        ((5, 56, 0, 29), (0.0893, -0.0381, 0.1926)),
        ((0, 10, 0, 10), (0.0000, -0.2775, 0.2775)),
    ],
)
def test_newcombes_own_examples(
    counts: tuple[int, int, int, int], expected: tuple[float, float, float]
) -> None:
    got = difference_of_shares(*counts)
    assert (got.value, got.low, got.high) == pytest.approx(expected, abs=5e-5)


def test_fishers_tea() -> None:
    """The lady who named 3 of 4 cups of each kind: 34/70."""
    assert fisher_exact(3, 4, 1, 4) == pytest.approx(34 / 70)
    assert fisher_exact(5, 5, 5, 5) == 1


@pytest.mark.parametrize("counts", [(1, 0, 1, 2), (3, 2, 1, 2)])
def test_counts_that_cannot_be(counts: tuple[int, int, int, int]) -> None:
    with pytest.raises(ParameterError, match="expected"):
        difference_of_shares(*counts)


def strata(*cells: tuple[int, int, int, int]) -> tuple[list[bool], list[bool], list[int]]:
    """Faces from (members found, members, others found, others), a stratum each."""
    found, member, stratum = [], [], []
    for i, (a, n, b, m) in enumerate(cells):
        found += [True] * a + [False] * (n - a) + [True] * b + [False] * (m - b)
        member += [True] * n + [False] * m
        stratum += [i] * (n + m)
    return found, member, stratum


def test_at_equal_light_a_difference_of_light_is_none() -> None:
    """Members sit in the dark, where 1 of 5 is found whoever it is: raw -.36, stratified 0."""
    found, member, stratum = strata((8, 40, 2, 10), (8, 10, 32, 40))
    raw = np.array(found)[np.array(member)].mean() - np.array(found)[~np.array(member)].mean()
    assert raw == pytest.approx(16 / 50 - 34 / 50)
    got = stratified_difference(found, member, stratum, range(len(found)))
    assert got is not None
    assert got.value == pytest.approx(0)
    assert got.low < 0 < got.high


def test_mantel_and_haenszels_weights_by_hand() -> None:
    """Strata of 1/2 - 0 at weight 4 * 4 / 8 = 2, and 1 - 1 at 1 * 1 / 2."""
    found, member, stratum = strata((2, 4, 0, 4), (1, 1, 1, 1))
    got = stratified_difference(found, member, stratum, range(len(found)))
    assert got is not None
    assert got.value == pytest.approx((0.5 * 2 + 0) / 2.5)


def test_the_same_face_at_two_levels_is_no_new_face() -> None:
    """Whole clusters are drawn: counting each face four times must not narrow the interval."""
    found, member, stratum = strata((12, 20, 8, 20))
    once = stratified_difference(found, member, stratum, range(40))
    often = stratified_difference(found * 4, member * 4, stratum * 4, [*range(40)] * 4)
    assert once is not None
    assert often is not None
    assert (often.low, often.high) == pytest.approx((once.low, once.high))


def test_nothing_to_compare() -> None:
    assert stratified_difference([], [], [], []) is None
    found, member, stratum = strata((1, 2, 0, 0), (0, 0, 1, 2))
    assert stratified_difference(found, member, stratum, range(4)) is None


def flat(red: int, green: int, blue: int) -> Image:
    return np.full((100, 80, 3), np.float32([red, green, blue]) / 255, np.float32)


@pytest.mark.parametrize(
    ("colour", "group"),
    [
        ((241, 210, 190), "light"),
        ((198, 150, 120), "intermediate"),
        ((141, 100, 72), "brown"),
        ((70, 45, 35), "dark"),
    ],
)
def test_skin_angles(colour: tuple[int, int, int], group: str) -> None:
    """Against scikit-image's CIELAB; OpenCV interpolates its own in a table."""
    lightness, _, yellow = rgb2lab(np.array(colour) / 255)
    got = skin_angle(flat(*colour), (10.0, 10.0, 70.0, 90.0))
    assert got == pytest.approx(math.degrees(math.atan2(lightness - 50, yellow)), abs=0.5)
    assert skin_group(got) == group


def test_only_the_cheeks_count() -> None:
    """Hair, forehead, chin and what is beside the face may have any colour."""
    image = np.zeros((100, 100, 3), np.float32)
    image[46:69, 16:84] = flat(198, 150, 120)[0, 0]
    plain = skin_angle(flat(198, 150, 120), (10.0, 10.0, 70.0, 90.0))
    assert skin_angle(image, (0.0, 0.0, 100.0, 100.0)) == pytest.approx(plain, abs=0.1)


def test_a_face_outside_the_picture_has_no_skin() -> None:
    angle = skin_angle(flat(200, 150, 120), (200.0, 10.0, 260.0, 90.0))
    assert math.isnan(angle)
    assert skin_group(angle) == ""
