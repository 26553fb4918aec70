"""Tar shards: pictures relit, labels as they are, a whole shard or none."""

from __future__ import annotations

import io
import json
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

from relume import io as io_

from .conftest import Relume


def jpeg(level: int) -> bytes:
    ramp = np.linspace(0, level, 48)[None, :, None] + np.zeros((32, 48, 3))
    file = io.BytesIO()
    Pil.fromarray(ramp.astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def shard(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


def contents(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {info.name: tar.extractfile(info).read() for info in tar}  # type: ignore[union-attr]


@pytest.fixture
def shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two shards and a third that is none; of the first, one picture is broken."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    first = {"001.jpg": jpeg(20), "001.cls": b"7", "001.mask.png": b"a mask"}
    broken = {"sub/002.jpg": b"no picture", "sub/002.json": b"{}"}
    (tmp_path / "in" / "00.tar").write_bytes(shard(first | broken))
    (tmp_path / "in" / "01.tar").write_bytes(shard({"003.webp": jpeg(30), "003.txt": b"a night"}))
    (tmp_path / "in" / "02.tar").write_bytes(b"no tar file")
    return tmp_path


def test_shards_in_shards_out(relume: Relume, shards: Path) -> None:
    words = ("enhance", "in/{00..02}.tar", "-o", "out/", "-m", "gamma", "--rows", "rows.jsonl")
    done = relume(*words)
    assert done.code == 1
    assert "2 photos enhanced -> out/" in done.err
    assert "2 failed" in done.err
    assert "error: in/02.tar is no tar file" in done.err
    assert sorted(p.name for p in (shards / "out").iterdir()) == ["00.tar", "01.tar"]
    (shards / "one.jpg").write_bytes(jpeg(20))
    relume("enhance", "one.jpg", "-o", "plain.jpg", "-m", "gamma")
    first = contents((shards / "out" / "00.tar").read_bytes())
    assert first == {
        "001.jpg": (shards / "plain.jpg").read_bytes(), "001.cls": b"7", "001.mask.png": b"a mask",
    }, "the sample with the broken picture is left out, whole"  # fmt: skip
    second = contents((shards / "out" / "01.tar").read_bytes())
    assert list(second) == ["003.jpg", "003.txt"], "the name says what the picture is"
    rows = [json.loads(line) for line in (shards / "rows.jsonl").read_text().splitlines()]
    assert [(row["photo"], row["status"]) for row in rows] == [
        ("in/00.tar/001.jpg", "done"), ("in/00.tar/sub/002.jpg", "failed"),
        ("in/01.tar/003.webp", "done"), ("in/02.tar", "failed"),
    ]  # fmt: skip
    before = (shards / "out" / "00.tar").read_bytes()
    (shards / "out" / "01.tar").unlink()
    again = relume(*words, "--skip-existing")
    assert "1 photo enhanced" in again.err
    assert (shards / "out" / "00.tar").read_bytes() == before
    assert list(contents((shards / "out" / "01.tar").read_bytes())) == ["003.jpg", "003.txt"]
    kept = [json.loads(line) for line in (shards / "rows.jsonl").read_text().splitlines()]
    assert [(row["photo"], row["status"]) for row in kept] == [
        ("in/00.tar/001.jpg", "done"), ("in/00.tar/sub/002.jpg", "failed"),
        ("in/01.tar/003.webp", "done"), ("in/02.tar", "failed"),
    ]  # fmt: skip


def test_a_shard_broken_off_leaves_nothing(relume: Relume, shards: Path) -> None:
    whole = (shards / "in" / "00.tar").read_bytes()
    (shards / "in" / "00.tar").write_bytes(whole[:1300])
    done = relume("enhance", "in/00.tar", "-o", "out/x.tar", "-m", "gamma")
    assert done.code == 1
    assert "damaged or truncated" in done.err
    assert not list((shards / "out").glob("*"))


def test_one_shard_to_one_file_in_another_format(relume: Relume, shards: Path) -> None:
    words = ("enhance", "in/01.tar", "-o", "night.tar", "-m", "gamma", "-f", "png")
    assert relume(*words).code == 0
    made = contents((shards / "night.tar").read_bytes())
    assert list(made) == ["003.png", "003.txt"]
    assert io_.read(made["003.png"]).meta.format == "png"


def test_a_picture_whose_package_is_missing_does_not_stop_the_others(
    relume: Relume, shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    heif.from_pillow(Pil.open(io.BytesIO(jpeg(20)))).save(file)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    Path("mixed.tar").write_bytes(shard({"0.heic": file.getvalue(), "1.jpg": jpeg(20)}))
    done = relume("enhance", "mixed.tar", "-o", "out/", "-m", "gamma")
    assert done.code == 1
    assert "0.heic: the package 'pillow-heif' is not installed" in done.err
    assert list(contents(Path("out/mixed.tar").read_bytes())) == ["1.jpg"]
