"""Start-up, exit codes and streams of the whole program."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import relume as package
from relume import weights
from relume.errors import DeviceError, WeightsError
from relume.weights import store

from .conftest import Relume

COMMANDS = (
    "enhance",
    "demo",
    "methods",
    "detect",
    "landmarks",
    "study",
    "serve",
    "train",
)


def test_help_is_fast_and_loads_nothing_heavy() -> None:
    """Processor time, which other programs on the machine do not lengthen."""
    script = (
        "import sys, time\n"
        "from relume.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'cv2', 'openvino', 'torch', 'numpy', 'PIL', 'rich'} & set(sys.modules)\n"
        "print('HEAVY', sorted(heavy), time.process_time())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    *shown, last = done.stdout.splitlines()
    assert all(name in "\n".join(shown) for name in COMMANDS)
    assert last.startswith("HEAVY [] ")
    assert float(last.split()[-1]) < 0.4


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(relume: Relume, command: str) -> None:
    result = relume(command, "--help")
    assert result.code == 0
    assert "Usage: relume" in result.out


@pytest.mark.parametrize("command", COMMANDS)
def test_options_are_in_a_users_words(relume: Relume, command: str) -> None:
    options = relume(command, "--help").out.partition("Options:")[2]
    for kind in ("<str>", "<path>", "<int", "<float", "<list"):
        assert kind not in options
    assert "yunet's" not in options  # a name keeps its capitals


def test_summaries_are_whole_sentences(relume: Relume) -> None:
    commands = relume("--help").out.partition("Commands:")[2]
    assert all(line.endswith(".") for line in commands.splitlines() if line)
    assert "..." not in commands


def test_version(relume: Relume) -> None:
    result = relume("--version")
    assert (result.code, result.out) == (0, f"relume {package.__version__}\n")


@pytest.mark.parametrize(
    "args", [("enhanse",), ("enhance",), ("enhance", "--no-such"), ("enhance", "x", "-f", "bmp")]
)
def test_wrong_usage_is_exit_code_2(relume: Relume, args: tuple[str, ...]) -> None:
    result = relume(*args)
    assert result.code == 2
    assert result.out == ""
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1


def test_a_command_that_is_nearly_right_is_named(relume: Relume) -> None:
    says = "error: No such command 'enhanse'. Did you mean 'enhance'? 'relume --help' shows"
    assert relume("enhanse").err.startswith(says)


def test_without_a_command_there_is_help(relume: Relume) -> None:
    result = relume()
    assert (result.code, result.err) == (0, "")
    assert "enhance" in result.out


def test_help_tells_defaults_and_ranges(relume: Relume) -> None:
    shown = " ".join(relume("enhance", "--help").out.split())
    for words in (
        "[default: (relume)]",
        "0 to 1. [default: 1.0]",
        "or 'auto'",
        "[default: (auto)]",
    ):
        assert words in shown


def test_an_error_is_one_line_with_its_exit_code(
    relume: Relume, monkeypatch: pytest.MonkeyPatch, night: Path
) -> None:
    import relume.enhancers as enhancers

    def refuse(*args: object, **kwargs: object) -> None:
        raise DeviceError("there is no\nGPU")

    monkeypatch.setattr(enhancers, "describe", refuse)
    result = relume("enhance", night, "--method", "gamma")
    assert (result.code, result.err) == (1, "error: there is no GPU\n")


def test_a_reader_that_leaves_is_no_traceback() -> None:
    command = f"{sys.executable} -m relume methods | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout == "enhancers\n"
    assert done.stderr == ""


@pytest.mark.skipif(sys.platform == "win32", reason="closes descriptors as POSIX shells do")
@pytest.mark.parametrize("closed", ["2>&-", "<&- >&- 2>&-"])
def test_without_standard_streams_it_works(night: Path, tmp_path: Path, closed: str) -> None:
    """A windowed start, say: nothing is said, and nothing is printed into an open picture."""
    code = (
        "import os, sys; from relume.cli import console; console.open_closed()\n"
        "open(sys.argv[1], 'w').write(str(os.open(os.devnull, os.O_RDONLY)))"
    )

    def run(*words: object) -> int:
        shell = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, *map(str, words)]
        return subprocess.run(shell, check=False).returncode

    out = tmp_path / "out.jpg"
    assert run("-m", "relume", "enhance", night, "-m", "gamma", "-o", out) == 0
    assert out.read_bytes().startswith(b"\xff\xd8\xff")
    assert run("-c", code, tmp_path / "number") == 0
    assert int((tmp_path / "number").read_text()) > 2


@pytest.mark.skipif(sys.platform == "win32", reason="reads the user database")
def test_a_user_without_a_home(
    night: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither HOME nor an entry in passwd (cron, a container): done without a cache."""
    for name in ("HOME", "XDG_CACHE_HOME", "RELUME_CACHE"):
        monkeypatch.delenv(name, raising=False)

    def nobody(path: str) -> str:
        return path

    monkeypatch.setattr("os.path.expanduser", nobody)
    assert weights.cache_folder() == store.NO_FOLDER
    assert not weights.is_here("yunet")
    with pytest.raises(WeightsError, match="this user has no home folder; name another folder in"):
        weights.path("yunet")
    monkeypatch.setenv("RELUME_CACHE", "~/cache")
    assert weights.cache_folder() == store.NO_FOLDER


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("enhance -m ga", ["gamma"]),
        ("detect -d ha", ["haar"]),
        ("detect --views original,au", ["original,auto-gamma", "original,auto-exposure"]),
        ("detect -l pe", ["peppa"]),
        ("study x --arms original,cl", ["original,clahe"]),
        ("study x --detectors y", ["yunet"]),
    ],
)
def test_names_are_completed(words: str, expected: list[str]) -> None:
    """As bash asks for it when Tab is pressed."""
    asked = {
        "_RELUME_COMPLETE": "complete_bash",
        "COMP_WORDS": f"relume {words}",
        "COMP_CWORD": str(len(words.split())),
    }
    command = [sys.executable, "-c", "from relume.cli.main import main; main()"]
    environment = {**os.environ, **asked}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == expected, done.stderr
