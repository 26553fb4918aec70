"""The report of a study: one folder, no network, to be read by people and by programs.

``index.html`` and ``report.md`` open with the answer and one plot; ``table.json`` holds every
figure, ``rows.jsonl`` every observation, ``plan.lock`` what it was made of.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Any

from relume import __version__
from relume.errors import OutputError, extra_module
from relume.io.atomic import write_atomic
from relume.metrics.catalogue import METRICS, Metric
from relume.study import examples, group_plots, plots, wording
from relume.study.evaluate import Evaluator, Inputs
from relume.study.examples import Figure
from relume.study.plan import ORIGINAL, level_name
from relume.study.results import Results
from relume.study.rows import Row
from relume.study.table import FALSE_ALARMS, Table
from relume.study.wording import Verdict, p_words

LIKENESS = ("psnr", "ssim", "psnr_gt_mean")
SHOWN_METRICS = (
    "found_rate",
    "recall",
    "precision",
    "fp_per_image",
    "recall_at",
    "average_precision",
    "score",
    "nme",
    "failure_rate_8",
    "failure_rate_10",
    "auc_8",
    *LIKENESS,
)
MARKS = {"helps": "▲ helps", "hurts": "▼ hurts", "none": "– no difference shown"}
MOST_LISTED = 200
"""Pictures that the report lists one by one."""


@dataclass(frozen=True)
class GroupSection:
    """The groups of one grouping, as one detector finds them: a sentence and a plot."""

    grouping: str
    detector: str
    arm: str
    answer: str
    plot: plots.Plot


@dataclass(frozen=True)
class Parts:
    """What a report shows beside its table."""

    plots: Sequence[plots.Plot]
    groups: Sequence[GroupSection]
    light: Figure | None
    strips: Sequence[Figure]


def write(inputs: Inputs, rows: Sequence[Row], table: Table) -> None:
    """Write the whole report into the plan's folder, from the rows and the table.

    Raises:
        MissingExtra: matplotlib or jinja2 is not installed.
        OutputError: the folder cannot be written.
    """
    folder = inputs.plan.report
    results = Results(rows, plan=inputs.plan, labels=inputs.labels)
    parts = Parts(plots.draw(table), _group_sections(table), *_photographs(inputs, results))
    drawn = [*parts.plots, *(section.plot for section in parts.groups)]
    files = {f"plots/{plot.name}": plot.svg for plot in drawn}
    strips = [*parts.strips, *([parts.light] if parts.light else [])]
    files |= {f"pictures/{strip.name}": strip.jpeg for strip in strips}
    values = _context(inputs, results, table, parts)
    files["table.json"] = as_json(table).encode()
    files["report.md"] = _rendered("report.md.j2", values, html=False).encode()
    files["index.html"] = _rendered("index.html.j2", values, html=True).encode()
    try:
        for earlier in (*folder.glob("plots/*.svg"), *folder.glob("pictures/*.jpg")):
            earlier.unlink()
        for name, data in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_atomic(folder / name, data, overwrite=True)
    except OSError as error:
        raise OutputError(f"cannot write the report to {folder}: {error.strerror}") from error


def _group_sections(table: Table) -> list[GroupSection]:
    """What is said and drawn by group: in the arm that gained most, else in the original."""
    if table.groups is None:
        return []
    sections = []
    for grouping in table.groups.order:
        for detector in table.detectors:
            best = table.best(detector)
            arm = ORIGINAL if best is None else best.arm
            answer = wording.group_answer(table.groups, grouping, detector, arm)
            plot = group_plots.draw(table.groups, grouping, detector, arm, table.levels)
            sections.append(GroupSection(grouping, detector, arm, answer, plot))
    return sections


def as_json(table: Table) -> str:
    """The table as JSON, with what each of its metrics is: direction, range, unit."""
    metrics = {name: asdict(METRICS[name]) for name in SHOWN_METRICS}
    for metric in metrics.values():
        metric["high"] = metric["high"] if math.isfinite(metric["high"]) else None
    return json.dumps({**table.as_json(), "metrics": metrics}, indent=1, ensure_ascii=False) + "\n"


def _photographs(inputs: Inputs, results: Results) -> tuple[Figure | None, list[Figure]]:
    """The light panel and the discordant examples; nothing if the plan wants no photographs."""
    if not inputs.plan.examples or not results.names:
        return None, []
    album = examples.ExampleRenderer(Evaluator(inputs), results)
    chosen = examples.discordant(results)
    strips = [album.strip(example, i) for i, example in enumerate(chosen, start=1)]
    return album.light_panel(), strips


def _context(inputs: Inputs, results: Results, table: Table, parts: Parts) -> dict[str, Any]:
    plan = inputs.plan
    return {
        "table": table,
        "plan": plan,
        "title": plan.title or "Does it help to find faces?",
        "parts": parts,
        "original": ORIGINAL,
        "others": [arm for arm in table.arms if arm != ORIGINAL],
        "metrics": _used(table),
        "rates": " / ".join(f"{rate:g}" for rate in FALSE_ALARMS),
        "unlabelled": _unlabelled(inputs),
        "version": __version__,
        "by_picture": _by_picture(results) if len(results.names) <= MOST_LISTED else [],
        "picture_figures": _picture_figures(table),
        **_light_figures(table),
    }


def _light_figures(table: Table) -> dict[str, Callable[..., Any]]:
    """What the templates ask of the tables at equal light, by section, group and bin."""
    groups = table.groups
    cells = () if groups is None else groups.light
    equal = () if groups is None else groups.equal_light
    light = {(c.grouping, c.detector, c.arm, c.group, c.low_level, c.high_level): c for c in cells}
    differences = {(e.grouping, e.detector, e.arm, e.group): e.difference for e in equal}

    def key(section: GroupSection) -> tuple[str, str, str]:
        return (section.grouping, section.detector, section.arm)

    return {
        "bins": lambda section: sorted({k[4:] for k in light if k[:3] == key(section)}),
        "at_light": lambda section, group, b: light.get((*key(section), group, *b)),
        "equal_light": lambda section, group: differences.get((*key(section), group)),
    }


def _by_picture(results: Results) -> list[tuple[str, list[tuple[int, int]]]]:
    """What the first detector found in each picture, an arm a column: how many of how many."""
    plan = results.plan

    def cell(name: str, arm: str) -> tuple[int, int]:
        found = [results.found_in(name, k, arm, plan.detectors[0]) for k in plan.levels]
        return sum(map(sum, found)), sum(map(len, found))

    return [(name, [cell(name, arm) for arm in results.arms]) for name in results.names]


def _picture_figures(table: Table) -> list[dict[str, Any]]:
    """Means of grey level, PSNR and SSIM: a table each, arms by exposures."""
    figures = []
    for name, label, digits, scale in (
        ("mean", "Mean grey level (of 255)", 1, 255),
        *((name, METRICS[name].label, 3 if name == "ssim" else 2, 1) for name in LIKENESS),
    ):
        cells = {(c.arm, c.level): getattr(c, name) for c in table.pictures_by_arm}
        if all(value is None for value in cells.values()):
            continue
        rows = [
            (arm, [None if cells[arm, k] is None else scale * cells[arm, k] for k in table.levels])
            for arm in table.arms
        ]
        figures.append({"label": label, "digits": digits, "rows": rows})
    return figures


def _mark(verdict: Verdict) -> str:
    return "– too few to show" if verdict.too_few else MARKS[verdict.word]


def _unlabelled(inputs: Inputs) -> int:
    """How many pictures of the folder no label names, and so are not studied."""
    if inputs.labels is None:
        return 0
    from relume.study.dataset import find_pictures

    return len(find_pictures(inputs.plan.pictures)) - len(inputs.names)


def _used(table: Table) -> list[Metric]:
    """The metrics that this table has figures for."""
    names = {"score", "recall" if table.unit_noun == "faces" else "found_rate"}
    if any(cell.fp_per_image is not None for cell in table.cells):
        names |= {"precision", "fp_per_image", "recall_at", "average_precision"}
    if table.landmarks:
        names |= {"nme", "failure_rate_8", "failure_rate_10", "auc_8"}
    for name in LIKENESS:
        if any(getattr(cell, name) is not None for cell in table.pictures_by_arm):
            names.add(name)
    return [METRICS[name] for name in SHOWN_METRICS if name in names]


def _rendered(template: str, values: dict[str, Any], *, html: bool) -> str:
    jinja2 = extra_module("jinja2", "the report of a study", "study")
    environment = jinja2.Environment(
        autoescape=html, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    filters: dict[str, Callable[..., str]] = {
        "percent": _percent,
        "number": _number,
        "level": level_name,
        "p": p_words,
        "cell": _markdown_cell,
        "mark": _mark,
    }
    environment.filters.update(filters)
    source = resources.files("relume.study").joinpath("templates", template)
    return str(environment.from_string(source.read_text(encoding="utf-8")).render(values))


def _percent(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{100 * value:.{digits}f} %"


def _number(value: float | None, digits: int = 2, *, sign: bool = False) -> str:
    return "–" if value is None else f"{value:{'+' if sign else ''}.{digits}f}"


def _markdown_cell(text: str) -> str:
    """Text for a Markdown table: a bar would end the cell."""
    return text.replace("|", "\\|")
