from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from relume import weights
from relume.errors import UnknownName, WeightsError

CONTENT = b"weights of a small network " * 40


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("RELUME_CACHE", str(folder))
    monkeypatch.setenv("NO_PROXY", "*")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for a manifest of its own."""
    folder = tmp_path / "weights"
    folder.mkdir()
    return folder


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None: ...

    root = tmp_path / "www"
    root.mkdir()
    (root / "net.onnx").write_bytes(CONTENT)
    (root / "wrong.onnx").write_bytes(CONTENT[::-1])
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root))) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def declare(folder: Path, *urls: str) -> None:
    """Enter CONTENT as the entry ``net``; shipped unless it has addresses."""
    if not urls:
        (folder / "net.onnx").write_bytes(CONTENT)
    lines = [
        "[net]",
        'file = "net.onnx"',
        f'sha256 = "{hashlib.sha256(CONTENT).hexdigest()}"',
        f"bytes = {len(CONTENT)}",
        'licence = "MIT"',
        'source = "a test"',
        'summary = "a net"',
        f"urls = {list(urls)}",
    ]
    (folder / "manifest.toml").write_text("\n".join(lines), "utf-8")


def test_every_declared_entry_is_complete() -> None:
    for name, entry in weights.entries().items():
        assert entry.name == name
        assert len(entry.sha256) == 64
        assert entry.bytes > 0
        assert entry.licence
        assert entry.source
        assert entry.summary
        assert all(url.startswith("https://") for url in entry.urls)
        assert "/" not in entry.file


def test_shipped_entries_are_there_and_right() -> None:
    for name, entry in weights.entries().items():
        if entry.shipped:
            assert weights.path(name).name == entry.file


def test_declared_sums_are_those_of_the_files_at_hand() -> None:
    shared = Path(__file__).resolve().parents[2].parent / "shared" / "weights"
    if not shared.exists():
        pytest.skip("no ../shared/weights to compare with")
    for name, place in {"yunet": "yunet", "peppa_68": "peppa_68"}.items():
        entry = weights.entries()[name]
        data = (shared / place / entry.file).read_bytes()
        assert hashlib.sha256(data).hexdigest() == entry.sha256
        assert len(data) == entry.bytes


def test_a_shipped_file_is_found(folder: Path, cache: Path) -> None:
    declare(folder)
    assert weights.path("net", folder=folder).read_bytes() == CONTENT


def test_a_file_put_into_the_cache_by_hand_is_used(folder: Path, cache: Path) -> None:
    declare(folder, "http://127.0.0.1:9/net.onnx")
    cache.mkdir()
    (cache / "net.onnx").write_bytes(CONTENT)
    assert weights.path("net", folder=folder) == cache / "net.onnx"


def test_fetched_at_first_use_only(folder: Path, cache: Path, server: str, tmp_path: Path) -> None:
    declare(folder, f"{server}/net.onnx")
    assert weights.path("net", folder=folder).read_bytes() == CONTENT
    (tmp_path / "www" / "net.onnx").unlink()
    assert weights.path("net", folder=folder) == cache / "net.onnx"


def test_the_second_address_helps_out(folder: Path, cache: Path, server: str) -> None:
    declare(folder, f"{server}/gone.onnx", f"{server}/net.onnx")
    assert weights.path("net", folder=folder).read_bytes() == CONTENT


def test_a_wrong_download_is_refused_and_not_kept(folder: Path, cache: Path, server: str) -> None:
    declare(folder, f"{server}/wrong.onnx")
    with pytest.raises(WeightsError, match="could not be fetched"):
        weights.path("net", folder=folder)
    assert not list(cache.glob("*"))


def test_offline_names_the_address_and_the_place(folder: Path, cache: Path) -> None:
    declare(folder, "http://127.0.0.1:9/net.onnx")
    with pytest.raises(WeightsError) as caught:
        weights.path("net", folder=folder)
    assert "http://127.0.0.1:9/net.onnx" in str(caught.value)
    assert "net.onnx (no connection); to go on" in str(caught.value)
    assert str(caught.value).endswith(f"put the file there by hand: {cache / 'net.onnx'}")


def test_truncated(folder: Path, cache: Path) -> None:
    declare(folder)
    (folder / "net.onnx").write_bytes(CONTENT[:-7])
    with pytest.raises(WeightsError, match="truncated: expected 1080 bytes, got 1073"):
        weights.path("net", folder=folder)


def test_wrong_content_of_the_right_length(folder: Path, cache: Path) -> None:
    declare(folder)
    weights.path("net", folder=folder)
    # verified once; a changed file is noticed all the same
    (folder / "net.onnx").write_bytes(CONTENT[::-1])
    os.utime(folder / "net.onnx", ns=(1, 1))
    with pytest.raises(WeightsError, match="sha256"):
        weights.path("net", folder=folder)


def test_a_shipped_file_that_is_missing(folder: Path, cache: Path) -> None:
    declare(folder)
    (folder / "net.onnx").unlink()
    with pytest.raises(WeightsError, match="install relume again"):
        weights.path("net", folder=folder)


def test_an_unreadable_cache_is_a_weights_error(folder: Path, cache: Path) -> None:
    declare(folder, "http://127.0.0.1:9/net.onnx")
    cache.write_text("a file where the folder should be", "utf-8")
    with pytest.raises(WeightsError):
        weights.path("net", folder=folder)


def test_unknown_name() -> None:
    with pytest.raises(UnknownName, match="yunet"):
        weights.path("nonsense")


def test_a_verified_file_is_hashed_once(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(folder)
    weights.path("net", folder=folder)
    monkeypatch.setattr("relume.weights.store.sha256_of", lambda path: pytest.fail("hashed again"))
    weights.path("net", folder=folder)


def test_a_cache_folder_that_cannot_be_is_said(
    folder: Path, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"no folder")
    monkeypatch.setenv("RELUME_CACHE", str(tmp_path / "file" / "cache"))
    declare(folder, f"{server}/net.onnx")
    with pytest.raises(WeightsError, match=r"cannot be kept in .*; name another .* RELUME_CACHE"):
        weights.path("net", folder=folder)
