"""The plots of a report by group: the share found in one arm, against darkness where there is any.

Every group has a colour and a marker of its own, and an interval at every level.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from relume.study.by_group import ByGroup, GroupCell
from relume.study.plan import level_name
from relume.study.plots import (
    COLOURS,
    MARKERS,
    Plot,
    as_svg,
    name_lines,
    over_light,
    slug,
    whiskers,
)


def draw(
    groups: ByGroup, grouping: str, detector: str, arm: str, levels: Sequence[float | None]
) -> Plot:
    """The share found in each group of a grouping, in one arm.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    title = f"Faces found by {detector}, by {grouping}: {arm}"
    names = groups.order[grouping]
    lines = [[groups.cell(grouping, name, detector, k, arm) for k in levels] for name in names]
    alt = f"{title}, with 95 % intervals. " + "; ".join(
        f"{name} (n = {line[0].n}): "
        + ", ".join(f"{cell.rate:.0%} at {level_name(cell.level)}" for cell in line)
        for name, line in zip(names, lines, strict=True)
    )
    several = len(levels) > 1
    return as_svg(
        f"groups-{slug(grouping)}-{slug(detector)}",
        title,
        f"{alt}.",
        (8.2, 4.6 if several else 1.4 + 0.5 * len(names)),
        lambda figure: (_ladder if several else _whiskers)(figure, title, names, lines),
    )


def _ladder(
    figure: Any, title: str, names: Sequence[str], lines: Sequence[Sequence[GroupCell]]
) -> None:
    axes = figure.add_subplot()
    levels = [cell.level for cell in lines[0] if cell.level is not None]
    ends = []
    for i, (name, line) in enumerate(zip(names, lines, strict=True)):
        color = COLOURS[i % len(COLOURS)]
        # side by side, so that intervals do not hide each other
        aside = 1.05 ** ((len(names) - 1) / 2 - i)
        x = [k * aside for k in levels]
        axes.vlines(x, [c.low for c in line], [c.high for c in line], color=color, alpha=0.35, lw=2)
        axes.plot(
            x, [c.rate for c in line], color=color, marker=MARKERS[i % len(MARKERS)], linewidth=1.8
        )
        ends.append((x[-1], line[-1].rate, f"{name} ({line[-1].n})", color, False))
    over_light(axes, title, "share found, with 95 % intervals", levels, 1.02, room=1.3)
    name_lines(axes, ends, 1.02)


def _whiskers(
    figure: Any, title: str, names: Sequence[str], lines: Sequence[Sequence[GroupCell]]
) -> None:
    rows = [
        (name, line[0], COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)])
        for i, (name, line) in enumerate(zip(names, lines, strict=True))
    ]
    whiskers(figure.add_subplot(), title, rows)
