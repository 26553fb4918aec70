"""The data of a study: its pictures, files matched to them by name, and the labelled faces.

Three kinds of labels are read: boxes (``image,x0,y0,x1,y1``), ellipses (FDDB's, one a row, ``image,
major_radius_px,minor_radius_px,angle_rad,center_x_px,center_y_px``) and a folder of 68-point
files (:mod:`relume.io.points`). In the first two a row with empty numbers says
that the picture shows no face; a picture that no row names is left out of the study. Columns
``group:NAME`` after the numbers say which group of NAME (``group:age``) each face is in, if any.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from relume.errors import InputError, RelumeError, UnreadableInput
from relume.faces import box_around
from relume.io import READABLE_SUFFIXES, read
from relume.io.points import points_beside, read_points
from relume.metrics.detection import ellipse_bounds
from relume.photo import Array, Image

Box = tuple[float, float, float, float]
Ellipse = tuple[float, float, float, float, float]
"""Major radius, minor radius, angle of the major axis to the x axis, centre x, centre y."""
LabelKind = Literal["boxes", "ellipses", "points"]

GROUP = "group:"
IGNORE = "ignore"
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

    The box around points reaches from hairline to chin, as detectors draw it. ``groups`` holds the
    face's group by the grouping's name; a face without one is in none.
    """

    box: Box
    ellipse: Ellipse | None = None
    points: Array | None = None
    groups: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Labels:
    """The labelled faces by picture name, what the labels were, and the groupings they name.

    ``ignored`` are faces that need not be found and are not wrong to find.
    """

    kind: LabelKind
    faces: Mapping[str, tuple[TrueFace, ...]]
    groupings: tuple[str, ...] = ()
    ignored: Mapping[str, tuple[TrueFace, ...]] = field(default_factory=dict)


def read_labels(path: Path, pictures: Sequence[str]) -> Labels:
    """Read labels for the pictures of these names (paths inside their folder, with ``/``).

    Raises:
        UnreadableInput: the file or folder is missing or not a CSV file.
        InputError: another header, a value that is no number, or a name without a picture.
    """
    if path.is_dir():
        return Labels("points", _point_files(path, pictures))
    header, rows = _table(path)
    numbers, groupings = _columns(header, path)
    kind: LabelKind = "boxes" if numbers[:4] == BOX_COLUMNS else "ellipses"
    end = 1 + len(numbers) - (IGNORE in numbers)
    faces: dict[str, list[TrueFace]] = {}
    ignored: dict[str, list[TrueFace]] = {}
    for number, row in rows:
        of_picture = faces.setdefault(row[0], [])
        if any(cell.strip() for cell in row[1:end]):
            face = _face(kind, row[1:end], f"{path}, line {number}")
            if IGNORE in numbers and row[end].strip() not in ("", "0"):
                ignored.setdefault(row[0], []).append(face)
                continue
            named = zip(groupings, map(str.strip, row[1 + len(numbers) :]), strict=True)
            groups = {name: value for name, value in named if value}
            of_picture.append(replace(face, groups=groups))
    missing = sorted(faces.keys() - set(pictures))
    if missing:
        raise InputError(f"{path} names pictures that are not there: {name_some(missing)}")
    found = {name: tuple(faces[name]) for name in pictures if name in faces}
    return Labels(kind, found, groupings, {name: tuple(own) for name, own in ignored.items()})


