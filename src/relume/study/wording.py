"""A study in words: the verdict on each comparison, its answer, how its figures were made.

A study that finds no difference says how large a difference would have had to be for it to be
seen: 124 pictures of which 118 are found already leave 6 to win, too few to show a gain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from relume.metrics.statistics import Estimate, gain_power
from relume.study.dataset import Labels
from relume.study.plan import ORIGINAL, Plan, describe, is_spec, named

if TYPE_CHECKING:
    from relume.study.by_group import ByGroup
    from relume.study.results import Results
    from relume.study.table import Cell

ALPHA = 0.05
WORTH_SAYING = 0.02
"""The difference of two recalls from which it is said that a threshold hides or makes it."""
Word = Literal["hurts", "helps", "none"]


@dataclass(frozen=True)
class Verdict:
    """``hurts``, ``helps`` or ``none`` (no difference shown), and the sentence that says it.

    ``too_few``: neither a gain nor a loss could have been shown, whatever the arm did.
    """

    word: Word
    text: str
    too_few: bool = False


def judge_counts(
    *, n: int, found: int, lost: int, won: int, p: float, comparisons: int, unit_noun: str = "faces"
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
        could.append(f"could only have shown a loss of at least {counted(loss.needed, unit_noun)}")
    else:
        could.append(
            f"a loss could not have been shown: only {counted(found, unit_noun)} "
            f"{'was' if found == 1 else 'were'} there to lose"
        )
    could.append(gain.sentence())
    text = f"no difference shown at n = {n}: {'; '.join(could)}"
    return Verdict("none", text, too_few=not (gain.possible or loss.possible))


def counted(count: int, noun: str) -> str:
    """A number and what it counts.

    >>> counted(1, "faces"), counted(2, "faces")
    ('1 face', '2 faces')
    """
    return f"{count} {noun.removesuffix('s') if count == 1 else noun}"


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


Effect = tuple[tuple[str, tuple[float | None, ...]], ...]
"""At which levels an arm "helps" and "hurts"."""


def best_cell(cells: Iterable[Cell]) -> Cell | None:
    """The cell that gained most over the original (won less lost), None if nothing gained.

    Of equals, one that is shown to help, and then the first.
    """
    gains = [(c.versus.won - c.versus.lost, c.versus.verdict.word == "helps", c)
             for c in cells if c.versus is not None]  # fmt: skip
    gain, _, best = max(gains, key=lambda entry: entry[:2], default=(0, False, None))
    return best if gain > 0 else None


def answer(cells: Iterable[Cell], detector: str, pictures: int, unit_noun: str) -> str:
    """What the arms do for one detector, in one sentence or two: the best arm's figures first."""
    mine = [cell for cell in cells if cell.detector == detector]
    if not mine:
        return "No picture is complete in all arms, so nothing can be said."
    arms = list(dict.fromkeys(cell.arm for cell in mine if cell.arm != ORIGINAL))
    originals = [cell for cell in mine if cell.arm == ORIGINAL]
    base = {cell.level: cell for cell in originals}
    if not arms:
        lead = _base(originals, detector, pictures, unit_noun)
        return f"{lead}; no other arm was compared."
    effects: dict[Effect, list[str]] = {}
    for arm in arms:
        effects.setdefault(_effect([c for c in mine if c.arm == arm]), []).append(arm)
    quiet = effects.pop((), [])
    best, doubt = best_cell(mine), ""
    if best is not None and best.versus is not None and best.versus.verdict.word == "none":
        power = gain_power(
            best.n, base[best.level].found, lost=best.versus.lost, comparisons=len(arms)
        )
        too_few = f"{best.n} {unit_noun} are too few to show it"
        doubt = "it takes more to show a gain" if power.possible else too_few
        doubt = f". {doubt[0].upper()}{doubt[1:]}: {power.needed} wins would be needed"
        # where not even the best could be shown, "no difference" of the others says nothing
        quiet = [arm for arm in quiet if arm != best.arm] if power.possible else []
    counts = {c.arm: f"{c.arm} ({c.found})" if len(base) == 1 else c.arm for c in mine}
    sentences = [
        _effect_sentence([counts[arm] for arm in together], effect, levels=len(base) > 1)
        for effect, together in sorted(effects.items())
    ]
    if quiet:
        names, where = _and([counts[arm] for arm in quiet]), " at any level" * (len(base) > 1)
        sentences.append(f"no difference was shown for {names}{where}")
    if len(base) == 1:
        lead = _base(originals, detector, pictures, unit_noun)
    else:
        lead = f"On {pictures} pictures darkened to {describe(list(base))}"
    return f"{'; '.join([lead + _best(best, base, detector, unit_noun), *sentences])}{doubt}."


