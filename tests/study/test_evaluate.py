"""What a study does to one picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest

from relume.catalog import Info
from relume.engine import Runtime
from relume.enhancers import methods
from relume.faces import Face
from relume.photo import Image
from relume.study import Plan, Report, examples, run
from relume.study.arms import RUNTIME, parse
from relume.study.evaluate import LOW_SCORE, Clock, Evaluator, make_detector
from relume.study.results import Results
from relume.study.rows import Row, RowFile, Unit
from relume.study.runner import prepare

from .conftest import MakePlan, disc, grid


@pytest.mark.parametrize(
    ("spec", "threshold"),
    [("haar", LOW_SCORE), ("haar:0.9", 0.9), ("haar:threshold=0.9", 0.9)],
)
def test_a_threshold_in_a_detectors_spec_counts(spec: str, threshold: float) -> None:
    detector: Any = make_detector(spec)
    assert detector.threshold == threshold


@dataclass(frozen=True)
class Recording:
    """Twice as bright, in steps no file holds; runs nowhere, but keeps where it was sent."""

    info: ClassVar[Info] = Info("recording", "keeps its runtime", "MIT", "tests")
    sent: ClassVar[list[Runtime]] = []

    def with_runtime(self, runtime: Runtime) -> Recording:
        self.sent.append(runtime)
        return self

    on = with_runtime

    def describe(self) -> str:
        return "recording"

    def __call__(self, image: Image) -> Image:
        return image * np.float32(2) + np.float32(0.1 / 255)


def dark(height: int = 20, width: int = 30) -> Image:
    values = np.random.default_rng(3).integers(0, 40, (height, width, 3))
    return values.astype(np.float32) / np.float32(255)


@pytest.mark.parametrize("spec", ["recording:protect_lit=no", "original+recording"])
def test_every_arm_runs_on_one_thread_and_in_steps_of_8_bits(
    spec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(methods()._entries, "recording", (Recording.info, Recording))  # type: ignore[attr-defined]
    Recording.sent.clear()
    views = parse(spec).show(dark())
    assert Recording.sent == [RUNTIME]
    for view in views:
        steps = view.image * 255
        np.testing.assert_allclose(steps, steps.round(), atol=1e-3)


def test_only_the_picture_as_it_is_is_the_view_original() -> None:
    shown = {spec: parse(spec).show(dark()) for spec in ("original", "gamma:0.4", "a=gamma")}
    assert {spec: [v.is_photograph for v in views] for spec, views in shown.items()} == {
        "original": [True],
        "gamma:0.4": [False],
        "a=gamma": [False],
    }
    assert [view.name for view in shown["gamma:0.4"]] == ["gamma:0.4"]


def test_a_shrunk_view_is_compared_with_its_reference(make: MakePlan, tmp_path: Path) -> None:
    for name in [f"p{i}" for i in range(7)] + ["more/p7"]:
        disc(tmp_path / "bright" / f"{name}.png", level=210)
    arms = ("original+twice@0.5",)
    report = run(make(reference=tmp_path / "bright", arms=arms, examples=0), processes=1)
    assert (report.table.failures, report.failures) == ((), 0)
    likeness = {cell.arm: cell.psnr for cell in report.table.pictures_by_arm}
    assert likeness["original+twice@0.5"] is not None
    assert likeness["original"] is not None
    assert likeness["original+twice@0.5"] > likeness["original"]


def test_a_single_shrunk_view_gives_boxes_of_the_photograph(
    make: MakePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    # at this size both views are the same one, half as large
    monkeypatch.setattr("relume.faces.views.VIEW_PIXELS", 32 * 32)
    plan = make(arms=("twice+twice@0.5",))
    rows = Evaluator(prepare(plan)).rows(("p6.png", None), Clock())
    boxes = [row.faces[0][:4] for row in rows if row.detector]
    np.testing.assert_allclose(boxes[0], boxes[1], atol=3)


def test_a_study_leaves_opencv_its_threads(make: MakePlan) -> None:
    threads = cv2.getNumThreads()
    try:
        cv2.setNumThreads(3)
        run(make(), processes=1)
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(threads)


def test_examples_show_the_view_with_the_landmarks_that_were_measured(
    make: MakePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = make().pictures
    lines = "\n".join(f"{x},{y}" for x, y in grid((22.0, 26.0, 42.0, 44.0)))
    for file in sorted(pictures.glob("p*.png")):
        file.with_suffix(".csv").write_text(f"x,y\n{lines}\n")
    arm = "original+twice@0.5"
    plan = make(labels=pictures, landmarks="grid", iou=0.3, examples=1, arms=(arm,))
    drawn: list[tuple[Image, list[Face]]] = []

    def keep(image: Image, faces: Iterable[Face]) -> Image:
        drawn.append((image, list(faces)))
        return image

    monkeypatch.setattr(examples, "draw_faces", keep)
    report = run(plan, processes=1)
    (won,) = [e for e in _discordant(report, plan) if e.kind == "won"]
    row = _row(report, won.unit, arm)
    small = [(image, faces) for image, faces in drawn if image.shape[0] == 32 and faces]
    # the won face is the first strip's second picture: the view, half as large, twice as bright
    image, (face,) = small[0]
    assert image.max() > 40 / 255
    np.testing.assert_allclose(np.array(face.box) * 2, row.faces[0][:4], atol=0.02)
    assert face.landmarks is not None
    np.testing.assert_allclose(face.landmarks * 2, np.array(row.landmarks[0]), atol=0.02)


def _discordant(report: Report, plan: Plan) -> list[examples.Example]:
    rows = RowFile(report.folder / "rows.jsonl", rows_a_unit=4).read()
    return examples.discordant(Results(rows, plan=plan, labels=prepare(plan).labels))


def _row(report: Report, unit: Unit, arm: str) -> Row:
    rows = RowFile(report.folder / "rows.jsonl", rows_a_unit=4).read()
    (row,) = [r for r in rows if r.unit == unit and r.arm == arm and r.detector == "discs"]
    return row
