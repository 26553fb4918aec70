"""Damaged and hostile files through every door: each a picture or one line, soon and small.

    python benchmarks/hostile.py FOLDER [--every 10] [--doors read,command,service,page]

Every file whose first bytes or whose ending are a picture's goes through ``relume.read``, the
command, ``/v1/enhance`` and the page's decoder (in Chromium, where playwright is installed). Each
door is a process that is replaced when a file ends it, with 2 GB and 20 s a file. A file counts as

- right: a picture came out;   - refused: one line, and no more, said why not;
- slow: no answer in time;     - memory: it would have taken more;
- wrong: a traceback, an answer of 5xx, or lines that no part of relume wrote;
- crash: the process ended.

The exit code is 1 if there was a crash or a wrong answer. Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import http.server
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from relume.io.formats import READABLE_SUFFIXES, sniff

ROOT = Path(__file__).parents[1]
LIMIT_S, LIMIT_BYTES = 20.0, 2 << 30

LARGEST_BYTES = 16 << 20
Answer = tuple[str, str]
"""What came of a file, and its words."""


def read() -> Callable[[Path], Answer]:
    """The door of Python."""
    from relume.errors import RelumeError
    from relume.io import read as read_photo

    def one(path: Path) -> Answer:
        try:
            photo = read_photo(path)
        except RelumeError as error:
            words = str(error)
            return ("refused" if "\n" not in words else "wrong"), words
        return "right", repr(photo)

    return one


def command() -> Callable[[Path], Answer]:
    """``relume enhance FILE``, with its defaults."""
    from relume.cli.main import main

    folder = tempfile.mkdtemp()

    def one(path: Path) -> Answer:
        sys.argv = ["relume", "enhance", str(path), "-o", f"{folder}/", "--overwrite"]
        with _captured() as lines:
            code: object = 0
            try:
                main()
            except SystemExit as end:
                code = end.code
        said = [line for line in lines if line.strip()]
        strange = [line for line in said if not _is_ours(line, path)]
        if strange or (code and len(said) != 1):
            return "wrong", " / ".join(strange or said)
        return ("refused" if code else "right"), " / ".join(said)

    return one


def _is_ours(line: str, path: Path) -> bool:
    is_result = line.startswith((str(path), path.name)) and " -> " in line
    return line.startswith(("error: ", "note: ")) or is_result


@contextlib.contextmanager
def _captured() -> Iterator[list[str]]:
    """What the process and the C libraries in it print, line by line."""
    lines: list[str] = []
    with tempfile.TemporaryFile() as file:
        kept = [os.dup(number) for number in (1, 2)]
        for number in (1, 2):
            os.dup2(file.fileno(), number)
        try:
            yield lines
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, own in zip((1, 2), kept, strict=True):
                os.dup2(own, number)
                os.close(own)
            file.seek(0)
            lines += file.read().decode("utf-8", "replace").splitlines()


def service() -> Callable[[Path], Answer]:
    """``POST /v1/enhance``."""
    from starlette.testclient import TestClient

    from relume.web.app import create_app

    client = TestClient(create_app(), base_url="http://127.0.0.1:8000")

    def one(path: Path) -> Answer:
        answer = client.post("/v1/enhance", files={"file": (path.name, path.read_bytes())})
        if answer.status_code == 200:
            return "right", answer.headers["content-type"]
        words = f"{answer.status_code} {answer.text}"
        return ("wrong" if answer.status_code >= 500 else "refused"), words

    return one


def page() -> Callable[[Path], Answer]:
    """The page's decoder, in Chromium."""
    from playwright.sync_api import sync_playwright

    handler = functools.partial(_Quiet, directory=str(ROOT))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    there = "/usr/bin/chromium"
    browser = (
        sync_playwright()
        .start()
        .chromium.launch(
            executable_path=there if Path(there).exists() else None, args=["--no-sandbox"]
        )
    )
    tab = browser.new_page()
    tab.goto(f"http://127.0.0.1:{server.server_port}/site/icon.png")
    script = """async ([name, text]) => {
      const { decode } = await import("/site/src/picture.js");
      const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
      try {
        const { width, height } = await decode(new File([bytes], name), 50);
        return ["right", `${width} x ${height}`];
      } catch (error) {
        return [error.constructor.name === "Refused" ? "refused" : "wrong", String(error)];
      }
    }"""

    def one(path: Path) -> Answer:
        from base64 import b64encode

        what, words = tab.evaluate(script, [path.name, b64encode(path.read_bytes()).decode()])
        return what, words

    return one


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        del format, args