def _best(
    best: Cell | None, base: Mapping[float | None, Cell], detector: str, unit_noun: str
) -> str:
    """The figures of the arm that gained most: what the answer leads with."""
    if best is None or best.versus is None:
        return "" if len(base) == 1 else f", with {detector}"
    pairs = f"{best.versus.won} won, {best.versus.lost} lost"
    if len(base) == 1:
        return f", {best.found} with {best.arm} ({pairs})"
    what = "faces" if unit_noun == "faces" else "pictures with a face"
    original = base[best.level].found
    return (
        f", {detector} finds {best.found} of {best.n} {what} with {best.arm} at "
        f"{describe([best.level])}, {original} in the original ({pairs})"
    )


def group_answer(groups: ByGroup, grouping: str, detector: str, arm: str) -> str:
    """Where the groups differ most in an arm, and what is too small to say anything about."""
    gaps = [g for g in groups.gaps if (g.grouping, g.detector, g.arm) == (grouping, detector, arm)]
    widest = max(gaps, key=lambda gap: gap.gap.value, default=None)
    cells = [c for c in groups.cells if (c.grouping, c.arm) == (grouping, arm)]
    small = {f"{c.group} ({c.n})": None for c in cells if c.detector == detector and c.small}
    if widest is None:
        text = f"By {grouping}: too few faces in the groups to compare any two of them"
    else:
        key = (detector, widest.level, arm)
        best, worst = (groups.cell(grouping, name, *key) for name in (widest.best, widest.worst))
        at = "" if widest.level is None else f" at {describe([widest.level])}"
        text = (
            f"By {grouping}, {arm} finds {best.rate:.0%} of {best.group} (n = {best.n}) and "
            f"{worst.rate:.0%} of {worst.group} (n = {worst.n}){at}, the widest gap: "
            f"{100 * widest.gap.value:.0f} points ({100 * widest.gap.low:.0f} to "
            f"{100 * widest.gap.high:.0f})"
        )
    rest = f"; too small for that: {', '.join(small)}" if small and widest is not None else ""
    return f"{text}{rest}."


def notes(plan: Plan, labels: Labels | None, results: Results) -> tuple[str, ...]:
    """How the figures were made, one sentence each."""
    sentences = [
        f"A face counts as found from a score of {plan.threshold:g} on. Detectors and landmark "
        "models are frozen: none has seen an enhanced picture."
    ]
    sentences += _truth_notes(plan, labels)
    sentences.append(
        "Intervals are Wilson's at 95 %. Each arm is compared with the original, on the same "
        f"{'faces' if results.has_truth else 'pictures'}, by the exact McNemar test; p is "
        "adjusted over the arms (Holm) for each detector and level. Differences of average "
        "precision and of landmark errors have paired bootstrap intervals (2,000 resamples)."
    )
    if labels is not None and any(len(faces) > 1 for faces in labels.faces.values()):
        sentences.append(
            "Some pictures show several faces; McNemar's test takes them as independent, "
            "the bootstrap of the average precision resamples whole pictures."
        )
    if plan.reference is not None and any("+" in arm for arm in plan.arms):
        sentences.append(
            "Of an arm of several views the enhanced view is compared with the reference, brought "
            "to the size of the view."
        )
    if plan.darken:
        sentences.append(
            "Pictures were darkened to k times their light (linear exposure) with sensor noise, "
            f"8 bit and JPEG; every arm got the same dark picture (seed {plan.seed})."
        )
    if results.has_landmarks:
        sentences.append(
            "Landmark errors (NME) are fractions of the distance of the outer eye corners. In "
            "true boxes all faces count; behind a detector the mean is over the faces found in "
            "all arms, while failure rates and areas count a missed face as a failure."
        )
    if labels is not None and labels.groupings:
        sentences += _group_notes(labels)
    own = [(name, spec) for name, spec in map(named, plan.arms) if spec and is_spec(spec)]
    if own:
        sentences.append(
            f"Arms by their own names: {'; '.join(f'{n} is {spec}' for n, spec in own)}."
        )
    if results.failed:
        verb = "is" if len(results.failed) == 1 else "are"
        sentences.append(
            f"{counted(len(results.failed), 'pictures')} failed in an arm and {verb} left out of "
            "all of them."
        )
    return tuple(sentences)


