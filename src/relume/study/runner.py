"""Running a plan: units over processes, rows into ``rows.jsonl``, then the report.

Broken off (killed, Ctrl-C, a dead machine) and started again with the same plan, a study goes on
where it was and ends with the same report.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import cv2

from relume import executor
from relume.enhancers import describe
from relume.errors import InputError, MissingExtra, ParameterError, RelumeError
from relume.executor import Executor, Local
from relume.faces import landmarkers
from relume.study import arms, dataset, groups, provenance
from relume.study.evaluate import Clock, Evaluator, Inputs, make_detector
from relume.study.plan import Plan, arm_name
from relume.study.rows import REFERENCE, Row, RowFile, Unit
from relume.study.table import Table, build


@dataclass(frozen=True)
class Progress:
    """How far a study is: units (a picture at a level) done of all, photographs that failed.

    ``fresh`` of the ``done`` units were done in this run; the rest was found in the folder.
    """

    done: int
    total: int
    fresh: int
    failures: int


@dataclass(frozen=True)
class Report:
    """A finished study: where it is, what it found, and what it cost.

    ``seconds`` is what this run spent, by what it was spent on, added up over processes
    (``"overhead"`` is the rest of their time); ``failures`` counts the photographs that failed in
    some arm, and so are left out of every comparison.
    """

    folder: Path
    table: Table
    failures: int
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def index(self) -> Path:
        """The page to open."""
        return self.folder / "index.html"

    @property
    def answer(self) -> str:
        """What the study found, in one sentence."""
        return self.table.answer


def run(
    plan: Plan,
    *,
    progress: Callable[[Progress], None] | None = None,
    processes: int | None = None,
    on: Executor | None = None,
    force: bool = False,
) -> Report:
    """Run a study, or what is left of it, and write its report.

    ``processes`` is by default the number of cores (new processes import the calling script
    again: keep the call under ``if __name__ == "__main__":``); 1 stays in this process. ``on``
    has the units done elsewhere (``relume.cluster``). With
    ``force`` another study in the report folder is replaced.

    Raises:
        InputError: pictures, labels, reference or result files that are missing or do not fit.
        OutputError: the report folder holds something else, or cannot be written.
        ParameterError: an unknown arm, detector or landmarker.
        WeightsError: the weights of an arm, detector or landmarker are absent or damaged.
        MissingExtra: a package that the report needs is not installed.
    """
    if processes is not None and processes < 1:
        raise ParameterError(f"processes must be 1 or more, got {processes}")
    _check_packages()
    inputs = prepare(plan)
    written = provenance.make(plan, inputs.names, inputs.folders)
    provenance.claim(plan.report, written, force=force)
    file = RowFile(plan.report / "rows.jsonl", rows_a_unit=inputs.rows_a_unit)
    rows = file.read()
    file.write(rows)
    seconds: Counter[str] = Counter()
    with _keep_opencv_threads(), closing(_work(inputs, rows, progress, processes, on)) as work:
        for fresh, spent in work:
            file.append(fresh)
            rows += fresh
            seconds.update(spent)
    rows = in_order(inputs, rows)
    file.write(rows)
    return _finish(inputs, rows, seconds)


def prepare(plan: Plan) -> Inputs:
    """Everything about the files of a plan that can be wrong, found out before it runs.

    Raises:
        RelumeError: as :func:`run` does.
    """
    _check_names(plan)
    names = dataset.find_pictures(plan.pictures)
    known = None
    if plan.labels is not None:
        known = dataset.read_labels(plan.labels, names)
        names = tuple(name for name in names if name in known.faces)
    if not names:
        raise InputError(f"no picture in {plan.pictures} has a label in {plan.labels}")
    references: dict[str, Path] = {}
    if plan.reference is not None:
        references = dataset.match(plan.pictures, names, plan.reference, "reference")
    if known is not None:
        known = groups.assign(plan, known, references)
    return Inputs(plan, names, known, references, arms.check(plan, names))


def write_inputs(
    plan: Plan, folder: Path, *, failed: Callable[[str, RelumeError], None] | None = None
) -> list[Path]:
    """Write the study's pictures, darkened to its levels, for somebody else's program to enhance.

    The results go back as the arm ``NAME=DIR``: the same names, in a folder of their own for each
    level (``k0.1/``), as written here. PNG, so that nothing is lost. A photograph that cannot be
    read is passed over: ``failed`` gets its name and the error.

    Raises:
        RelumeError: the first photograph that could not be read, after all others are written,
            if there is no ``failed``.
        OutputError: a file exists already or cannot be written.
    """
    from relume.io import write
    from relume.photo import Photo
    from relume.study.plan import level_folder

    inputs = prepare(plan)
    evaluator = Evaluator(inputs)
    written = []
    errors: dict[str, RelumeError] = {}
    for name, level in inputs.units:
        home = folder if level is None else folder / level_folder(level)
        path = (home / name).with_suffix(".png")
        try:
            picture = evaluator.picture((name, level))
        except RelumeError as error:
            errors.setdefault(name, error)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        written.append(write(Photo(picture), path))
    for name, problem in errors.items():
        if failed is None:
            raise problem
        failed(name, problem)
    return written


def in_order(inputs: Inputs, rows: Sequence[Row]) -> list[Row]:
    """Rows in the order of the plan, whatever order they were made in."""
    plan = inputs.plan
    arms_ = (REFERENCE, *map(arm_name, plan.arms))
    keys = product(inputs.names, plan.levels, arms_, (None, *plan.detectors))
    order = {key: i for i, key in enumerate(keys)}
    return sorted(rows, key=lambda row: order[row.image, row.level, row.arm, row.detector])


def _check_packages() -> None:
    """What the table and the report need, before hours of work."""
    for package in ("scipy", "matplotlib", "jinja2"):
        if find_spec(package) is None:
            raise MissingExtra("the statistics and the report of a study", "study", package)


def _check_names(plan: Plan) -> None:
    """Unknown names, options outside their range, absent weights and extras: at once, here."""
    for spec in plan.arms:
        arm = arms.parse(spec)
        if arm.method is not None and any(
            str(v).endswith(".onnx") for v in arm.parameters.values()
        ):
            describe(arm.method, parameters=arm.parameters, runtime=arms.RUNTIME)
    for spec in plan.detectors:
        make_detector(spec)
    if plan.landmarks is not None:
        landmarkers().create(*landmarkers().parse(plan.landmarks))


Done = tuple[list[Row], Mapping[str, float]]


def _work(
    inputs: Inputs,
    rows: Sequence[Row],
    progress: Callable[[Progress], None] | None,
    processes: int | None,
    on: Executor | None,
) -> Generator[Done, None, None]:
    """The rows of every unit that is not there yet, as they are done."""
    there = {row.unit for row in rows}
    todo = [unit for unit in inputs.units if unit not in there]
    failed = {row.image for row in rows if row.error is not None}
    fresh = 0

    def report() -> None:
        if progress is not None:
            total = len(todo) + len(there)
            progress(Progress(len(there) + fresh, total, fresh, len(failed)))

    report()
    if not todo:
        return
    on = on or Local(min(processes or executor.cores(), len(todo)))
    outcomes = on.run(partial(_worker, inputs), todo)
    with closing(outcomes):
        for outcome in outcomes:
            made, seconds = outcome.get()
            fresh += 1
            failed.update(row.image for row in made if row.error is not None)
            yield made, seconds
            report()


def _worker(inputs: Inputs) -> Callable[[Unit], Done]:
    """What does a unit, in its process."""
    # the study is parallel over processes; more threads would only get in their way
    cv2.setNumThreads(1)
    return partial(_timed, Evaluator(inputs))


def _timed(evaluator: Evaluator, unit: Unit) -> Done:
    clock, start = Clock(), time.perf_counter()
    rows = evaluator.rows(unit, clock)
    named = sum(clock.seconds.values())
    return rows, {**clock.seconds, "overhead": time.perf_counter() - start - named}


@contextmanager
def _keep_opencv_threads() -> Iterator[None]:
    """The caller's number of OpenCV threads, as it was, after the block."""
    threads = cv2.getNumThreads()
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def _finish(inputs: Inputs, rows: Sequence[Row], seconds: Mapping[str, float]) -> Report:
    from relume.study import report

    table = build(rows, plan=inputs.plan, labels=inputs.labels)
    report.write(inputs, rows, table)
    return Report(inputs.plan.report, table, table.left_out, dict(seconds))
