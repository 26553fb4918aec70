"""How long the command line takes to answer: ``relume --help`` and one small photo, cold.

Whole processes, the best of several runs. Absolute seconds say little on a shared machine, so
each is also told as a ratio to a bare interpreter's start, or to the warm network, of the same
run. The aims: --help below 0.4 s; a cold photo within 3 x the warm time + 1.5 s.

    python benchmarks/startup.py [--method retinexnet] [--runs 5]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

WIDTH_PX, HEIGHT_PX = 600, 400
RELUME = (sys.executable, "-m", "relume")


def best_s(work: Callable[[], object], runs: int) -> float:
    """The shortest of ``runs`` times; the others were disturbed."""
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def process(*command: str) -> Callable[[], object]:
    """A process to run to its end, silently."""
    return lambda: subprocess.run(command, check=True, capture_output=True)


def dark_photo(folder: Path) -> Path:
    """A small dark JPEG with the noise of a camera."""
    from relume.photo import Photo

    rng = np.random.default_rng(0)
    ramp = np.linspace(0.02, 0.2, WIDTH_PX, dtype=np.float32)[None, :, None]
    noise = rng.normal(0, 0.02, (HEIGHT_PX, WIDTH_PX, 3)).astype(np.float32)
    return Photo(np.clip(ramp + noise, 0, 1).astype(np.float32)).save(folder / "dark.jpg")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--method", default=None, help="default: the package's")
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args(arguments)

    from relume.enhancers import DEFAULT_METHOD, enhance
    from relume.io import read

    method = given.method or DEFAULT_METHOD
    bare = best_s(process(sys.executable, "-c", "pass"), given.runs)
    help_s = best_s(process(*RELUME, "--help"), given.runs)
    with tempfile.TemporaryDirectory() as name:
        photo = dark_photo(Path(name))
        output = str(Path(name) / "relit.jpg")
        command = (*RELUME, "enhance", str(photo), "-o", output, "--overwrite")
        plain = best_s(process(*command, "--method", "gamma"), given.runs)
        cold = best_s(process(*command, "--method", method), given.runs)
        dark = read(photo)
        enhance(dark, method=method)
        warm = best_s(lambda: enhance(dark, method=method), given.runs)
    allowed = 3 * warm + 1.5
    print(f"a bare interpreter        {bare:6.3f} s")
    print(f"relume --help             {help_s:6.3f} s  {help_s / bare:6.1f} x bare (aim: 0.4 s)")
    print(f"gamma, cold               {plain:6.3f} s  {plain / bare:6.1f} x bare")
    print(f"{method + ', warm':<24}  {warm:6.3f} s  {WIDTH_PX}x{HEIGHT_PX}, in this process")
    print(
        f"{method + ', cold':<24}  {cold:6.3f} s  {cold / warm:6.1f} x warm, "
        f"{cold / allowed:.2f} x what is allowed (3 x warm + 1.5 s = {allowed:.2f} s)"
    )


if __name__ == "__main__":
    main()
