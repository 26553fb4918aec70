"""The store: from the name of weights to a verified file on this machine."""

from __future__ import annotations

import os
from pathlib import Path

from relume.errors import UnknownName, WeightsError
from relume.weights.manifest import FOLDER, Entry, read_manifest, sha256_of

CACHE_VARIABLE = "RELUME_CACHE"
TIMEOUT_S = 30

_verified: set[tuple[str, int, int]] = set()
"""Files that had the right sha256, as (path, mtime in ns, size): hashed once a process."""


NO_FOLDER = Path(os.devnull) / "relume"
"""The cache folder of a user without a home: nothing is there, and none can be made."""


def cache_folder() -> Path:
    """Where fetched weights and compiled networks are kept: $RELUME_CACHE or the user's cache."""
    try:
        if given := os.environ.get(CACHE_VARIABLE):
            return Path(given).expanduser()
        import pooch

        return Path(pooch.os_cache("relume"))
    except RuntimeError:  # neither HOME nor an entry for the user: cron, a service, a container
        return NO_FOLDER


def entries(*, folder: Path = FOLDER) -> dict[str, Entry]:
    """Everything the manifest declares, by name."""
    return read_manifest(folder)


def path(name: str, *, folder: Path = FOLDER) -> Path:
    """The file of the weights ``name``, with the right sha256; fetched if it is not here yet.

    Looked for beside the manifest, then in the cache folder (where a user may put it by hand),
    then at the entry's addresses.

    Raises:
        UnknownName: the manifest has no such entry.
        WeightsError: missing, truncated, of another sha256, or not to be reached.
    """
    declared = read_manifest(folder)
    if name not in declared:
        raise UnknownName(f"unknown weights {name!r}; known: {', '.join(declared) or 'none'}")
    entry = declared[name]
    shipped = folder / entry.file
    if shipped.exists():
        return _verify(shipped, entry, "install relume again")
    cached = cache_folder() / entry.file
    if cached.exists():
        remedy = "delete it, and it is fetched again" if entry.urls else "put the right file there"
        return _verify(cached, entry, remedy)
    if not entry.urls:
        raise WeightsError(
            f"the weights {name} should be shipped as {shipped}, but are missing; "
            f"install relume again, or put {entry.file} into {cached.parent}"
        )
    return _verify(_fetch(entry, cached), entry, "delete it, and it is fetched again")


def is_here(*names: str, folder: Path = FOLDER) -> bool:
    """Whether files of these weights are on this machine, so that nothing would be fetched."""
    declared = read_manifest(folder)
    files = [declared[name].file for name in names]
    return all((folder / file).exists() or (cache_folder() / file).exists() for file in files)


def _verify(file: Path, entry: Entry, remedy: str) -> Path:
    try:
        stat = file.stat()
        key = (str(file.absolute()), stat.st_mtime_ns, stat.st_size)
        if key in _verified:
            return file
        if stat.st_size != entry.bytes:
            state = "truncated" if stat.st_size < entry.bytes else "too long"
            raise WeightsError(
                f"{file} is {state}: expected {entry.bytes} bytes, got {stat.st_size}; {remedy}"
            )
        digest = sha256_of(file)
    except OSError as error:
        raise WeightsError(f"{file} cannot be read: {error.strerror}; {remedy}") from error
    if digest != entry.sha256:
        raise WeightsError(
            f"{file} is not what the manifest names: expected sha256 {entry.sha256[:16]}..., "
            f"got {digest[:16]}...; {remedy}"
        )
    _verified.add(key)
    return file


def _fetch(entry: Entry, target: Path) -> Path:
    """Download from the first address that works; the file appears whole and checked, or not."""
    import pooch

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        where = f"in {target.parent}: {error.strerror}"
        if target.parent == NO_FOLDER:
            where = "here: this user has no home folder"
        raise WeightsError(
            f"the weights {entry.name} cannot be kept {where}; "
            f"name another folder in {CACHE_VARIABLE}"
        ) from error
    pooch.get_logger().setLevel("WARNING")  # its notes go to stderr, where only the CLI writes
    failures = []
    for url in entry.urls:
        try:
            pooch.retrieve(
                url,
                known_hash=f"sha256:{entry.sha256}",
                fname=target.name,
                path=target.parent,
                downloader=pooch.HTTPDownloader(timeout=TIMEOUT_S),
            )
            return target
        except (OSError, ValueError) as error:
            # requests' errors are OSErrors; a wrong sha256 is a ValueError
            failures.append(f"{url} ({_reason(error)})")
    raise WeightsError(
        f"the weights {entry.name} could not be fetched from {'; '.join(failures)}; "
        f"to go on without a network, put the file there by hand: {target}"
    )


def _reason(error: Exception) -> str:
    """What happened, without the addresses that requests repeats."""
    if type(error).__name__ in ("ConnectionError", "ConnectTimeout", "ReadTimeout"):
        return "no connection"
    text = str(error).strip().splitlines()
    return text[0].partition(" for url")[0][:80] if text else type(error).__name__
