"""Running the command line in this process, as a shell would see it."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

from relume.cli.main import main


@dataclass(frozen=True)
class Result:
    code: int
    out_bytes: bytes
    err: str

    @property
    def out(self) -> str:
        return self.out_bytes.decode("utf-8")


Relume = Callable[..., Result]


@pytest.fixture
def relume(
    capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Relume]:
    """``relume("enhance", path, ...)``: exit code, stdout and stderr of one command."""

    def run(*args: object, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsysbinary.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(a) for a in args])
        captured = capsysbinary.readouterr()
        code = ended.value.code
        return Result(code if isinstance(code, int) else 0, captured.out, captured.err.decode())

    yield run
    logging.getLogger("relume").handlers.clear()


def picture(width: int = 40, height: int = 30, *, level: int = 20) -> Pil.Image:
    """A dark gradient with some noise, always the same."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, level, width)[None, :, None] + rng.integers(0, 8, (height, width, 3))
    return Pil.fromarray(ramp.astype(np.uint8))


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """A dark JPEG."""
    path = tmp_path / "night.jpg"
    picture().save(path, quality=90)
    return path


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """A folder: two photos, one more in a folder below."""
    folder = tmp_path / "album"
    (folder / "2018").mkdir(parents=True)
    for name in ("a.jpg", "b.png", "2018/c.jpg"):
        picture().save(folder / name)
    return folder


def names(folder: Path) -> list[str]:
    """All files below a folder, as relative names."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
