"""``relume enhance`` from end to end, with the classical gamma arm."""

from __future__ import annotations

import errno
import io
import os
import re
import signal
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

from relume.errors import WeightsError
from relume.io.png import SIGNATURE, chunk

from .conftest import Relume, names, picture

GAMMA = ("--method", "gamma:0.4")
MARK = ".relume-gamma-exponent-0.4"


def mean(path: Path | io.BytesIO) -> float:
    with Pil.open(path) as image:
        return float(np.asarray(image.convert("RGB")).mean())


def test_one_photo_is_relit_beside_itself(relume: Relume, night: Path) -> None:
    before = night.read_bytes()
    result = relume("enhance", night, *GAMMA)
    relit = night.with_name(f"night{MARK}.jpg")
    assert (result.code, result.out) == (0, "")
    # the numbers are those that --brightness takes
    told = re.fullmatch(
        rf"{re.escape(f'{night} -> {relit}')} \(brightness (.+) -> (.+), .* s\)\n", result.err
    )
    assert told
    assert float(told[1]) == pytest.approx(mean(night) / 255, abs=0.02)
    assert float(told[2]) == pytest.approx(mean(relit) / 255, abs=0.02)
    assert mean(relit) > 2 * mean(night)
    assert night.read_bytes() == before
    assert names(night.parent) == ["night.jpg", relit.name]


def test_a_format_whose_package_is_missing_does_not_stop_the_others(
    relume: Relume, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heif = pytest.importorskip("pillow_heif")
    heif.from_pillow(picture()).save(album / "a.heic")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    result = relume("enhance", album, "-o", album.parent / "out", *GAMMA)
    assert result.code == 1
    assert "a.heic: the package 'pillow-heif' is not installed" in result.err
    assert names(album.parent / "out") == ["2018/c.jpg", "a.jpg", "b.png"]


def test_quiet_says_nothing(relume: Relume, night: Path) -> None:
    result = relume("enhance", night, *GAMMA, "--quiet")
    assert (result.code, result.out, result.err) == (0, "", "")


def test_format_quality_and_file(relume: Relume, night: Path, tmp_path: Path) -> None:
    assert relume("enhance", night, *GAMMA, "--format", "png").code == 0
    with Pil.open(tmp_path / f"night{MARK}.png") as image:
        assert image.format == "PNG"
    for quality in (20, 95):
        target = tmp_path / f"q{quality}.webp"
        assert relume("enhance", night, *GAMMA, "-o", target, "--quality", quality).code == 0
    assert (tmp_path / "q20.webp").stat().st_size < (tmp_path / "q95.webp").stat().st_size


def test_strength_0_gives_the_pixels_back(relume: Relume, night: Path, tmp_path: Path) -> None:
    assert relume("enhance", night, *GAMMA, "-s", 0, "-o", tmp_path / "same.png").code == 0
    with Pil.open(tmp_path / "same.png") as same, Pil.open(night) as original:
        assert np.array_equal(np.asarray(same), np.asarray(original))


def test_parameters_reach_the_method(relume: Relume, night: Path, tmp_path: Path) -> None:
    for exponent in (0.4, 0.8):
        target = tmp_path / f"{exponent}.png"
        parameter = ("--param", f"exponent={exponent}")
        assert relume("enhance", night, "-m", "gamma", *parameter, "-o", target).code == 0
    assert mean(tmp_path / "0.4.png") > mean(tmp_path / "0.8.png") + 5


def test_a_folder_keeps_its_structure(relume: Relume, album: Path, tmp_path: Path) -> None:
    result = relume("enhance", album, "-o", tmp_path / "out", *GAMMA)
    assert result.code == 0
    told = rf"3 photos enhanced -> {tmp_path}/out \(mean brightness 0.0\d -> 0.\d\d, .* s\)\n"
    assert re.fullmatch(told, result.err)
    assert names(tmp_path / "out") == ["2018/c.jpg", "a.jpg", "b.png"]


def test_a_folder_run_twice(relume: Relume, album: Path) -> None:
    assert relume("enhance", album, *GAMMA).code == 0
    first = names(album)
    refused = relume("enhance", album, *GAMMA)
    assert refused.code == 1
    assert refused.err.startswith(
        f"error: 3 results exist already, the first is {album}/a{MARK}.jpg; "
        "--skip-existing leaves them out, --overwrite replaces them\n"
        "0 photos enhanced, 3 failed"
    )
    (album / f"a{MARK}.jpg").unlink()
    resumed = relume("enhance", album, *GAMMA, "--skip-existing")
    assert resumed.code == 0
    assert "1 photo enhanced -> beside the photos, 2 there already" in resumed.err
    assert relume("enhance", album, *GAMMA, "--overwrite").code == 0
    assert names(album) == first, "own results were enhanced again"


def test_dry_run_writes_nothing(relume: Relume, album: Path, tmp_path: Path) -> None:
    result = relume("enhance", album, "-o", tmp_path / "out", *GAMMA, "--dry-run")
    assert result.code == 0
    assert result.out.splitlines() == [
        f"{album}/{name} -> {tmp_path}/out/{name}" for name in ("a.jpg", "b.png", "2018/c.jpg")
    ]
    assert not (tmp_path / "out").exists()


def test_pipe(relume: Relume, night: Path, tmp_path: Path) -> None:
    data = night.read_bytes()
    result = relume("enhance", "-", *GAMMA, stdin=data)
    assert (result.code, result.err) == (0, "")
    with Pil.open(io.BytesIO(result.out_bytes)) as image:
        assert image.format == "JPEG"
    assert mean(io.BytesIO(result.out_bytes)) > 2 * mean(night)
    as_png = relume("enhance", night, "-o", "-", *GAMMA, "--format", "png")
    assert as_png.out_bytes.startswith(b"\x89PNG")
    assert relume("enhance", "-", "-o", tmp_path / "x.png", *GAMMA, stdin=data).code == 0
    assert mean(tmp_path / "x.png") > 2 * mean(night)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("-", "other.jpg"), "stands for one photo"),
        (("-", "--dry-run"), "--dry-run"),
        (("-",), "standard input"),
    ],
)
def test_pipe_misused(relume: Relume, args: tuple[str, ...], said: str) -> None:
    result = relume("enhance", *args, *GAMMA)
    assert result.code != 0
    assert result.out == ""
    assert said in result.err
    assert result.err.count("\n") == 1


