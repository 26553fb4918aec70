"""The floors of ARCHITECTURE.md, held: imports go down, never up, never sideways."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "relume"
FLOORS: dict[str, float] = {
    "errors": 0, "photo": 0, "catalog": 0, "settings": 0, "executor": 0, "__init__": 0,
    "image": 1, "weights": 1,
    "io": 1.5,  # decoding and encoding need pixel maths
    "engine": 2, "nets": 2, "metrics": 2,
    "exposure": 2,
    "enhancers": 3,
    "faces": 3.5,  # its second view is an enhancer's
    "frames": 4,
    "study": 5, "train": 5,
    "web": 6, "cluster": 6,
    "cli": 7, "__main__": 8,
}  # fmt: skip
MODULES = sorted(PACKAGE.rglob("*.py"))
HEAVY = ("cv2", "openvino", "torch", "scipy", "matplotlib", "fastapi")


def room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else path.stem


def imports(tree: ast.AST) -> Iterator[tuple[ast.stmt, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            module = node.module or ""
            names = [f"{module}.{alias.name}" for alias in node.names]
            yield from ((node, name) for name in (names if module == "relume" else [module]))
        elif isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    here = room(path)
    if here == "__init__":
        return  # the package root only names homes, lazily
    for node, name in imports(ast.parse(path.read_text("utf-8"))):
        if not name.startswith("relume"):
            continue
        there = name.split(".")[1] if "." in name else "__init__"
        if name == "relume.__version__" or here == there:
            continue
        where = f"{path.relative_to(PACKAGE)}:{node.lineno} imports {name}"
        assert there in FLOORS, f"{where}: no such room"
        assert FLOORS[there] < FLOORS[here] or (FLOORS[here] == 0 == FLOORS[there]), where


def test_nothing_above_is_imported_by_a_string_but_what_is_told() -> None:
    told = {("photo.py", "relume.io")}
    found: set[tuple[str, str]] = set()
    for path in MODULES:
        here = room(path)
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (
                isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module")
            ):
                continue
            name = node.args[0].value if isinstance(node.args[0], ast.Constant) else ""
            there = str(name).removeprefix("relume.").split(".")[0]
            if str(name).startswith("relume.") and FLOORS[there] > FLOORS[here]:
                found.add((path.relative_to(PACKAGE).as_posix(), str(name)))
    assert found == told


BESIDE_THE_PATH = (
    "image/draw", "image/darken", "image/sensor", "image/opening", "faces/fan",
)  # fmt: skip
LEFT_OUT = (
    *(f"io/{name}" for name in ("ahead", "demux", "encoding", "fields", "remux", "shown", "video")),
    *("io/shards", "io/places"),
    *(f"enhancers/{name}" for name in ("baselines", "curves", "onnx", "retinexnet")),
    *("enhancers/edit", "exposure/record", "exposure/cube"),
)


def test_the_path_of_a_photo_is_as_long_as_is_told() -> None:
    """ARCHITECTURE.md tells how much there is to read; within a tenth that is so."""
    rooms = ("io", "engine", "weights", "exposure", "enhancers", "image", "faces")
    files = [path for path in MODULES if FLOORS[room(path)] == 0 or room(path) in rooms]
    names = [path.relative_to(PACKAGE).with_suffix("").as_posix() for path in files]
    counts = [len(path.read_text("utf-8").splitlines()) for path in files]
    lines = dict(zip(names, counts, strict=True))
    assert {*BESIDE_THE_PATH, *LEFT_OUT} <= lines.keys(), "a file was renamed"
    path = sum(n for name, n in lines.items() if name not in BESIDE_THE_PATH)
    core = path - sum(lines[name] for name in LEFT_OUT)
    text = " ".join((PACKAGE.parents[1] / "ARCHITECTURE.md").read_text("utf-8").split())
    told = re.search(r"about ([\d,]+) lines, .*?: about ([\d,]+) are left", text)
    assert told
    for count, words in zip((path, core), told.groups(), strict=True):
        assert abs(int(words.replace(",", "")) / count - 1) < 0.1, count


def module_of(path: Path) -> str:
    return ".".join(("relume", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(
        ".__init__"
    )


def imported_modules(path: Path, known: frozenset[str]) -> set[str]:
    """The package's modules that this one imports, anywhere in it but for type checking."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = []
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if name in known else node.module or "" for name in names}
    return (found & known) - {module_of(path)}


def test_no_module_imports_itself_in_a_circle() -> None:
    known = frozenset(map(module_of, MODULES))
    graph = {module_of(path): imported_modules(path, known) for path in MODULES}
    while leaves := {name for name, needs in graph.items() if not needs}:
        graph = {name: needs - leaves for name, needs in graph.items() if name not in leaves}
    assert not graph, f"circles among, or imports of them: {graph}"


def test_every_room_stands_on_a_floor() -> None:
    assert {room(path) for path in MODULES} <= FLOORS.keys()


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_rooms_stay_small_and_only_the_cli_prints(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 400
    calls = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call)]
    prints = [n for n in calls if isinstance(n.func, ast.Name) and n.func.id == "print"]
    assert not prints or room(path) == "cli"


@pytest.mark.parametrize("words", ["import relume", "import relume.cli.main"])
def test_importing_is_light(words: str) -> None:
    code = f"{words}; import sys; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
