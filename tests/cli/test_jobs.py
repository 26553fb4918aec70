"""What is read and where results go, without any work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from relume.cli import finding, jobs
from relume.errors import InputError, OutputError, ParameterError


def planned(
    inputs: list[Path], output: str | None = None, *, format: str | None = None
) -> list[tuple[str, str]]:
    found = finding.find(inputs, exclude=None if output is None else Path(output))
    several = len(inputs) > 1 or inputs[0].is_dir()
    plan = jobs.plan(found.pictures, output=output, format=format, several=several)
    return [(str(j.source), str(j.target)) for j in plan]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*paths: str) -> list[Path]:
    made = [Path(p) for p in paths]
    for path in made:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return made


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("night.jpg", "night.relume.jpg"),
        ("night.JPEG", "night.relume.JPEG"),
        ("a/night.2.webp", "a/night.2.relume.webp"),
        ("scan.TIFF", "scan.relume.TIFF"),
        ("old.bmp", "old.relume.png"),
        ("camera.nef", "camera.relume.jpg"),
        ("nosuffix", "nosuffix.relume.png"),
    ],
)
def test_one_photo_goes_beside_itself(source: str, target: str) -> None:
    assert planned([Path(source)]) == [(source, target)]


def test_a_format_changes_the_ending() -> None:
    assert planned([Path("night.jpg")], format="png") == [("night.jpg", "night.relume.png")]
    assert planned([Path("night.jpeg")], format="jpeg") == [("night.jpeg", "night.relume.jpeg")]


def test_output_is_a_file_or_a_folder(here: Path) -> None:
    touch("night.jpg", "there.jpg/keep")
    one = [Path("night.jpg")]
    assert planned(one, "x.png") == [("night.jpg", "x.png")]
    assert planned(one, "new/") == [("night.jpg", "new/night.jpg")]
    assert planned(one, "new") == [("night.jpg", "new/night.jpg")]
    assert planned(one, "there.jpg") == [("night.jpg", "there.jpg/night.jpg")]


def test_output_that_does_not_fit(here: Path) -> None:
    touch("a.jpg", "b.jpg", "taken")
    with pytest.raises(ParameterError, match="names one picture"):
        planned([Path("a.jpg"), Path("b.jpg")], "x.jpg")
    with pytest.raises(OutputError, match="expected a folder"):
        planned([Path("a.jpg"), Path("b.jpg")], "taken")
    with pytest.raises(ParameterError, match="--format says png"):
        planned([Path("a.jpg")], "x.jpg", format="png")
    with pytest.raises(OutputError, match="xyz"):
        planned([Path("a.jpg")], "x.xyz")


def test_folders_keep_their_structure_and_leave_out_what_is_not_a_photo(here: Path) -> None:
    touch("in/b.jpg", "in/a/c.png", "in/a/notes.txt", "in/.hidden.jpg", "in/.thumbs/t.jpg")
    touch("in/b.relume.jpg", "in/out/b.jpg")
    assert planned([Path("in")], "in/out") == [
        ("in/b.jpg", "in/out/b.jpg"),
        ("in/a/c.png", "in/out/a/c.png"),
    ]
    assert [s for s, _ in planned([Path("in")])] == ["in/b.jpg", "in/a/c.png", "in/out/b.jpg"]


def test_folders_below_can_be_left_out(here: Path) -> None:
    touch("in/b.jpg", "in/a/c.png")
    assert [p.source for p in finding.find([Path("in")], recursive=False).pictures] == [
        Path("in/b.jpg")
    ]


def test_a_folder_without_pictures_is_an_error(here: Path) -> None:
    touch("in/b.relume.jpg", "in/notes.txt")
    with pytest.raises(InputError, match="no pictures in in"):
        finding.find([Path("in")])


def test_a_second_run_over_a_glob_leaves_own_results_out(here: Path) -> None:
    found = finding.find([Path("a.jpg"), Path("a.relume.jpg"), Path("b.relume.jpg")])
    assert [str(p.source) for p in found.pictures] == ["a.jpg", "b.relume.jpg"]


def test_one_photo_given_twice_is_one_job(here: Path) -> None:
    touch("a.jpg")
    assert len(planned([Path("a.jpg"), Path("./a.jpg"), here / "a.jpg"])) == 1


def test_photos_of_one_name_get_names_of_their_own(here: Path) -> None:
    touch("x/a.jpg", "y/a.jpg", "z/a.nef", "z/a.jpg", "z/b.gif", "z/b.bmp", "z/b.gif.png")
    assert planned([Path("x"), Path("y")], "out") == [
        ("x/a.jpg", "out/a.jpg"),
        ("y/a.jpg", "out/a-2.jpg"),
    ]
    assert planned([Path("z")], "out") == [
        ("z/a.jpg", "out/a.jpg"),
        ("z/a.nef", "out/a.nef.jpg"),
        ("z/b.bmp", "out/b.bmp.png"),
        ("z/b.gif", "out/b-2.png"),
        ("z/b.gif.png", "out/b.gif.png"),
    ]
    assert planned([Path("z/a.nef"), Path("z/a.jpg")]) == [
        ("z/a.nef", "z/a.nef.relume.jpg"),
        ("z/a.jpg", "z/a.relume.jpg"),
    ]


def test_a_result_never_replaces_another_input(here: Path) -> None:
    touch("a.jpg", "out/b.jpg", "c.jpg")
    Path("out/a.jpg").symlink_to(here / "out/b.jpg")
    found = finding.find([Path("a.jpg"), Path("out/b.jpg"), Path("c.jpg")])
    first, _, last = jobs.plan(found.pictures, output="out", several=True)
    assert "out/b.jpg, which is an input too" in str(first.refusal(overwrite=True))
    assert last.refusal(overwrite=False) is None, "one clash stops no other"


@pytest.mark.parametrize("way", ["itself", "relative", "symlink", "hardlink"])
def test_the_input_is_refused_as_output(here: Path, way: str) -> None:
    (source,) = touch("sub/a.jpg")
    target = {
        "itself": "sub/a.jpg",
        "relative": "sub/../sub/a.jpg",
        "symlink": "sym.jpg",
        "hardlink": "hard.jpg",
    }[way]
    if way == "symlink":
        Path(target).symlink_to(source.resolve())
    if way == "hardlink":
        os.link(source, target)
    (job,) = jobs.plan([finding.Picture(source, Path("a.jpg"))], output=target, several=False)
    refusal = job.refusal(overwrite=False)
    assert refusal is not None
    assert "would replace the input" in refusal
    assert job.refusal(overwrite=True) is None


def test_what_exists_is_refused_even_as_a_broken_link(here: Path) -> None:
    touch("a.jpg", "b.jpg")
    Path("gone.jpg").symlink_to("nowhere")
    for target in ("b.jpg", "gone.jpg"):
        job = jobs.Job(Path("a.jpg"), Path(target))
        assert "exists already" in str(job.refusal(overwrite=False))