def hidden_by_threshold(cells: Sequence[Cell]) -> list[str]:
    """Where an arm's gain or loss at the threshold is not one at equal false alarms."""
    base = {(c.detector, c.level): c for c in cells if c.arm == ORIGINAL}
    sentences = []
    for cell in cells:
        original = base[cell.detector, cell.level]
        if cell.arm == ORIGINAL or cell.recall_at is None or original.recall_at is None:
            continue
        equal, before = cell.recall_at[1], original.recall_at[1]
        gain, fair = cell.rate - original.rate, equal - before
        if gain * fair <= 0 and abs(gain - fair) >= WORTH_SAYING:
            where = "" if cell.level is None else f" at {describe([cell.level])}"
            sentences.append(
                f"{cell.arm} and {cell.detector}{where}: at the threshold {cell.rate:.1%} are "
                f"found against {original.rate:.1%}, with {cell.fp_per_image:.2f} against "
                f"{original.fp_per_image:.2f} false alarms a picture; at 0.25 of them, {equal:.1%} "
                f"against {before:.1%}. The threshold makes the difference."
            )
    return sentences


def _group_notes(labels: Labels) -> list[str]:
    sentences = [
        "Each group is compared with all other labelled faces: Newcombe's interval of the "
        "difference, Fisher's exact test, Holm over the groups. The widest gap is between groups "
        "of at least 30 faces, with a bootstrap interval over pictures. At equal light, faces are "
        "compared within bins of their own mean level before any arm, all levels together "
        "(Mantel and Haenszel's weights, bootstrap over pictures)."
    ]
    if "skin" in labels.groupings:
        sentences.append(
            "Skin is grouped by the individual typology angle (ITA) of the cheeks in the bright "
            "photograph: light above 41 degrees, intermediate above 28, tan above 10, brown above "
            "-30, dark below. The light, the exposure and the white balance of the photograph "
            "move the angle, and it says nothing about ethnicity."
        )
    return sentences


def _truth_notes(plan: Plan, labels: Labels | None) -> list[str]:
    if labels is None and plan.reference is None:
        return [
            "The pictures have no labels: a picture counts as found if anything is detected in "
            "it, right or wrong, so a false alarm counts as a success."
        ]
    shape = "the labelled box"
    if labels is None:
        shape = "the face that the same detector sees on the normal-light photograph"
    elif labels.kind == "ellipses":
        shape = "the region of the labelled ellipse (FDDB's discrete score)"
    elif labels.kind == "points":
        shape = "the box, from hairline to chin, around the labelled points"
    return [
        f"A detection is right if it overlaps {shape} by more than {plan.iou:g} (intersection "
        "over union); detections take faces one to one, best score first."
    ]


def _base(base: Sequence[Cell], detector: str, pictures: int, unit_noun: str) -> str:
    first = base[0]
    if unit_noun == "pictures":
        return (
            f"{detector} finds a face in {first.found} of {first.n} original pictures "
            f"({first.rate:.1%})"
        )
    return (
        f"On {pictures} pictures {detector} finds {first.found} of {first.n} faces in the "
        f"originals ({first.rate:.1%})"
    )


def _effect(cells: Sequence[Cell]) -> Effect:
    """At which levels an arm helps and hurts; () where neither was shown."""
    effects = []
    for word in ("helps", "hurts"):
        levels = tuple(c.level for c in cells if c.versus and c.versus.verdict.word == word)
        if levels:
            effects.append((word, levels))
    return tuple(effects)


def _effect_sentence(arms: Sequence[str], effect: Effect, *, levels: bool) -> str:
    """``gamma and clahe help at k = 0.01 and hurt at k = 0.1``."""
    parts = [
        (word if len(arms) == 1 else word[:-1]) + (f" at {describe(where)}" if levels else "")
        for word, where in effect
    ]
    return f"{_and(arms)} {' and '.join(parts)}"


def _and(names: Sequence[str]) -> str:
    head = ", ".join(names[:-1])
    return f"{head} and {names[-1]}" if head else names[-1]
