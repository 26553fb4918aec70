"""Files of 68 points: both kinds, read into one convention, or refused in a line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from relume.errors import InputError, UnreadableInput
from relume.io.points import points_beside, read_points

POINTS = np.arange(136, dtype=np.float64).reshape(68, 2) / 4


def written(path: Path, points: np.ndarray, ending: str) -> Path:
    comma = "," if ending == ".csv" else " "
    text = "".join(f"{x}{comma}{y}\n" for x, y in points)
    head = "x,y\n" if ending == ".csv" else "version: 1\nn_points: 68\n{\n"
    path.write_text(head + text + ("" if ending == ".csv" else "}\n"), "utf-8")
    return path


def test_both_kinds_say_the_same(tmp_path: Path) -> None:
    """A .pts counts pixels from 1, so the middle of its first one, 1, is ours of 0.5."""
    assert points_beside(tmp_path / "a.jpg") is None
    csv = written(tmp_path / "a.csv", POINTS, ".csv")
    pts = written(tmp_path / "b.pts", POINTS + 0.5, ".pts")
    assert (points_beside(tmp_path / "a.jpg"), points_beside(tmp_path / "b.png")) == (csv, pts)
    assert (read_points(csv) == POINTS).all()
    assert (read_points(pts) == POINTS).all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x,y\n3,4\n", "expected 68 points, got 1"),
        ("x,y\n" + "3,4,5\n" * 68, "two numbers a line"),
        ("x,y\n" + "3,four\n" * 68, "two numbers a line"),
        ("x,y\n" + "3,nan\n" * 68, "finite"),
        ("", "expected 68 points, got 0"),
    ],
)
def test_others_are_refused(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "a.csv"
    file.write_text(text, "utf-8")
    with pytest.raises(InputError, match=f"a.csv: expected .*{words.removeprefix('expected ')}"):
        read_points(file)


def test_what_is_no_text_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.pts").write_bytes(b"\xff\xfe\x00")
    for name in ("a.pts", "none.pts"):
        with pytest.raises(UnreadableInput, match=name):
            read_points(tmp_path / name)
