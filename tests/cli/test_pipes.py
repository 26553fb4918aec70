"""Pipes that are closed or full, options that have no effect, and what is said about them."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image as Pil

from .conftest import Relume, names, picture

GAMMA = ("--method", "gamma:0.4")
COMMAND = (sys.executable, "-m", "relume")


def shell(line: str, *words: object) -> subprocess.CompletedProcess[str]:
    """A command as a shell runs it, ``$@`` being the words."""
    given = ("sh", "-c", line, "sh", *COMMAND, *map(str, words))
    return subprocess.run(given, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.skipif(sys.platform == "win32", reason="a shell's redirections")
@pytest.mark.parametrize(
    ("redirection", "says"),
    [
        ("<&-", "error: standard input is closed\n"),
        ("</dev/null", "error: standard input is empty (0 bytes)\n"),
    ],
)
def test_stdin_that_holds_nothing_is_one_line(redirection: str, says: str) -> None:
    for words in (("enhance", "-", "-o", "-", *GAMMA), ("detect", "-", "-d", "haar")):
        done = shell(f'"$@" {redirection}', *words)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", says)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize(
    ("redirection", "says"),
    [
        (">&-", "error: standard output is closed\n"),
        (">/dev/full", "error: cannot write standard output: the disk is full\n"),
    ],
)
def test_stdout_that_takes_nothing_is_one_line(night: Path, redirection: str, says: str) -> None:
    done = shell(f'"$@" {redirection}', "enhance", night, "-o", "-", *GAMMA)
    assert (done.returncode, done.stderr) == (1, says)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_list_for_a_full_disk_is_one_line() -> None:
    done = shell('"$@" >/dev/full', "methods")
    assert (done.returncode, done.stderr) == (1, "error: No space left on device\n")


@pytest.mark.skipif(sys.platform == "win32", reason="a shell's limits")
def test_rows_that_cannot_be_written_are_one_line(night: Path, tmp_path: Path) -> None:
    words = ("detect", night, "-d", "haar", "-o", tmp_path / "rows.jsonl")
    done = shell('ulimit -f 0; "$@"', *words)
    says = "the file is too large for this file system"
    assert done.returncode == 1
    assert done.stderr == f"error: cannot write {tmp_path}/rows.jsonl.partial: {says}\n"
    assert names(tmp_path) == ["night.jpg"]


def test_rows_of_a_run_that_did_nothing_are_not_left(relume: Relume, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"")
    words = ("enhance", tmp_path / "broken.jpg", "-m", "onnx:no.onnx")
    assert relume(*words, "--rows", tmp_path / "rows.jsonl").code == 1
    assert names(tmp_path) == ["broken.jpg"]


def test_a_pipe_tells_what_is_lost(relume: Relume) -> None:
    file = io.BytesIO()
    see_through = picture().convert("RGBA")
    see_through.putalpha(100)
    see_through.save(file, "PNG")
    words = ("enhance", "-", "-o", "-", "-f", "jpg", *GAMMA)
    result = relume(*words, stdin=file.getvalue())
    assert result.code == 0
    assert result.err == (
        "note: standard input: JPEG has no transparency: the picture is laid on white\n"
    )
    assert Pil.open(io.BytesIO(result.out_bytes)).format == "JPEG"
    assert relume(*words, "--quiet", stdin=file.getvalue()).err == ""


def test_a_pipe_into_a_folder_has_the_usual_ending(relume: Relume, tmp_path: Path) -> None:
    file = io.BytesIO()
    picture().save(file, "JPEG")
    out = tmp_path / "out"
    assert relume("enhance", "-", "-o", f"{out}/", *GAMMA, stdin=file.getvalue()).code == 0
    assert names(out) == ["stdin.jpg"]


@pytest.mark.parametrize("option", ["--rows=r.jsonl", "--jobs=2", "--skip-existing", "--dry-run"])
def test_options_without_effect_on_a_pipe_are_refused(relume: Relume, option: str) -> None:
    result = relume("enhance", "-", "-o", "-", *GAMMA, option)
    assert result.code == 2
    assert result.err == f"error: {option.split('=')[0]} is for files: a pipe is one photo\n"


@pytest.mark.parametrize("option", ["--on=ray", "--format=png"])
def test_options_without_effect_on_a_clip_are_refused(relume: Relume, option: str) -> None:
    result = relume("enhance", "clip.mp4", option)
    assert result.code == 2
    assert result.err.startswith(f"error: {option.split('=')[0]} is for photos")


def test_a_clip_has_no_quality(relume: Relume) -> None:
    result = relume("enhance", "clip.mp4", "--quality", 10)
    assert (result.code, result.err) == (
        2,
        "error: --quality is for pictures: a clip's is always high\n",
    )


def test_a_clip_that_is_done_is_said_to_be(relume: Relume, tmp_path: Path) -> None:
    done = tmp_path / "clip.relume.mp4"
    done.write_bytes(b"done")
    words = ("enhance", tmp_path / "clip.mp4", "--skip-existing")
    assert relume(*words).err == f"{done} is there already\n"
    assert relume(*words, "-q").err == ""


@pytest.mark.parametrize("option", ["--jobs=2", "--skip-existing"])
def test_a_clip_is_not_searched_with_options_for_photos(relume: Relume, option: str) -> None:
    result = relume("detect", "clip.mp4", "-o", "faces.jsonl", option)
    assert result.code == 2
    assert result.err.startswith(f"error: {option.split('=')[0]} is for photos")


def test_a_clip_is_not_written_to_a_folder_named_minus(relume: Relume) -> None:
    result = relume("enhance", "clip.mp4", "-o", "-")
    assert (result.code, result.err) == (
        2,
        "error: a clip is written to a file: name one with -o\n",
    )


def test_a_preview_names_what_is_not_there(
    relume: Relume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.jpg").symlink_to("nowhere.jpg")
    says = ("no.mp4 does not exist", "no.jpg does not exist", "link.jpg is a link to nothing")
    for name, said in zip(("no.mp4", "no.jpg", "link.jpg"), says, strict=True):
        result = relume("enhance", name, "--dry-run")
        assert (result.code, result.out) == (1, "")
        assert result.err.replace(":", "") == f"error {said}\n"
    assert "link.jpg is a link to nothing" in relume("enhance", "link.jpg", *GAMMA).err


@pytest.mark.parametrize("name", ["jpg", "JPEG", ".tif", "tiff"])
def test_formats_go_by_their_endings_too(
    relume: Relume, night: Path, tmp_path: Path, name: str
) -> None:
    assert relume("enhance", night, *GAMMA, "-f", name, "-o", f"{tmp_path}/out/").code == 0
    expected = "night.jpg" if "p" in name.lower() else "night.tif"
    assert names(tmp_path / "out") == [expected]


def test_a_table_of_another_kind_is_refused(relume: Relume, night: Path, tmp_path: Path) -> None:
    for words in (("detect", night, "-o"), ("enhance", night, *GAMMA, "--rows")):
        result = relume(*words, tmp_path / "x.csv")
        assert result.code == 2
        assert result.err.endswith("rows are JSON lines (.jsonl) or .parquet, not CSV\n")


def test_a_drawing_that_may_not_be_written_is_said_before_the_search(
    relume: Relume, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = album.parent / "drawn"
    drawn.mkdir()
    for name in ("a.jpg", "b.png"):
        (drawn / name).write_bytes(b"mine")
    monkeypatch.setattr("relume.faces.detect", lambda *a, **k: pytest.fail("searched"))
    result = relume("detect", album, "--draw", drawn, "-d", "haar")
    assert result.code == 1
    assert result.err == (
        f"error: {drawn}/a.jpg exists already; give --overwrite to replace it (1 more like this)\n"
    )


def test_what_exists_is_said_in_the_command_lines_words(
    relume: Relume, night: Path, tmp_path: Path
) -> None:
    there = tmp_path / "there.png"
    there.write_bytes(b"mine")
    for words in (("enhance", night, "--parts"), ("demo",), ("burst", night)):
        result = relume(*words, "-o", there)
        assert result.code == 1
        assert result.err == f"error: {there} exists already; give --overwrite to replace it\n"
    assert there.read_bytes() == b"mine"


def test_panels_and_drawings_never_replace_their_photo(
    relume: Relume, album: Path, night: Path
) -> None:
    before = night.read_bytes()
    for words in (
        ("enhance", night, "--parts", "-o", night),
        ("detect", night, "--draw", night, "-d", "haar"),
        ("detect", night.parent / "album", "--draw", night.parent / "album", "-d", "haar"),
    ):
        result = relume(*words, "--overwrite")
        assert result.code == 1
        assert "would replace the input" in result.err
    assert night.read_bytes() == before


def test_inputs_of_a_study_that_are_there_are_named(relume: Relume, album: Path) -> None:
    words = ("study", album, "--darken", "0.1", "--write-inputs", album.parent / "dark")
    assert relume(*words).code == 0
    again = relume(*words)
    assert again.code == 1
    assert again.err.endswith("exists already; name another folder\n")


def test_a_folder_that_cannot_be_made_is_named(relume: Relume, night: Path) -> None:
    for words in (
        ("enhance", night, *GAMMA, "-o", night / "x.jpg"),
        ("detect", night, "-d", "haar", "--draw", night / "x.jpg"),
        ("burst", night, *GAMMA, "-o", night / "x.jpg"),
    ):
        result = relume(*words)
        assert result.code == 1
        assert f"cannot make the folder {night}: there is a file of that name" in result.err


def test_denoising_is_switched_off_where_it_is_a_number(relume: Relume, night: Path) -> None:
    for method in ("lime", "retinexnet"):
        out = night.with_name(f"{method}.png")
        assert relume("enhance", night, "-m", method, "--no-denoise", "-o", out).code == 0


def test_a_limit_of_no_pixels_is_refused(relume: Relume, night: Path) -> None:
    for limit in (0, -1, "nan"):
        result = relume("enhance", night, *GAMMA, "--max-megapixels", limit)
        assert result.code == 2
        assert "max_megapixels must be above 0" in result.err


def test_a_single_failure_is_one_line(relume: Relume, tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").write_bytes(b"")
    result = relume("enhance", tmp_path / "empty.jpg", *GAMMA)
    assert result.err == f"error: {tmp_path}/empty.jpg is empty (0 bytes)\n"
    assert result.code == 1
