"""Files in object stores, named like paths: ``s3://bucket/photos/night.jpg``.

fsspec does the talking, with the packages of the extra ``remote``; credentials and endpoints are
where each store's own tools look for them (environment, configuration files). An object appears
whole or not at all by itself: no temporary names are needed.
"""

from __future__ import annotations

import functools
import logging
import os
import posixpath
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

from relume.errors import MissingExtra, OutputError, OutputExists, UnreadableInput
from relume.io.atomic import REASONS

STORES = {"s3": "s3fs", "gs": "gcsfs", "hf": "huggingface_hub"}
"""What begins the names of a store's files, and the package that talks to it."""

READ_ONLY = {"hf": "each file would be a commit of its own; write elsewhere and upload the folder"}
"""Stores that nothing is written to, and why."""

NO_CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError")
CREDENTIALS = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run 'aws configure'",
    "gs": "run 'gcloud auth application-default login', or set GOOGLE_APPLICATION_CREDENTIALS",
}
"""What to do where there are none."""

UNREACHABLE = ("EndpointConnectionError", "ConnectTimeoutError", "ClientConnectorError")
"""Names of exceptions of packages that need not be installed here."""


@dataclass(frozen=True, order=True)
class Place:
    """A file or folder of an object store; named and joined as a Path is.

    To a store ``a//b`` is another name than ``a/b``, and so are ``a/./b`` and ``a/c/../b``: nothing
    is taken out of an address but the slashes at its ends.

    Raises:
        MissingExtra: the package that talks to the store is not installed.
        UnreadableInput: an address without a bucket.
    """

    address: str

    def __post_init__(self) -> None:
        scheme, _, rest = self.address.partition("://")
        object.__setattr__(self, "address", f"{scheme}://{rest.strip('/')}")
        if not rest.strip("/"):
            raise UnreadableInput(f"expected {scheme}://BUCKET/..., got {self.address!r}")
        _check_package(scheme, STORES[scheme])

    def __str__(self) -> str:
        return self.address

    def __truediv__(self, more: str | Path) -> Place:
        return Place(f"{self.address}/{Path(more).as_posix()}")

    @property
    def scheme(self) -> str:
        """``"s3"``, ``"gs"``, ``"hf"``."""
        return self.address.partition("://")[0]

    @property
    def key(self) -> str:
        """The address as its store names it: bucket and path."""
        return self.address.partition("://")[2]

    @property
    def name(self) -> str:
        """The last part."""
        return posixpath.basename(self.key)

    @property
    def stem(self) -> str:
        """The name without its ending."""
        return Path(self.name).stem

    @property
    def suffix(self) -> str:
        """The name's ending, with its dot."""
        return Path(self.name).suffix

    @property
    def parent(self) -> Place:
        """The folder it is in; a bucket is its own."""
        above = posixpath.dirname(self.key)
        return Place(f"{self.scheme}://{above}") if above else self

    def with_name(self, name: str) -> Place:
        """Another file of the same folder."""
        return self.parent / name

    def relative_to(self, folder: Place) -> Path:
        """The path below ``folder``, as a file system has it: without empty parts."""
        inside = self.key.removeprefix(f"{folder.key}/")
        return Path(
            inside.strip("/") if inside != self.key else posixpath.relpath(inside, folder.key)
        )

    def is_dir(self) -> bool:
        """Whether there are files below it.

        Raises:
            UnreadableInput: no such bucket, or it may not be listed.
        """
        with _translated_errors(self, "list", UnreadableInput):
            return bool(_store(self.scheme).isdir(self.key))

    def mkdir(self, *, parents: bool = False, exist_ok: bool = False) -> None:
        """Nothing: in an object store a folder is the beginning of a name."""

    def read_bytes(self) -> bytes:
        """The whole file.

        Raises:
            UnreadableInput: it is not there, or may not be read.
        """
        with _translated_errors(self, "read", UnreadableInput):
            return bytes(_store(self.scheme).cat_file(self.key))

    def write_bytes(self, data: bytes, *, overwrite: bool) -> None:
        """The whole file, at once.

        Raises:
            OutputError: it is there and ``overwrite`` is false, or it may not be written.
        """
        check_writable(self)
        with _translated_errors(self, "write", OutputError):
            mode = "overwrite" if overwrite else "create"
            _store(self.scheme).pipe_file(self.key, data, mode=mode)

    @contextmanager
    def open_read(self) -> Iterator[BinaryIO]:
        """The file, open to be read from its beginning to its end.

        Raises:
            UnreadableInput: it is not there, or may not be read.
        """
        with _translated_errors(self, "read", UnreadableInput):
            file = _store(self.scheme).open(self.key, "rb", cache_type="readahead")
        with file:
            yield file

    def write_file(self, path: Path, *, overwrite: bool) -> None:
        """As :meth:`write_bytes`, from a file of this machine."""
        check_writable(self)
        with _translated_errors(self, "write", OutputError):
            mode = "overwrite" if overwrite else "create"
            _store(self.scheme).put_file(str(path), self.key, mode=mode)

    def files(self, *, recursive: bool = True) -> list[Place]:
        """All files below this folder, by name, or this file itself; none is an empty list.

        Raises:
            UnreadableInput: no such bucket, or it may not be listed.
        """
        with _translated_errors(self, "list", UnreadableInput):
            depth = None if recursive else 1
            names = _store(self.scheme).find(self.key, maxdepth=depth)
        return [Place(f"{self.scheme}://{name}") for name in sorted(names)]