def header_bomb() -> bytes:
    """A PNG that claims 60,000 x 60,000 pixels."""

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    end = chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    return SIGNATURE + chunk(b"IHDR", header) + end


def nan_tiff() -> bytes:
    values = np.full((4, 4), 0.1, np.float32)
    values[1, 1] = np.nan
    data = io.BytesIO()
    Pil.fromarray(values, "F").save(data, "TIFF")
    return data.getvalue()


def jpeg() -> bytes:
    data = io.BytesIO()
    picture(200, 150).save(data, "JPEG")
    return data.getvalue()


HOSTILE: dict[str, Callable[[], bytes]] = {
    "empty.jpg": lambda: b"",
    "truncated.jpg": lambda: jpeg()[:900],
    "text.jpg": lambda: b"this is no picture\n" * 50,
    "bomb.png": header_bomb,
    "nan.tif": nan_tiff,
}


def test_bad_files_are_a_line_each_and_the_good_one_is_done(
    relume: Relume, album: Path, tmp_path: Path
) -> None:
    for name, data in HOSTILE.items():
        (album / name).write_bytes(data())
    missing = album / "missing.jpg"
    result = relume("enhance", album, missing, "-o", tmp_path / "out", *GAMMA)
    errors = [line for line in result.err.splitlines() if line.startswith("error: ")]
    assert result.code == 1
    assert len(errors) == len(HOSTILE) + 1
    for name in (*HOSTILE, "missing.jpg"):
        assert sum(name in line for line in errors) == 1, name
    assert "Traceback" not in result.err
    assert f"3 photos enhanced -> {tmp_path}/out, {len(errors)} failed" in result.err
    assert names(tmp_path / "out") == ["2018/c.jpg", "a.jpg", "b.png"]


