"""Running: what is compared, what fails, what is resumed, what is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

from relume import weights
from relume.errors import (
    InputError,
    MissingExtra,
    OutputError,
    ParameterError,
    UnknownName,
    UnreadableInput,
)
from relume.study import Progress, provenance, run, write_inputs
from relume.study.evaluate import Evaluator, generator
from relume.study.rows import RowFile
from relume.study.runner import prepare
from relume.weights import sha256_of

from .conftest import MakePlan, Twice, box_of, disc, grid

# 20, 30 and 35 of 255 are too dark for the detector; twice as bright, 30 and 35 are not
FOUND = {"original": 5, "twice:protect_lit=no": 7}


def contents(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def test_an_unlabelled_folder_counts_pictures_with_a_face(make: MakePlan) -> None:
    report = run(make(), processes=1)
    found = {cell.arm: cell.found for cell in report.table.cells}
    assert found == FOUND
    versus = report.table.cell("discs", None, "twice:protect_lit=no").versus
    assert versus is not None
    assert (versus.lost, versus.won) == (0, 2)
    assert versus.p == pytest.approx(0.5)
    assert report.failures == report.table.left_out == 0
    assert report.index.is_file()


def test_each_enhanced_picture_is_computed_once_for_all_detectors(make: MakePlan) -> None:
    before = Twice.calls
    run(make(detectors=("discs", "discs:0.7"), examples=0), processes=1)
    assert Twice.calls - before == 8


def test_views_looked_at_together_find_what_either_finds(make: MakePlan) -> None:
    # "twice" darkens nothing here, "fussy" loses everything, and the original's stay found
    plan = make(arms=("original+twice", "original+fussy", "twice"), examples=0)
    cells = {cell.arm: cell for cell in run(plan, processes=1).table.cells}
    assert cells["original+fussy"].found == cells["original"].found == 5
    assert cells["original+twice"].found >= max(cells["twice"].found, cells["original"].found)
    assert cells["original+twice"].found > cells["original"].found


def test_a_failure_is_a_row_and_leaves_its_picture_out_of_all_arms(make: MakePlan) -> None:
    disc(make().pictures / "glaring.png", level=255)
    report = run(make(arms=("twice:protect_lit=no", "fussy"), examples=0), processes=1)
    assert report.failures == report.table.left_out == 1
    assert {cell.n for cell in report.table.cells} == {8}
    assert [(f.image, f.arm, f.error) for f in report.table.failures] == [
        ("glaring.png", "fussy", "too bright for me")
    ]
    rows = RowFile(report.folder / "rows.jsonl", rows_a_unit=6).read()
    assert sum(row.error is not None for row in rows) == 2
    assert "1 left out of all arms" in report.index.read_text()
    assert "too bright for me" in (report.folder / "report.md").read_text()


def test_a_broken_picture_is_left_out_and_named(make: MakePlan) -> None:
    (make().pictures / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    seen: list[Progress] = []
    arms = ("twice:protect_lit=no", "gamma")
    report = run(make(examples=0, arms=arms, darken=(1, 0.5)), processes=1, progress=seen.append)
    # one photograph, whatever the number of arms and levels that it failed in
    assert (report.failures, seen[-1].failures) == (1, 1)
    assert {failure.image for failure in report.table.failures} == {"torn.png"}


def test_broken_off_and_run_again_it_ends_with_the_same_report(make: MakePlan) -> None:
    plan = make(darken=(1.0, 0.3), examples=1)
    whole = contents(run(plan, processes=1).folder)
    shutil.rmtree(plan.report)

    def stop(progress: Progress) -> None:
        if progress.fresh == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(plan, progress=stop, processes=1)
    file = plan.report / "rows.jsonl"
    kept = file.read_text().splitlines(keepends=True)
    assert len(kept) == 5 * 4
    # as a kill leaves it: a unit half written, and a torn line
    file.write_text("".join(kept[:-1]) + kept[-1][:20])
    seen: list[Progress] = []
    run(plan, progress=seen.append, processes=1)
    assert seen[0].done == 4
    assert (seen[-1].done, seen[-1].total, seen[-1].fresh) == (16, 16, 12)
    assert contents(plan.report) == whole


def test_a_finished_study_is_not_done_again(make: MakePlan) -> None:
    plan = make(examples=0)
    run(plan, processes=1)
    calls = Twice.calls
    assert calls > 0
    seen: list[Progress] = []
    run(plan, progress=seen.append, processes=1)
    assert Twice.calls == calls
    assert [p.fresh for p in seen] == [0]


def test_processes_share_the_work_and_change_nothing(make: MakePlan) -> None:
    # methods of the package itself: other processes do not know this test's
    plan = make(arms=("gamma:0.5",), detectors=("haar",), darken=(0.3,), examples=0)
    alone = contents(run(plan, processes=1).folder)
    shutil.rmtree(plan.report)
    assert contents(run(plan, processes=2).folder) == alone


def test_another_study_is_not_overwritten(make: MakePlan) -> None:
    run(make(examples=0), processes=1)
    with pytest.raises(OutputError, match=r"holds another study \(other settings\)"):
        run(make(examples=0, seed=7), processes=1)
    assert run(make(examples=0, seed=7), processes=1, force=True).index.is_file()
    disc(make().pictures / "new.png", level=90)
    with pytest.raises(OutputError, match=r"other pictures"):
        run(make(examples=0, seed=7), processes=1)


def test_a_folder_with_other_files_is_not_written_into(make: MakePlan) -> None:
    plan = make()
    plan.report.mkdir()
    (plan.report / "diary.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds no study"):
        run(plan, processes=1)
    run(make(examples=0), processes=1, force=True)
    assert (plan.report / "diary.txt").read_text() == "mine"


def test_no_pictures(make: MakePlan, tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match="is not there"):
        run(make(pictures=tmp_path / "none"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no picture in"):
        run(make(pictures=tmp_path / "empty"))


def test_two_pictures_of_one_name_are_refused(make: MakePlan) -> None:
    disc(make().pictures / "p1.bmp", level=90)
    with pytest.raises(InputError, match="matched by name"):
        run(make())


def test_unknown_names_are_refused_before_anything_is_written(make: MakePlan) -> None:
    for options in (
        {"arms": ("gama",)},
        {"detectors": ("haaar",)},
        {"landmarks": "pepa"},
        {"arms": ("gamma:brightness=0.5",)},
        {"arms": ("gamma=somewhere",)},
        {"arms": ("original+gama",)},
        {"arms": ("original+",)},
    ):
        with pytest.raises(ParameterError):
            run(make(**options))
    with pytest.raises(UnknownName, match="'gamma'"):
        run(make(arms=("gama",)))
    with pytest.raises(ParameterError, match="processes"):
        run(make(), processes=0)
    assert not make().report.exists()


def test_labels_count_faces_and_false_alarms(make: MakePlan, tmp_path: Path) -> None:
    x0, y0, x1, y1 = box_of()
    lines = [f"p{i}.png,{x0},{y0},{x1},{y1}" for i in range(6)] + ["p6.png,,,,"]
    labels = tmp_path / "faces.csv"
    labels.write_text("image,x0,y0,x1,y1\n" + "\n".join(lines) + "\n")
    report = run(make(labels=labels, examples=0), processes=1)
    cell = report.table.cell("discs", None, "original")
    # p6 shows no face by its label, so what is found there is a false alarm; more/p7 has none
    assert (cell.found, cell.n) == (3, 6)
    assert cell.precision == pytest.approx(3 / 4)
    assert cell.fp_per_image == pytest.approx(1 / 7)
    better = report.table.cell("discs", None, "twice:protect_lit=no")
    assert better.found == 5
    assert better.average_precision_difference is not None
    assert better.average_precision_difference.value > 0
    assert "1 without a label" in report.index.read_text()


def test_landmarks_in_true_boxes_and_behind_the_detector(make: MakePlan) -> None:
    pictures = make().pictures
    points = grid((22.0, 26.0, 42.0, 44.0))
    for file in sorted(pictures.glob("p*.png")):
        lines = "\n".join(f"{x},{y}" for x, y in points)
        file.with_suffix(".csv").write_text(f"x,y\n{lines}\n")
    plan = make(labels=pictures, landmarks="grid", iou=0.3, examples=0)
    table = run(plan, processes=1).table
    cells = {(cell.source, cell.arm): cell for cell in table.landmarks}
    given, behind = (cells[(s, "original")] for s in ("true boxes", "discs"))
    assert (given.faces, given.n, given.missed) == (7, 7, 0)
    # three are missed in the original: common to both arms are the other four
    assert (behind.faces, behind.n, behind.missed) == (7, 4, 3)
    assert behind.curve[-1] <= 4 / 7
    arm = cells[("true boxes", "twice:protect_lit=no")]
    assert arm.difference is not None
    assert arm.verdict is not None
    assert arm.difference.value < 0
    assert arm.verdict.word == "helps"


def test_reference_photographs_are_the_truth(make: MakePlan, tmp_path: Path) -> None:
    for name in [f"p{i}" for i in range(7)] + ["more/p7"]:
        disc(tmp_path / "bright" / f"{name}.png", level=210)
    plan = make(reference=tmp_path / "bright", gt_mean=True, landmarks="grid", examples=1)
    report = run(plan, processes=1)
    cell = report.table.cell("discs", None, "original")
    assert (cell.found, cell.n) == (5, 8)
    by_arm = {picture.arm: picture for picture in report.table.pictures_by_arm}
    better, base = by_arm["twice:protect_lit=no"], by_arm["original"]
    assert better.psnr is not None
    assert base.psnr is not None
    assert better.psnr > base.psnr
    assert base.psnr_gt_mean is not None
    assert base.psnr_gt_mean > base.psnr
    assert report.table.landmarks
    assert "normal light" in report.index.read_text()


def test_a_missing_reference_is_named(make: MakePlan, tmp_path: Path) -> None:
    disc(tmp_path / "bright" / "p0.png", level=210)
    with pytest.raises(InputError, match=r"7 of 8 pictures have no file .*more/p7\.png"):
        run(make(reference=tmp_path / "bright"))


def test_results_of_another_program_come_in_by_name(make: MakePlan, tmp_path: Path) -> None:
    plan = make(darken=(1.0, 0.5))
    theirs = tmp_path / "theirs"
    written = write_inputs(plan, theirs)
    assert len(written) == 16
    assert theirs / "k0.5" / "more" / "p7.png" in written
    table = run(make(darken=(1.0, 0.5), arms=(f"same={theirs}",), examples=0), processes=1).table
    for level in (1.0, 0.5):
        versus = table.cell("discs", level, "same").versus
        assert versus is not None
        assert (versus.lost, versus.won) == (0, 0)
    with pytest.raises(OutputError):
        write_inputs(plan, theirs)


def test_a_broken_picture_does_not_stop_the_writing_of_the_others(
    make: MakePlan, tmp_path: Path
) -> None:
    plan, theirs = make(darken=(1.0, 0.5)), tmp_path / "theirs"
    (plan.pictures / "more" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    failed: list[str] = []
    written = write_inputs(plan, theirs, failed=lambda name, error: failed.append(name))
    assert len(written) == 16
    assert failed == ["more/a.png"]
    # nobody can enhance what cannot be read: the study goes on without it
    report = run(make(darken=(1.0, 0.5), arms=(f"same={theirs}",), examples=0), processes=1)
    assert report.failures == 1
    assert report.table.cell("discs", 0.5, "same").n == 8
    with pytest.raises(UnreadableInput, match=r"a\.png"):
        write_inputs(plan, tmp_path / "again")
    assert len(list((tmp_path / "again").rglob("*.png"))) == 16


def test_results_that_are_missing_or_of_another_size_are_named(
    make: MakePlan, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs"
    write_inputs(make(), theirs)
    Pil.new("RGB", (10, 20)).save(theirs / "p3.png")
    plan = make(arms=(f"theirs={theirs}",))
    with pytest.raises(InputError, match=r"'theirs': 1 of 8 .*p3.png \(10x20 instead of 64x64\)"):
        run(plan)
    (theirs / "p3.png").unlink()
    with pytest.raises(InputError, match=r"arm 'theirs': 1 of 8 pictures have no file .*p3\.png"):
        run(plan)


def test_darkness_depends_on_seed_picture_and_level_alone(make: MakePlan) -> None:
    plan = make(darken=(1, 0.1))
    unit = ("p6.png", 0.1)
    first = Evaluator(prepare(plan)).picture(unit)
    again = Evaluator(prepare(make(darken=(0.1,), arms=("fussy",)))).picture(unit)
    np.testing.assert_array_equal(first, again)
    other = Evaluator(prepare(make(darken=(0.1,), seed=1))).picture(unit)
    assert (first != other).any()
    draws = {generator(0, n, k).integers(2**63) for n in ("a", "b") for k in (1.0, 0.1)}
    assert len(draws) == 4


def test_the_lock_says_what_it_was_made_of(make: MakePlan) -> None:
    plan = make(examples=0)
    run(plan, processes=1)
    lock = json.loads((plan.report / "plan.lock").read_text())
    assert set(lock["pictures"]) == {*(f"p{i}.png" for i in range(7)), "more/p7.png"}
    assert all(len(digest) == 64 for digest in lock["pictures"].values())
    assert lock["settings"]["seed"] == 0
    assert "numpy" in lock["versions"]
    assert str(plan.pictures) not in (plan.report / "plan.lock").read_text()


def test_a_name_does_not_hide_what_it_stands_for(make: MakePlan) -> None:
    plan = make(arms=("soft=gamma:0.8",), examples=0)
    report = run(plan, processes=1)
    assert {cell.arm for cell in report.table.cells} == {"original", "soft"}
    assert "soft is gamma:0.8" in (report.folder / "report.md").read_text()
    with pytest.raises(OutputError, match="other settings"):
        run(make(arms=("soft=gamma:0.5",), examples=0), processes=1)


def test_the_lock_holds_the_files_and_views_of_arms(make: MakePlan, tmp_path: Path) -> None:
    own = tmp_path / "own.onnx"
    shutil.copy(weights.path("retinexnet"), own)
    plan = make(arms=(f"own=retinexnet:weights={own}", "original+machine"))
    first = provenance.make(plan, (), {})
    assert first["files"] == {str(own): sha256_of(own)}
    assert {"relume", "retinexnet"} <= set(first["weights"])
    own.write_bytes(b"others")
    assert provenance.make(plan, (), {}) != first


def test_importing_the_study_loads_nothing_heavy() -> None:
    code = (
        "import relume.study, sys; relume.study.Plan; print([m for m in "
        "('cv2', 'openvino', 'torch', 'scipy', 'matplotlib', 'jinja2') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.strip() == "[]"


def test_packages_are_looked_for_before_the_work(
    make: MakePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    plan = make()
    with pytest.raises(MissingExtra, match=r"'scipy' is not installed.*relume\[study\]"):
        run(plan, processes=1)
    assert not (plan.report / "rows.jsonl").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux")
def test_a_name_that_no_report_can_hold_is_refused(make: MakePlan) -> None:
    plan = make()
    disc(plan.pictures / os.fsdecode(b"caf\xe9.png"), level=99)
    with pytest.raises(InputError, match="its name is not UTF-8"):
        run(plan, processes=1)