Location = Path | Place
"""Where a file is: on this machine, or in an object store."""


def is_address(name: object) -> bool:
    """Whether ``name`` is a file of an object store by its first letters."""
    return isinstance(name, str) and name.partition("://")[0] in STORES and "://" in name


def place(name: str) -> Path | Place:
    """What ``name`` names: a place in an object store, or a path."""
    # a Path of an address has lost one of its slashes
    mended = re.sub(r"^(\w+):/(?=[^/])", r"\1://", name)
    return Place(mended) if is_address(mended) else Path(name)


def all_remote(paths: Iterable[Location]) -> bool:
    """Whether all of them are in object stores."""
    return all(isinstance(path, Place) for path in paths)


def expanded(pattern: str) -> Iterator[str]:
    """``shards/{000..999}.tar`` as the names it stands for, as shells that know it have it."""
    match = re.search(r"\{(\d+)\.\.(\d+)\}", pattern)
    if match is None or Path(pattern).exists():
        yield pattern
        return
    first, last = int(match[1]), int(match[2])
    for number in range(first, last + 1) if first <= last else range(first, last - 1, -1):
        text = str(number).zfill(len(match[1]))
        yield from expanded(pattern[: match.start()] + text + pattern[match.end() :])


def make_folder(folder: Location) -> None:
    """Make a folder that results go to, and those it lies in; stores have none to make.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = REASONS.get(error.errno or 0) or error.strerror
        if isinstance(error, FileExistsError):
            reason = "there is a file of that name"
        raise OutputError(f"cannot make the folder {folder}: {reason}") from error


def check_writable(place: Place) -> None:
    """Nothing, if files can be written to the place's store.

    Raises:
        OutputError: it is only read from.
    """
    if place.scheme in READ_ONLY:
        why = READ_ONLY[place.scheme]
        raise OutputError(f"{place}: nothing is written to {place.scheme}://: {why}")


@functools.cache
def _check_package(scheme: str, package: str) -> None:
    if find_spec(package) is None:
        raise MissingExtra(f"{scheme}:// addresses", "remote", package)


@functools.cache
def _store(scheme: str) -> Any:
    import fsspec

    for talker in ("gcsfs", "s3fs", "fsspec"):  # whatever fails is told by who asked
        logging.getLogger(talker).setLevel(logging.CRITICAL)
    told = "token" in fsspec.config.conf.get("gs", {})  # FSSPEC_GS_TOKEN=anon: public buckets
    if scheme == "gs" and not told and not os.environ.get("STORAGE_EMULATOR_HOST"):
        import google.auth

        google.auth.default()  # or gcsfs asks without any, again and again
    return fsspec.filesystem(scheme, use_listings_cache=False)


@contextmanager
def _translated_errors(
    place: Place, verb: str, kind: type[UnreadableInput | OutputError]
) -> Iterator[None]:
    """Failures of a store in one line each."""
    try:
        yield
    except Exception as error:  # stores raise anything
        name, words = type(error).__name__, " ".join(str(error).split())
        if isinstance(error, FileExistsError):
            raise OutputExists(place) from None
        if isinstance(error, FileNotFoundError):
            reason = "the bucket does not exist" if "bucket" in words else "it does not exist"
        elif name in NO_CREDENTIALS:
            reason = f"no credentials; {CREDENTIALS.get(place.scheme, 'log in with its own tool')}"
        elif isinstance(error, PermissionError):
            reason = f"no permission ({words})"
        elif name in UNREACHABLE:
            reason = f"the store cannot be reached ({words})"
        else:
            reason = f"{name}: {words}"
        raise kind(f"cannot {verb} {place}: {reason}") from error
