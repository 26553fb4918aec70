"""The table: the course project's experiment from its counts, and the bootstrap of AP."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from relume.metrics.detection import (
    Matches,
    WeightedPrecision,
    average_precision,
    match_detections,
    precision_difference,
)
from relume.study import Plan
from relume.study.dataset import Labels, TrueFace
from relume.study.rows import Row
from relume.study.table import Table, build

FACE = (10.0, 10.0, 20.0, 20.0, 0.9)
COURSE = {"original": 118, "gamma:0.5": 116, "own": 105, "authors": 79}
"""Faces found in 124 dark selfies (University of Houston, 2018)."""


def course() -> Table:
    """The course project's counts as rows: what an arm lost, the original had."""
    plan = Plan(
        pictures=Path("in"),
        report=Path("out"),
        arms=("gamma:0.5", "own=a", "authors=b"),
        detectors=("s3fd",),
    )
    rows = []
    for i in range(124):
        for arm, count in COURSE.items():
            faces = (FACE,) if i < count else ()
            rows += [
                Row(f"{i:03d}.jpg", None, arm, mean=0.1),
                Row(f"{i:03d}.jpg", None, arm, "s3fd", faces=faces),
            ]
    return build(rows, plan=plan, labels=None)


@pytest.mark.parametrize(
    ("arm", "rate", "low", "high"),
    [
        ("original", 95.16, 89.8, 97.8),
        ("gamma:0.5", 93.55, 87.8, 96.7),
        ("own", 84.68, 77.3, 90.0),
        ("authors", 63.71, 55.0, 71.6),
    ],
)
def test_the_course_projects_intervals(arm: str, rate: float, low: float, high: float) -> None:
    cell = course().cell("s3fd", None, arm)
    assert (cell.found, cell.n) == (COURSE[arm], 124)
    assert 100 * cell.rate == pytest.approx(rate, abs=0.005)
    assert 100 * cell.low == pytest.approx(low, abs=0.05)
    assert 100 * cell.high == pytest.approx(high, abs=0.05)


def test_the_course_projects_p_values_and_verdicts() -> None:
    table = course()
    gamma, own, authors = (table.cell("s3fd", None, arm).versus for arm in list(COURSE)[1:])
    assert gamma is not None
    assert own is not None
    assert authors is not None
    # two-sided binomial tests of 2, 13 and 39 discordant pairs, all one way
    assert gamma.p == pytest.approx(0.5)
    assert own.p == pytest.approx(2 / 2**13)
    assert authors.p == pytest.approx(2 / 2**39)
    assert own.p_holm == pytest.approx(2 * own.p)
    assert [v.verdict.word for v in (gamma, own, authors)] == ["none", "hurts", "hurts"]
    assert "a gain could not have been shown" in gamma.verdict.text
    assert table.answer == (
        "s3fd finds a face in 118 of 124 original pictures (95.2%); own (105) and authors (79) "
        "hurt; no difference was shown for gamma:0.5 (116)."
    )


def ladder(found: Mapping[str, Mapping[float | None, int]], n: int = 60) -> Table:
    levels = next(iter(found.values()))
    plan = Plan(
        pictures=Path("in"),
        report=Path("out"),
        arms=tuple(arm for arm in found if arm != "original"),
        detectors=("yunet",),
        darken=tuple(level for level in levels if level is not None),
    )
    names = [f"{i}.jpg" for i in range(n)]
    rows = []
    for arm, by_level in found.items():
        for level, count in by_level.items():
            for i, name in enumerate(names):
                faces = (FACE,) if i < count else ()
                rows += [
                    Row(name, level, arm, mean=0.1),
                    Row(name, level, arm, "yunet", faces=faces),
                ]
    labels = Labels("boxes", {name: (TrueFace(FACE[:4]),) for name in names})
    return build(rows, plan=plan, labels=labels)


def test_arms_that_do_the_same_are_named_together() -> None:
    same = {1.0: 60, 0.1: 30, 0.01: 40}
    original = {1.0: 60, 0.1: 50, 0.01: 5}
    table = ladder({"original": original, "gamma": same, "lime": original, "clahe": same})
    assert table.answer == (
        "On 60 pictures darkened to k = 1, 0.1 and 0.01, yunet finds 40 of 60 faces with gamma at "
        "k = 0.01, 5 in the original (35 won, 0 lost); gamma and clahe help at k = 0.01 and hurt "
        "at k = 0.1; no difference was shown for lime at any level."
    )


