"""Rows as Parquet files, for programs that read millions of them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relume.errors import MissingExtra

if TYPE_CHECKING:
    from relume.faces import Detection

FACE_COLUMNS = {
    "photo": "string",
    "width": "int32",
    "height": "int32",
    "face": "int32",
    "x0": "float",
    "y0": "float",
    "x1": "float",
    "y1": "float",
    "score": "float",
    "view": "string",
    "landmarks": "list",
    "error": "string",
}
"""The columns of a table of faces, with their types; landmarks are x, y, x, y, ..."""


def is_table(name: str) -> bool:
    """Whether a file of this name is written as Parquet."""
    return Path(name).suffix.lower() == ".parquet"


def check_tables() -> None:
    """Find out whether Parquet can be written before the work, not after it.

    Raises:
        MissingExtra: pyarrow is not installed.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise MissingExtra("writing .parquet files", "ray", "pyarrow") from None


def faces_table(photos: Iterable[tuple[str, Detection | None, str | None]]) -> bytes:
    """A Parquet file with a row a face, of photos with what was found in them or what failed.

    A photo without faces, or one that failed, is one row without a box.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"string": pa.string(), "int32": pa.int32(), "float": pa.float32()}
    kinds["list"] = pa.list_(pa.float32())
    schema = pa.schema([(name, kinds[kind]) for name, kind in FACE_COLUMNS.items()])
    rows = [row for photo in photos for row in _rows(*photo)]
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema), file)
    return file.getvalue()


def _rows(name: str, found: Detection | None, error: str | None) -> Iterator[dict[str, Any]]:
    if found is None or not found.faces:
        size = {} if found is None else {"width": found.width, "height": found.height}
        yield {"photo": name, "error": error, **size}
        return
    for number, face in enumerate(found.faces):
        points = None if face.landmarks is None else face.landmarks.ravel().tolist()
        x0, y0, x1, y1 = (float(value) for value in face.box)
        yield {
            "photo": name, "width": found.width, "height": found.height, "face": number,
            "x0": x0, "y0": y0, "x1": x1, "y1": y1, "score": float(face.score),
            "view": face.view, "landmarks": points,
        }  # fmt: skip
