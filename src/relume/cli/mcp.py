"""``relume mcp``: the same core as tools for assistants, over the Model Context Protocol (stdio).

Four tools, which read and write only below the folders that are named at the start, and never
over a file that is there.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from relume.cli import console, options
from relume.cli.command import Command, arg
from relume.errors import InputError, MissingExtra, OutputError, RelumeError

if TYPE_CHECKING:
    from mcp.server import MCPServer

    from relume.photo import Photo

COMPARED_PX = 640
"""Height of the pictures that ``compare`` shows: an assistant sees no more."""
INSTRUCTIONS = """Photographs taken in the dark: relit, compared, and searched for faces. Brightness
is a mean grey level from 0 to 1; without it relume chooses. Files lie below: """

Brightness = float | Literal["auto"]


@dataclass(frozen=True, kw_only=True)
class Mcp(Command):
    """Offer tools to assistants (MCP).

    The server speaks on standard input and output. Its tools: enhance, detect, compare, methods.
    Nothing outside the folders is read or written, and no file that is there is replaced.
    """

    folders: list[Path] = arg("FOLDER", "Where photos may be read, and results written.")
    verbose: options.Verbose = False

    def run(self) -> None:
        """Serve until the other side hangs up."""
        server(self.folders).run("stdio")


@dataclass(frozen=True)
class Tools:
    """What assistants may ask for, below the folders ``roots`` (resolved)."""

    roots: tuple[Path, ...]

    def enhance(
        self,
        photo: str,
        result: str,
        method: str = "relume",
        brightness: Brightness = "auto",
        strength: float = 1.0,
    ) -> dict[str, Any]:
        """Relight a dark photo and write it to ``result``, a new file; its ending is its format."""
        from relume.image.exposure import mean_level
        from relume.io import format_of, write

        target = self._target(result)
        format_of(target)
        before, after = self._relit(photo, method, brightness, strength)
        write(after, target)
        return {
            "result": str(target),
            "brightness_before": round(mean_level(before.pixels), 3),
            "brightness_after": round(mean_level(after.pixels), 3),
            "notes": list(before.meta.notes),
        }

    def compare(
        self,
        photo: str,
        method: str = "relume",
        brightness: Brightness = "auto",
        strength: float = 1.0,
    ) -> Any:
        """Show a photo before and after, side by side; nothing is written."""
        from mcp.server.mcpserver import Image

        from relume.image.draw import panels
        from relume.io import encode
        from relume.photo import Photo

        pictures = [x.pixels for x in self._relit(photo, method, brightness, strength)]
        height_px = max(min(COMPARED_PX, pictures[0].shape[0]), 64)
        sheet = panels(pictures, ["before", "after"], height_px=height_px)
        return Image(data=encode(Photo(sheet), "jpeg"), format="jpeg")

    def detect(self, photo: str, detector: str | None = None, drawing: str = "") -> dict[str, Any]:
        """Find faces on a photo and on a relit view of it; ``drawing`` is a file to draw them in.

        Boxes are (x0, y0, x1, y1) in pixels, half open; scores lie in [0, 1].
        """
        from relume.faces import detect_faces
        from relume.image.draw import draw_faces
        from relume.io import read, write
        from relume.photo import Photo

        target = self._target(drawing) if drawing else None
        picture = read(self._path(photo))
        faces = detect_faces(picture, detector=detector)
        if target is not None:
            write(Photo(draw_faces(picture.pixels, faces)), target)
        boxes = [{"box": list(face.box), "score": face.score} for face in faces]
        return {"faces": boxes, "drawing": target and str(target)}

    def methods(self) -> dict[str, Any]:
        """List the methods and detectors, with their parameters, licences and sources."""
        from relume.enhancers import methods
        from relume.faces import detectors

        return {
            "methods": [info.as_json() for info in methods()],
            "detectors": [info.as_json() for info in detectors()],
        }

    def _relit(
        self, photo: str, method: str, brightness: Brightness, strength: float
    ) -> tuple[Photo, Photo]:
        from relume.faces import enhance
        from relume.io import read

        before = read(self._path(photo))
        wanted = None if brightness == "auto" else brightness
        return before, enhance(before, method=method, brightness=wanted, strength=strength)

    def _path(self, name: str) -> Path:
        """The path that ``name`` leads to, links followed; a relative one is below the first."""
        resolved = (self.roots[0] / name.replace("\0", "")).resolve()
        if not any(resolved.is_relative_to(root) for root in self.roots):
            allowed = ", ".join(map(str, self.roots))
            raise InputError(f"{name} is not below a folder that may be used: {allowed}")
        return resolved

    def _target(self, name: str) -> Path:
        """The same for a file that is to be written, where nothing is yet."""
        from relume.io.atomic import check_writable

        path = self._path(name)
        if not path.parent.is_dir():
            raise OutputError(f"{path.parent} is no folder; results go into folders that are there")
        check_writable(path, overwrite=False)
        return path


def server(folders: Sequence[Path]) -> MCPServer:
    """The server with its tools, not yet running.

    Raises:
        MissingExtra: the SDK is not installed.
        InputError: a folder that is none.
    """
    try:
        from mcp.server import MCPServer
        from mcp.server.mcpserver.exceptions import ToolError
    except ImportError:
        raise MissingExtra("serving assistants", "mcp", "mcp") from None
    from relume import __version__

    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"{folder} is no folder; name one that holds photos")
    tools = Tools(tuple(folder.resolve() for folder in folders))
    where = ", ".join(map(str, tools.roots))
    made = MCPServer("relume", version=__version__, instructions=INSTRUCTIONS + where)

    def in_one_line(tool: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(tool)
        def told(*args: Any, **kwargs: Any) -> Any:
            try:
                return tool(*args, **kwargs)
            except (RelumeError, OSError) as error:
                raise ToolError(console.reason(error)) from error

        return told

    for tool in (tools.enhance, tools.detect, tools.compare, tools.methods):
        made.tool(name=tool.__name__)(in_one_line(tool))
    return made
