"""What is known about the faces in a study's pictures.

Three files are read: boxes (``image,x0,y0,x1,y1``), ellipses (FDDB's, one a row, ``image,
major_radius_px,minor_radius_px,angle_rad,center_x_px,center_y_px``) and a folder of 68-point
files (``<picture>.csv`` with ``x,y``, iBUG order). In the first two a row with empty numbers says
that the picture shows no face; a picture that no row names is left out of the study.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from relume.errors import InputError, UnreadableInput
from relume.faces import box_around
from relume.metrics.detection import ellipse_bounds
from relume.photo import Array

Box = tuple[float, float, float, float]
Ellipse = tuple[float, float, float, float, float]
"""Major radius, minor radius, angle of the major axis to the x axis, centre x, centre y."""
Kind = Literal["boxes", "ellipses", "points"]

POINTS = 68
BOX_COLUMNS = ("x0", "y0", "x1", "y1")
ELLIPSE_COLUMNS = (
    "major_radius_px",
    "minor_radius_px",
    "angle_rad",
    "center_x_px",
    "center_y_px",
)


@dataclass(frozen=True)
class TrueFace:
    """A labelled face: its box, and the ellipse or the ``(68, 2)`` points it came from.

    The box around points reaches from hairline to chin, as detectors draw it.
    """

    box: Box
    ellipse: Ellipse | None = None
    points: Array | None = None


@dataclass(frozen=True)
class Labels:
    """The labelled faces by picture name, and what the labels were."""

    kind: Kind
    faces: Mapping[str, tuple[TrueFace, ...]]


def read(path: Path, pictures: Sequence[str]) -> Labels:
    """Read labels for the pictures of these names (paths inside their folder, with ``/``).

    Raises:
        UnreadableInput: the file or folder is missing or not a CSV file.
        InputError: another header, a value that is no number, or a name without a picture.
    """
    if path.is_dir():
        return Labels("points", _point_files(path, pictures))
    header, rows = _table(path)
    if header[:1] != ["image"] or tuple(header[1:]) not in (BOX_COLUMNS, ELLIPSE_COLUMNS):
        raise InputError(
            f"{path}: expected the columns image,{','.join(BOX_COLUMNS)} or "
            f"image,{','.join(ELLIPSE_COLUMNS)}, got {','.join(header)}"
        )
    kind: Kind = "boxes" if tuple(header[1:]) == BOX_COLUMNS else "ellipses"
    faces: dict[str, list[TrueFace]] = {}
    for number, row in rows:
        of_picture = faces.setdefault(row[0], [])
        if any(cell.strip() for cell in row[1:]):
            of_picture.append(_face(kind, row[1:], f"{path}, line {number}"))
    _refuse_missing(path, faces, pictures)
    return Labels(kind, {name: tuple(faces[name]) for name in pictures if name in faces})


def _point_files(folder: Path, pictures: Sequence[str]) -> dict[str, tuple[TrueFace, ...]]:
    found: dict[str, tuple[TrueFace, ...]] = {}
    for name in pictures:
        file = folder / PurePosixPath(name).with_suffix(".csv")
        if file.is_file():
            points = _points(file)
            # the detectors' kind of box: matched with theirs, handed to landmarkers
            found[name] = (TrueFace(box_around(points), points=points),)
    if not found:
        raise InputError(
            f"{folder} holds no 68-point file for any picture; expected "
            f"{PurePosixPath(pictures[0]).with_suffix('.csv')} and so on"
        )
    return found


def _points(file: Path) -> Array:
    header, rows = _table(file)
    if header != ["x", "y"]:
        raise InputError(f"{file}: expected the columns x,y, got {','.join(header)}")
    values = [_numbers(row, f"{file}, line {number}") for number, row in rows]
    if len(values) != POINTS:
        raise InputError(f"{file}: expected {POINTS} points, got {len(values)}")
    return np.array(values, np.float64)


def _table(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header and numbered rows of a CSV file."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise UnreadableInput(f"cannot read the labels {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UnreadableInput(f"the labels {path} are not a text file: {error}") from error
    rows = [(n, r) for n, r in enumerate(csv.reader(lines), start=1) if r]
    if not rows:
        raise InputError(f"the labels {path} are empty; expected a header and rows")
    header = [cell.strip() for cell in rows[0][1]]
    for number, row in rows[1:]:
        if len(row) != len(header):
            raise InputError(
                f"{path}, line {number}: expected {len(header)} values, got {len(row)}"
            )
    return header, rows[1:]


def _numbers(cells: Sequence[str], where: str) -> list[float]:
    try:
        values = [float(cell) for cell in cells]
    except ValueError as error:
        raise InputError(f"{where}: expected numbers, got {','.join(cells)}") from error
    if not all(map(math.isfinite, values)):
        raise InputError(f"{where}: expected finite numbers, got {','.join(cells)}")
    return values


def _face(kind: Kind, cells: Sequence[str], where: str) -> TrueFace:
    values = _numbers(cells, where)
    if kind == "boxes":
        x0, y0, x1, y1 = values
        if x1 <= x0 or y1 <= y0:
            raise InputError(f"{where}: a box must have x0 < x1 and y0 < y1, got {values}")
        return TrueFace((x0, y0, x1, y1))
    major, minor, angle, x, y = values
    if major <= 0 or minor <= 0:
        raise InputError(f"{where}: an ellipse must have radii above 0, got {values}")
    ellipse = (major, minor, angle, x, y)
    x0, y0, x1, y1 = map(float, ellipse_bounds([ellipse])[0])
    return TrueFace((x0, y0, x1, y1), ellipse=ellipse)


def _refuse_missing(path: Path, named: Iterable[str], pictures: Sequence[str]) -> None:
    missing = sorted(set(named) - set(pictures))
    if missing:
        raise InputError(f"{path} names pictures that are not there: {name_some(missing)}")


def name_some(names: Sequence[str], *, limit: int = 5) -> str:
    """The first names and how many more there are."""
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
