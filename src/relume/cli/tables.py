"""What came of every photo, as a file: JSON lines, or Parquet for programs that read millions.

While a run lasts its rows are lines of JSON in ``NAME.partial``, each written at once; at its end
they become the file, in the order of the photos. So a run that is broken off, however hard, can be
taken up again, and no row is in memory meanwhile.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relume.cli.console import as_utf8
from relume.errors import InputError, OutputError, ParameterError, extra_module
from relume.io.atomic import refused, write_atomic
from relume.io.places import Place, place

if TYPE_CHECKING:
    import pyarrow

Line = Mapping[str, Any]
"""A photo's line, as JSON has it; ``photo`` is its name, ``error`` why it failed."""

AT_ONCE = 10_000
"""Lines made into a table in one go."""


@dataclass(frozen=True)
class Kind:
    """A kind of table: its columns with their types, and the rows that a line is there."""

    columns: Mapping[str, str]
    rows: Callable[[Line], Iterable[Line]]


def face_rows(line: Line) -> Iterator[Line]:
    """A row a face; a photo without faces, or one that failed, is one row without a box."""
    names = ("photo", "width", "height", "frame", "time", "error")
    photo = {name: line.get(name) for name in names}
    if not line.get("faces"):
        yield photo
    for number, face in enumerate(line.get("faces", ())):
        points = face["landmarks"]
        flat = None if points is None else [value for point in points for value in point]
        found = {name: face.get(name) for name in ("score", "view", "track", "sigma")}
        found["landmarks"] = flat
        yield {**photo, "face": number, **face["box"], **found}


FACES = Kind(
    {
        "photo": "string",
        "width": "int32",
        "height": "int32",
        "frame": "int32",
        "time": "float",
        "track": "int32",
        "face": "int32",
        "x0": "float",
        "y0": "float",
        "x1": "float",
        "y1": "float",
        "score": "float",
        "view": "string",
        "landmarks": "list",
        "sigma": "list",
        "error": "string",
    },
    face_rows,
)
"""What ``detect`` writes: a row a face, of a clip in each frame; landmarks are x, y, x, y, ...,
sigma what is expected of each point's error, in pixels."""
LATER = ("sigma",)
"""Columns that tables of earlier versions do not have."""

PHOTOS = Kind(
    {
        "photo": "string",
        "result": "string",
        "status": "string",
        "brightness_before": "float",
        "brightness_after": "float",
        "left_as_is": "bool",
        "seconds": "float",
        "notes": "string",
        "error": "string",
    },
    lambda line: [line],
)
"""What ``enhance --rows`` writes: a row a photo; status is done, there or failed."""


def is_table(name: str) -> bool:
    """Whether a file of this name is written as Parquet."""
    return Path(name).suffix.lower() == ".parquet"


