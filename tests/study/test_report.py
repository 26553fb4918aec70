"""The report: whole, self-contained, readable without seeing."""

from __future__ import annotations

import dataclasses
import json
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest

from relume.study import Report, run
from relume.study.plots import folded

from .conftest import MakePlan, grid, small_plan


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.images: list[dict[str, str]] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        if tag == "img":
            self.images.append(values)
        self.links += [values[key] for key in ("href", "src") if key in values]
        if tag not in ("img", "meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A ladder with labels, landmarks, two arms and photographs."""
    plan = small_plan(tmp_path_factory.mktemp("study"))
    lines = "\n".join(f"{x},{y}" for x, y in grid((22.0, 26.0, 42.0, 44.0)))
    for file in plan.pictures.glob("p*.png"):
        file.with_suffix(".csv").write_text(f"x,y\n{lines}\n")
    plan = dataclasses.replace(
        plan,
        labels=plan.pictures,
        landmarks="grid",
        arms=("twice:protect_lit=no", "fussy"),
        darken=(1.0, 0.3),
        iou=0.3,
        examples=1,
        title="Discs & <faces>",
    )
    return run(plan, processes=1)


def test_the_page_is_whole_and_needs_no_network(report: Report) -> None:
    text = report.index.read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    assert page.links
    for link in page.links:
        assert (report.folder / link).is_file(), link
    assert all(len(image["alt"]) > 20 for image in page.images)
    kinds = {Path(image["src"]).parts[0] for image in page.images}
    assert kinds == {"plots", "pictures"}
    assert "Discs &amp; &lt;faces&gt;" in text
    assert "<faces>" not in text


def test_page_and_text_open_with_the_answer_and_one_plot(report: Report) -> None:
    page = report.index.read_text(encoding="utf-8")
    body = page[page.index("<body") :]
    assert body.index(report.answer) < body.index("<img") < body.index("<table")
    text = (report.folder / "report.md").read_text(encoding="utf-8")
    assert text.splitlines()[2] == f"**{report.answer}**"
    assert text.index("![") < text.index("|---")


def test_markdown_tables_are_tables(report: Report) -> None:
    lines = (report.folder / "report.md").read_text(encoding="utf-8").splitlines()
    widths: list[int] = []
    for before, line in zip(["", *lines], lines, strict=False):
        if line.startswith("|"):
            columns = line.count("|") - line.count("\\|")
            if before.startswith("|"):
                assert columns == widths[-1], line
            widths.append(columns)
    assert widths


def test_the_json_holds_every_figure_and_what_it_means(report: Report) -> None:
    table = json.loads((report.folder / "table.json").read_text(encoding="utf-8"))
    assert table["answer"] == report.answer
    assert len(table["cells"]) == 3 * 2
    assert len(table["landmarks"]) == 2 * 3 * 2
    assert table["metrics"]["nme"]["direction"] == "lower"
    assert table["metrics"]["recall"]["high"] == 1
    curve = table["landmarks"][0]["curve"]
    assert curve == sorted(curve)


def test_plots_are_svg_without_dates(report: Report) -> None:
    plots = sorted((report.folder / "plots").glob("*.svg"))
    assert [plot.name for plot in plots] == [
        "errors-discs.svg",
        "errors-true-boxes.svg",
        "found-discs.svg",
        "nme-discs.svg",
        "nme-true-boxes.svg",
    ]
    for plot in plots:
        text = plot.read_text(encoding="utf-8")
        assert ET.fromstring(text).tag.endswith("svg")
        assert "<dc:date>" not in text


def test_examples_show_what_was_lost_and_won(report: Report) -> None:
    names = sorted(file.name for file in (report.folder / "pictures").glob("*.jpg"))
    assert "light.jpg" in names
    assert any(name.startswith("won-") for name in names)
    assert any(name.startswith("lost-") for name in names)
    alts = [image["alt"] for image in Page(report.index.read_text()).images]
    assert any("found by discs: original none found; twice" in alt for alt in alts)


def test_without_examples_there_are_no_photographs(make: MakePlan) -> None:
    folder = run(make(examples=0), processes=1).folder
    assert not (folder / "pictures").exists()
    assert "<h2>The arms over the light</h2>" not in (folder / "index.html").read_text()


def test_long_arms_are_folded_in_legends() -> None:
    assert folded("gamma:0.4") == "gamma:0.4"
    assert folded("somebody-elses-folder-of-results") == "somebody-elses-folder-of-results"
    assert folded("clahe:clip=3,protect_lit=false") == "clahe\n  clip=3\n  protect_lit=false"