def _columns(header: Sequence[str], path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns of numbers, ``ignore`` among them if it is there, and the groupings after."""
    named = [name for name in header if name.startswith(GROUP)]
    numbers = tuple(header[1 : len(header) - len(named)])
    groupings = tuple(name.removeprefix(GROUP).strip() for name in named)
    shapes = numbers[:-1] if numbers[-1:] == (IGNORE,) else numbers
    if header[:1] != ["image"] or shapes not in (BOX_COLUMNS, ELLIPSE_COLUMNS):
        raise InputError(
            f"{path}: expected the columns image,{','.join(BOX_COLUMNS)} or "
            f"image,{','.join(ELLIPSE_COLUMNS)}, then {IGNORE} and {GROUP}NAME if any; got "
            f"{','.join(header)}"
        )
    if not all(groupings) or len(set(groupings)) < len(groupings):
        raise InputError(f"{path}: expected different names after {GROUP!r}, got {','.join(named)}")
    return numbers, groupings


def _point_files(folder: Path, pictures: Sequence[str]) -> dict[str, tuple[TrueFace, ...]]:
    found: dict[str, tuple[TrueFace, ...]] = {}
    for name in pictures:
        file = points_beside(folder / name)
        if file is not None:
            points = read_points(file)
            # the detectors' kind of box: matched with theirs, handed to landmarkers
            found[name] = (TrueFace(box_around(points), points=points),)
    if not found:
        raise InputError(
            f"{folder} holds no 68-point file for any picture; expected "
            f"{PurePosixPath(pictures[0]).with_suffix('.csv')} or .pts and so on"
        )
    return found


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


def _face(kind: LabelKind, cells: Sequence[str], where: str) -> TrueFace:
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


def name_some(names: Sequence[str]) -> str:
    """The first five names and how many more there are."""
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


def find_pictures(folder: Path) -> tuple[str, ...]:
    """The names of all pictures in a folder and below, sorted, as paths inside it with ``/``.

    Raises:
        UnreadableInput: no such folder.
        InputError: no picture in it, or two that differ in their ending only.
    """
    if not folder.is_dir():
        raise UnreadableInput(f"the pictures' folder {folder} is not there, or not a folder")
    names = sorted(
        file.relative_to(folder).as_posix()
        for file in folder.rglob("*")
        if file.suffix.lower() in READABLE_SUFFIXES
        and file.is_file()
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )
    if not names:
        raise InputError(f"no picture in {folder}; expected files ending in .jpg, .png and so on")
    stems: dict[str, str] = {}
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            what = f"{folder / name}: its name is not UTF-8, as a report needs it; rename it"
            raise InputError(what) from None
        stem = str(PurePosixPath(name).with_suffix(""))
        if stem in stems:
            raise InputError(
                f"{folder} holds {stems[stem]} and {name}: files are matched by name without "
                "the ending, so keep one of them"
            )
        stems[stem] = name
    return tuple(names)


def match(pictures: Path, names: Sequence[str], folder: Path, what: str) -> dict[str, Path]:
    """The file in ``folder`` for each picture name: same path inside it, any picture ending.

    A picture that cannot be read needs none: it fails by itself, as a row.

    Raises:
        InputError: pictures without a file, or with one of another size, by name; ``what`` says
            whose folder it is.
    """
    if not folder.is_dir():
        raise UnreadableInput(f"{what}: the folder {folder} is not there")
    held = {
        str(file.relative_to(folder).with_suffix("").as_posix()): file
        for file in sorted(folder.rglob("*"))
        if file.suffix.lower() in READABLE_SUFFIXES
    }
    stems = {name: str(PurePosixPath(name).with_suffix("")) for name in names}
    missing = [n for n, stem in stems.items() if stem not in held and _is_readable(pictures / n)]
    if missing:
        raise InputError(
            f"{what}: {len(missing)} of {len(names)} pictures have no file in {folder}: "
            f"{name_some(missing)}"
        )
    found = {name: held[stem] for name, stem in stems.items() if stem in held}
    _check_sizes(pictures, found, what)
    return found


def _check_sizes(pictures: Path, files: dict[str, Path], what: str) -> None:
    wrong = []
    for name, file in files.items():
        try:
            expected = size_px(pictures / name)
        except RelumeError:
            continue
        got = size_px(file)
        if expected != got:
            wrong.append(f"{name} ({got[0]}x{got[1]} instead of {expected[0]}x{expected[1]})")
    if wrong:
        raise InputError(
            f"{what}: {len(wrong)} of {len(files)} files differ in size from their picture: "
            f"{name_some(wrong)}"
        )


def size_px(file: Path) -> tuple[int, int]:
    """Width and height as shown (orientation applied), from the header where Pillow reads it."""
    import PIL.Image

    try:
        with PIL.Image.open(file) as picture:
            turned = picture.getexif().get(0x0112, 1) >= 5
            width, height = picture.size
            return (height, width) if turned else (width, height)
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError):
        # raw files, damaged headers: read() takes them, or says what is wrong
        pixels = read(file).pixels
        return (pixels.shape[1], pixels.shape[0])


def load(file: Path) -> Image:
    """A picture's pixels."""
    image: Image = read(file).pixels
    return image


def _is_readable(file: Path) -> bool:
    try:
        read(file)
    except RelumeError:
        return False
    return True
