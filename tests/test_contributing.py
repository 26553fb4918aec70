"""CONTRIBUTING.md's code blocks run; README.md's commands exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def blocks(name: str, language: str) -> list[str]:
    text = (ROOT / name).read_text("utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("number", range(len(blocks("CONTRIBUTING.md", "python"))))
def test_contributings_examples_run(number: int) -> None:
    """In a process of its own: an example adds to a catalogue."""
    code = blocks("CONTRIBUTING.md", "python")[number]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_there_is_an_example_for_each_catalogue() -> None:
    assert len(blocks("CONTRIBUTING.md", "python")) == 2


def test_readmes_commands_and_options_exist() -> None:
    """Every ``relume`` line of the README, held against the command line's own help."""
    from typer.main import get_command

    from relume.cli.main import app

    commands = get_command(app).commands  # type: ignore[attr-defined]
    lines = [
        line.split("#")[0].split()
        for block in blocks("README.md", "")
        for line in block.splitlines()
        if line.startswith("relume ")
    ]
    assert len(lines) > 8
    for words in lines:
        assert words[1] in commands, f"README names an unknown command: {' '.join(words)}"
        known = {o for p in commands[words[1]].params for o in (*p.opts, *p.secondary_opts)}
        used = {w for w in words[2:] if re.fullmatch(r"--?[a-z][a-z-]*", w)}
        assert used <= known, f"README uses unknown options {used - known}: {' '.join(words)}"


def test_readme_names_the_two_commands_that_set_everything_up() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert re.search(r"^pip install .* && relume demo$", text, re.MULTILINE)
    assert re.search(r"^pip install .* && pytest$", text, re.MULTILINE)
