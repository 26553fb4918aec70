"""The plots of a report, as SVG: drawn from the table alone, the same bytes for the same table.

Every arm has a colour and a marker of its own (the first seven colours are Okabe and Ito's, told
apart by colour-blind readers) and its name beside its line; the original and the arm that gained
most are drawn strong, with their intervals.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from relume.errors import extra_module
from relume.study.plan import ORIGINAL, level_name
from relume.study.results import FoundShare
from relume.study.table import CURVE_NME, Cell, LandmarkCell, Table

COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A5FB0"),
    *("#8C6D00", "#A30034", "#5B6B7A", "#3A7D0A", "#C2187E"),
)
MARKERS = ("s", "^", "D", "v", "P", "X", "<", ">", "h", "p", "*", "d")
DASHES = ("-", "--", "-.", ":")
INK, PALE = "#1b1f24", "#d7dbe0"
STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.size": 10.5,
    "text.color": INK,
    "axes.edgecolor": "#8b939c",
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlesize": 11.5,
    "axes.axisbelow": True,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    # letters as outlines: looks the same on every machine; a fixed salt: the same bytes
    "svg.fonttype": "path",
    "svg.hashsalt": "relume",
}


LABEL_GAP = 0.052
"""Height of a line's name over that of the axes."""
LONGEST_LABEL = 18
"""Letters of an arm's name that a legend shows in one line."""


@dataclass(frozen=True)
class Plot:
    """A plot's file name, its SVG, and what it shows in words (its alternative text)."""

    name: str
    svg: bytes
    title: str
    alt: str


