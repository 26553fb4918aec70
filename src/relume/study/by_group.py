"""The figures of a study by group: who is found, how groups differ, and at equal light.

A group is compared with all other labelled faces of its grouping. In the dark a dark face sends a
camera fewer photons than a light one, so a difference may be physics alone: the table at equal
light compares faces whose own mean level, in the picture before any arm, is about the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from relume.metrics.groups import difference_of_shares, fisher_exact, stratified_difference
from relume.metrics.skin import NAMES
from relume.metrics.statistics import Estimate, holm, paired_bootstrap
from relume.study.results import Bools, Floats, FoundShare, Results, counted

FEW = 30
"""Faces below which a group is called small: its interval is wider than a quarter."""
LIGHT_EDGES = (0.0, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 32.0, 256.0)
"""Edges of the bins of a face's mean level, in steps of 255."""


@dataclass(frozen=True, kw_only=True)
class GroupCell(FoundShare):
    """One group of one grouping, in one arm at one level, found by one detector.

    ``difference`` is its share less that of all others with its 95 % interval (Newcombe), ``p`` of
    Fisher's exact test, ``p_holm`` adjusted over the groups. ``nme`` is the mean landmark error of
    its faces in true boxes, where it was measured.
    """

    grouping: str
    group: str
    level: float | None
    difference: Estimate | None = None
    p: float | None = None
    p_holm: float | None = None
    nme: float | None = None

    @property
    def small(self) -> bool:
        """Whether it has so few faces that only a very large difference could be shown."""
        return self.n < FEW


@dataclass(frozen=True)
class Gap:
    """The widest gap between two groups of a grouping, with a bootstrap interval.

    The groups are the best and the worst of those with at least FEW faces; the interval is of
    these two, and so says nothing about having chosen them.
    """

    grouping: str
    detector: str
    level: float | None
    arm: str
    best: str
    worst: str
    gap: Estimate


@dataclass(frozen=True, kw_only=True)
class LightCell(FoundShare):
    """One group among the faces of about one light, over all levels together.

    ``low_level`` and ``high_level`` bound the face's own mean level, in steps of 255.
    """

    grouping: str
    group: str
    low_level: float
    high_level: float


@dataclass(frozen=True)
class EqualLight:
    """A group's share found less that of all others at equal light, over all levels together.

    None where no bin of light holds faces of both, or the group has fewer than FEW faces: a
    bootstrap of a handful that were all found has no width.
    """

    grouping: str
    group: str
    detector: str
    arm: str
    difference: Estimate | None


@dataclass(frozen=True)
class ByGroup:
    """All figures by group; ``order`` has the groups of each grouping in their order."""

    order: dict[str, tuple[str, ...]]
    cells: tuple[GroupCell, ...]
    gaps: tuple[Gap, ...]
    light: tuple[LightCell, ...]
    equal_light: tuple[EqualLight, ...]

    def cell(
        self, grouping: str, group: str, detector: str, level: float | None, arm: str
    ) -> GroupCell:
        """The cell of these names.

        Raises:
            KeyError: there is none.
        """
        key = (grouping, group, detector, level, arm)
        for c in self.cells:
            if (c.grouping, c.group, c.detector, c.level, c.arm) == key:
                return c
        raise KeyError(key)

    def gap(self, grouping: str, detector: str, level: float | None, arm: str) -> Gap | None:
        """The widest gap, None where fewer than two groups have enough faces."""
        key = (grouping, detector, level, arm)
        same = (g for g in self.gaps if (g.grouping, g.detector, g.level, g.arm) == key)
        return next(same, None)


@dataclass(frozen=True)
class _Faces:
    """The labelled faces of a study in a row: group, picture, light by level."""

    groups: Sequence[str]
    pictures: Floats
    light: dict[float | None, Floats]

    def of(self, group: str) -> Bools:
        return np.array([own == group for own in self.groups], bool)


def build(results: Results) -> ByGroup | None:
    """Every figure by group; None where the labels name no grouping, or nothing was measured."""
    labels = results.labels
    if labels is None or not labels.groupings or not results.names:
        return None
    order: dict[str, tuple[str, ...]] = {}
    cells: list[GroupCell] = []
    gaps: list[Gap] = []
    light: list[LightCell] = []
    equal: list[EqualLight] = []
    for grouping in labels.groupings:
        faces = _faces(results, grouping)
        order[grouping] = in_order(set(faces.groups) - {""})
        for detector in results.plan.detectors:
            for arm in results.arms:
                found = {k: results.found(k, arm, detector) for k in results.plan.levels}
                for level, hits in found.items():
                    here = _cells(order[grouping], faces, hits, (grouping, detector, level, arm))
                    cells += [_with_error(cell, results, faces) for cell in here]
                    gap = _gap(here, faces, hits, results.plan.seed)
                    gaps += [] if gap is None else [gap]
                at = _at_light(order[grouping], faces, found, (grouping, detector, arm), results)
                light += at[0]
                equal += at[1]
    return ByGroup(order, tuple(cells), tuple(gaps), tuple(light), tuple(equal))


