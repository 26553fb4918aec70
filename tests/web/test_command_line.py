"""The service and the command line: the same options, ranges and words."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import typer

from relume.cli.main import app, main
from relume.enhancers import enhance
from relume.errors import RelumeError
from relume.io import encode
from relume.photo import Photo
from relume.web import query

Refused = Callable[..., str]
ENHANCE = {p.name: p for p in query.ENHANCE}


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Refused]:
    """What the command line says of options it does not take, without its dashes."""
    photo = tmp_path / "night.jpg"
    photo.write_bytes(b"\xff\xd8\xff")  # never looked at: options are checked before

    def run(command: str, *given: str) -> str:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([command, str(photo), *given])
        assert ended.value.code == 2, "asked wrongly"
        told = capsys.readouterr().err.strip().splitlines()[-1]
        return told.removeprefix("error: ").replace("--", "")

    yield run
    logging.getLogger("relume").handlers.clear()


def by_service(check: Callable[[query.Pairs], object], *query: tuple[str, str]) -> str:
    with pytest.raises(RelumeError) as raised:
        check(query)
    return str(raised.value)


@pytest.mark.parametrize(
    "asked",
    [
        {"strength": "2"},
        {"strength": "-0.1"},
        {"strength": "nan"},
        {"brightness": "0"},
        {"brightness": "1.5"},
        {"brightness": "nan"},
        {"brightness": "bright"},
        {"quality": "0"},
        {"quality": "101"},
        {"method": "gama"},
        {"method": "gamma:9"},
        {"method": "gamma:x"},
        {"method": "clahe:grid=2.5"},
        {"method": "gamma", "param": "exponent"},
        {"method": "gamma", "param": "exponent=9"},
        {"method": "gamma", "param": "gain=1"},
        {"method": "original:1"},
    ],
    ids=str,
)
def test_enhance_refuses_in_the_same_words(refused: Refused, asked: dict[str, str]) -> None:
    words = [word for name, value in asked.items() for word in (f"--{name}", value)]
    assert by_service(query.enhance_options, *asked.items()) == refused("enhance", *words)


@pytest.mark.parametrize(
    "asked",
    [
        {"threshold": "2"},
        {"threshold": "nan"},
        {"detector": "haaar"},
        {"detector": "haar:neighbours=x"},
        {"landmarks": "pepa"},
    ],
    ids=str,
)
def test_detect_refuses_in_the_same_words(refused: Refused, asked: dict[str, str]) -> None:
    words = [word for name, value in asked.items() for word in (f"--{name}", value)]
    assert by_service(query.detect_options, *asked.items()) == refused("detect", *words)


def defaults(command: str) -> dict[str, object]:
    """The command line's options and what they are if not given."""
    group = typer.main.get_command(app)
    return {p.name or "": p.default for p in group.commands[command].params}  # type: ignore[attr-defined]


def test_the_command_line_has_the_same_options_and_defaults() -> None:
    given = defaults("enhance")
    for name, parameter in ENHANCE.items():
        assert name in given, name
        if given[name] is not None:  # None: the core chooses, here as there
            assert given[name] == parameter.default, name
    unasked = query.enhance_options([])
    for name in ("brightness", "format", "quality"):
        assert given[name] is None
        assert getattr(unasked, name) is None
    assert given["method"] is None
    assert {"detector", "threshold", "views"} <= set(defaults("detect"))


def test_ranges_are_those_of_the_core() -> None:
    photo = Photo(np.zeros((4, 4, 3), np.float32))
    for value in (0.0, 1.0):
        enhance(photo, method="original", strength=value)
    with pytest.raises(RelumeError, match="strength must be 0 to 1"):
        enhance(photo, method="original", strength=1.0001)
    low, high = ENHANCE["quality"].low, ENHANCE["quality"].high
    assert low is not None
    assert high is not None
    for quality in (int(low), int(high)):
        encode(photo, "jpeg", quality=quality)
    for quality in (int(low) - 1, int(high) + 1):
        with pytest.raises(RelumeError):
            encode(photo, "jpeg", quality=quality)
