"""How fast a study is, and how much of its time is its own: reading rows, matching, writing.

    python benchmarks/study.py FOLDER [--pictures 20] [--arms original,gamma:0.5,clahe]

Prints pictures per second (a picture is one picture through all arms and detectors) and the
shares of the time. Only shares and ratios compare between machines; the CPU's flags stand beside
them. The target for the overhead is under 10 %.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

from relume.engine.cpu import cpu_flags
from relume.study import Plan, run, split_arms
from relume.study.dataset import find_pictures

TARGET = 0.10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Formatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=20)
    parser.add_argument("--arms", default="original,gamma:0.5,clahe")
    parser.add_argument("--detectors", default="yunet")
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        measure(given, Path(name))


def measure(given: argparse.Namespace, folder: Path) -> None:
    (folder / "pictures").mkdir()
    chosen = find_pictures(given.folder)[: given.pictures]
    for i, picture in enumerate(chosen):
        file = given.folder / picture
        shutil.copy(file, folder / "pictures" / f"{i:04d}{file.suffix}")
    plan = Plan(
        pictures=folder / "pictures",
        report=folder / "report",
        arms=split_arms(given.arms),
        detectors=tuple(given.detectors.split(",")),
        examples=0,
    )
    start = time.perf_counter()
    ticks: list[float] = []
    report = run(
        plan,
        processes=given.processes,
        progress=lambda _: ticks.append(time.perf_counter()),
    )
    total_s = time.perf_counter() - start
    # the first unit loads the networks: neither the pictures' time nor overhead
    running_s, first_s = ticks[-1] - ticks[0], ticks[1] - ticks[0]
    print(f"cpu: {' '.join(cpu_flags())}; {len(chosen)} pictures, {len(plan.arms)} arms")
    if len(ticks) > 2:
        print(
            f"pictures per second, networks loaded: {(len(ticks) - 2) / (running_s - first_s):.2f}"
        )
    worked_s = sum(report.seconds.values())
    for what, seconds in sorted(report.seconds.items(), key=lambda item: -item[1]):
        print(f"{what:>10}: {seconds / worked_s:6.1%}")
    share = report.seconds["overhead"] / worked_s
    print(f"overhead while running: {share:.1%} (target: under {TARGET:.0%})")
    print(
        f"hashing, table, plots and report: {(total_s - running_s) / running_s:.1%} of the running"
    )


class _Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """The module's text as it stands, and defaults."""


if __name__ == "__main__":
    main()
