"""TOML files as frozen dataclasses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from relume.errors import RecipeError
from relume.settings import load


@dataclass(frozen=True)
class Part:
    """A table in a file."""

    size: int = 1


@dataclass(frozen=True)
class Whole:
    """Every kind of field."""

    name: str
    folder: Path
    share: float = 0.5
    on: bool = False
    label: str | None = None
    labels: Path | None = None
    levels: tuple[float, ...] = ()
    parts: tuple[Part, ...] = ()
    part: Part = Part()
    weights: Mapping[str, float] = field(default_factory=dict)


def write(folder: Path, text: str) -> Path:
    path = folder / "whole.toml"
    path.write_text(text)
    return path


def test_every_kind_of_field(tmp_path: Path) -> None:
    text = """
    name = "x"
    folder = "in"
    share = 1
    on = true
    label = "boxes"
    labels = "faces.csv"
    levels = [1, 0.5]
    weights = { a = 2 }
    part = { size = 3 }
    [[parts]]
    size = 4
    """
    whole = load(Whole, write(tmp_path, text))
    assert (whole.name, whole.on, whole.label, whole.levels) == ("x", True, "boxes", (1.0, 0.5))
    assert (whole.folder, whole.labels) == (tmp_path / "in", tmp_path / "faces.csv")
    assert isinstance(whole.share, float)
    assert (whole.part, whole.parts, whole.weights) == (Part(3), (Part(4),), {"a": 2.0})


def test_options_win_over_the_file_and_fill_what_it_lacks(tmp_path: Path) -> None:
    path = write(tmp_path, 'name = "x"\nshare = 0.1')
    whole = load(Whole, path, overrides={"folder": Path("here"), "share": 0.2, "name": None})
    assert whole == Whole("x", Path("here"), 0.2)
    with pytest.raises(RecipeError, match="'folder' is missing, and no option gives it"):
        load(Whole, path, overrides={})


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("shard = 1", "unknown key 'shard'; did you mean 'share'"),
        ("share = true", "share: expected a number, got True"),
        ("folder = 1", "folder: expected text"),
        ("labels = 1", "labels: expected text"),
        ("levels = 1", "levels: expected a list"),
        ("levels = ['a']", r"levels\[0\]: expected a number"),
        ("part = 1", "part: expected a table"),
        ("part = { sise = 1 }", "part: unknown key 'sise'"),
        ("weights = 1", "weights: expected a table"),
        ("name = [", "is not a TOML file"),
    ],
)
def test_what_does_not_fit_is_an_error(tmp_path: Path, line: str, says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        load(Whole, write(tmp_path, line))
    with pytest.raises(RecipeError, match="cannot read"):
        load(Whole, tmp_path / "none.toml")
