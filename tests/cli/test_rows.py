"""Rows of a run: kept while it lasts, one file at its end, taken up again after any end."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from relume.cli import tables
from relume.cli.tables import FACES, PHOTOS, LiveRows, Rows
from relume.errors import InputError, MissingExtra, OutputError

from .conftest import Relume, names, picture


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.parquet"])
def test_a_row_for_every_photo(relume: Relume, album: Path, tmp_path: Path, name: str) -> None:
    (album / "bad.jpg").write_bytes(b"no picture")
    table = tmp_path / name
    words = ("enhance", album, "-m", "gamma", "-o", tmp_path / "out", "--rows", table)
    if table.suffix == ".parquet":
        parquet = pytest.importorskip(
            "pyarrow.parquet", reason="needs pyarrow", exc_type=ImportError
        )

        def read() -> list[dict[str, Any]]:
            return parquet.read_table(table).to_pylist()
    else:

        def read() -> list[dict[str, Any]]:
            return lines(table)

    assert relume(*words).code == 1
    rows = read()
    assert [(Path(r["photo"]).name, r["status"]) for r in rows] == [
        ("a.jpg", "done"), ("b.png", "done"), ("bad.jpg", "failed"), ("c.jpg", "done"),
    ]  # fmt: skip
    assert rows[0]["result"] == str(tmp_path / "out" / "a.jpg")
    assert rows[0]["brightness_before"] < rows[0]["brightness_after"]
    assert "bad.jpg" in rows[2]["error"]
    assert rows[2]["result"] is None
    assert not list(tmp_path.glob("*.partial"))
    assert "exists already" in relume(*words, "--quiet").err
    (tmp_path / "out" / "a.jpg").unlink()
    (album / "bad.jpg").unlink()
    (album / "b.png").replace(album / "d.png")
    assert relume(*words, "--skip-existing").code == 0
    again = read()
    assert [(Path(r["photo"]).name, r["status"]) for r in again] == [
        ("b.png", "done"), ("bad.jpg", "failed"), ("a.jpg", "done"), ("d.png", "done"),
        ("c.jpg", "done"),
    ]  # fmt: skip
    assert again[4] == rows[3], "what is there is not done again"
    assert relume(*words, "--overwrite").code == 0
    assert [Path(r["photo"]).name for r in read()] == ["a.jpg", "d.png", "c.jpg"]


def test_a_run_broken_off_between_a_result_and_its_row(
    relume: Relume, album: Path, tmp_path: Path
) -> None:
    """The last line was torn, and a result lies there whose row was not written."""
    out, rows = tmp_path / "out", tmp_path / "rows.jsonl"
    words = ("enhance", album, "-m", "gamma", "-o", out, "--rows", rows)
    relume(*words)
    first, second, third = rows.read_text().splitlines()
    rows.unlink()
    partial = tmp_path / "rows.jsonl.partial"
    partial.write_text(f"{first}\n{second[:30]}")
    Path(json.loads(third)["result"]).unlink()
    refused = relume(*words)
    assert refused.code == 1
    assert "holds the rows of a run that was broken off; --skip-existing goes on" in refused.err
    assert partial.exists()
    assert relume(*words, "--skip-existing").code == 0
    assert not partial.exists()
    made = lines(rows)
    assert [row["status"] for row in made] == ["done", "there", "done"]
    assert made[0] == json.loads(first)


def test_detect_goes_on_with_what_is_not_there_yet(
    relume: Relume, album: Path, tmp_path: Path
) -> None:
    table = tmp_path / "faces.jsonl"
    words = ("detect", album, "-d", "haar", "-o", table)
    (album / "b.png").write_bytes(b"no picture")
    assert relume(*words).code == 1
    whole = lines(table)
    kept = {**whole[0], "mark": "of the first run"}
    table.unlink()
    (tmp_path / "faces.jsonl.partial").write_text(f"{json.dumps(kept)}\n{json.dumps(whole[1])}\n")
    again = relume(*words, "--skip-existing")
    assert again.code == 1
    assert "0 faces in 1 photo; 1 photo there already; 1 photo failed" in again.err
    assert lines(table) == [kept, whole[1], whole[2]]
    assert relume("detect", album, "-d", "haar", "--skip-existing").code == 2
    assert relume(*words, "--skip-existing", "--overwrite").code == 2


def test_what_is_no_table_of_these_rows_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="needs pyarrow", exc_type=ImportError)
    name = str(tmp_path / "t.parquet")
    with Rows(name, FACES, overwrite=False, go_on=False) as rows:
        rows.finish([])
    with pytest.raises(OutputError, match="exists already"):
        Rows(name, PHOTOS, overwrite=False, go_on=False)
    with (
        Rows(name, PHOTOS, overwrite=False, go_on=True) as rows,
        pytest.raises(InputError, match="holds no rows of this command"),
    ):
        rows.done()
    Path(name).write_bytes(b"no table")
    with (
        Rows(name, FACES, overwrite=False, go_on=True) as rows,
        pytest.raises(InputError, match="holds no rows of this command"),
    ):
        rows.done()


def test_a_table_holds_what_is_expected_of_each_points_error(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", exc_type=ImportError)
    name = tmp_path / "t.parquet"
    box = {"x0": 1.0, "y0": 2.0, "x1": 3.0, "y1": 4.0}
    face = {"box": box, "score": 0.9, "view": "original", "landmarks": [[1, 2], [3, 4]]}
    line = {"photo": "a.jpg", "faces": [{**face, "sigma": [0.5, 0.25]}, face]}
    with Rows(str(name), FACES, overwrite=False, go_on=False) as rows:
        rows.add(line)
        rows.finish(["a.jpg"])
    assert [row["sigma"] for row in parquet.read_table(name).to_pylist()] == [[0.5, 0.25], None]
    # a table of an earlier version goes on with the column it lacks
    parquet.write_table(parquet.read_table(name).drop_columns("sigma"), name)
    with Rows(str(name), FACES, overwrite=False, go_on=True) as rows:
        rows.add({**line, "photo": "b.jpg"})
        rows.finish(["a.jpg", "b.jpg"])
    table = parquet.read_table(name).to_pylist()
    assert [row["photo"] for row in table] == ["a.jpg", "a.jpg", "b.jpg", "b.jpg"]
    assert [row["sigma"] for row in table] == [None, None, [0.5, 0.25], None]


def test_a_table_without_pyarrow_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent() -> None:
        raise MissingExtra("writing .parquet files", "ray", "pyarrow")

    monkeypatch.setattr(tables, "check_tables", absent)
    with pytest.raises(MissingExtra, match=r"relume\[ray\]"):
        Rows(str(tmp_path / "t.parquet"), FACES, overwrite=False, go_on=False)


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux")
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_names_that_are_not_utf8(relume: Relume, tmp_path: Path, ending: str) -> None:
    r"""As old disks and ZIPs have them: the rows are UTF-8, and such bytes stand as \\xe9."""
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    odd = tmp_path / "in" / os.fsdecode(b"caf\xe9.png")
    odd.parent.mkdir()
    for path in (odd, odd.with_name("a.png")):
        picture().save(path)
    table, faces = tmp_path / f"rows.{ending}", tmp_path / f"faces.{ending}"
    words = ("enhance", odd.parent, "-o", tmp_path / "out", "-m", "gamma", "--rows", table)
    assert relume(*words).code == 0
    assert relume(*words, "--skip-existing", "-v").err.count("2 there already") == 1
    detect = ("detect", odd.parent, "-d", "haar", "-o", faces)
    assert relume(*detect).code == 0
    assert relume(*detect, "--skip-existing").err.count("2 photos there already") == 1
    for file in (table, faces):
        if ending == "parquet":
            parquet = pytest.importorskip("pyarrow.parquet")
            rows = parquet.read_table(file).to_pylist()
        else:
            rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        assert [Path(row["photo"]).name for row in rows] == ["a.png", r"caf\xe9.png"]
    document = tmp_path / "faces.json"
    assert relume("detect", odd, "-d", "haar", "--json", document).code == 0
    assert json.loads(document.read_text("utf-8"))["photo"].endswith(r"caf\xe9.png")
    if ending == "parquet":
        again = relume("enhance", f"@{table}", "-o", tmp_path / "again", "-m", "gamma")
        assert again.code == 0, again.err
        assert names(tmp_path / "again") == names(odd.parent)


def test_rows_of_photos_that_go_on_coming_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.jsonl"
    old = [{"photo": "a.jpg", "error": "bad"}, {"photo": "b.jpg"}, {"photo": "a.jpg"}]
    path.write_text("".join(json.dumps(line) + "\n" for line in old) + '{"photo": "torn')
    rows = LiveRows(path)
    assert lines(path) == [{"photo": "a.jpg"}, {"photo": "b.jpg"}]
    assert rows.done() == {"a.jpg", "b.jpg"}
    with monkeypatch.context() as still:
        still.setattr(Path, "read_bytes", None)  # whoever reads it again fails
        still.setattr(tables, "write_atomic", None)
        for name, error in (("c.jpg", None), ("d.jpg", "bad"), ("d.jpg", None)):
            with rows:
                rows.add({"photo": name, "error": error})
                assert lines(path)[-1] == {"photo": name, "error": error}, "at once"
                rows.finish([name])
    assert len(lines(path)) == 5
    assert rows.done() == {"a.jpg", "b.jpg", "c.jpg", "d.jpg"}
    LiveRows(path)
    assert [line["photo"] for line in lines(path)] == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    assert names(tmp_path) == ["rows.jsonl"]