@pytest.mark.parametrize("size", [(1, 1), (3, 1200), (1200, 3)])
def test_odd_sizes_keep_their_size(relume: Relume, tmp_path: Path, size: tuple[int, int]) -> None:
    picture(*size).save(tmp_path / "odd.png")
    assert relume("enhance", tmp_path / "odd.png", *GAMMA).code == 0
    with Pil.open(tmp_path / f"odd{MARK}.png") as image:
        assert image.size == size


def test_the_pixel_limit_can_be_set(relume: Relume, night: Path) -> None:
    refused = relume("enhance", night, *GAMMA, "--max-megapixels", 0.001)
    assert refused.code == 1
    assert refused.err.startswith("error: ")
    assert "0.001" in refused.err


def test_an_empty_folder_is_an_error(relume: Relume, tmp_path: Path) -> None:
    result = relume("enhance", tmp_path, *GAMMA)
    assert result.code == 1
    assert f"no pictures in {tmp_path}" in result.err
    assert result.err.count("\n") == 1


def test_an_unreadable_file_is_a_line(relume: Relume, night: Path) -> None:
    night.chmod(0)
    if os.access(night, os.R_OK):
        pytest.skip("permissions do not bind this user")
    result = relume("enhance", night, *GAMMA)
    assert result.code == 1
    assert result.err.startswith("error: ")


