"""Ray and an object store together: photos and shards from a bucket to a bucket."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

from relume.io.places import Place

NEEDS = "needs Ray: pip install 'relume[ray]'"
pytest.importorskip("ray.data", reason=NEEDS, exc_type=ImportError)
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


def jpeg(level: int) -> bytes:
    ramp = np.linspace(0, level, 96)[None, :, None] + np.zeros((64, 96, 3))
    file = io.BytesIO()
    Pil.fromarray(ramp.astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def run(*words: object, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "relume", *map(str, words)],
        capture_output=True, text=True, check=False, cwd=folder, env=dict(os.environ),
    )  # fmt: skip


def test_from_a_bucket_to_a_bucket(s3: str, tmp_path: Path) -> None:
    import pyarrow.parquet

    home = tmp_path / "home"
    home.mkdir()
    bucket = Place("s3://photos")
    for n in range(4):
        (bucket / f"in/{n}.jpg").write_bytes(jpeg(20 + n), overwrite=False)
    (bucket / "in/broken.jpg").write_bytes(b"no picture", overwrite=False)
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        info = tarfile.TarInfo("a.jpg")
        info.size = len(jpeg(40))
        tar.addfile(info, io.BytesIO(jpeg(40)))
    (bucket / "shards/07.tar").write_bytes(file.getvalue(), overwrite=False)
    inputs = ("enhance", "s3://photos/in", "s3://photos/shards/{07..07}.tar", "-m", "gamma")
    plain = run(*inputs, "-o", "plain", folder=home)
    words = (*inputs, "-o", "s3://photos/out", "--rows", "s3://photos/rows.parquet")
    done = run(*words, "--on", "ray", "-j", 2, folder=home)
    assert done.returncode == plain.returncode == 1, done.stderr
    assert "5 photos enhanced" in done.stderr
    made = {file.name: file.read_bytes() for file in (bucket / "out").files()}
    assert made == {path.name: path.read_bytes() for path in (home / "plain").iterdir()}
    table = io.BytesIO((bucket / "rows.parquet").read_bytes())
    rows = pyarrow.parquet.read_table(table).to_pylist()
    assert [(Place(row["photo"]).name, row["status"]) for row in rows] == [
        *((f"{n}.jpg", "done") for n in range(4)), ("broken.jpg", "failed"), ("a.jpg", "done"),
    ]  # fmt: skip
    assert [path.name for path in home.iterdir()] == ["plain"], "nothing is left here"
