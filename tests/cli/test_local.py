"""``relume enhance --local`` and ``--exposure``."""

from __future__ import annotations

import gc
import io
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

from relume.enhancers import enhance
from relume.io import read

from .conftest import Relume, names


def saved(array: object, path: Path, **options: bool) -> Path:
    np.save(path, array, **options)  # type: ignore[arg-type]
    return path


def test_local_and_a_map_reach_the_core(relume: Relume, night: Path, tmp_path: Path) -> None:
    stops = np.array([[0, 2]], np.float32)
    file = saved(stops, tmp_path / "right.npy")
    result = relume("enhance", night, "--local", 0.5, "--exposure", file, "-f", "png")
    assert result.code == 0
    written = night.with_name("night.relume-l50-exposure-right.png")
    wanted = enhance(read(night), local=0.5, exposure=stops).pixels
    got = np.asarray(Pil.open(written), np.float32) / 255
    np.testing.assert_allclose(got, wanted, atol=0.5 / 255 + 1e-6)
    assert np.abs(wanted - enhance(read(night)).pixels).max() > 0.05


def broken_maps() -> dict[str, bytes]:
    def packed(array: object, **options: bool) -> bytes:
        buffer = io.BytesIO()
        np.save(buffer, array, **options)  # type: ignore[arg-type]
        return buffer.getvalue()

    whole, archive = packed(np.zeros((4, 4))), io.BytesIO()
    np.savez(archive, a=np.zeros(3))
    return {
        "picture": b"\xff\xd8\xff" + bytes(100),
        "empty": b"",
        "cut": whole[:-8],
        "claims 8 TB": whole.replace(b"(4, 4), }" + b" " * 14, b"(1000000, 1000000), }  "),
        "objects": packed(np.array([{}], object), allow_pickle=True),
        "archive": archive.getvalue(),
        "nothing in it": packed(np.zeros((0, 3))),
        "three axes": packed(np.zeros((2, 2, 3))),
        "words": packed(np.array([["a"]])),
        "NaN": packed(np.full((2, 2), np.nan)),
        "20 stops": packed(np.full((2, 2), 20.0)),
    }


@pytest.mark.parametrize("kind", broken_maps())
def test_a_map_that_is_none_is_one_line(
    relume: Relume, night: Path, tmp_path: Path, kind: str
) -> None:
    file = tmp_path / "map.npy"
    file.write_bytes(broken_maps()[kind])
    result = relume("enhance", night, "--exposure", file)
    assert result.code != 0
    assert result.err.count("\n") == 1
    assert str(file) in result.err
    assert names(tmp_path) == ["map.npy", "night.jpg"]


def test_an_archive_is_closed_again(relume: Relume, night: Path, tmp_path: Path) -> None:
    (tmp_path / "map.npy").write_bytes(broken_maps()["archive"])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        assert relume("enhance", night, "--exposure", tmp_path / "map.npy").code == 1
        gc.collect()
    assert [w.message for w in caught if w.category is ResourceWarning] == []


def test_a_map_that_cannot_be_read_is_one_line(relume: Relume, night: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npy")
    for path, why in (("none.npy", "No such file"), (".", "Is a directory"), ("pipe.npy", "")):
        result = relume("enhance", night, "--exposure", tmp_path / path)
        assert result.code != 0
        assert result.err.count("\n") == 1
        assert why in result.err


def test_who_takes_no_map_says_so(relume: Relume, night: Path, tmp_path: Path) -> None:
    file = saved(np.zeros((2, 2)), tmp_path / "map.npy")
    result = relume("enhance", night, "-m", "gamma", "--exposure", file)
    assert (result.code, result.err) == (2, "error: gamma takes no exposure map\n")
    result = relume("enhance", night, "-m", "gamma", "--local", 0.5)
    assert result.code == 2
    assert "gamma takes no local; these do: relume" in result.err
    assert relume("enhance", night, "--local", 2).code == 2


def test_who_comes_first_is_in_the_name_and_reaches_the_core(relume: Relume, night: Path) -> None:
    result = relume("enhance", night, "--expose-for", "scene", "-f", "png")
    assert result.code == 0
    written = night.with_name("night.relume-for-scene.png")
    wanted = enhance(read(night)).pixels
    got = np.asarray(Pil.open(written), np.float32) / 255
    np.testing.assert_allclose(got, wanted, atol=0.5 / 255 + 1e-6)
    refused = relume("enhance", night, "--expose-for", "people")
    assert refused.code == 2
    assert "auto" in refused.err
    refused = relume("enhance", night, "-m", "gamma", "--expose-for", "faces")
    assert "gamma takes no expose_for; these do: relume" in refused.err


def test_faces_come_first_without_a_network(
    relume: Relume, night: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*where: object, **options: object) -> None:
        raise OSError("no network")

    monkeypatch.setenv("RELUME_CACHE", str(tmp_path / "empty"))
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    result = relume("enhance", night, "--expose-for", "faces")
    assert (result.code, "yunet" in result.err) == (0, False)
    assert any(name.startswith("night.relume") for name in names(tmp_path))


@pytest.mark.parametrize("words", [("-m", "machine"), ("--local", "0")])
def test_faces_are_refused_where_no_place_is_lifted(
    relume: Relume, night: Path, words: tuple[str, ...]
) -> None:
    """Before anything is fetched or written."""
    result = relume("enhance", night, *words, "--expose-for", "faces")
    assert result.code != 0
    assert "needs local above 0" in result.err
    assert result.err.count("\n") == 1
    assert [file.name for file in night.parent.iterdir()] == [night.name]
