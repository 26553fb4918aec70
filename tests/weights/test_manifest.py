from __future__ import annotations

from pathlib import Path

import pytest

from relume.errors import WeightsError
from relume.weights.manifest import Entry, read_manifest

TABLE = """
file = "net.onnx"
sha256 = "ab"
bytes = 3
licence = "MIT"
source = "tests"
summary = "a net"
"""


def write(folder: Path, text: str) -> Path:
    (folder / "manifest.toml").write_text(text, "utf-8")
    return folder


def test_entries_are_read_in_order(tmp_path: Path) -> None:
    more = 'urls = ["https://a.b/c"]\ndata = "LOL"\nmetrics = { psnr = 17.75 }\n'
    entries = read_manifest(write(tmp_path, f"# head\n[two]{TABLE}[one]{TABLE}{more}"))
    assert list(entries) == ["two", "one"]
    assert entries["two"] == Entry("two", "net.onnx", "ab", 3, "MIT", "tests", "a net")
    assert entries["two"].shipped
    assert entries["one"].urls == ("https://a.b/c",)
    assert entries["one"].metrics == {"psnr": 17.75}
    assert not entries["one"].shipped


@pytest.mark.parametrize(
    "text", ["[net\n", "[net]\nfile = 'x'\n", f"[net]{TABLE}surprise = 1\n", "net = 3\n"]
)
def test_a_broken_manifest_is_a_clear_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(WeightsError, match=r"manifest\.toml cannot be used"):
        read_manifest(write(tmp_path, text))


def test_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"manifest\.toml cannot be used"):
        read_manifest(tmp_path)


def test_a_changed_manifest_is_read_again(tmp_path: Path) -> None:
    first = read_manifest(write(tmp_path, f"[one]{TABLE}"))
    first.clear()  # the caller's own
    assert list(read_manifest(tmp_path)) == ["one"]
    assert list(read_manifest(write(tmp_path, f"[one]{TABLE}[two]{TABLE}"))) == ["one", "two"]
