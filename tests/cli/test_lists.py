"""Lists of photos: what a line or a row stands for, and where its result goes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from relume.cli import lists
from relume.errors import InputError

from .conftest import Relume, names


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def relatives(*names: str) -> list[str]:
    Path("list.txt").write_text("\n".join(names))
    others, pictures = lists.split(["x.jpg", "@list.txt"])
    assert others == ["x.jpg"]
    return [picture.relative.as_posix() for picture in pictures]


@pytest.mark.usefixtures("here")
def test_results_keep_the_folders_below_the_one_that_all_are_in() -> None:
    assert relatives("a/1.jpg", "a/b/2.jpg") == ["1.jpg", "b/2.jpg"]
    assert relatives("a/1.jpg", "b/1.jpg", "", "# no photo", "a/1.jpg") == ["a/1.jpg", "b/1.jpg"]
    assert relatives("only/1.jpg") == ["1.jpg"]
    above = relatives("../1.jpg", "a/2.jpg", str(Path("b").absolute() / "3.jpg"))
    assert above == ["1.jpg", f"{Path.cwd().name}/a/2.jpg", f"{Path.cwd().name}/b/3.jpg"]
    assert not any(".." in path for path in above)


@pytest.mark.usefixtures("here")
def test_what_is_no_list_is_refused() -> None:
    with pytest.raises(InputError, match=r"the list list\.txt is empty"):
        relatives("# nothing")
    with pytest.raises(InputError, match=r"cannot read the list none.txt: No such file"):
        lists.split(["@none.txt"])
    with pytest.raises(InputError, match="has files and addresses"):
        relatives("a.jpg", "s3://b/c.jpg")
    Path("@night.jpg").touch()
    assert lists.split(["@night.jpg"]) == (["@night.jpg"], []), "a file of that name is that file"


def test_a_list_is_enhanced_and_searched(relume: Relume, album: Path, here: Path) -> None:
    chosen = [album / "a.jpg", album / "2018" / "c.jpg"]
    (here / "night.txt").write_text("".join(f"{os.path.relpath(path)}\n" for path in chosen))
    result = relume("enhance", "@night.txt", "-m", "gamma", "-o", "out")
    assert result.code == 0, result.err
    assert names(here / "out") == ["2018/c.jpg", "a.jpg"]
    assert relume("detect", "@night.txt", "-d", "haar", "-o", "f.jsonl").code == 0
    lines = (here / "f.jsonl").read_text().splitlines()
    assert [Path(json.loads(line)["photo"]).name for line in lines] == ["a.jpg", "c.jpg"]


@pytest.mark.usefixtures("here")
def test_a_table_that_relume_wrote_is_a_list(relume: Relume, album: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="needs pyarrow", exc_type=ImportError)
    parquet = pytest.importorskip("pyarrow.parquet", exc_type=ImportError)
    assert relume("detect", album, "-d", "haar", "-o", "f.parquet").code == 0
    _, pictures = lists.split(["@f.parquet"])
    assert [p.relative.as_posix() for p in pictures] == ["a.jpg", "b.png", "2018/c.jpg"]
    parquet.write_table(pa.table({"file": ["a.jpg"]}), "other.parquet")
    with pytest.raises(InputError, match="expected a Parquet file with a column photo or path"):
        lists.split(["@other.parquet"])
    Path("broken.parquet").write_bytes(b"no table")
    with pytest.raises(InputError, match=r"broken\.parquet is no list"):
        lists.split(["@broken.parquet"])
