"""Files of 68 labelled points beside a picture: iBUG's ``.pts``, and ``.csv`` with ``x,y``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from relume.errors import InputError, UnreadableInput

POINTS = 68
ENDINGS = (".pts", ".csv")
HEADINGS = ("version", "n_points", "{", "}", "x,y")
"""How lines begin that hold no point."""


def points_beside(picture: Path) -> Path | None:
    """The file of points that belongs to a picture, if there is one."""
    files = (picture.with_suffix(ending) for ending in ENDINGS)
    return next((file for file in files if file.is_file()), None)


def read_points(file: Path) -> npt.NDArray[np.float64]:
    """The points (68, 2) of a file, in iBUG order, in pixels whose centres lie at halves.

    A ``.pts`` counts pixels from 1, as MATLAB does: the middle of its first one is 1, ours 0.5.

    Raises:
        UnreadableInput: the file cannot be read.
        InputError: it does not hold 68 points.
    """
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableInput(f"cannot read the points in {file}: {error}") from error
    rows = [line for line in map(str.strip, lines) if line and not line.startswith(HEADINGS)]
    try:
        values = [[float(cell) for cell in row.replace(",", " ").split()] for row in rows]
    except ValueError as error:
        raise InputError(f"{file}: expected two numbers a line, x and y; {error}") from error
    if any(len(row) != 2 for row in values):
        raise InputError(f"{file}: expected two numbers a line, x and y, got others")
    if len(values) != POINTS:
        raise InputError(f"{file}: expected {POINTS} points, got {len(values)}")
    points = np.array(values, np.float64)
    if not np.isfinite(points).all():
        raise InputError(f"{file}: expected finite numbers")
    return points - 0.5 if file.suffix == ".pts" else points