def test_a_read_only_target_is_a_line(
    relume: Relume, night: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "locked"
    target.mkdir()
    target.chmod(0o500)
    if os.access(target, os.W_OK):
        pytest.skip("permissions do not bind this user")
    result = relume("enhance", night, "-o", target, *GAMMA)
    assert result.code == 1
    assert result.err.startswith("error: ")
    assert names(target) == []


def test_a_file_in_the_way_of_a_folder_is_a_line(
    relume: Relume, album: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "2018").write_text("in the way")
    result = relume("enhance", album, "-o", tmp_path / "out", *GAMMA)
    assert result.code == 1
    assert "c.jpg" in result.err
    assert f"2 photos enhanced -> {tmp_path}/out, 1 failed" in result.err


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EROFS, "read-only"),
        (errno.EACCES, "no permission"),
    ],
)
def test_a_disk_that_takes_nothing_is_left_as_it_was(
    relume: Relume,
    album: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    said: str,
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(os, "replace", refuse)
    result = relume("enhance", album, "-o", tmp_path / "out", *GAMMA)
    assert result.code == 1
    assert [said in line for line in result.err.splitlines()] == [True, True, True, False]
    assert names(tmp_path / "out") == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_ends_the_run(
    relume: Relume, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    import relume.enhancers as enhancers

    real, calls = enhancers.enhance, []

    def counted(photo: object, **kwargs: object) -> object:
        calls.append(photo)
        return real(photo, **kwargs)

    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(enhancers, "enhance", counted)
    monkeypatch.setattr(os, "link", refuse)
    result = relume("enhance", album, "-o", tmp_path / "out", *GAMMA)
    assert result.code == 1
    assert re.fullmatch(
        r"error: cannot write .*a\.jpg: the disk .*; stopped with 0 of 3 photos enhanced\n",
        result.err,
    )
    assert len(calls) == 1, "photos were computed that could not be written"
    assert names(tmp_path / "out") == []


def test_trying_levels_right_after_the_first(relume: Relume, night: Path) -> None:
    for options in (
        (),
        ("--brightness", 0.3),
        ("-b", "0.355", "-s", 0.8),
        ("--method", "fusion"),
        ("--no-protect-lit",),
        ("--local", 0),
    ):
        assert relume("enhance", night, *options).code == 0
    results = [
        "night.relume-b30.jpg",
        "night.relume-b35.5-s80.jpg",
        "night.relume-fusion.jpg",
        "night.relume-l0.jpg",
        "night.relume-no-protect-lit.jpg",
        "night.relume.jpg",
    ]
    assert names(night.parent) == ["night.jpg", *results]
    assert mean(night.with_name(results[0])) / 255 == pytest.approx(0.3, abs=0.02)
    again = relume("enhance", night.parent, "-o", night.parent / "out", *GAMMA)
    assert names(night.parent / "out") == [".relume-results", "night.jpg"]
    assert again.err.endswith(
        "left out: 6 earlier results "
        "(night.relume-b30.jpg, night.relume-b35.5-s80.jpg, night.relume-fusion.jpg, ...)\n"
    )


def test_several_levels_make_a_strip_to_choose_from(relume: Relume, night: Path) -> None:
    night.chmod(0o600)
    result = relume("enhance", night, "--brightness", "0.2,0.35,0.5")
    strip = night.with_name("night.relume-strip.jpg")
    first, hint = result.err.splitlines()
    assert result.code == 0
    assert re.fullmatch(rf"{re.escape(f'{night} -> {strip}')} \(.* s\)", first)
    assert hint == f"to get one of them: relume enhance {night} --brightness 0.35"
    assert strip.stat().st_mode == night.stat().st_mode, "who may not see the photo sees the strip"
    with Pil.open(strip) as image:
        panels = np.array_split(np.asarray(image.convert("L")).astype(float), 4, axis=1)
    middles = [np.median(panel[-20:, 10:-10]) for panel in panels]
    assert middles == sorted(middles)
    assert middles[3] > middles[1] + 40
    assert relume("enhance", night, "--brightness", "0.2,2").code == 2


def test_a_photo_left_as_it_is_says_so(relume: Relume, tmp_path: Path) -> None:
    from skimage import data

    lit = tmp_path / "lit.jpg"
    Pil.fromarray(data.astronaut()).save(lit)
    result = relume("enhance", lit)
    assert result.err.endswith(": left nearly as it is (looks lit; --brightness changes it)\n")
    asked = relume("enhance", lit, "--brightness", "0.44")
    assert "left nearly" not in asked.err
    black = tmp_path / "black.png"
    Pil.new("RGB", (64, 48)).save(black)
    assert "lit" not in relume("enhance", black, "--method", "gamma").err.partition("(")[2]


def test_an_output_folder_inside_the_input_is_not_relit_again(relume: Relume, album: Path) -> None:
    assert relume("enhance", album, "-o", album / "out", *GAMMA).code == 0
    (album / "list.csv").touch()
    (album / "notes.txt").touch()
    fifo = album / "pipe.jpg"
    if hasattr(os, "mkfifo"):
        os.mkfifo(fifo)
    result = relume("enhance", album, "-o", album / "out2", *GAMMA)
    assert result.code == 0
    assert names(album / "out2") == [".relume-results", "2018/c.jpg", "a.jpg", "b.png"]
    assert f"note: {album}/pipe.jpg is left out: it is no regular file\n" in result.err
    assert result.err.endswith(
        "left out: 1 earlier result (out), 2 other files (list.csv, notes.txt)\n"
    )


def test_an_output_folder_elsewhere_holds_only_pictures(
    relume: Relume, album: Path, tmp_path: Path
) -> None:
    assert relume("enhance", album, "-o", tmp_path / "out", *GAMMA).code == 0
    assert names(tmp_path / "out") == ["2018/c.jpg", "a.jpg", "b.png"]


def test_photos_of_one_name_are_all_done(relume: Relume, album: Path, tmp_path: Path) -> None:
    picture().save(album / "a.png")
    out = tmp_path / "out"
    for _ in range(2):
        assert relume("enhance", album, "-o", out, *GAMMA, "-f", "png", "--skip-existing").code == 0
        assert names(out) == ["2018/c.png", "a.jpg.png", "a.png", "b.png"]


def test_a_file_without_an_ending_goes_by_its_content(relume: Relume, night: Path) -> None:
    bare = night.rename(night.with_name("bare"))
    assert relume("enhance", bare, *GAMMA).code == 0
    assert names(bare.parent) == ["bare", f"bare{MARK}.jpg"]


def test_a_wrong_ending_goes_by_its_content(relume: Relume, night: Path) -> None:
    named = night.rename(night.with_name("night.png"))
    assert relume("enhance", named, *GAMMA).code == 0
    assert names(night.parent) == ["night.png", f"night{MARK}.jpg"]


def test_what_a_format_cannot_hold_is_noted(relume: Relume, night: Path) -> None:
    with Pil.open(night) as image:
        image.putalpha(128)
        image.save(night.with_name("clear.png"))
    target = night.with_name("flat.jpg")
    result = relume("enhance", night.with_name("clear.png"), *GAMMA, "-o", target)
    assert result.code == 0
    assert "note: " in result.err
    assert "JPEG has no transparency: the picture is laid on white\n" in result.err


def test_overwrite_never_writes_through_a_link(relume: Relume, night: Path) -> None:
    """A link in the output folder may lead to an original elsewhere."""
    other, out = night.with_name("other.jpg"), night.with_name("out")
    other.write_bytes(night.read_bytes())
    out.mkdir()
    (out / "night.jpg").symlink_to(other)
    before = other.read_bytes()
    assert relume("enhance", night, *GAMMA, "-o", f"{out}/", "--overwrite").code == 0
    assert other.read_bytes() == before
    assert not (out / "night.jpg").is_symlink()
    assert mean(out / "night.jpg") > 2 * mean(other)


def test_a_private_photo_gets_a_private_result(relume: Relume, night: Path) -> None:
    night.chmod(0o600)
    assert relume("enhance", night, *GAMMA).code == 0
    assert night.with_name(f"night{MARK}.jpg").stat().st_mode & 0o777 == 0o600


def test_a_dry_run_promises_nothing_that_is_not_there(relume: Relume, night: Path) -> None:
    missing = night.with_name("nonexist.jpg")
    result = relume("enhance", missing, night, "-n")
    assert result.code == 1
    assert result.out == f"{night} -> {night.with_name('night.relume.jpg')}\n"
    assert result.err == f"error: {missing}: does not exist\n"


def test_a_web_address_is_no_file(relume: Relume) -> None:
    result = relume("enhance", "https://example.com/a.jpg")
    assert result.code == 1
    assert result.err.startswith("error: https://example.com/a.jpg is a web address")


def test_the_input_is_not_overwritten_unless_asked(relume: Relume, night: Path) -> None:
    before = night.read_bytes()
    refused = relume("enhance", night, "-o", night, *GAMMA)
    assert refused.code == 1
    assert "would replace the input" in refused.err
    assert relume("enhance", night, "-o", night, *GAMMA, "--skip-existing").code == 1
    assert night.read_bytes() == before
    assert relume("enhance", night, "-o", night, *GAMMA, "--overwrite").code == 0
    assert night.read_bytes() != before


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--method", "gama"), "gamma"),
        (("--method", "gamma:99"), "exponent"),
        (("--method", "gamma", "--param", "exponent"), "NAME=VALUE"),
        (("--method", "gamma", "--param", "nope=1"), "nope"),
        (("--method", "gamma", "--strength", "1.5"), "strength must be 0 to 1"),
        (("--method", "gamma", "--strength", "nan"), "strength must be 0 to 1"),
        (("--method", "relume", "--brightness", "bright"), "brightness must be"),
        (("--method", "gamma", "--brightness", "0.5"), "takes no brightness"),
        (("--method", "gamma", "--no-denoise"), "no denoising"),
        (("--method", "gamma", "--quality", "0"), "quality must be 1 to 100"),
        (("--method", "gamma", "--overwrite", "--skip-existing"), "contradict"),
    ],
)
def test_wrong_options_stop_before_any_work(
    relume: Relume, night: Path, args: tuple[str, ...], said: str
) -> None:
    result = relume("enhance", night, *args)
    assert result.code == 2
    assert said in result.err
    assert result.err.count("\n") == 1
    assert names(night.parent) == ["night.jpg"]


