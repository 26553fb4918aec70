"""Many small photographs on Ray while an actor is killed, and then the command: is all of it there?

    python benchmarks/faults.py [--photos 5000] [--method gamma] [--size 96x64]

``relume enhance --on ray`` runs over the photographs. Where a fifth of the results are there, one
of its actors gets SIGKILL; at one half, the command itself. Then the same command goes on with
--skip-existing. In the end every photograph must have one result, whole and the same as a plain
run's, and one row; the memory of the command is printed on the way. Linux only (/proc).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from scale import make_photos


def command(out: str, method: str, *more: str) -> list[str]:
    words = ["enhance", "in", "-o", out, "-m", method, "-q", *more]
    return [sys.executable, "-m", "relume", *words]


def number_of(folder: Path) -> int:
    """How many results are there; none that is being written."""
    if not folder.is_dir():
        return 0
    return sum(not entry.name.startswith(".") for entry in os.scandir(folder))


def memory_mb(process: int) -> float:
    """The resident memory of a process, 0 if it is gone."""
    try:
        text = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    kilobytes = [line.split()[1] for line in text.splitlines() if line.startswith("VmRSS")]
    return int(kilobytes[0]) / 1024 if kilobytes else 0.0


def descendants(of: int) -> dict[int, str]:
    """The command lines of all processes below one."""
    parents, lines = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "stat").read_text()
                line = (
                    (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                )
            except OSError:
                continue
            # the name in brackets may hold anything
            parents[int(entry.name)] = int(status.rpartition(")")[2].split()[1])
            lines[int(entry.name)] = line
    found: dict[int, str] = {}
    below = {of}
    while below:
        below = {child for child, parent in parents.items() if parent in below}
        found |= {child: lines[child] for child in below}
    return found


class Watched:
    """A run of the command, and its memory wherever it was looked at."""

    def __init__(self, words: list[str], folder: Path, number: int) -> None:
        self.out, self.number = folder / "out", number
        self.begun = time.monotonic()
        self.process = subprocess.Popen(words, cwd=folder)
        self.memory: list[tuple[int, float]] = []

    def until(self, there: int) -> None:
        """Wait for so many results, or for the end."""
        while self.process.poll() is None and number_of(self.out) < there:
            self.look()
            time.sleep(0.05)

    def look(self) -> None:
        """Note the memory, at every tenth of the results."""
        there = number_of(self.out)
        if not self.memory or there - self.memory[-1][0] >= self.number / 10:
            self.memory.append((there, memory_mb(self.process.pid)))

    def kill_an_actor(self) -> int:
        """Which process was killed."""
        while self.process.poll() is None:
            actors = [p for p, line in descendants(self.process.pid).items() if "MapWorker" in line]
            if actors:
                os.kill(actors[0], signal.SIGKILL)
                return actors[0]
        raise SystemExit("the command ended before an actor could be killed: more photographs?")

    def kill(self) -> dict[int, str]:
        """Kill the command; the processes that it had."""
        if self.process.poll() is not None:
            raise SystemExit("the command ended before it could be killed: more photographs?")
        had = descendants(self.process.pid)
        self.process.kill()
        self.process.wait()
        return had

    def report(self) -> None:
        """Say how long it ran, and its memory."""
        told = ", ".join(f"{mb:.0f} MB at {there}" for there, mb in self.memory)
        say(f"{time.monotonic() - self.begun:.0f} s; memory of the command: {told}")


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def wait_for_the_end(processes: dict[int, str], most_s: float = 60) -> float:
    """How long the workers of a command that was killed live on; Ray's own agents end later."""
    begun = time.monotonic()
    workers = {p: line for p, line in processes.items() if "MapWorker" in line}
    while any(line == _line(p) for p, line in workers.items()):
        if time.monotonic() - begun > most_s:
            raise SystemExit("workers outlive the command that was killed")
        time.sleep(0.1)
    return time.monotonic() - begun


def _line(process: int) -> str:
    try:
        data = Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return ""
    return data.replace(b"\0", b" ").decode(errors="replace")


def check(folder: Path, photos: list[Path]) -> None:
    """Every result once, whole, as a plain run has it; every row once."""
    for name in ("out", "plain"):
        held = sorted(path.name for path in (folder / name).iterdir())
        assert held == [photo.name for photo in photos], f"{name}: {set(held) ^ set(photos)}"
    for photo in photos:
        made, plain = ((folder / name / photo.name).read_bytes() for name in ("out", "plain"))
        assert made == plain, f"{photo.name} is not what a plain run makes of it"
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    assert [row["photo"] for row in rows] == [f"in/{photo.name}" for photo in photos]
    statuses = Counter(row["status"] for row in rows)
    assert set(statuses) <= {"done", "there"}, statuses
    say(f"{len(photos)} results, each once, whole, the same bytes as a plain run's; rows: "
        + ", ".join(f"{number} {status}" for status, number in statuses.items()))  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=5000)
    parser.add_argument("--size", default="96x64")
    parser.add_argument("--method", default="gamma")
    given = parser.parse_args()
    width, height = map(int, given.size.split("x"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        photos = make_photos(folder / "in", given.photos, width, height)
        words = command("out", given.method, "--on", "ray", "-j", "2")
        words += ["--rows", "rows.jsonl"]
        first = Watched(words, folder, len(photos))
        first.until(len(photos) // 5)
        killed = first.kill_an_actor()
        say(f"actor {killed} killed at {number_of(first.out)} of {len(photos)}")
        first.until(len(photos) // 2)
        there, had = number_of(first.out), first.kill()
        first.report()
        say(f"command killed at {there}; its workers ended {wait_for_the_end(had):.1f} s later")
        second = Watched([*words, "--skip-existing"], folder, len(photos))
        second.until(len(photos) + 1)
        assert second.process.returncode == 0, "going on failed"
        second.report()
        begun = time.monotonic()
        subprocess.run(command("plain", given.method, "-j", "2"), cwd=folder, check=True)
        say(f"the plain run with two processes, for comparison: {time.monotonic() - begun:.0f} s")
        check(folder, photos)


if __name__ == "__main__":
    main()
