"""The words of a verdict, held to the course project's counts."""

from __future__ import annotations

import pytest

from relume.metrics.statistics import Estimate, holm, mcnemar_exact
from relume.study.wording import judge_counts, judge_difference

ARMS = {"gamma": (2, 0), "own": (13, 0), "authors": (39, 0)}
"""Lost and won of 124, where the original finds 118."""


def verdicts() -> dict[str, tuple[str, str]]:
    p = holm([mcnemar_exact(lost, won) for lost, won in ARMS.values()])
    judged = {
        arm: judge_counts(n=124, found=118, lost=lost, won=won, p=adjusted, comparisons=3)
        for (arm, (lost, won)), adjusted in zip(ARMS.items(), p, strict=True)
    }
    return {arm: (v.word, v.text) for arm, v in judged.items()}


def test_the_course_project_shows_harm() -> None:
    assert verdicts()["own"][0] == "hurts"
    assert verdicts()["authors"][0] == "hurts"
    assert "13 lost, 0 won at n = 124, p < 0.001" in verdicts()["own"][1]


def test_the_course_project_could_not_have_shown_a_gain() -> None:
    word, text = verdicts()["gamma"]
    assert word == "none"
    assert text.startswith("no difference shown at n = 124: could only have shown a loss of")
    assert "a gain could not have been shown: only 6 of 124 faces were left to win" in text


def test_the_course_set_cannot_show_a_gain_even_without_a_loss() -> None:
    text = judge_counts(n=124, found=118, lost=0, won=3, p=1.0, comparisons=3).text
    assert "a gain could not have been shown" in text


@pytest.mark.parametrize("comparisons", [1, 3])
def test_the_loss_it_could_have_shown_is_the_least_significant_one(comparisons: int) -> None:
    text = judge_counts(n=124, found=118, lost=2, won=1, p=1.0, comparisons=comparisons).text
    needed = int(text.split("loss of at least ")[1].split()[0])
    assert mcnemar_exact(needed, 1) < 0.05 / comparisons <= mcnemar_exact(needed - 1, 1)


def test_a_gain_is_said() -> None:
    verdict = judge_counts(n=100, found=40, lost=1, won=30, p=0.0001, comparisons=2)
    assert verdict.word == "helps"


def test_nothing_found_cannot_be_lost() -> None:
    text = judge_counts(n=100, found=0, lost=0, won=3, p=0.25, comparisons=1).text
    assert "a loss could not have been shown: only 0 faces were there to lose" in text
    assert "could only have shown a gain of at least 6 won" in text


@pytest.mark.parametrize(
    ("difference", "word"),
    [
        (Estimate(-0.02, -0.03, -0.01), "helps"),
        (Estimate(0.02, 0.01, 0.03), "hurts"),
        (Estimate(0.0, -0.01, 0.01), "none"),
    ],
)
def test_differences_by_their_interval(difference: Estimate, word: str) -> None:
    assert judge_difference(difference, lower_is_better=True, n=10).word == word
    mirrored = {"helps": "hurts", "hurts": "helps", "none": "none"}[word]
    assert judge_difference(difference, lower_is_better=False, n=10).word == mirrored
