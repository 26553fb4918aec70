"""relume mcp, asked by the SDK's own client: in this process, and once as a command."""

from __future__ import annotations

import asyncio
import base64
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import relume
from relume.cli.mcp import server
from relume.errors import InputError
from relume.photo import Photo

mcp = pytest.importorskip("mcp", reason="needs the extra mcp")

Ask = Callable[..., Coroutine[Any, Any, Any]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a dark photo, and one beside it that no tool may touch."""
    rng = np.random.default_rng(5)
    ramp = np.linspace(0.02, 0.12, 96, dtype=np.float32)[None, :, None]
    dark = np.clip(ramp + rng.normal(0, 0.01, (64, 96, 3)), 0, 1).astype(np.float32)
    for name in ("photos", "private"):
        (tmp_path / name).mkdir()
        Photo(dark).save(tmp_path / name / "dark.png")
    return tmp_path / "photos"


def ask(folder: Path, name: str, **arguments: Any) -> Any:
    """What the tool answers."""

    async def asked() -> Any:
        async with mcp.Client(server([folder])) as client:
            return await client.call_tool(name, arguments)

    return asyncio.run(asked())


def words(answer: Any) -> str:
    """The text of an error."""
    assert answer.is_error
    return str(answer.content[0].text)


def test_enhance_writes_what_python_gives(folder: Path) -> None:
    answer = ask(folder, "enhance", photo="dark.png", result="bright.png", brightness=0.4)
    told = answer.structured_content
    expected = relume.enhance(relume.read(folder / "dark.png"), brightness=0.4)
    written = relume.read(folder / "bright.png")
    assert np.abs(written.pixels - expected.pixels).max() <= 0.5 / 255 + 1e-6
    assert told["result"] == str(folder / "bright.png")
    assert told["brightness_after"] == pytest.approx(0.4, abs=0.02)
    assert told["brightness_before"] == pytest.approx(0.07, abs=0.01)


def test_compare_shows_a_picture_and_writes_nothing(folder: Path) -> None:
    before = set(folder.iterdir())
    (picture,) = ask(folder, "compare", photo="dark.png").content
    shown = relume.io.decode(base64.b64decode(picture.data))
    assert picture.mime_type == "image/jpeg"
    left, right = np.split(shown.pixels, 2, axis=1)
    assert right.mean() > left.mean() + 0.15
    assert set(folder.iterdir()) == before


def test_detect_and_methods_answer(folder: Path) -> None:
    found = ask(folder, "detect", photo="dark.png", detector="haar", drawing="faces.png")
    assert found.structured_content == {"faces": [], "drawing": str(folder / "faces.png")}
    assert relume.read(folder / "faces.png").pixels.shape == (64, 96, 3)
    listed = ask(folder, "methods").structured_content
    assert {"relume", "gamma"} <= {info["name"] for info in listed["methods"]}


@pytest.mark.parametrize(
    ("photo", "result", "why"),
    [
        ("../private/dark.png", "a.png", "not below a folder that may be used"),
        ("dark.png", "../private/a.png", "not below a folder that may be used"),
        ("dark.png", "dark.png", "exists already"),
        ("link.png", "a.png", "not below a folder that may be used"),
        ("dark.png", "away/a.png", "not below a folder that may be used"),
        ("dark.png", "none/a.png", "is no folder"),
        ("none.png", "a.png", "does not exist"),
        ("dark.png", "a.doc", "cannot tell the format"),
        ("\0", "a.png", "is a folder"),
    ],
)
def test_nothing_outside_and_nothing_over_a_file(
    folder: Path, photo: str, result: str, why: str
) -> None:
    (folder / "link.png").symlink_to(folder.parent / "private" / "dark.png")
    (folder / "away").symlink_to(folder.parent / "private")
    before = {path: path.read_bytes() for path in folder.parent.rglob("*.png")}
    said = words(ask(folder, "enhance", photo=photo, result=result))
    assert why in said
    assert "\n" not in said
    assert {path: path.read_bytes() for path in folder.parent.rglob("*.png")} == before


def test_a_wrong_option_is_one_sentence(folder: Path) -> None:
    said = words(ask(folder, "enhance", photo="dark.png", result="a.png", method="gama"))
    assert "did you mean 'gamma'?" in said
    assert "strength must be 0 to 1" in words(
        ask(folder, "compare", photo="dark.png", strength=2.0)
    )


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no folder"):
        server([tmp_path / "none"])


@pytest.mark.slow
def test_the_command_speaks_over_pipes(folder: Path) -> None:
    async def asked() -> Any:
        command = mcp.StdioServerParameters(
            command=sys.executable, args=["-m", "relume", "mcp", str(folder)]
        )
        async with mcp.Client(command) as client:
            tools = {tool.name for tool in (await client.list_tools()).tools}
            answer = await client.call_tool("enhance", {"photo": "dark.png", "result": "b.jpg"})
            return tools, answer

    tools, answer = asyncio.run(asked())
    assert tools == {"enhance", "detect", "compare", "methods"}
    assert not answer.is_error
    assert (folder / "b.jpg").is_file()
