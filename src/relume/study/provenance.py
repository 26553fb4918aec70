"""``plan.lock``: exactly what a study was made of, and the guard of its report folder."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from relume import weights
from relume.catalog import Catalog
from relume.enhancers import methods
from relume.errors import OutputError
from relume.faces import detectors, landmarkers, parse_views
from relume.io.atomic import write_atomic
from relume.study import arms as arm_specs
from relume.study.plan import Plan, arm_name, level_folder
from relume.study.rows import Unit
from relume.weights import sha256_of

NAME = "plan.lock"
OURS = ("index.html", "report.md", "table.json", "rows.jsonl", NAME)
"""Files that a study writes at the top of its report folder."""
_PACKAGES = ("relume", "numpy", "opencv-python-headless", "openvino")


def make(
    plan: Plan, names: tuple[str, ...], folders: Mapping[str, Mapping[Unit, Path]]
) -> dict[str, Any]:
    """The lock of a plan: sha256 of every picture, label, result file and weight, versions, seed.

    Two locks are of the same study if they are equal without ``"on"``; where files lie does not
    matter, what is in them does.
    """
    settings = asdict(plan)
    for key in ("pictures", "report", "labels", "reference", "title", "examples"):
        del settings[key]
    # where a folder of results lies does not matter
    settings["arms"] = [arm_name(s) if arm_specs.parse(s).folder else s for s in plan.arms]
    files = {name: sha256_of(plan.pictures / name) for name in names}
    return {
        "settings": json.loads(json.dumps(settings)),
        "pictures": files,
        "labels": _tree(plan.labels),
        "reference": _tree(plan.reference),
        "folders": {
            arm: {_key(unit): sha256_of(file) for unit, file in found.items()}
            for arm, found in folders.items()
        },
        "weights": _weights(plan),
        "files": _files(plan),
        "versions": _versions(plan),
        "on": {"python": platform.python_version(), "machine": platform.platform()},
    }


def claim(folder: Path, lock: Mapping[str, Any], *, force: bool) -> bool:
    """Take a report folder for this study; True if it holds earlier rows of the same study.

    With ``force`` the files of another study in it are removed (only those a study writes).

    Raises:
        OutputError: the folder holds another study or other files, or cannot be written.
    """
    path = folder / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = _read(path)
        if held is not None and _identity(held) == _identity(lock):
            return True
        if any(folder.iterdir()) and not force:
            raise OutputError(_refusal(folder, held, lock))
        for name in OURS:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write the report to {folder}: {error.strerror}") from error
    text = json.dumps(lock, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    write_atomic(path, text.encode(), overwrite=True)
    return False


def _read(path: Path) -> dict[str, Any] | None:
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError):
        return None
    return held if isinstance(held, dict) else None


def _identity(lock: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in lock.items() if key != "on"}


def _refusal(folder: Path, held: Mapping[str, Any] | None, lock: Mapping[str, Any]) -> str:
    if held is None:
        return (
            f"{folder} is not empty and holds no study; "
            "give another folder, or --force (force=True)"
        )
    differ = [key for key, value in _identity(lock).items() if held.get(key) != value]
    return (
        f"{folder} holds another study (other {', '.join(differ)}); give another folder, "
        "or --force (force=True)"
    )


def _tree(path: Path | None) -> str | None:
    """One hash over a file, or over the names and contents of a folder's files."""
    if path is None or not path.is_dir():
        return None if path is None else sha256_of(path)
    lines = [
        f"{sha256_of(f)}  {f.relative_to(path).as_posix()}"
        for f in sorted(path.rglob("*"))
        if f.is_file()
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _weights(plan: Plan) -> dict[str, str]:
    """The sha256 of every weights file that the plan's arms, detectors and landmarker use."""
    used: set[str] = set()
    for catalogue, name in _entries(plan):
        used.update(catalogue.info(name).weights)
    return {name: sha256_of(weights.path(name)) for name in sorted(used)}


def _versions(plan: Plan) -> dict[str, str]:
    """The versions of the packages that count, and of those that methods of the plan are of."""
    others = (catalogue.package(name) for catalogue, name in _entries(plan))
    return {package: _version(package) for package in _PACKAGES} | dict(filter(None, others))


def _entries(plan: Plan) -> Iterator[tuple[Catalog[Any], str]]:
    """Every method, detector and landmarker of the plan, with the catalogue it is in."""
    arms = [arm_specs.parse(spec) for spec in plan.arms]
    yield from ((methods(), arm.method) for arm in arms if arm.method)
    for view in (view for arm in arms if arm.views for view in parse_views(arm.views)):
        yield methods(), view.method.partition(":")[0]
    yield from ((detectors(), spec.partition(":")[0]) for spec in plan.detectors)
    if plan.landmarks is not None:
        yield landmarkers(), plan.landmarks.partition(":")[0]


def _files(plan: Plan) -> dict[str, str]:
    """The sha256 of every file that an arm, detector or landmarker is given."""
    parameters = [arm.parameters for arm in map(arm_specs.parse, plan.arms)]
    parameters += [detectors().parse(spec)[1] for spec in plan.detectors]
    if plan.landmarks is not None:
        parameters.append(landmarkers().parse(plan.landmarks)[1])
    named = {str(value) for given in parameters for value in given.values()}
    return {name: sha256_of(Path(name)) for name in sorted(named) if Path(name).is_file()}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        if package == "relume":
            from relume import __version__

            return __version__
        return "absent"


def _key(unit: Unit) -> str:
    name, level = unit
    return name if level is None else f"{level_folder(level)}/{name}"
