"""``relume watch``: what appears in a folder is relit as it comes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from relume.cli import console, options
from relume.cli.command import Command, arg, of_enhance, opt
from relume.cli.enhance import Enhance
from relume.enhancers.options import BRIGHTNESS, STRENGTH
from relume.errors import InputError, OutputError, ParameterError, extra_module

if TYPE_CHECKING:
    from relume.cli.tables import LiveRows

ROWS = "relume-rows.jsonl"
"""In the folder of results: what came of each photo, and so what is not done twice."""
LOCK = ".relume-watch.lock"
"""In the same folder, held while somebody watches for it."""
TICK_MS = 500
LOOK_AGAIN = 240
"""Ticks from one look at the whole folder to the next: systems lose events, network folders all."""


@dataclass(frozen=True, kw_only=True)
class Watch(Command):
    """Relight what appears in a folder.

    Photos and clips, in folders below it too, are done when they have not changed for a while; what
    is there at the start comes first. Nothing is done twice: after a restart it goes on where it
    was. What failed is a row in DIR/relume-rows.jsonl, and is tried again when its file changes.
    Ctrl-C ends it.
    """

    folder: Path = arg("FOLDER", "The folder to watch.")
    output: Path = opt("--output -o DIR", "Where results go.", default=MISSING)
    method: options.Method = None
    param: options.Param = None
    given: Mapping[str, Any] = of_enhance(STRENGTH, BRIGHTNESS)
    format: options.Format = None
    quality: options.Quality = None
    settle: float = opt("--settle S", "Seconds a file must stay unchanged.", default=2.0, min=0.0)
    quiet: options.Quiet = False
    verbose: options.Verbose = False

    def run(self) -> None:
        """Relight what is there, and then what comes, until the folder is gone or Ctrl-C."""
        changes = extra_module("watchfiles", "watching a folder", "watch").watch
        from relume.cli.tables import LiveRows
        from relume.io.places import make_folder

        folder, output = self.folder, self.output
        if not folder.is_dir():
            raise InputError(f"{folder} is no folder; name the one where photos appear")
        watched, results = folder.resolve(), output.resolve()
        if results == watched or watched.is_relative_to(results):
            raise ParameterError(
                f"-o {output}: results go into another folder than the watched one"
            )
        make_folder(output)
        with _alone(output):
            arrivals = Arrivals(folder, results, self.settle, failed=_failed(output / ROWS))
            rows = LiveRows(output / ROWS)
            if not self.quiet:
                console.say(f"watching {console.one_line(str(folder))}; Ctrl-C ends it")
            ticks = changes(
                *(folder,), watch_filter=None, yield_on_timeout=True, rust_timeout=TICK_MS,
                debounce=TICK_MS,
            )  # fmt: skip
            for tick, seen in enumerate(ticks):
                if not folder.is_dir():
                    raise InputError(f"{folder} is gone; watching ends")
                arrivals.note(Path(name) for _, name in seen)
                if tick % LOOK_AGAIN == 0:
                    arrivals.note([folder])
                if ready := arrivals.settled():
                    self._relight(ready, rows)

    def _relight(self, files: Iterable[Path], rows: LiveRows) -> None:
        by_folder: dict[Path, list[str]] = {}
        for file in files:
            by_folder.setdefault(file.parent.relative_to(self.folder), []).append(str(file))
        for below, names in sorted(by_folder.items()):
            enhance = Enhance(
                inputs=names, output=f"{self.output / below}{os.sep}", method=self.method,
                param=self.param, given=self.given, format=self.format, quality=self.quality,
                skip_existing=True, quiet=self.quiet,
            )  # fmt: skip
            try:
                enhance.relight(rows)
            except typer.Exit as left:
                if left.exit_code != 1:  # a photo that failed has been told of, and has its row
                    raise


Stamp = tuple[int, int]
"""Size and time of change of a file: what is the same has not changed."""


@dataclass
class Arrivals:
    """The files of a watched folder that are still to be done.

    ``failed`` are those that failed before, by name, with the time when that was known.
    """

    folder: Path
    results: Path
    settle_s: float
    failed: dict[str, float] = field(default_factory=dict)
    _waiting: dict[Path, tuple[Stamp, float]] = field(default_factory=dict)
    _given: dict[Path, Stamp] = field(default_factory=dict)

    def note(self, paths: Iterable[Path]) -> None:
        """Files that are new or changed, and folders: of a new one, not all files are told."""
        for path in paths:
            if path.is_dir():
                self.note(file for file in path.rglob("*") if file.is_file())
            elif self._counts(path):
                self._waiting.setdefault(path, ((-1, -1), time.monotonic()))

    def settled(self) -> list[Path]:
        """The files that have stayed as they are for long enough, in order of name; each once."""
        now, ready = time.monotonic(), []
        for path, (before, since) in sorted(self._waiting.items()):
            stamp = _stamp(path)
            if stamp is None:
                del self._waiting[path]
            elif stamp != before:
                self._waiting[path] = stamp, now
            elif now - since >= self.settle_s:
                del self._waiting[path]
                if self._given.get(path) != stamp and not self._has_failed(path, stamp):
                    ready.append(path)
                self._given[path] = stamp
        return ready

    def _counts(self, path: Path) -> bool:
        from relume.io.formats import READABLE_SUFFIXES
        from relume.io.video import is_clip

        relative = path.relative_to(self.folder)
        hidden = any(part.startswith(".") for part in relative.parts)
        return (
            not hidden
            and (path.suffix.lower() in READABLE_SUFFIXES or is_clip(path))
            and not path.resolve().is_relative_to(self.results)
        )

    def _has_failed(self, path: Path, stamp: Stamp) -> bool:
        return stamp[1] / 1e9 <= self.failed.get(str(path), 0.0)


def _stamp(path: Path) -> Stamp | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns) if path.is_file() else None


def _failed(rows: Path) -> dict[str, float]:
    """What failed, by the rows of earlier runs, and when they were written."""
    if not rows.exists():
        return {}
    written, failed = rows.stat().st_mtime, {}
    for line in rows.read_text("utf-8", errors="replace").splitlines():
        row = json.loads(line)
        if row.get("error"):
            failed[str(row["photo"])] = written
    return failed


@contextmanager
def _alone(output: Path) -> Iterator[None]:
    """Nobody else writes there while the block lasts.

    Raises:
        OutputError: somebody does.
    """
    from filelock import FileLock, Timeout

    try:
        with FileLock(output / LOCK, timeout=0):
            yield
    except Timeout:
        raise OutputError(
            f"another relume watch writes into {output}; name another folder"
        ) from None
