"""Faces by group: from the labels' columns or measured, counted by hand, and in the report."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from relume.errors import InputError, ParameterError
from relume.study import Plan, run
from relume.study.by_group import ByGroup, build, in_order
from relume.study.dataset import Labels, TrueFace, read_labels
from relume.study.groups import level_in
from relume.study.results import Results
from relume.study.rows import Row
from relume.study.wording import group_answer

from .conftest import MakePlan, box_of

HEADER = "image,x0,y0,x1,y1,group:age,group:hat\n"


def write(folder: Path, *lines: str) -> Path:
    file = folder / "labels.csv"
    file.write_text(HEADER + "".join(f"{line}\n" for line in lines))
    return file


def test_columns_of_groups(tmp_path: Path) -> None:
    file = write(tmp_path, "a.png,0,0,9,9,20-29,", "a.png,5,5,9,9, 3-9 ,yes", "b.png,,,,,,")
    labels = read_labels(file, ["a.png", "b.png"])
    assert labels.groupings == ("age", "hat")
    assert [face.groups for face in labels.faces["a.png"]] == [
        {"age": "20-29"},
        {"age": "3-9", "hat": "yes"},
    ]
    assert labels.faces["b.png"] == ()


@pytest.mark.parametrize(
    "header",
    ["image,x0,y0,x1,y1,age", "image,group:age,x0,y0,x1,y1", "image,x0,y0,x1,y1,group:"],
)
def test_headers_that_cannot_be(tmp_path: Path, header: str) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(f"{header}\n")
    with pytest.raises(InputError, match="group:"):
        read_labels(file, ["a.png"])


def test_the_same_grouping_twice(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("image,x0,y0,x1,y1,group:age,group:age\n")
    with pytest.raises(InputError, match="different names"):
        read_labels(file, ["a.png"])


def test_the_order_of_groups() -> None:
    assert in_order({"dark", "light", "tan"}) == ("light", "tan", "dark")
    assert in_order({"20-29", "3-9", "more", "0-2"}) == ("0-2", "3-9", "20-29", "more")


def test_the_light_in_a_box() -> None:
    image = np.zeros((10, 10, 3), np.float32)
    image[:5] = 0.5
    assert level_in(image, (0, 0, 10, 5)) == pytest.approx(0.5)
    assert level_in(image, (-5, -5, 10, 10)) == pytest.approx(0.25)
    assert level_in(image, (20, 20, 30, 30)) == 0


FACE = (10.0, 10.0, 20.0, 20.0)
# in each group: faces, those found at k = 1 and at k = 0.1, and their light there
COUNTS = {"young": (40, 40, 36, 20.0), "old": (40, 38, 16, 5.0), "rare": (10, 10, 2, 5.0)}


def by_hand() -> ByGroup:
    """Ninety pictures of a face each, by the counts above."""
    plan = Plan(
        pictures=Path("in"), report=Path("out"), detectors=("haar",), labels=Path("labels.csv"),
        darken=(1, 0.1),
    )  # fmt: skip
    rows, faces = [], {}
    for group, (n, bright, dark, light) in COUNTS.items():
        for i in range(n):
            name = f"{group}{i}.jpg"
            faces[name] = (TrueFace(FACE, groups={"age": group}),)
            for level, found, level_light in ((1.0, bright, 100.0), (0.1, dark, light)):
                seen = ((*FACE, 0.9),) if i < found else ()
                rows += [
                    Row(name, level, "original", mean=0.1, light=(level_light / 255,)),
                    Row(name, level, "original", "haar", faces=seen),
                ]
    labels = Labels("boxes", faces, ("age",))
    groups = build(Results(rows, plan=plan, labels=labels))
    assert groups is not None
    return groups


def test_counts_by_hand() -> None:
    groups = by_hand()
    old = groups.cell("age", "old", "haar", 0.1, "original")
    assert (old.found, old.n, old.rate) == (16, 40, 0.4)
    assert (old.low, old.high) == pytest.approx((0.2635, 0.5540), abs=1e-3)
    assert old.difference is not None
    assert old.difference.value == pytest.approx(16 / 40 - 38 / 50)
    assert old.difference.high < 0
    assert old.p is not None
    assert old.p_holm is not None
    assert old.p < old.p_holm < 0.01
    assert [groups.cell("age", g, "haar", 0.1, "original").small for g in COUNTS] == [
        False,
        False,
        True,
    ]


def test_the_widest_gap_is_between_groups_that_are_large_enough() -> None:
    groups = by_hand()
    gap = groups.gap("age", "haar", 0.1, "original")
    assert gap is not None
    assert (gap.best, gap.worst) == ("young", "old")
    assert gap.gap.value == pytest.approx(0.5)
    assert 0.3 < gap.gap.low < 0.5 < gap.gap.high < 0.7
    assert group_answer(groups, "age", "haar", "original").startswith(
        "By age, original finds 90% of young (n = 40) and 40% of old (n = 40) at k = 0.1, the "
        "widest gap: 50 points ("
    )
    assert "too small for that: rare (10)" in group_answer(groups, "age", "haar", "original")


def test_at_equal_light_old_and_young_are_never_compared_in_the_dark() -> None:
    """At k = 0.1 the young have four times the light; only the rare have that of the old."""
    groups = by_hand()
    bins = {(c.group, c.low_level): (c.found, c.n) for c in groups.light}
    assert bins[("young", 16.0)] == (36, 40)
    assert bins[("old", 4.0)] == (16, 40)
    assert bins[("rare", 4.0)] == (2, 10)
    equal = {e.group: e.difference for e in groups.equal_light}
    old = equal["old"]
    assert old is not None
    assert equal["rare"] is None, "ten faces are too few"
    # strata: 16/40 - 2/10 at weight 40 * 10 / 50, and 38/40 - 50/50 at 40 * 50 / 90
    weights = 40 * 10 / 50, 40 * 50 / 90
    assert old.value == pytest.approx((0.2 * weights[0] - 0.05 * weights[1]) / sum(weights))


def paint(path: Path, colour: tuple[int, int, int]) -> None:
    """A disc of skin of this colour (RGB)."""
    pixels = np.full((64, 64, 3), 4, np.uint8)
    cv2.circle(pixels, (32, 32), 12, colour[::-1], -1)
    cv2.imwrite(str(path), pixels)


@pytest.fixture
def skins(make: MakePlan, tmp_path: Path) -> Plan:
    """Discs of light and of dark skin, and their boxes."""
    folder = tmp_path / "skins"
    folder.mkdir()
    box = ",".join(map(str, box_of()))
    colours = {"a.png": (241, 210, 190), "b.png": (70, 45, 35), "c.png": (241, 210, 190)}
    for name, colour in colours.items():
        paint(folder / name, colour)
    labels = write(tmp_path, *(f"{name},{box},20-29," for name in colours))
    return make(pictures=folder, labels=labels, groups=("skin", "age"), darken=(1.0, 0.01))


def test_skin_is_measured_in_the_bright_photograph(skins: Plan) -> None:
    table = run(skins, processes=1).table
    assert table.groups is not None
    assert table.groups.order == {"skin": ("light", "dark"), "age": ("20-29",)}
    for level in (1.0, 0.01):
        assert table.groups.cell("skin", "light", "discs", level, "original").n == 2
    light = {(c.group, c.low_level) for c in table.groups.light if c.grouping == "skin"}
    assert {group for group, low in light if low < 8} == {"light", "dark"}


def test_the_report_says_it_by_group(skins: Plan) -> None:
    run(skins, processes=1)
    for name in ("report.md", "index.html"):
        text = (skins.report / name).read_text()
        assert "By skin, found by discs" in text
        assert "At equal light on the face" in text
        assert "too few faces in the groups to compare" in text
        assert "individual typology angle" in text
    plot = (skins.report / "plots" / "groups-skin-discs.svg").read_text()
    assert "groups-skin-discs.svg" in (skins.report / "index.html").read_text()
    assert plot.startswith("<?xml")
    table = json.loads((skins.report / "table.json").read_text())
    assert {cell["group"] for cell in table["groups"]["cells"]} == {"light", "dark", "20-29"}


def test_one_level_is_drawn_without_a_ladder(skins: Plan, make: MakePlan) -> None:
    plan = make(pictures=skins.pictures, labels=skins.labels)
    run(plan, processes=1)
    text = (plan.report / "report.md").read_text()
    assert "By age, found by discs" in text
    assert "By hat" in text, "a column without values is a grouping without groups"


def test_groups_that_cannot_be(skins: Plan, make: MakePlan) -> None:
    with pytest.raises(ParameterError, match="give labels"):
        make(groups=("skin",))
    with pytest.raises(InputError, match="no column group:shoe; groups there are: age, hat, skin"):
        run(make(pictures=skins.pictures, labels=skins.labels, groups=("shoe",)), processes=1)
    with pytest.raises(ParameterError, match="bright photographs"):
        run(make(pictures=skins.pictures, labels=skins.labels, groups=("skin",)), processes=1)


def test_a_study_without_groups_has_none(make: MakePlan) -> None:
    report = run(make(), processes=1)
    assert report.table.groups is None
    assert "light" not in json.loads((report.folder / "rows.jsonl").read_text().splitlines()[0])
