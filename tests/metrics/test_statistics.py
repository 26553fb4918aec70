"""The statistics, held against the course project's counts and against scipy."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relume.errors import MissingExtra, ParameterError
from relume.metrics.statistics import (
    gain_power,
    holm,
    least_discordant,
    mcnemar_exact,
    paired_bootstrap,
    paired_bootstrap_mean,
    wilson_interval,
)

# the course project of 2018: faces found of 124, and Wilson's 95 % intervals in percent
PROJECT = {
    "original": (118, 89.8, 97.8),
    "gamma": (116, 87.8, 96.7),
    "own Retinex-Net": (105, 77.3, 90.0),
    "authors' Retinex-Net": (79, 55.0, 71.6),
}
N = 124


def splits(found: int) -> list[tuple[int, int]]:
    """All (lost, won) that take the 118 faces of the original to ``found``."""
    return [(118 - found + won, won) for won in range(N - 118 + 1)]


@pytest.mark.parametrize("arm", PROJECT)
def test_the_projects_wilson_intervals(arm: str) -> None:
    found, low, high = PROJECT[arm]
    interval = wilson_interval(found, N)
    assert 100 * interval[0] == pytest.approx(low, abs=0.05)
    assert 100 * interval[1] == pytest.approx(high, abs=0.05)


def test_gamma_made_no_difference_and_retinexnet_did_harm_however_the_pairs_fell() -> None:
    assert all(mcnemar_exact(lost, won) >= 0.5 for lost, won in splits(116))
    assert all(mcnemar_exact(lost, won) < 0.05 for lost, won in splits(105))
    # and both harms survive Holm over the project's three arms
    worst = [max(mcnemar_exact(*pair) for pair in splits(found)) for found in (116, 105, 79)]
    gamma, own, authors = holm(worst)
    assert gamma >= 0.5
    assert own < 0.05
    assert authors < 1e-6


def test_six_faces_left_to_win_need_all_six() -> None:
    assert mcnemar_exact(0, 6) == pytest.approx(0.03125)
    assert mcnemar_exact(0, 5) > 0.05
    assert least_discordant() == 6
    power = gain_power(N, 118)
    assert power.winnable == power.needed == 6
    assert "it takes all of them" in power.sentence()


def test_the_project_could_not_have_shown_a_gain() -> None:
    compared = gain_power(N, 118, comparisons=3)
    assert compared.needed == 7
    assert not compared.possible
    assert compared.sentence().startswith("a gain could not have been shown: only 6 of 124")
    gamma = gain_power(N, 118, lost=2)
    assert not gamma.possible
    assert mcnemar_exact(2, gamma.needed) < 0.05 <= mcnemar_exact(2, gamma.needed - 1)


def test_a_large_set_says_what_it_could_have_shown() -> None:
    assert gain_power(1000, 500).sentence() == (
        "could only have shown a gain of at least 6 won against 0 lost (exact McNemar, p < 0.05)"
    )


def test_wilson_at_its_ends() -> None:
    assert wilson_interval(0, 0) == (0, 1)
    assert wilson_interval(0, 9)[0] == 0
    assert wilson_interval(9, 9)[1] == 1


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_never_lowers_a_p_value_and_keeps_their_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(a >= p for a, p in zip(adjusted, p_values, strict=True))
    assert all(a <= 1 for a in adjusted)
    by_p = sorted(range(len(p_values)), key=lambda i: p_values[i])
    assert [adjusted[i] for i in by_p] == sorted(adjusted)


def test_bootstrap_of_a_mean_is_near_the_t_interval_and_repeats() -> None:
    rng = np.random.default_rng(2)
    first = rng.normal(0, 1, 200)
    second = first + rng.normal(0.3, 0.5, 200)
    estimate = paired_bootstrap_mean(first, second, seed=5)
    half = 1.96 * (second - first).std(ddof=1) / np.sqrt(200)
    assert estimate.value == pytest.approx((second - first).mean())
    assert estimate.low == pytest.approx(estimate.value - half, abs=0.02)
    assert estimate.high == pytest.approx(estimate.value + half, abs=0.02)
    assert estimate.excludes(0)
    assert paired_bootstrap_mean(first, second, seed=5) == estimate
    assert paired_bootstrap_mean(first, second, seed=6) != estimate


def test_bootstrap_of_any_statistic_resamples_whole_pictures() -> None:
    values = np.arange(30.0)
    seen: list[tuple[int, ...]] = []

    def median(rows: np.ndarray) -> np.ndarray:
        seen.append(rows.shape)
        return np.where(rows[:, 0] == 3, np.nan, np.median(values[rows], axis=1))

    estimate = paired_bootstrap(median, 30, resamples=300, seed=1)
    assert estimate.value == 14.5
    # a resample without a figure (here: one that starts with picture 3) is left out
    assert estimate.low < 14.5 < estimate.high
    assert seen == [(1, 30), (300, 30)]


def test_counts_that_cannot_be_are_refused() -> None:
    with pytest.raises(ParameterError, match="successes"):
        wilson_interval(5, 4)
    with pytest.raises(ParameterError, match="at least 0"):
        mcnemar_exact(-1, 2)
    with pytest.raises(ParameterError, match="finite"):
        paired_bootstrap_mean([0.1, np.inf], [0.1, 0.2])
    with pytest.raises(ParameterError, match="found <= n"):
        gain_power(10, 11)


def test_without_scipy_mcnemar_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(MissingExtra, match=r"relume\[study\]"):
        mcnemar_exact(1, 2)
