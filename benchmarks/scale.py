"""Photographs a second in processes and in Ray's actors, what starting and tables cost, and memory.

    python benchmarks/scale.py [--photos 400] [--workers 2] [--method relume] [--rounds 3]

All ways do the same through the same door: read, relight, write. The rate is that of the second
half of the photos, so that neither the start nor the first blocks count. Rounds alternate; medians
are printed. Core seconds are those of all processes together, Ray's own among them: on a busy
machine, too, they say what Ray costs. ``benchmarks/faults.py`` kills processes.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

from relume.catalog import Value
from relume.cli.enhance import Enhance
from relume.cli.jobs import Job
from relume.cli.relighting import Relighting
from relume.cli.relit import line
from relume.cli.tables import PHOTOS, Rows
from relume.cli.work import Row, Worker
from relume.cluster import connect
from relume.executor import Executor, Local

SAME_BATCH_S = 0.02
OPTIONS = {"strength": 1.0, "protect_lit": True}


def make_photos(folder: Path, number: int, width: int, height: int) -> list[Path]:
    rng = np.random.default_rng(0)
    paths = [folder / f"{n:06}.jpg" for n in range(number)]
    for path in paths:
        ramp = np.linspace(0, 30, width)[None, :, None] + rng.integers(0, 8, (height, width, 3))
        Image.fromarray(ramp.astype(np.uint8)).save(path)
    return paths


def measure(on: Executor, method: str, photos: list[Path], out: Path) -> tuple[float, ...]:
    """Seconds to the first result; then, in the second half: photographs a second, core seconds."""
    parameters: dict[str, Value] = {}
    asked = Enhance(inputs=[])
    work = Relighting(asked=asked, method=method, parameters=parameters, options=OPTIONS)
    writer = Worker(work, overwrite=True, threads=on.threads)
    jobs = [Job(photo, out / photo.name) for photo in photos]
    began, at = time.perf_counter(), []
    # not to the end: Ray ends the actors for whom nothing is left
    spent = dict.fromkeys((len(jobs) * 2 // 5, len(jobs) * 4 // 5), 0.0)
    for outcome in on.run(writer.start, jobs):
        assert outcome.get().error is None
        at.append(time.perf_counter())
        if len(at) in spent:
            spent[len(at)] = core_seconds()
    # rows come in batches: those of the one in the middle are not of the second half
    middle = at[len(at) // 2]
    rate = sum(done > middle + SAME_BATCH_S for done in at) / (at[-1] - middle)
    (first, before), (last, after) = spent.items()
    return at[0] - began, rate, (after - before) / (last - first)


def core_seconds() -> float:
    """CPU time of this process and all below it that run; 0 without /proc."""
    parents: dict[int, int] = {}
    spent: dict[int, float] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = entry.read_text().rpartition(")")[2].split()
            process = int(entry.parent.name)
            parents[process] = int(fields[1])
            spent[process] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    total, generation = 0.0, {os.getpid()}
    while generation:
        total += sum(spent.get(process, 0.0) for process in generation)
        generation = {child for child, parent in parents.items() if parent in generation}
    return total


def table_us(file: Path, number: int = 20_000) -> float:
    """Microseconds a photograph to keep its row and to make the file of all of them."""
    row = line(Job(Path("x"), Path("out/x")), Row(levels=(0.05, 0.35), seconds=0.1))
    names = [f"photos/{n:06}.jpg" for n in range(number)]
    began = time.perf_counter()
    with Rows(str(file), PHOTOS, overwrite=False, go_on=False) as rows:
        for name in names:
            rows.add({**row, "photo": name})
        rows.finish(names)
    return (time.perf_counter() - began) / number * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=400)
    parser.add_argument("--size", default="600x400")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--method", default="relume")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    width, height = map(int, given.size.split("x"))
    many = given.workers
    ways: dict[str, Executor] = {f"{n} on ray": connect("ray", workers=n) for n in (1, many)}
    ways = {f"{many} processes": Local(many)} | ways
    results: dict[str, list[tuple[float, ...]]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as folder:
        photos = make_photos(Path(folder), given.photos, width, height)
        for _ in range(given.rounds):
            for name, on in ways.items():
                results[name].append(measure(on, given.method, photos, Path(folder) / name))
        made = [[(Path(folder) / name / p.name).read_bytes() for name in ways] for p in photos]
        tables = {kind: table_us(Path(folder) / f"rows.{kind}") for kind in ("jsonl", "parquet")}
    print(f"{len(photos)} photographs of {given.size}, {given.method}; medians of {given.rounds}")
    plain = [rate for _, rate, _ in results[f"{many} processes"]]
    for name, values in results.items():
        starts, rates, spent = zip(*values, strict=True)
        share = statistics.median(a / b for a, b in zip(rates, plain, strict=True))
        print(
            f"{name:<12} first result after {statistics.median(starts):5.1f} s, then "
            f"{statistics.median(rates):7.2f}/s, {share:.2f} of the processes' in the same round; "
            f"{statistics.median(spent):.4f} core seconds each"
        )
    for kind, us in tables.items():
        print(f"rows as {kind}: {us:.0f} us a photograph")
    driver = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    same = all(len(set(one)) == 1 for one in made)
    print(f"outputs the same: {same}; this process at most {driver:.0f} MB")


if __name__ == "__main__":
    main()
