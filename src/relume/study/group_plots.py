"""The plots of a report by group: the share found in one arm, against darkness where there is any.

Every group has a colour and a marker of its own, and an interval at every level.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from relume.study.by_group import ByGroup, GroupCell
from relume.study.plan import level_name
from relume.study.plots import COLOURS, INK, MARKERS, PALE, Plot, as_svg, name_lines, slug


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
    axes.set_xscale("log")
    axes.set_xlim(max(levels) * 1.3, min(levels) / 1.3)
    axes.set_xticks(levels, [f"{k:g}" for k in levels])
    axes.minorticks_off()
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_xlabel("light left, k (darker to the right)")
    axes.set_ylabel("share found, with 95 % intervals")
    axes.grid(axis="y", color=PALE, linewidth=0.8)
    axes.set_title(title)
    name_lines(axes, ends, 1.02)


def _whiskers(
    figure: Any, title: str, names: Sequence[str], lines: Sequence[Sequence[GroupCell]]
) -> None:
    axes = figure.add_subplot()
    across = axes.get_yaxis_transform()  # x in fractions of the axes, y in data
    for i, (cell,) in enumerate(lines):
        color = COLOURS[i % len(COLOURS)]
        axes.plot([cell.low, cell.high], [i, i], color=color, linewidth=2.4)
        axes.plot([cell.rate], [i], color=color, marker=MARKERS[i % len(MARKERS)], markersize=8)
        axes.text(1.03, i, f"{cell.found} of {cell.n}", va="center", transform=across, color=INK)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.margins(y=0.16)
    axes.set_xlim(0, 1.005)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.grid(axis="x", color=PALE, linewidth=0.8)
    axes.set_xlabel("share found, with 95 % interval")
    axes.set_title(title)
