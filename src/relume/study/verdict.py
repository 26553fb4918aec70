"""What a comparison with ``original`` shows, in words, and what it could have shown at all.

A study that finds no difference says how large a difference would have had to be for it to be
seen: 124 pictures of which 118 are found already leave 6 to win, too few to show a gain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from relume.metrics.statistics import Estimate, gain_power

ALPHA = 0.05
Word = Literal["hurts", "helps", "none"]


@dataclass(frozen=True)
class Verdict:
    """``hurts``, ``helps`` or ``none`` (no difference shown), and the sentence that says it."""

    word: Word
    text: str


def judge_counts(
    *, n: int, found: int, lost: int, won: int, p: float, comparisons: int, things: str = "faces"
) -> Verdict:
    """The verdict on an arm that lost and won faces against ``original``.

    ``found`` of ``n`` are found in ``original``; ``p`` is the exact McNemar test's, adjusted
    over ``comparisons`` arms (Holm). What could have been shown is worked out at Holm's first,
    strictest step: what holds whatever the other arms do.
    """
    if p < ALPHA and lost != won:
        word: Word = "hurts" if lost > won else "helps"
        return Verdict(word, f"{word} ({lost} lost, {won} won at n = {n}, p {p_words(p)})")
    # a loss is a gain with the roles of found and missed exchanged
    loss = gain_power(n, n - found, lost=won, alpha=ALPHA, comparisons=comparisons)
    gain = gain_power(n, found, lost=lost, alpha=ALPHA, comparisons=comparisons)
    could = []
    if loss.possible:
        could.append(f"could only have shown a loss of at least {loss.needed} {things}")
    else:
        could.append(f"a loss could not have been shown: only {found} {things} were there to lose")
    could.append(gain.sentence())
    return Verdict("none", f"no difference shown at n = {n}: {'; '.join(could)}")


def judge_difference(
    difference: Estimate, *, lower_is_better: bool, n: int, scale: float = 1.0, unit: str = ""
) -> Verdict:
    """The verdict on a difference (arm less original) by its 95 % bootstrap interval."""
    low, high = difference.low * scale, difference.high * scale
    span = f"{difference.value * scale:+.2f}{unit} ({low:+.2f} to {high:+.2f}), n = {n}"
    if not difference.excludes(0.0):
        return Verdict("none", f"no difference shown: {span}")
    better = (difference.value < 0) == lower_is_better
    word: Word = "helps" if better else "hurts"
    return Verdict(word, f"{word}: {span}")


def p_words(p: float) -> str:
    """A p-value for a sentence: ``= 0.031`` or ``< 0.001``."""
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"