def test_a_ladder_says_where_an_arm_starts_to_help() -> None:
    table = ladder(
        {
            "original": {1.0: 60, 0.1: 50, 0.01: 5},
            "gamma:0.5": {1.0: 60, 0.1: 30, 0.01: 40},
            "clahe": {1.0: 60, 0.1: 49, 0.01: 6},
        }
    )
    assert table.answer == (
        "On 60 pictures darkened to k = 1, 0.1 and 0.01, yunet finds 40 of 60 faces with gamma:0.5 "
        "at k = 0.01, 5 in the original (35 won, 0 lost); gamma:0.5 helps at k = 0.01 and hurts at "
        "k = 0.1; no difference was shown for clahe at any level."
    )
    crossings = {crossing.arm: crossing for crossing in table.crossings}
    # 20 faces behind at 0.1, 35 ahead at 0.01: crossed after 20/55 of the way
    assert crossings["gamma:0.5"].k == pytest.approx(0.1 * 10 ** (-20 / 55))
    assert crossings["gamma:0.5"].darker == "above"


ARMS = ("machine", *(f"gamma:0.{i}" for i in range(1, 10)))


def test_ten_pictures_are_too_few_and_the_answer_leads_with_the_best_arm() -> None:
    few = {1.0: 10, 0.03: 3}
    table = ladder(
        {"original": few} | dict.fromkeys(ARMS, few) | {"machine": {1.0: 10, 0.03: 10}}, 10
    )
    # ten comparisons: 2 x 2**-9 is the first below 0.05 / 10
    assert table.answer == (
        "On 10 pictures darkened to k = 1 and 0.03, yunet finds 10 of 10 faces with machine at "
        "k = 0.03, 3 in the original (7 won, 0 lost). 10 faces are too few to show it: 9 wins "
        "would be needed."
    )
    (best,) = [table.best("yunet")]
    assert best is not None
    assert (best.arm, best.level) == ("machine", 0.03)


def test_a_gain_that_could_have_been_shown_is_not_blamed_on_their_number() -> None:
    found = {"original": {None: 40}, "machine": {None: 44}, "gamma": {None: 38}}
    assert ladder(found).answer == (
        "On 60 pictures yunet finds 40 of 60 faces in the originals (66.7%), 44 with machine "
        "(4 won, 0 lost); no difference was shown for gamma (38). It takes more to show a gain: "
        "7 wins would be needed."
    )


def test_a_picture_that_failed_once_is_in_no_comparison() -> None:
    plan = Plan(
        pictures=Path("in"),
        report=Path("out"),
        arms=("clahe",),
        detectors=("yunet",),
        darken=(1.0, 0.1),
    )
    rows = []
    for name in ("a", "b"):
        for level in (1.0, 0.1):
            for arm in plan.arms:
                error = "no" if (name, level, arm) == ("b", 0.1, "clahe") else None
                rows += [
                    Row(name, level, arm, mean=0.5, error=error),
                    Row(name, level, arm, "yunet", faces=(FACE,), error=error),
                ]
    table = build(rows, plan=plan, labels=None)
    assert {cell.n for cell in table.cells} == {1}
    assert (table.pictures, table.left_out) == (1, 1)


def test_nothing_complete_is_said() -> None:
    plan = Plan(pictures=Path("in"), report=Path("out"), detectors=("yunet",))
    rows = [Row("a", None, "original", d, error="no") for d in (None, "yunet")]
    table = build(rows, plan=plan, labels=None)
    assert table.answer == "No picture is complete in all arms, so nothing can be said."
    assert table.cells == ()


def random_matches(seed: int, pictures: int = 12) -> list[Matches]:
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(pictures):
        found, true = rng.integers(0, 5), rng.integers(0, 4)
        # few different scores, so that ties are met
        scores = rng.integers(1, 6, found) / 5
        made.append(match_detections(rng.uniform(0, 1, (found, true)), scores))
    return made


@pytest.mark.parametrize("seed", range(5))
def test_weights_are_the_same_as_repeated_pictures(seed: int) -> None:
    matches = random_matches(seed)
    weights = np.random.default_rng(seed).integers(0, 3, (4, len(matches))).astype(float)
    got = WeightedPrecision(matches)(weights)
    for row, value in zip(weights, got, strict=True):
        repeated = [m for m, times in zip(matches, row, strict=True) for _ in range(int(times))]
        assert value == pytest.approx(average_precision(repeated), nan_ok=True)


def test_the_difference_of_an_arm_to_itself_is_nothing() -> None:
    matches = random_matches(3)
    difference = precision_difference(matches, matches, seed=0)
    assert (difference.value, difference.low, difference.high) == (0, 0, 0)


def test_the_difference_is_fixed_by_its_seed_and_holds_its_value() -> None:
    arm, original = random_matches(1), random_matches(2)
    first = precision_difference(arm, original, seed=4)
    assert first == precision_difference(arm, original, seed=4)
    assert first.value == pytest.approx(average_precision(arm) - average_precision(original))
    assert first.low < first.value < first.high


def test_an_arm_that_finds_nothing_has_no_precision_but_an_average_of_zero() -> None:
    table = ladder({"original": {1.0: 30}, "clahe": {1.0: 0}})
    cell = table.cell("yunet", 1.0, "clahe")
    assert cell.precision is None
    assert cell.average_precision == 0
    assert cell.versus is not None
    assert cell.versus.verdict.word == "hurts"
