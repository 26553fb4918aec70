"""The report: whole, self-contained, readable without seeing."""

from __future__ import annotations

import dataclasses
import json
import shutil
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from relume.study import Report, run
from relume.study.plots import folded, name_lines

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


def test_without_labels_a_box_is_not_called_a_face(tmp_path: Path) -> None:
    plan = dataclasses.replace(small_plan(tmp_path), arms=("twice:protect_lit=no",), examples=1)
    folder = run(plan, processes=1).folder
    for name in ("index.html", "report.md"):
        text = (folder / name).read_text(encoding="utf-8")
        assert "Boxes lost and won" in text
        assert "a box may be no face" in text
        assert "a face:" not in text
        assert "won a face" not in text


def test_examples_show_what_was_lost_and_won(report: Report) -> None:
    names = sorted(file.name for file in (report.folder / "pictures").glob("*.jpg"))
    assert "light.jpg" in names
    assert any(name.startswith("won-") for name in names)
    assert any(name.startswith("lost-") for name in names)
    alts = [image["alt"] for image in Page(report.index.read_text()).images]
    assert any("found by discs: original none found; twice" in alt for alt in alts)


def test_a_verdict_is_short_and_stands_beside_the_arm(report: Report) -> None:
    page = report.index.read_text(encoding="utf-8")
    heads = page[page.index("All figures at") :]
    assert heads.index("against the original") < heads.index("95 % interval")
    # the long sentence stands below the table, once for all arms that it is true of
    row = heads[heads.index('<th scope="row">twice') : heads.index("</tr>", heads.index("twice"))]
    assert "could" not in row.partition("title=")[0] + row.rpartition('">')[2]
    assert "What could have been shown" in heads


def test_pictures_are_listed_by_arm(report: Report) -> None:
    page = report.index.read_text(encoding="utf-8")
    listed = page[page.index("Picture by picture") : page.index("The pictures themselves")]
    assert listed.count('<th scope="row">') == report.table.pictures
    # p1 is found by nobody at k = 0.3, and twice as bright only at k = 1
    cells = listed[listed.index("p1.png") :].split("</tr>")[0]
    assert [part.split("<")[0] for part in cells.split('">')[1:]] == ["0 of 2", "1 of 2", "0 of 2"]
    means = page[page.index("The pictures themselves") :]
    assert means[: means.index("</table>")].count("<tr>") == 1 + len(report.table.arms)


def test_a_landmark_table_without_figures_says_why(report: Report) -> None:
    assert any(cell.nme is None for cell in report.table.landmarks)
    for name in ("index.html", "report.md"):
        text = (report.folder / name).read_text(encoding="utf-8")
        assert "no face was found in every arm" in text


def test_lines_have_names_that_do_not_overlap(make: MakePlan) -> None:
    arms = tuple(f"a{i}=gamma:0.{i}" for i in range(1, 10))
    plan = make(arms=arms, darken=(1.0, 0.3), examples=0)
    table = run(plan, processes=1).table
    seen: list[float] = []

    class Axes:
        def get_yaxis_transform(self) -> None: ...
        def annotate(self, _: str, __: object, xytext: tuple[float, float], **___: object) -> None:
            seen.append(xytext[1])

    name_lines(Axes(), [(0.3, 1.0, arm, "red", False) for arm in table.arms], 1.02)
    assert len(seen) == 10
    assert max(seen) <= 1.02
    assert min(b - a for a, b in pairwise(sorted(seen))) > 0.05


def test_without_examples_there_are_no_photographs(make: MakePlan) -> None:
    folder = run(make(examples=0), processes=1).folder
    assert not (folder / "pictures").exists()
    assert "<h2>The arms over the light</h2>" not in (folder / "index.html").read_text()


def test_long_arms_are_folded_in_legends() -> None:
    assert folded("gamma:0.4") == "gamma:0.4"
    assert folded("somebody-elses-folder-of-results") == "somebody-elses-folder-of-results"
    assert folded("clahe:clip=3,protect_lit=false") == "clahe\n  clip=3\n  protect_lit=false"


@pytest.mark.slow
def test_on_a_phone_nothing_of_a_table_is_out_of_view(report: Report) -> None:
    """A row is a card there, each figure under the head of its column; a chart is whole."""
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("needs chromium (apt-get install chromium)")
    with api.sync_playwright() as playwright:
        flags = ["--headless", "--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.goto(report.index.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        wide = "[...document.querySelectorAll('*')].filter(e => e.scrollWidth > 390).length"
        assert page.evaluate(wide) == 0
        card = page.locator("table tbody tr").first
        head = card.locator("td").first.get_attribute("data-head")
        assert head == page.locator("table").first.locator("thead th").nth(1).text_content()
        browser.close()
