"""Object stores to test with: one in memory, and S3 as moto serves it on loopback."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from relume.io import places


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """``memory://`` addresses, for this process alone; empty at the beginning."""
    fsspec = pytest.importorskip("fsspec", reason="needs fsspec: pip install 'relume[remote]'")
    monkeypatch.setitem(places.STORES, "memory", "fsspec")
    store = fsspec.filesystem("memory")
    store.store.clear()
    yield
    store.store.clear()


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an S3 server with an empty bucket ``photos``, as the environment names it."""
    for package in ("moto", "flask", "s3fs"):
        pytest.importorskip(package, reason="needs pip install 'relume[remote]' 'moto[server]'")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    for name, value in (
        ("AWS_ENDPOINT_URL", address),
        ("AWS_ACCESS_KEY_ID", "testing"),
        ("AWS_SECRET_ACCESS_KEY", "testing"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONFIG_FILE", "/nonexistent"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent"),
    ):
        monkeypatch.setenv(name, value)
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(120):
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", port)).close()
                break
            time.sleep(0.5)
        import s3fs

        _forget(s3fs)  # of an earlier test: its server is gone
        s3fs.S3FileSystem(skip_instance_cache=True).mkdir("photos")
        yield address
    finally:
        server.terminate()
        server.wait(60)


def _forget(s3fs: Any) -> None:
    places._store.cache_clear()
    s3fs.S3FileSystem.clear_instance_cache()
