"""The rows of a study, one JSON object a line, and the file that grows while it runs.

A row is what was seen on one picture, at one level, in one arm: by one detector, or
(``detector`` is None) of the picture itself. A failure is a row with an ``error``. Rows hold no
times, so that a study broken off and taken up again ends with the same file.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from relume.io.atomic import write_atomic

REFERENCE = "@reference"
"""In place of an arm: what was seen on the normal-light photograph."""

Points = tuple[tuple[float, float], ...]
Found = tuple[float, float, float, float, float]
"""A face: box and score."""
Unit = tuple[str, float | None]
"""A picture at a level: what is done, and written, as a whole."""


@dataclass(frozen=True)
class Row:
    """One observation.

    ``faces`` are (x0, y0, x1, y1, score), best score first. ``landmarks`` stand beside the true
    faces, in their order: predicted from the matched face's box (None where it was missed), or,
    with ``detector`` None, from the true box. ``mean`` is the picture's mean grey level; PSNR
    and SSIM are against the reference photograph. ``light``, in the original's row of the picture,
    is the mean grey level of each true face before any arm: only where faces are in groups.
    """

    image: str
    level: float | None
    arm: str
    detector: str | None = None
    error: str | None = None
    faces: tuple[Found, ...] = ()
    landmarks: tuple[Points | None, ...] = ()
    mean: float | None = None
    psnr: float | None = None
    ssim: float | None = None
    psnr_gt_mean: float | None = None
    light: tuple[float, ...] = ()

    @property
    def unit(self) -> Unit:
        """The picture and level it belongs to."""
        return (self.image, self.level)

    def line(self) -> str:
        """The row as one line of JSON, empty fields left out."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        kept = {k: v for k, v in values.items() if v not in (None, ()) or k in _ALWAYS}
        return json.dumps(kept, ensure_ascii=False, allow_nan=False)


_ALWAYS = ("image", "level", "arm", "detector")
_KNOWN = {f.name for f in fields(Row)}


class RowFile:
    """``rows.jsonl``: units are appended whole; what a broken run left half is dropped."""

    def __init__(self, path: Path, *, rows_a_unit: int) -> None:
        self.path = path
        self._rows_a_unit = rows_a_unit

    def read(self) -> list[Row]:
        """The rows of all complete units; a torn last line counts as not written."""
        if not self.path.is_file():
            return []
        units: dict[Unit, list[Row]] = defaultdict(list)
        for line in self.path.read_text(encoding="utf-8").splitlines():
            row = _parse(line)
            if row is not None:
                units[row.unit].append(row)
        return [r for rows in units.values() if len(rows) == self._rows_a_unit for r in rows]

    def append(self, rows: Sequence[Row]) -> None:
        """Add a unit's rows at the end of the file."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write("".join(row.line() + "\n" for row in rows))

    def write(self, rows: Iterable[Row]) -> None:
        """Replace the file's content, whole or not at all."""
        text = "".join(row.line() + "\n" for row in rows)
        write_atomic(self.path, text.encode(), overwrite=True)


def _parse(line: str) -> Row | None:
    try:
        values: dict[str, Any] = json.loads(line)
    except json.JSONDecodeError:
        return None
    if not isinstance(values, dict) or not set(_ALWAYS) <= set(values) <= _KNOWN:
        return None
    if "faces" in values:
        values["faces"] = tuple(tuple(face) for face in values["faces"])
    if "light" in values:
        values["light"] = tuple(values["light"])
    if "landmarks" in values:
        values["landmarks"] = tuple(
            None if points is None else tuple(tuple(p) for p in points)
            for points in values["landmarks"]
        )
    return Row(**values)
