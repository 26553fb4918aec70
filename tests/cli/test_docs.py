"""What the documents show can be typed: commands, options, files, links."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from relume.cli.main import app

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "models").glob("*.md"),
    *(ROOT / "examples").rglob("*.md"),
]
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def lines(document: Path) -> Iterator[str]:
    """The lines of a document's code blocks, those that a backslash joins as one."""
    for block in re.findall(r"^```\n(.*?)^```", document.read_text("utf-8"), re.M | re.S):
        yield from block.replace("\\\n", " ").splitlines()


def named(document: Path) -> str:
    return document.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_commands_and_options_are_there(document: Path) -> None:
    for line in lines(document):
        for part in re.split(r"&&|\|(?!\|)", line):
            if not part.strip().startswith("relume "):
                continue
            words = shlex.split(part.partition(" (the same data")[0], comments=True)
            assert words[1] in COMMANDS, line
            known = {opt for p in COMMANDS[words[1]].params for opt in (*p.opts, *p.secondary_opts)}
            for word in words[2:]:
                if re.match(r"--?[a-z]", word):
                    assert word.partition("=")[0] in known, line


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_scripts_and_recipes_are_there(document: Path) -> None:
    pattern = r"\b((?:benchmarks|scripts|recipes)/[\w-]+\.(?:py|toml))"
    for name in re.findall(pattern, document.read_text("utf-8")):
        assert (ROOT / name).is_file(), name


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_links_and_pictures_are_there(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", document.read_text("utf-8")):
        if not re.match(r"[a-z]+:", target):
            assert (document.parent / target).exists(), target


def test_extras_are_all_told() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = (ROOT / "docs" / "reference" / "extras.md").read_text("utf-8")
    table = extras.partition("| extra | brings |")[2]
    rows = re.findall(r"^\| (`.+?) \|", table.partition("\n\n")[0], re.M)
    told = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert told == set(project["optional-dependencies"]) - {"dev", "docs"}
