"""Photos in object stores: read there, written there, and what can be wrong in one line."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

import relume
from relume.cli import command, finding, jobs
from relume.errors import InputError, MissingExtra, OutputError, ParameterError, UnreadableInput
from relume.io import places
from relume.io.places import Place, expanded, place


def jpeg(level: int = 20) -> bytes:
    ramp = np.linspace(0, level, 48)[None, :, None] + np.zeros((32, 48, 3))
    file = io.BytesIO()
    Pil.fromarray(ramp.astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def run(*words: object, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "relume", *map(str, words)],
        capture_output=True, text=True, check=False, cwd=folder, env={**os.environ, **more},
    )  # fmt: skip


def test_numbered_names() -> None:
    assert list(expanded("s/{08..11}.tar")) == ["s/08.tar", "s/09.tar", "s/10.tar", "s/11.tar"]
    assert list(expanded("{1..2}-{0..1}.tar")) == ["1-0.tar", "1-1.tar", "2-0.tar", "2-1.tar"]
    assert list(expanded("{a,b}.jpg")) == ["{a,b}.jpg"]


def test_a_name_with_braces_that_is_there_is_that_file(tmp_path: Path) -> None:
    name = tmp_path / "{1..2}.jpg"
    name.touch()
    assert list(expanded(str(name))) == [str(name)]


@pytest.mark.usefixtures("memory")
def test_an_address_is_named_and_joined_like_a_path() -> None:
    photo = place("memory://b/2018/night.x.jpg/")
    assert isinstance(photo, Place)
    assert (photo.name, photo.stem, photo.suffix) == ("night.x.jpg", "night.x", ".jpg")
    assert str(photo) == "memory://b/2018/night.x.jpg"
    assert photo.parent == Place("memory://b/2018") == photo.with_name("a").parent
    assert photo.parent.parent.parent == Place("memory://b")
    assert photo.relative_to(Place("memory://b")) == Path("2018/night.x.jpg")
    assert place(str(Path("memory://b/x.jpg"))) == Place("memory://b/x.jpg")
    assert place("b:/x.jpg") == Path("b:/x.jpg")
    with pytest.raises(UnreadableInput, match=r"expected memory://BUCKET"):
        Place("memory://")


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize("key", ["a//n.jpg", "a/b c//n.jpg", "/n.jpg", "a///b//n.jpg"])
def test_an_empty_part_belongs_to_a_name(key: str) -> None:
    """``photos//night.jpg``, of a path joined with a slash too many, is another file's name."""
    photo = Place(f"memory://b/{key}")
    assert photo.key == f"b/{key}"
    photo.write_bytes(jpeg(), overwrite=False)
    assert relume.read(str(photo)).pixels.shape == relume.read(jpeg()).pixels.shape
    assert Place("memory://b").files() == [photo]
    relative = photo.relative_to(Place("memory://b"))
    assert not relative.is_absolute()
    assert str(Place("memory://o") / relative).startswith("memory://o/")
    (job,) = jobs.plan(finding.find([Place("memory://b")]).pictures, output="out", several=True)
    assert job.source == photo


def test_without_its_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(places.STORES, "s3", "no_such_package")
    with pytest.raises(MissingExtra, match=r"relume\[remote\]"):
        place("s3://b/x.jpg")


@pytest.mark.usefixtures("memory")
def test_photos_are_read_and_written_by_their_addresses() -> None:
    Place("memory://b/x.jpg").write_bytes(jpeg(), overwrite=False)
    photo = relume.read("memory://b/x.jpg")
    assert photo.pixels.shape == (32, 48, 3)
    with pytest.raises(OutputError, match=r"memory://b/x.jpg exists already"):
        relume.io.write(photo, Place("memory://b/x.jpg"))
    with pytest.raises(UnreadableInput, match=r"cannot read memory://b/y.jpg: it does not exist"):
        relume.read("memory://b/y.jpg")
    Place("memory://b/broken.jpg").write_bytes(b"no picture", overwrite=False)
    with pytest.raises(UnreadableInput, match=r"memory://b/broken.jpg: not a picture"):
        relume.read("memory://b/broken.jpg")