DOORS = {"read": read, "command": command, "service": service, "page": page}


def serve(door: str, pipe: Connection) -> None:
    """A door's process: a path in, what came of it out, with seconds and the most memory."""
    if door != "page":  # a browser's processes keep themselves within bounds
        resource.setrlimit(resource.RLIMIT_DATA, (LIMIT_BYTES, LIMIT_BYTES))
    one = DOORS[door]()
    pipe.send(None)
    while True:
        path = pipe.recv()
        Path("/proc/self/clear_refs").write_text("5", "ascii")  # the peak begins anew
        began = time.monotonic()
        try:
            what, words = one(path)
        except MemoryError:
            what, words = "memory", "MemoryError"
        except Exception as error:
            what, words = "wrong", f"{type(error).__name__}: {error}"
        if "Unable to allocate" in words or "out of memory" in words.lower():
            what = "memory"
        pipe.send((what, words, time.monotonic() - began, _peak_bytes()))


def _peak_bytes() -> int:
    status = Path("/proc/self/status").read_text("ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


class Door:
    """A door's process, replaced when it ends."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._process: Any = None

    def __call__(self, path: Path) -> dict[str, Any]:
        """What came of the file."""
        if self._process is None:
            self._start()
        self._pipe.send(path)
        what, words, seconds, peak = "slow", "", LIMIT_S, 0
        try:
            if self._pipe.poll(LIMIT_S):
                what, words, seconds, peak = self._pipe.recv()
        except EOFError:
            self._process.join()
            what, words = "crash", f"exit code {self._process.exitcode}"
        if what in ("slow", "crash", "memory"):
            self.close()
        return {
            "door": self.name, "file": str(path), "what": what, "words": words[:300],
            "seconds": round(seconds, 3), "peak_mb": peak >> 20,
        }  # fmt: skip

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, far = context.Pipe()
        self._process = context.Process(target=serve, args=(self.name, far), daemon=False)
        self._process.start()
        far.close()
        if not self._pipe.poll(60):
            raise SystemExit(f"the door {self.name} does not open")
        self._pipe.recv()

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None


def pictures(folder: Path) -> Iterator[Path]:
    """The files that are or want to be pictures, in order of name."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= LARGEST_BYTES:
            with path.open("rb") as file:
                head = file.read(512)
            if path.suffix.lower() in READABLE_SUFFIXES or sniff(head, "a") is not None:
                yield path


def main() -> int:
    """Run the files through the doors; print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1, help="only every n-th file")
    parser.add_argument("--doors", default=",".join(DOORS))
    parser.add_argument("--rows", type=Path, help="a JSON line for each file and door")
    given = parser.parse_args()
    files = list(pictures(given.folder))[:: given.every]
    rows = given.rows.open("a", encoding="utf-8") if given.rows else None
    failed = False
    print("| door | files | right | refused | slow | memory | wrong | crash | most memory |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    for name in given.doors.split(","):
        door, counts, most = Door(name), Counter[str](), 0
        for path in files:
            row = door(path)
            counts[row["what"]] += 1
            most = max(most, row["peak_mb"])
            if rows is not None:
                rows.write(json.dumps(row) + "\n")
                rows.flush()
            if row["what"] in ("wrong", "crash"):
                print(f"{name}: {row['what']}: {path}: {row['words']}", file=sys.stderr)
        door.close()
        kinds = ("right", "refused", "slow", "memory", "wrong", "crash")
        told = " | ".join(str(counts[kind]) for kind in kinds)
        print(f"| {name} | {len(files)} | {told} | {most} MB |", flush=True)
        failed |= bool(counts["wrong"] or counts["crash"])
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
