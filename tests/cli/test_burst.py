"""``relume burst``: which photos are one burst, where the result goes, what is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil
from skimage import data

from relume.image.darken import darken
from relume.photo import quantise, to_image

from .conftest import Relume, names


def shoot(folder: Path, count: int, *, which: str = "astronaut", stem: str = "IMG") -> list[Path]:
    folder.mkdir(exist_ok=True)
    bright = to_image(np.asarray(Pil.fromarray(getattr(data, which)()).resize((160, 120))))
    paths = []
    for n in range(count):
        dark = darken(bright, 0.05, np.random.default_rng(n))
        exif = Pil.Exif()
        exif[0x010E] = f"{stem} {n}"
        paths.append(folder / f"{stem}_{n}.jpg")
        Pil.fromarray(quantise(dark, np.uint8)).save(paths[-1], exif=exif, quality=95)
    return paths


def test_a_burst_becomes_one_photo_with_the_references_exif(relume: Relume, tmp_path: Path) -> None:
    photos = shoot(tmp_path, 3)
    result = relume("burst", *photos, "-o", tmp_path / "night.jpg", "-b", "0.4")
    assert result.code == 0, result.err
    assert "3 photos merged, as IMG_0.jpg sees the scene" in result.err
    with Pil.open(tmp_path / "night.jpg") as image:
        assert image.getexif()[0x010E] == "IMG 0"
        assert np.asarray(image.convert("L")).mean() == pytest.approx(102, abs=8)
    again = relume("burst", *photos, "-o", tmp_path / "night.jpg")
    assert again.code == 1
    assert "exists already" in again.err


def test_every_subfolder_is_a_burst(relume: Relume, tmp_path: Path) -> None:
    folder = tmp_path / "bursts"
    folder.mkdir()
    shoot(folder / "one", 2)
    shoot(folder / "two", 2, which="coffee")
    mixed = shoot(folder / "mixed", 1)
    shoot(folder / "mixed", 1, which="coffee", stem="X")
    result = relume("burst", folder, "-o", tmp_path / "out", "-m", "gamma:0.4")
    assert result.code == 1
    assert f"error: {mixed[0].parent}: these do not show the same scene" in result.err
    assert names(tmp_path / "out") == ["one.jpg", "two.jpg"]


def test_without_o_it_lies_beside_the_first(relume: Relume, tmp_path: Path) -> None:
    photos = shoot(tmp_path, 2)
    assert relume("burst", *photos, "-m", "gamma:0.4", "-q").code == 0
    assert "IMG_0.relume-burst.jpg" in names(tmp_path)


def test_what_cannot_be_is_refused_before_any_work(relume: Relume, tmp_path: Path) -> None:
    photos = shoot(tmp_path, 2)
    before = photos[0].read_bytes()
    result = relume("burst", *photos, "-o", photos[0], "--overwrite")
    assert result.code == 1
    assert "would replace the input" in result.err
    assert photos[0].read_bytes() == before
    result = relume("burst", *photos, "--reference", tmp_path / "other.jpg")
    assert result.code == 2
    assert "is not among the photos" in result.err
    result = relume("burst", photos[0], tmp_path / "none.jpg")
    assert result.code == 1
    assert "none.jpg" in result.err


def test_a_photo_that_cannot_be_read_is_named_and_what_to_do(
    relume: Relume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = shoot(tmp_path, 2)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(photos[0].read_bytes()[:2000])
    result = relume("burst", *photos, broken)
    assert result.code == 1
    assert result.err == (
        f"error: {broken}: truncated JPEG: the end is missing; leave this photo out of the burst\n"
    )
    phone = tmp_path / "phone.heic"
    phone.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    result = relume("burst", *photos, phone)
    assert result.code == 1
    (line,) = result.err.splitlines()
    assert line.startswith(f"error: {phone}: the package 'pillow-heif' is not installed")
    assert line.endswith("'.[heif]'); or leave this photo out of the burst")
    assert not list(tmp_path.glob("*.relume-burst.*"))


def test_a_photo_of_another_size_is_left_out_and_named(relume: Relume, tmp_path: Path) -> None:
    photos = shoot(tmp_path, 3)
    with Pil.open(photos[0]) as image:
        image.resize((80, 60)).save(photos[0])
    result = relume("burst", *photos, "-o", tmp_path / "night.jpg", "-b", "0.4")
    assert result.code == 0, result.err
    assert f"note: {photos[0]} does not fit the others and is left out" in result.err
    assert "2 photos merged, as IMG_1.jpg sees the scene" in result.err
    with Pil.open(tmp_path / "night.jpg") as image:
        assert image.size == (160, 120)
    small = ("burst", *photos, "--reference", photos[0], "-o", tmp_path / "small.jpg")
    assert "must have one size: the first is 80x60, number 2 is 160x120" in relume(*small).err
