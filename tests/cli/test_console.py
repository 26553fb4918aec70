"""The progress bar and what is said around it."""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path

import pytest

from relume.cli import console

from .conftest import Relume, picture


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_with_eta(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "120")
    with console.progress_bar("enhancing", total=2) as bar:
        bar.advance("a.jpg")
        console.fail("[red]broken", about="b.jpg")
        bar.advance("b[/].jpg")
    shown = terminal.getvalue()
    assert "enhancing" in shown
    assert "2/2" in shown
    assert "eta" in shown
    assert "error: b.jpg: [red]broken" in shown
    assert "b[/].jpg" in shown


@pytest.mark.parametrize("quiet", [True, False])
def test_no_terminal_or_quiet_gets_none(monkeypatch: pytest.MonkeyPatch, quiet: bool) -> None:
    stream = Terminal() if quiet else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with console.progress_bar("enhancing", total=2, quiet=quiet) as bar:
        bar.advance("a.jpg")
        bar.show(2, 2)
    assert stream.getvalue() == ""


def test_a_bar_can_wait_before_it_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    for patience_s, shows in ((30.0, False), (0.01, True)):
        terminal = Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        with console.progress_bar("enhancing", after_s=patience_s) as bar:
            bar.show(1, 4, "tiles of big.jpg")
            time.sleep(0.5 if shows else 0)
            bar.show(2, 4, "tiles of big.jpg")
        assert ("2/4" in terminal.getvalue()) is shows


def test_a_slow_photo_tells_its_tiles(
    relume: Relume, night: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int | None, str]] = []
    monkeypatch.setattr(console.Bar, "show", lambda _, *progress: told.append(progress))
    options = ("-p", "tile_px=128", "-b", "0.3")
    picture(300, 150).save(night, quality=90)
    assert relume("enhance", night, *options).code == 0
    total = len(told)
    assert total > 1
    assert told == [(n + 1, total, "tiles of night.jpg") for n in range(total)]


def test_a_failure_names_its_file_once(capsys: pytest.CaptureFixture[str]) -> None:
    console.fail("x.jpg is empty", about="x.jpg")
    console.fail("is empty", about="x.jpg")
    console.fail(KeyError())
    assert capsys.readouterr().err.splitlines() == [
        "error: x.jpg is empty",
        "error: x.jpg: is empty",
        "error: KeyError",
    ]
