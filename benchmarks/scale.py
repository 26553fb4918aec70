"""Photographs a second in processes and in Ray's actors, what starting and tables cost, and memory.

    python benchmarks/scale.py [--photos 200] [--workers 2] [--method relume] [--rounds 3]

All ways do the same through the same door: read, relight, write. The rate is that of the second
half of the photos, so that neither the start nor the first blocks count. Rounds alternate; medians
are printed. What happens when processes are killed is in ``benchmarks/faults.py``.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from relume.catalog import Value
from relume.cli.enhance import Relighting
from relume.cli.jobs import Job
from relume.cli.writing import Writer
from relume.cluster import connect
from relume.executor import Executor, Local

OPTIONS = {"strength": 1.0, "protect_lit": True}


def make_photos(folder: Path, number: int, width: int, height: int) -> list[Path]:
    rng = np.random.default_rng(0)
    paths = [folder / f"{n:06}.jpg" for n in range(number)]
    for path in paths:
        ramp = np.linspace(0, 30, width)[None, :, None] + rng.integers(0, 8, (height, width, 3))
        Image.fromarray(ramp.astype(np.uint8)).save(path)
    return paths


def measure(on: Executor, method: str, photos: list[Path], out: Path) -> tuple[float, float]:
    """Seconds to the first result, and photographs a second in the second half."""
    parameters: dict[str, Value] = {}
    work = Relighting(method, parameters, OPTIONS, None)
    writer = Writer(work, overwrite=True, threads=on.threads)
    jobs = [Job(photo, out / photo.name) for photo in photos]
    began, at = time.perf_counter(), []
    for outcome in on.run(writer.start, jobs):
        assert outcome.get().error is None
        at.append(time.perf_counter())
    half = len(at) // 2
    return at[0] - began, (len(at) - 1 - half) / (at[-1] - at[half])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--size", default="600x400")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--method", default="relume")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    width, height = map(int, given.size.split("x"))
    ways = {"processes": Local(given.workers), "ray": connect("ray", workers=given.workers)}
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as folder:
        photos = make_photos(Path(folder), given.photos, width, height)
        for _ in range(given.rounds):
            for name, on in ways.items():
                results[name].append(measure(on, given.method, photos, Path(folder) / name))
        same = all(
            (Path(folder) / "processes" / p.name).read_bytes()
            == (Path(folder) / "ray" / p.name).read_bytes()
            for p in photos
        )
    for name, values in results.items():
        start, rate = (statistics.median(column) for column in zip(*values, strict=True))
        sys.stdout.write(f"{name:<10} first result after {start:5.1f} s, then {rate:6.2f}/s\n")
    driver = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(f"outputs the same: {same}; driver at most {driver:.0f} MB\n")


if __name__ == "__main__":
    main()