def draw(table: Table) -> list[Plot]:
    """Every plot that the table has figures for; the first one carries the answer.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    plots = []
    for detector in table.detectors:
        cells = [cell for cell in table.cells if cell.detector == detector]
        if cells:
            plots.append(_found(table, detector, cells))
    for source in dict.fromkeys(cell.source for cell in table.landmarks):
        of_source = [cell for cell in table.landmarks if cell.source == source]
        if len(table.levels) > 1:
            plots.append(_errors(table, source, of_source))
        plots.append(_cumulative(table, source, of_source))
    return plots


def _found(table: Table, detector: str, cells: Sequence[Cell]) -> Plot:
    what = "Faces found" if table.unit_noun == "faces" else "Pictures with a face found"
    title = f"{what} by {detector}"
    if len(table.levels) > 1:
        bands = "95 % intervals of the original and of the arm that gained most"
        alt = f"{title} against darkness, with {bands}. {_read_out(table, cells)}"
        rates: list[list[Point]] = [
            [(c.level, c.rate, c.low, c.high) for c in cells if c.arm == arm] for arm in table.arms
        ]
        best = table.best(detector)
        focus = best.arm if best is not None else None
        return as_svg(f"found-{slug(detector)}", title, alt, (8.2, 4.6), lambda fig: _ladder(
            fig, table, title, rates, "share found", 1.02, focus
        ))  # fmt: skip
    alt = f"{title} in each arm, with 95 % intervals. " + _read_out(table, cells)
    height = 1.4 + 0.5 * len(cells)
    return as_svg(
        f"found-{slug(detector)}",
        title,
        alt,
        (8.2, height),
        lambda figure: _whiskers(figure, table, title, cells),
    )


def _errors(table: Table, source: str, cells: Sequence[LandmarkCell]) -> Plot:
    title = f"Landmark error, {_behind(source)}"
    series = []
    for arm in table.arms:
        mine = [c for c in cells if c.arm == arm and c.nme is not None and c.level is not None]
        series.append([(c.level, 100 * c.nme, None, None) for c in mine if c.nme is not None])
    words = "; ".join(
        f"{arm}: " + ", ".join(f"{nme:.1f} % at k = {k:g}" for k, nme, _, _ in points)
        for arm, points in zip(table.arms, series, strict=True)
        if points
    )
    top = max((point[1] for points in series for point in points), default=1.0)
    return as_svg(
        f"nme-{slug(source)}",
        title,
        f"{title} against darkness (mean NME, lower is better). {words}.",
        (8.2, 4.6),
        lambda fig: _ladder(fig, table, title, series, "mean NME (%), lower is better", 1.06 * top),
    )


def _cumulative(table: Table, source: str, cells: Sequence[LandmarkCell]) -> Plot:
    title = f"Faces within a landmark error, {_behind(source)}"
    levels = [level for level in table.levels if any(c.level == level for c in cells)]
    words = "; ".join(
        f"{level_name(level)}: "
        + ", ".join(f"{c.arm} {1 - c.failure_rate_8:.0%}" for c in cells if c.level == level)
        for level in levels
    )
    columns = min(3, len(levels))
    rows = -(-len(levels) // columns)
    return as_svg(
        f"errors-{slug(source)}",
        title,
        f"Cumulative error curves, missed faces counted as failures. Within 8 %: {words}.",
        (8.2 if columns > 1 else 5.6, 0.8 + 2.5 * rows),
        lambda figure: _curves(figure, table, title, cells, levels, (rows, columns)),
    )


Point = tuple[float | None, float, float | None, float | None]


def _ladder(
    figure: Any,
    table: Table,
    title: str,
    series: Sequence[Sequence[Point]],
    label: str,
    top: float,
    best: str | None = None,
) -> None:
    """One line an arm over the darkness levels, named at its end; bands for two of them."""
    axes = figure.add_subplot()
    numbers = [level for level in table.levels if level is not None]
    ends = []
    for i, (arm, points) in enumerate(zip(table.arms, series, strict=True)):
        # side by side by a hair, so that equal arms do not hide each other
        aside = 1.02 ** ((len(table.arms) - 1) / 2 - i)
        x = [k * aside for k, *_ in points if k is not None]
        look, strong = _look(arm, i), arm in (ORIGINAL, best)
        if strong and points and points[0][2] is not None:
            low, high = [p[2] for p in points], [p[3] for p in points]
            axes.fill_between(x, low, high, color=look["color"], alpha=0.12, linewidth=0)
        look |= {} if strong else {"linewidth": 1.1, "markersize": 4.5, "alpha": 0.9}
        axes.plot(x, [point[1] for point in points], zorder=3 if strong else 2, **look)
        if points:
            ends.append((x[-1], points[-1][1], arm, look["color"], strong))
    over_light(axes, title, label, numbers, top, room=1.15)
    for k in set(numbers) - {k for points in series for k, *_ in points}:
        why = "no face found in every arm"
        axes.text(k, top / 2, why, rotation=90, ha="center", va="center", color="#59636e")
    name_lines(axes, ends, top)


def over_light(
    axes: Any, title: str, label: str, levels: Sequence[float], top: float, *, room: float
) -> None:
    """The axes of a ladder: light to the right, a factor ``room`` beside its ends; 0 to ``top``."""
    axes.set_xscale("log")
    axes.set_xlim(max(levels) * room, min(levels) / room)
    axes.set_xticks(levels, [f"{k:g}" for k in levels])
    axes.minorticks_off()
    axes.set_ylim(0, top)
    axes.set_xlabel("light left, k (darker to the right)")
    axes.set_ylabel(label)
    axes.grid(axis="y", color=PALE, linewidth=0.8)
    if top <= 1.05:
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_title(title)


def name_lines(axes: Any, ends: Sequence[tuple[float, float, str, str, bool]], top: float) -> None:
    """Each line's name at its right end, as near to its height as the others allow."""
    ends = sorted(ends, key=lambda end: end[1])
    lines = [folded(end[2]).count("\n") + 1 for end in ends]
    gaps = [LABEL_GAP * top * (a + b) / 2 for a, b in pairwise(lines)]
    heights = [end[1] for end in ends]
    for i, gap in enumerate(gaps):  # up from the lowest, then down from the top
        heights[i + 1] = max(heights[i + 1], heights[i] + gap)
    heights[-1:] = [min(height, top) for height in heights[-1:]]
    for i in reversed(range(len(gaps))):
        heights[i] = min(heights[i], heights[i + 1] - gaps[i])
    for (x, y, arm, color, strong), height in zip(ends, heights, strict=True):
        axes.annotate(
            folded(arm), (x, y), xytext=(1.04, height), textcoords=axes.get_yaxis_transform(),
            color=color, va="center", fontsize=9.5, weight="bold" if strong else "normal",
            annotation_clip=False, linespacing=1.0,
            arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.7, "linestyle": ":"},
        )  # fmt: skip


def folded(arm: str) -> str:
    """An arm's name for a legend: a long one is broken before its parameters, one a line.

    >>> folded("retinexnet:denoise=none,protect_lit=false")
    'retinexnet\\n  denoise=none\\n  protect_lit=false'
    """
    method, colon, parameters = arm.partition(":")
    if len(arm) <= LONGEST_LABEL or not colon:
        return arm
    return "\n  ".join([method, *parameters.split(",")])


