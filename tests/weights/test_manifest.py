from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relume import weights
from relume.errors import WeightsError
from relume.weights.manifest import _text, read_manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "manifest.toml").write_text("# first line\n# second line\n", "utf-8")
    return folder


def add(folder: Path, name: str, content: bytes, file: str = "net.onnx") -> weights.Entry:
    path = folder.parent / file
    path.write_bytes(content)
    return weights.add_entry(
        name,
        path,
        licence="MIT",
        source='a "quoted" source \\ path',
        summary="Grüße",
        data="LOL",
        metrics={"psnr": 17.75, "ssim": 1.0},
        folder=folder,
    )


def test_what_is_written_is_read_again(folder: Path) -> None:
    entry = add(folder, "net", b"abc")
    assert read_manifest(folder) == {"net": entry}
    assert entry.bytes == 3
    assert entry.metrics == {"psnr": 17.75, "ssim": 1.0}
    assert (folder / "net.onnx").read_bytes() == b"abc"


def test_an_entry_is_replaced_in_its_place_and_the_head_is_kept(folder: Path) -> None:
    add(folder, "one", b"1", "one.onnx")
    add(folder, "two", b"2", "two.onnx")
    newer = add(folder, "one", b"newer", "one.onnx")
    assert list(read_manifest(folder)) == ["one", "two"]
    assert read_manifest(folder)["one"] == newer
    text = (folder / "manifest.toml").read_text("utf-8")
    assert text.startswith("# first line\n# second line\n\n[one]\n")
    assert not list(folder.glob("*.part"))


def test_rewriting_our_own_manifest_changes_nothing(tmp_path: Path) -> None:
    own = Path(weights.__file__).parent / "manifest.toml"
    copy = tmp_path / "manifest.toml"
    copy.write_bytes(own.read_bytes())
    from relume.weights.manifest import _write_manifest

    _write_manifest(copy, read_manifest(tmp_path).values())
    assert copy.read_text("utf-8") == own.read_text("utf-8")


def test_a_file_that_is_fetched_is_not_copied(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "far.onnx"
    file.write_bytes(b"far")
    weights.add_entry(
        "far", file, licence="MIT", source="s", summary="s", urls=["https://a.b/c"], folder=folder
    )
    assert not (folder / "far.onnx").exists()
    assert not read_manifest(folder)["far"].shipped


@pytest.mark.parametrize(
    "text", ["[net\n", "[net]\nfile = 'x'\n", "[net]\nsurprise = 1\n", "net = 3\n"]
)
def test_a_broken_manifest_is_a_clear_error(folder: Path, text: str) -> None:
    (folder / "manifest.toml").write_text(text, "utf-8")
    with pytest.raises(WeightsError, match=r"manifest\.toml cannot be used"):
        read_manifest(folder)


def test_no_file_to_enter(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="there is no file"):
        weights.add_entry(
            "a", tmp_path / "no", licence="MIT", source="s", summary="s", folder=folder
        )


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x7f")))
def test_any_text_survives_the_manifest(text: str) -> None:
    import tomllib

    assert tomllib.loads(f"key = {_text(text)}")["key"] == text