def in_order(groups: set[str]) -> tuple[str, ...]:
    """Skin groups from light to dark, others by the number they begin with, then by name."""
    if groups <= set(NAMES):
        return tuple(name for name in NAMES if name in groups)

    def key(name: str) -> tuple[float, str]:
        number = re.match(r"\d+(\.\d+)?", name)
        return (float(number[0]) if number else float("inf"), name)

    return tuple(sorted(groups, key=key))


def _faces(results: Results, grouping: str) -> _Faces:
    assert results.labels is not None, "build() asks only where there are labels"
    of = results.labels.faces
    groups = [face.groups.get(grouping, "") for name in results.names for face in of[name]]
    pictures = [i for i, name in enumerate(results.names) for _ in of[name]]
    light = {level: results.light(level) for level in results.plan.levels}
    return _Faces(groups, np.array(pictures, np.float64), light)


def _cells(
    order: Sequence[str], faces: _Faces, hits: Bools, key: tuple[str, str, float | None, str]
) -> list[GroupCell]:
    """The groups in one arm at one level, each against all others, Holm over the groups."""
    grouping, detector, level, arm = key
    grouped = np.array([bool(group) for group in faces.groups], bool)
    cells = []
    for group in order:
        mine = faces.of(group)
        rest = grouped & ~mine
        m, others = int(rest.sum()), int(hits[rest].sum())
        cell = GroupCell(
            grouping=grouping,
            group=group,
            detector=detector,
            level=level,
            arm=arm,
            **counted(hits[mine]),
        )
        if m:
            cell = replace(
                cell,
                difference=difference_of_shares(cell.found, cell.n, others, m),
                p=fisher_exact(cell.found, cell.n, others, m),
            )
        cells.append(cell)
    adjusted = holm([cell.p if cell.p is not None else 1.0 for cell in cells])
    return [
        replace(cell, p_holm=p) if cell.p is not None else cell
        for cell, p in zip(cells, adjusted, strict=True)
    ]


def _with_error(cell: GroupCell, results: Results, faces: _Faces) -> GroupCell:
    """The cell with its landmark error in true boxes, where landmarks were measured."""
    if not results.has_landmarks:
        return cell
    errors = results.errors(cell.level, cell.arm, None)[faces.of(cell.group)]
    errors = errors[np.isfinite(errors)]
    return replace(cell, nme=float(errors.mean())) if errors.size else cell


def _gap(cells: Sequence[GroupCell], faces: _Faces, hits: Bools, seed: int) -> Gap | None:
    enough = [cell for cell in cells if not cell.small]
    if len(enough) < 2:
        return None
    best = max(enough, key=lambda cell: cell.rate)
    worst = min(enough, key=lambda cell: cell.rate)
    pictures = faces.pictures.astype(np.intp)
    number = int(pictures.max()) + 1
    counts = [
        np.bincount(pictures, weights=which, minlength=number)
        for group in (best.group, worst.group)
        for which in (faces.of(group) & hits, faces.of(group))
    ]

    def difference(rows: np.ndarray) -> np.ndarray:
        a, n, b, m = (count[rows].sum(axis=1) for count in counts)
        with np.errstate(invalid="ignore"):
            return np.asarray(a / n - b / m, np.float64)

    gap = paired_bootstrap(difference, number, seed=seed)
    c = best
    return Gap(c.grouping, c.detector, c.level, c.arm, best.group, worst.group, gap)


def _at_light(
    order: Sequence[str],
    faces: _Faces,
    found: dict[float | None, Bools],
    key: tuple[str, str, str],
    results: Results,
) -> tuple[list[LightCell], list[EqualLight]]:
    """Groups by the light on the face itself, all levels of the study together."""
    grouping, detector, arm = key
    levels = list(found)
    hits = np.concatenate([found[k] for k in levels])
    light = 255 * np.concatenate([faces.light[k] for k in levels])
    bins = np.digitize(light, LIGHT_EDGES[1:-1])
    pictures = np.tile(faces.pictures.astype(np.intp), len(levels))
    grouped = np.tile(np.array([bool(group) for group in faces.groups], bool), len(levels))
    cells, equal = [], []
    for group in order:
        mine = np.tile(faces.of(group), len(levels))
        for i in np.unique(bins[mine]):
            here = mine & (bins == i)
            cell = LightCell(
                grouping=grouping,
                group=group,
                detector=detector,
                arm=arm,
                low_level=LIGHT_EDGES[i],
                high_level=LIGHT_EDGES[i + 1],
                **counted(hits[here]),
            )
            cells.append(cell)
        difference = None
        if faces.of(group).sum() >= FEW:
            rows = (values[grouped] for values in (hits, mine, bins, pictures))
            difference = stratified_difference(*rows, seed=results.plan.seed)
        equal.append(EqualLight(grouping, group, detector, arm, difference))
    return cells, equal
