"""A study at equal false alarms: what a threshold hides, and what it makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from relume.study import Plan
from relume.study.dataset import Labels, TrueFace, read_labels
from relume.study.rows import Found, Row
from relume.study.table import FALSE_ALARMS, Table, build

FACE = (10.0, 10.0, 50.0, 50.0)
AWAY = (100.0, 100.0, 140.0, 140.0)
NEAR = (34.0, 10.0, 74.0, 50.0)
"""Overlaps FACE by 16 of 64 columns: an IoU of .25, neither the face nor a false alarm."""


def study(original: list[tuple[Found, ...]], arm: list[tuple[Found, ...]]) -> Table:
    plan = Plan(pictures=Path("in"), report=Path("out"), arms=("clahe",), detectors=("yunet",))
    names = [f"{i}.jpg" for i in range(len(original))]
    rows = []
    for which, faces in (("original", original), ("clahe", arm)):
        for name, own in zip(names, faces, strict=True):
            rows += [Row(name, None, which, mean=0.1), Row(name, None, which, "yunet", faces=own)]
    labels = Labels("boxes", {name: (TrueFace(FACE),) for name in names})
    return build(rows, plan=plan, labels=labels)


def at(box: tuple[float, float, float, float], score: float) -> Found:
    return (*box, score)


def test_an_arm_that_is_only_surer_of_everything_gains_nothing() -> None:
    # two photographs of four show their face to the original, above every false alarm
    original = [
        (at(FACE, 0.7),),
        (at(FACE, 0.7),),
        (at(FACE, 0.45), at(AWAY, 0.5)),
        (at(AWAY, 0.5),),
    ]
    # the arm adds .2 to every score: at .6 it finds one more, and two false faces
    arm = [tuple((*face[:4], face[4] + 0.2) for face in own) for own in original]
    table = study(original, arm)
    before, after = table.cell("yunet", None, "original"), table.cell("yunet", None, "clahe")
    assert (before.found, after.found) == (2, 3)
    assert before.recall_at == after.recall_at == pytest.approx((0.5, 0.5, 0.75))
    assert FALSE_ALARMS == (0.1, 0.25, 0.5)
    assert table.notes[0] == (
        "clahe and yunet: at the threshold 75.0% are found against 50.0%, with 0.50 against 0.00 "
        "false alarms a picture; at 0.25 of them, 50.0% against 50.0%. The threshold makes the "
        "difference."
    )


def test_a_box_beside_a_face_is_neither_the_face_nor_a_false_alarm() -> None:
    table = study([(at(NEAR, 0.9),)] * 4, [(at(FACE, 0.9),)] * 4)
    before, after = table.cell("yunet", None, "original"), table.cell("yunet", None, "clahe")
    assert before.recall_at == (0, 0, 0)
    assert after.recall_at == (1, 1, 1)
    assert not any("The threshold makes" in note for note in table.notes)


def test_ignored_faces_are_neither_required_nor_wrong(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text(
        "image,x0,y0,x1,y1,ignore,group:age\n"
        "0.jpg,10,10,50,50,0,old\n0.jpg,100,100,140,140,1,\n1.jpg,100,100,140,140,1,\n",
        "utf-8",
    )
    labels = read_labels(table, ["0.jpg", "1.jpg"])
    assert [len(faces) for faces in labels.faces.values()] == [1, 0]
    assert labels.faces["0.jpg"][0].groups == {"age": "old"}
    assert [face.box for face in labels.ignored["1.jpg"]] == [AWAY]
    plan = Plan(pictures=Path("in"), report=Path("out"), detectors=("yunet",))
    rows = []
    for name, found in (("0.jpg", (at(FACE, 0.9), at(AWAY, 0.8))), ("1.jpg", (at(AWAY, 0.9),))):
        light = (0.1,) * len(labels.faces[name])
        rows += [Row(name, None, "original", mean=0.1, light=light)]
        rows += [Row(name, None, "original", "yunet", faces=found)]
    cell = build(rows, plan=plan, labels=labels).cell("yunet", None, "original")
    assert (cell.n, cell.found, cell.fp_per_image, cell.precision) == (1, 1, 0, 1)
    assert cell.recall_at == (1, 1, 1)
    assert cell.average_precision == 1