class Rows:
    """The file ``name`` (.parquet, else JSON lines) that a run's rows become.

    ``go_on`` keeps the rows that are there, also those of a run that was broken off.

    Raises:
        ParameterError: the name of a file of another kind.
        OutputError: there are rows already, and neither ``overwrite`` nor ``go_on``.
        MissingExtra: a table without pyarrow.
    """

    def __init__(self, name: str, kind: Kind, *, overwrite: bool, go_on: bool) -> None:
        self.target = place(name)
        self._kind, self._go_on = kind, go_on
        self._is_table = is_table(name)
        if self.target.suffix.lower() == ".csv":
            raise ParameterError(f"{name}: rows are JSON lines (.jsonl) or .parquet, not CSV")
        if self._is_table:
            check_tables()
        # beside a local file; of one in an object store, here
        beside = Path() if isinstance(self.target, Place) else self.target.parent
        self.partial = beside / f"{self.target.name}.partial"
        self._refuse(overwrite)

    def __enter__(self) -> Rows:
        if not self._go_on:
            self.partial.unlink(missing_ok=True)
        self._open()
        if self._file.tell():
            self._file.write("\n")  # a line that was torn off ends here, and is passed over
        return self

    def _open(self) -> None:
        try:
            self._file = self.partial.open("a", encoding="utf-8")
        except OSError as error:
            raise refused(self.partial, error) from error

    def __exit__(self, *error: object) -> None:
        with suppress(OSError):  # what could not be written has been said
            self._file.close()
        with suppress(OSError):
            if not self.partial.stat().st_size:
                self.partial.unlink()

    def add(self, *lines: Line) -> None:
        """Write a line for each photo, at once.

        Raises:
            OutputError: the disk is full.
        """
        text = "".join(as_json(line) + "\n" for line in lines)
        try:
            self._file.write(text)
            self._file.flush()
        except OSError as error:
            raise refused(self.partial, error) from error

    def done(self) -> set[str]:
        """The photos that have rows without an error, as the rows name them, and their shards."""
        names: set[str] = set()
        for photo, error in self._known():
            (names.add if error is None else names.discard)(photo)
        return names | {_shard(name) for name in names if ".tar/" in name}

    def finish(self, order: Sequence[str]) -> None:
        """Make the file: the rows of all runs, the photos in ``order`` after any others.

        Of a photo that was done twice the later rows count.

        Raises:
            OutputError: it cannot be written; the partial file stays.
        """
        numbers = {as_utf8(name): number for number, name in enumerate(order)}

        def number(photo: str) -> int:
            return numbers.get(photo, numbers.get(_shard(photo), -1))

        self._file.flush()
        data = self._as_table(number) if self._is_table else self._as_lines(number)
        if isinstance(self.target, Place):
            self.target.write_bytes(data, overwrite=True)
        else:
            write_atomic(self.target, data, overwrite=True)
        self.partial.unlink(missing_ok=True)

    def _refuse(self, overwrite: bool) -> None:
        if overwrite or self._go_on:
            return
        if self._is_there():
            raise OutputError(
                f"{self.target} exists already; give --overwrite to replace it, "
                "--skip-existing to add to it"
            )
        if self.partial.exists():
            raise OutputError(
                f"{self.partial} holds the rows of a run that was broken off; "
                "--skip-existing goes on with it, --overwrite begins anew"
            )

    def _is_there(self) -> bool:
        if isinstance(self.target, Place):
            return self.target in self.target.files()
        return self.target.exists()

    def _before(self) -> bytes:
        return self.target.read_bytes() if self._go_on and self._is_there() else b""

    def _known(self) -> Iterator[tuple[str, str | None]]:
        if self._is_table and (data := self._before()):
            table = _read_table(data, self._kind, self.target)
            yield from zip(table["photo"].to_pylist(), table["error"].to_pylist(), strict=True)
        for _, line in self._lines():
            yield line["photo"], line.get("error")

    def _lines(self) -> Iterator[tuple[str, Line]]:
        """What is there as JSON: the file's lines, if it is no table, and those of this run."""
        if not self._is_table:
            yield from _parsed(self._before().decode("utf-8", "replace").splitlines())
        if self.partial.exists():
            with self.partial.open(encoding="utf-8") as file:
                yield from _parsed(file)

    def _as_lines(self, number: Callable[[str], int]) -> bytes:
        latest = {(line["photo"], line.get("frame")): text for text, line in self._lines()}
        lines = sorted(latest.items(), key=lambda item: number(item[0][0]))
        text = "".join(f"{line.strip()}\n" for _, line in lines)
        return text.encode()

    def _as_table(self, number: Callable[[str], int]) -> bytes:
        import pyarrow as pa
        import pyarrow.parquet as pq

        last = {
            (line["photo"], line.get("frame")): at for at, (_, line) in enumerate(self._lines())
        }
        again = {photo for photo, _ in last}
        lines = (
            line
            for at, (_, line) in enumerate(self._lines())
            if last[line["photo"], line.get("frame")] == at
        )
        schema = _schema(self._kind)
        tables = []
        if data := self._before():
            old = _read_table(data, self._kind, self.target)
            tables.append(old.filter([name not in again for name in old["photo"].to_pylist()]))
        while some := list(islice(lines, AT_ONCE)):
            rows = [row for line in some for row in self._kind.rows(line)]
            tables.append(pa.Table.from_pylist(rows, schema))
        table = pa.concat_tables(tables or [schema.empty_table()])
        numbers = [number(name) for name in table["photo"].to_pylist()]
        order = sorted(range(len(numbers)), key=numbers.__getitem__)
        file = io.BytesIO()
        pq.write_table(table.take(pa.array(order, pa.int64())), file)
        return file.getvalue()


def as_json(line: Line) -> str:
    """The line as JSON, which is UTF-8 whatever the names of files are."""
    texts = {name: as_utf8(value) for name, value in line.items() if isinstance(value, str)}
    return json.dumps({**line, **texts}, ensure_ascii=False)


class LiveRows(Rows):
    """Lines of JSON of photos that go on coming: each is in the file ``path`` at once.

    What is there of earlier runs is read once, and put in order then.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), PHOTOS, overwrite=False, go_on=True)
        self._done = super().done()
        if self._done or path.exists():
            with Rows(str(path), PHOTOS, overwrite=False, go_on=True) as earlier:
                earlier.finish([])
        self.partial = path

    def __enter__(self) -> LiveRows:
        self._open()
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def add(self, *lines: Line) -> None:
        """As ever."""
        super().add(*lines)
        self._done |= {as_utf8(line["photo"]) for line in lines if line.get("error") is None}

    def done(self) -> set[str]:
        """The photos that have rows without an error."""
        return self._done

    def finish(self, order: Sequence[str]) -> None:
        """Nothing: the next run puts them in order."""


def check_tables() -> None:
    """Find out whether Parquet can be written before the work, not after it.

    Raises:
        MissingExtra: pyarrow is not installed.
    """
    extra_module("pyarrow.parquet", ".parquet files", "parquet")


def _shard(photo: str) -> str:
    """The tar file that a photo is in, if it is in one."""
    return photo.partition(".tar/")[0] + ".tar"


def _schema(kind: Kind) -> pyarrow.Schema:
    import pyarrow as pa

    types = {"string": pa.string(), "int32": pa.int32(), "float": pa.float64(), "bool": pa.bool_()}
    types["list"] = pa.list_(pa.float64())
    return pa.schema([(name, types[kind]) for name, kind in kind.columns.items()])


def _read_table(data: bytes, kind: Kind, name: object) -> pyarrow.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(data))
        for name in kind.columns.keys() & set(LATER) - set(table.column_names):
            table = table.append_column(name, pa.nulls(len(table)))
        return table.select(list(kind.columns)).cast(_schema(kind))
    except (pa.ArrowException, KeyError) as error:
        what = f"{name} holds no rows of this command: name another file, or give --overwrite"
        raise InputError(what) from error


def _parsed(lines: Iterable[str]) -> Iterator[tuple[str, Line]]:
    """Each line with what it says; what is no photo's line is passed over."""
    for text in lines:
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            continue
        if isinstance(line, dict) and "photo" in line:
            yield text, line