def _whiskers(figure: Any, table: Table, title: str, cells: Sequence[Cell]) -> None:
    """One row an arm: the share found and its interval, the original's drawn through."""
    axes = figure.add_subplot()
    base = next(cell for cell in cells if cell.arm == ORIGINAL)
    axes.axvspan(base.low, base.high, color=INK, alpha=0.06, linewidth=0)
    axes.axvline(base.rate, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
    looks = [_look(cell.arm, table.arms.index(cell.arm)) for cell in cells]
    rows = [(c.arm, c, look["color"], look["marker"]) for c, look in zip(cells, looks, strict=True)]
    low = min(cell.low for cell in cells)
    whiskers(axes, title, rows, 0.0 if low < 0.5 else 0.1 * int(10 * low))


def whiskers(
    axes: Any, title: str, rows: Sequence[tuple[str, FoundShare, str, str]], low: float = 0.0
) -> None:
    """One row a name: the share found and its interval, in a colour and with a marker."""
    across = axes.get_yaxis_transform()  # x in fractions of the axes, y in data
    for i, (_, cell, color, marker) in enumerate(rows):
        axes.plot([cell.low, cell.high], [i, i], color=color, linewidth=2.4, solid_capstyle="round")
        axes.plot([cell.rate], [i], color=color, marker=marker, markersize=8)
        axes.text(1.03, i, f"{cell.found} of {cell.n}", va="center", transform=across)
    axes.set_yticks(range(len(rows)), [name for name, *_ in rows])
    axes.invert_yaxis()
    axes.margins(y=0.16)
    axes.set_xlim(low, 1.005)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.grid(axis="x", color=PALE, linewidth=0.8)
    axes.set_xlabel("share found, with 95 % interval")
    axes.set_title(title)


def _curves(
    figure: Any,
    table: Table,
    title: str,
    cells: Sequence[LandmarkCell],
    levels: Sequence[float | None],
    shape: tuple[int, int],
) -> None:
    """A panel a level: the share of faces with at most each error."""
    grid = figure.subplots(*shape, squeeze=False, sharex=True, sharey=True)
    panels = [axes for row in grid for axes in row]
    for axes in panels[len(levels) :]:
        axes.set_visible(False)
    for axes, level in zip(panels, levels, strict=False):
        for i, arm in enumerate(table.arms):
            curve = next(c.curve for c in cells if (c.level, c.arm) == (level, arm))
            look = _look(arm, i) | {"marker": ""}
            axes.plot([100 * limit for limit in CURVE_NME], curve, label=arm, **look)
        axes.axvline(8, color="#8b939c", linewidth=0.8, linestyle=(0, (2, 2)))
        axes.set_title(level_name(level), fontsize=10.5)
        axes.set_ylim(0, 1.02)
        axes.set_xlim(0, 100 * CURVE_NME[-1])
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.grid(color=PALE, linewidth=0.8)
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=11.5)
    figure.supxlabel("NME (%)", fontsize=10.5)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, [folded(name) for name in labels], loc="outside right center")


def as_svg(
    name: str,
    title: str,
    alt: str,
    size_in: tuple[float, float],
    paint: Callable[[Any], None],
) -> Plot:
    """A plot that ``paint`` draws on a figure of this size.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    figures = extra_module("matplotlib.figure", "the plots of a study", "study")
    from matplotlib import rc_context

    with rc_context(STYLE):
        figure = figures.Figure(figsize=size_in, layout="constrained")
        paint(figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Title": title})
    return Plot(f"{name}.svg", buffer.getvalue(), title, alt)


def _look(arm: str, index: int) -> dict[str, Any]:
    """Colour, marker and line of an arm; the original is black, thick and always the same."""
    if arm == ORIGINAL:
        return {"color": INK, "marker": "o", "linestyle": "-", "linewidth": 2.4, "markersize": 6}
    return {
        "color": COLOURS[(index - 1) % len(COLOURS)],
        "marker": MARKERS[(index - 1) % len(MARKERS)],
        "linestyle": DASHES[(index - 1) // len(COLOURS) % len(DASHES)],
        "linewidth": 1.8,
        "markersize": 6,
    }


def _read_out(table: Table, cells: Sequence[Cell]) -> str:
    words = []
    for arm in table.arms:
        mine = [c for c in cells if c.arm == arm]
        if len(mine) == 1:
            words.append(f"{arm}: {mine[0].found} of {mine[0].n} ({mine[0].rate:.0%})")
        else:
            at = ", ".join(f"{c.rate:.0%} at k = {c.level:g}" for c in mine if c.level is not None)
            words.append(f"{arm}: {at}")
    return "; ".join(words) + "."


def _behind(source: str) -> str:
    return "in true boxes" if source == "true boxes" else f"behind {source}"


def slug(name: str) -> str:
    """A name as a part of a file's name."""
    return "".join(c if c.isalnum() else "-" for c in name.lower()).strip("-")