def test_missing_weights_stop_the_run_at_once(
    relume: Relume, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import relume.enhancers as enhancers

    def refuse(*args: object, **kwargs: object) -> None:
        raise WeightsError("weights are truncated")

    monkeypatch.setattr(enhancers, "enhance", refuse)
    result = relume("enhance", album, *GAMMA)
    assert (result.code, result.err) == (1, "error: weights are truncated\n")


def test_a_bug_in_one_photo_is_a_line_with_a_way_to_its_place(
    relume: Relume, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import relume.enhancers as enhancers

    real, calls = enhancers.enhance, []

    def flawed(photo: object, **kwargs: object) -> object:
        calls.append(photo)
        if len(calls) == 2:
            raise ZeroDivisionError("division by zero")
        return real(photo, **kwargs)

    monkeypatch.setattr(enhancers, "enhance", flawed)
    result = relume("enhance", album, *GAMMA)
    assert result.code == 1
    assert "b.png: ZeroDivisionError: division by zero (-v shows where)" in result.err
    assert "2 photos enhanced -> beside the photos, 1 failed" in result.err
    calls.clear()
    verbose = relume("-v", "enhance", album, *GAMMA, "--overwrite")
    assert "Traceback" in verbose.err
    assert "in flawed" in verbose.err


def test_a_name_that_is_no_text_stays_one_line(relume: Relume, tmp_path: Path) -> None:
    odd = tmp_path / "two\nlines.jpg"
    odd.write_bytes(b"no picture")
    result = relume("enhance", odd, *GAMMA)
    assert result.code == 1
    assert [line.startswith("error: ") for line in result.err.splitlines()] == [True]


def test_ctrl_c_says_how_far_it_came_and_leaves_no_half_file(album: Path, tmp_path: Path) -> None:
    """A real SIGINT to a real process, while it works on the third photo."""
    script = (
        "import signal, sys, time\n"
        "import relume.enhancers as enhancers\n"
        "from relume.cli.main import main\n"
        "real, calls = enhancers.enhance, []\n"
        "def slow(photo, **options):\n"
        "    calls.append(photo)\n"
        "    if len(calls) == 3:\n"
        "        print('third', flush=True)\n"
        "        time.sleep(60)\n"
        "    return real(photo, **options)\n"
        "enhancers.enhance = slow\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's & ignores it
        "main(sys.argv[1:])\n"
    )
    command = [sys.executable, "-c", script, "enhance", str(album), "-o", str(tmp_path / "out")]
    process = subprocess.Popen(
        [*command, *GAMMA], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "third\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=50)  # it would sleep for a minute
    assert process.returncode == 130
    assert err == (
        "stopped: 2 of 3 photos enhanced; the same command with --skip-existing goes on\n"
    )
    assert names(tmp_path / "out") == ["a.jpg", "b.png"]


def test_a_black_photo_is_said_to_be_one(relume: Relume, tmp_path: Path) -> None:
    Pil.new("RGB", (60, 40)).save(tmp_path / "cap.png")
    result = relume("enhance", tmp_path / "cap.png")
    assert result.code == 0
    assert result.err.endswith(": it holds no light that could be brought up\n")


def test_a_photo_that_stays_darker_than_asked_says_why(relume: Relume, tmp_path: Path) -> None:
    """Three quarters of it hold nothing: no exposure makes light of that."""
    pixels = np.zeros((80, 80, 3), np.uint8)
    pixels[:40, :40] = np.asarray(picture(40, 40, level=60))
    path = tmp_path / "quarter.png"
    Pil.fromarray(pixels).save(path)
    result = relume("enhance", path, "-b", "0.5")
    assert result.code == 0
    told = r"-> (0\.\d\d), .*: there is light for (0\.\d\d) of the 0\.5 \(its black places hold no "
    found = re.search(told, result.err)
    assert found
    assert found[1] == found[2]
    assert "there is light for" not in relume("enhance", path, "--overwrite").err
    Pil.fromarray(np.asarray(picture(80, 80, level=60))).save(tmp_path / "whole.png")
    several = relume("enhance", tmp_path, "-b", "0.5", "-o", tmp_path / "out")
    assert "1 below 0.5 (its black places hold no light): quarter.png" in several.err