@pytest.mark.usefixtures("memory")
def test_what_lies_there_is_found_and_planned() -> None:
    for name in ("a.jpg", "sub/b.png", "sub/.hidden.jpg", "notes.txt", "out/a.jpg", "c.relume.jpg"):
        Place(f"memory://b/in/{name}").write_bytes(b"x", overwrite=False)
    (folder,) = finding.named(["memory://b/in/"])
    found = finding.find([folder], exclude=place("memory://b/in/out"))
    assert [str(p.relative) for p in found.pictures] == ["a.jpg", "sub/b.png"]
    assert [p.name for p in found.others] == ["notes.txt"]
    assert [p.name for p in found.earlier] == ["c.relume.jpg"]
    flat = finding.find([folder], recursive=False)
    assert [str(p.relative) for p in flat.pictures] == ["a.jpg"]
    planned = jobs.plan(found.pictures, output="memory://b/in/out", several=True)
    assert [str(j.target) for j in planned] == [
        "memory://b/in/out/a.jpg", "memory://b/in/out/sub/b.png",
    ]  # fmt: skip
    assert [j.is_done for j in planned] == [True, False]
    assert "exists already" in str(planned[0].refusal(overwrite=False))
    local = jobs.plan(found.pictures, output="out", several=True)
    assert [j.target for j in local] == [Path("out/a.jpg"), Path("out/sub/b.png")]
    same = jobs.plan(found.pictures, output="memory://b/in", several=True)
    assert "replace the input" in str(same[0].refusal(overwrite=False))
    with pytest.raises(ParameterError, match="say with -o where results go"):
        jobs.plan(found.pictures, output=None, several=True)
    Place("memory://b/in/empty/x.txt").write_bytes(b"x", overwrite=False)
    with pytest.raises(InputError, match="no pictures in memory://b/in/empty"):
        finding.find(finding.named(["memory://b/in/empty"]))
    with pytest.raises(ParameterError, match="is in an object store; here expected a path"):
        command.local_path(str(folder))


def test_no_credentials_for_gs_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fsspec", reason="needs fsspec: pip install 'relume[remote]'")

    class DefaultCredentialsError(Exception):
        """As google.auth has it."""

    def default() -> None:
        raise DefaultCredentialsError("Your default credentials were not found. To set up ...")

    auth = types.ModuleType("google.auth")
    monkeypatch.setattr(auth, "default", default, raising=False)
    google = types.ModuleType("google")
    monkeypatch.setattr(google, "auth", auth, raising=False)
    monkeypatch.setitem(sys.modules, "google", google)
    monkeypatch.setitem(sys.modules, "google.auth", auth)
    monkeypatch.setitem(places.STORES, "gs", "json")  # as if it were installed
    with pytest.raises(UnreadableInput, match="gs://b/x: no credentials; run 'gcloud auth"):
        Place("gs://b/x").files()


def test_nothing_is_written_where_each_file_is_a_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(places.STORES, "hf", "json")  # as if it were installed
    picture = finding.Picture(Path("a.jpg"), Path("a.jpg"))
    with pytest.raises(OutputError, match="nothing is written to hf://"):
        jobs.plan([picture], output="hf://datasets/me/x/", several=True)


