"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import secrets
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from relume.errors import OutputError, OutputExists

if sys.platform != "win32":
    import fcntl

REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file is too large for this file system",
    errno.EACCES: "no permission to write there",
    errno.EPERM: "no permission to write there",
    errno.EROFS: "the file system is read-only",
    errno.ENOENT: "the folder does not exist",
    errno.ENOTDIR: "part of the path is not a folder",
    errno.EISDIR: "it is a folder",
    errno.ENAMETOOLONG: "the name is too long",
}
NO_LINKS = {errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""What file systems without hard links (FAT, some network shares) answer."""

LEFT_AFTER_S = 3600.0
"""Where files cannot be locked: one that nobody wrote to for so long is left from a killed run."""

PARTIAL = re.compile(r"\.(.{1,40})\.[0-9a-f]{12}\.part(\.\w+)?")
"""The name of a file that is being written: the beginning of what it will be called, an ending."""


def write_atomic(path: Path, data: bytes, *, overwrite: bool, mode: int | None = None) -> None:
    """Write ``data`` to ``path``: a temporary file in the same folder, then one rename.

    Without ``overwrite`` an existing file stays as it is, even one that appears meanwhile. With
    it a link is replaced, never what it leads to, the permissions of an existing file are kept,
    and a device or pipe is written to directly. A new file gets the permissions ``mode``, within
    the umask and with the owner's to write. Whatever goes wrong, Ctrl-C too, leaves no half file.

    Raises:
        OutputError: the file exists, or it cannot be written.
    """
    path = Path(path)
    check_writable(path, overwrite=overwrite)
    try:
        if overwrite and path.exists() and _is_stream(path):
            path.write_bytes(data)
        else:
            _write_beside(path, data, overwrite=overwrite, mode=mode)
    except FileExistsError:
        raise OutputExists(path) from None
    except OSError as error:
        raise refused(path, error) from error


def check_writable(path: Path, *, overwrite: bool) -> None:
    """Nothing, if ``path`` may be written as far as can be told without writing.

    Raises:
        OutputError: it is a folder, it is read-only, or it exists and ``overwrite`` is false.
    """
    if "\0" in str(path):
        raise OutputError(f"cannot write {path}: a file's name holds no NUL")
    try:
        if path.is_dir():
            raise OutputError(f"cannot write {path}: it is a folder; name a file")
        if not os.path.lexists(path):
            return
    except OSError as error:
        raise refused(path, error) from error
    if not overwrite:
        raise OutputExists(path)
    if path.exists() and not path.is_symlink() and not os.access(path, os.W_OK):
        raise OutputError(f"cannot write {path}: the file is read-only")


@contextmanager
def whole_file(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """A name beside ``path`` to write to piece by piece; at the end that file becomes ``path``.

    Whatever goes wrong before, Ctrl-C too, leaves ``path`` as it was and no half file.

    Raises:
        OutputError: the file exists and ``overwrite`` is false, or it cannot be written.
    """
    path = Path(path)
    check_writable(path, overwrite=overwrite)
    if path.exists() and _is_stream(path):
        raise OutputError(f"cannot write {path}: expected the name of a file")
    name = f".{path.stem[:40]}.{secrets.token_hex(6)}.part{path.suffix}"
    with ExitStack() as stack:
        try:
            partial = stack.enter_context(_held(path.with_name(name)))
        except OSError as error:
            raise refused(path, error) from error
        yield partial
        try:
            _become(partial, path, overwrite=overwrite)
        except FileExistsError:
            raise OutputExists(path) from None
        except OSError as error:
            raise refused(path, error) from error


def sweep(files: Iterable[Path]) -> None:
    """Remove what a process that was killed left of these files while it wrote them.

    What another process is writing at the moment stays: it holds its file.
    """
    names: dict[Path, set[tuple[str, str | None]]] = {}
    for file in files:
        both = (file.name[:40], None), (file.stem[:40], file.suffix)
        names.setdefault(file.parent, set()).update(both)
    for folder, wanted in names.items():
        with suppress(OSError):
            for path in list(folder.iterdir()):
                match = PARTIAL.fullmatch(path.name)
                if match and match.groups() in wanted:
                    with suppress(OSError):
                        _remove_if_left(path)


def _is_stream(path: Path) -> bool:
    """Whether it is no file that a rename may replace: a device, a pipe, /dev/stdout."""
    parent = os.path.realpath(path.parent)
    return not path.is_file() or parent == "/dev" or parent.startswith("/proc/")


def _write_beside(path: Path, data: bytes, *, overwrite: bool, mode: int | None) -> None:
    with _held(path.with_name(f".{path.name[:40]}.{secrets.token_hex(6)}.part")) as partial:
        if overwrite and path.exists() and not path.is_symlink():
            partial.chmod(path.stat().st_mode & 0o7777)
        elif mode is not None:
            partial.chmod((mode | 0o200) & partial.stat().st_mode & 0o777)
        partial.write_bytes(data)
        _become(partial, path, overwrite=overwrite)


@contextmanager
def _held(partial: Path) -> Iterator[Path]:
    """A new file with a name as in ``PARTIAL``, locked while the block lasts and then removed."""
    file = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    try:
        if sys.platform == "win32":
            os.close(file)  # Windows moves and removes no file that is open
        else:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(file, fcntl.LOCK_EX)
        yield partial
    finally:
        if sys.platform != "win32":
            os.close(file)
        with suppress(OSError):  # what went wrong before is what counts
            partial.unlink(missing_ok=True)


def _remove_if_left(partial: Path) -> None:
    """Remove a partial file that no process holds any more."""
    with partial.open("rb") as file:
        if sys.platform != "win32":
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # an OSError while somebody writes
        elif time.time() - partial.stat().st_mtime < LEFT_AFTER_S:
            return
    partial.unlink(missing_ok=True)


def _become(partial: Path, path: Path, *, overwrite: bool) -> None:
    """Give the finished file its name; raises FileExistsError if that is taken."""
    if overwrite:
        partial.replace(path)
    else:
        _claim(partial, path)


def _claim(partial: Path, path: Path) -> None:
    """Give the finished file a name that must be free; raises FileExistsError if it is not."""
    try:
        os.link(partial, path)  # unlike a rename, a link never replaces another file
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        # without links: take the name with an empty file of our own, then rename over that
        path.open("xb").close()
        try:
            partial.replace(path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise


def refused(path: Path, error: OSError) -> OutputError:
    """What the system's error means for who wanted to write ``path``."""
    reason = REASONS.get(error.errno or 0) or error.strerror or error
    return OutputError(f"cannot write {path}: {reason}")