@pytest.mark.slow
def test_on_an_s3_server(s3: str, tmp_path: Path) -> None:
    """A bucket in, the same bucket out: the same bytes as from a folder to a folder."""
    import s3fs

    store = s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)
    (tmp_path / "in" / "sub").mkdir(parents=True)
    for n, name in enumerate(("a.jpg", "sub/b.jpg", "broken.jpg")):
        data = jpeg(20 + n) if name != "broken.jpg" else b"no picture"
        (tmp_path / "in" / name).write_bytes(data)
        store.pipe_file(f"photos/in/{name}", data)
    plain = run("enhance", "in", "-o", "plain", "-m", "gamma", folder=tmp_path)
    far = (
        "enhance",
        "s3://photos/in",
        "-o",
        "s3://photos/out",
        "-m",
        "gamma",
        "--rows",
        "rows.jsonl",
    )
    done = run(*far, folder=tmp_path)
    assert done.returncode == plain.returncode == 1
    assert "2 photos enhanced -> s3://photos/out" in done.stderr
    assert sorted(store.find("photos/out")) == ["photos/out/a.jpg", "photos/out/sub/b.jpg"]
    for name in ("a.jpg", "sub/b.jpg"):
        assert store.cat_file(f"photos/out/{name}") == (tmp_path / "plain" / name).read_bytes()
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [(row["photo"], row["status"]) for row in rows] == [
        ("s3://photos/in/a.jpg", "done"), ("s3://photos/in/broken.jpg", "failed"),
        ("s3://photos/in/sub/b.jpg", "done"),
    ]  # fmt: skip
    again = run(*far, folder=tmp_path)
    assert "rows.jsonl exists already" in again.stderr
    store.rm("photos/out/a.jpg")
    again = run(*far, "--skip-existing", folder=tmp_path)
    assert "1 photo enhanced" in again.stderr
    assert "1 there already" in again.stderr
    faces = run(
        "detect", "s3://photos/in", "-d", "haar", "-o", "s3://photos/faces.jsonl", folder=tmp_path
    )
    assert faces.returncode == 1, faces.stderr
    lines = [json.loads(line) for line in store.cat_file("photos/faces.jsonl").splitlines()]
    assert [line["photo"] for line in lines] == [row["photo"] for row in rows]
    assert not (tmp_path / "faces.jsonl.partial").exists()


@pytest.mark.slow
def test_what_is_wrong_there_is_one_line(s3: str, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg())
    free = "http://127.0.0.1:9"
    none = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    for words, more, said in (
        (("s3://none/x", "-o", "out"), {}, "s3://none/x: the bucket does not exist"),
        (("a.jpg", "-o", "s3://none/"), {}, "cannot list s3://none: the bucket does not exist"),
        (
            ("s3://photos/x.jpg", "-o", "out/"),
            {},
            "cannot read s3://photos/x.jpg: it does not exist",
        ),
        (
            ("s3://photos/x", "-o", "out/"),
            none,
            "cannot list s3://photos/x: no credentials; set AWS_ACCESS_KEY_ID",
        ),
        (
            ("s3://photos/x", "-o", "out/"),
            {"AWS_ENDPOINT_URL": free},
            "the store cannot be reached",
        ),
    ):
        environment = {**os.environ, **more}
        for name, value in more.items():
            if not value:
                del environment[name]
        done = subprocess.run(
            [sys.executable, "-m", "relume", "enhance", *words, "-m", "gamma", "-q"],
            capture_output=True, text=True, check=False, cwd=tmp_path, env=environment,
        )  # fmt: skip
        assert done.returncode == 1, words
        (line,) = done.stderr.splitlines()
        assert said in line, (words, line)


@pytest.mark.slow
def test_shards_in_a_bucket(s3: str, tmp_path: Path) -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, data in {"003.jpg": jpeg(30), "003.txt": b"a night"}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    (tmp_path / "01.tar").write_bytes(file.getvalue())
    Place("s3://photos/in/01.tar").write_bytes(file.getvalue(), overwrite=False)
    words = ("-m", "gamma", "-o")
    far = ("enhance", "s3://photos/in/{01..01}.tar", *words, "s3://photos/out/")
    done = run(*far, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    run("enhance", "01.tar", *words, "plain.tar", folder=tmp_path)
    made = Place("s3://photos/out/01.tar")
    assert made.read_bytes() == (tmp_path / "plain.tar").read_bytes()
    assert "exists already" in run(*far, folder=tmp_path).stderr
