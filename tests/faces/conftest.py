"""Weights at hand put into a cache folder of the tests' own, a portrait, and no network."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis.strategies import SearchStrategy
from skimage import data

from relume import weights
from relume.errors import RelumeError, WeightsError
from relume.faces import usual_detector
from relume.faces.base import Box
from relume.photo import Image, to_image

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
"""Weights and photographs for research, where they are there."""
FACE: Box = (178.0, 65.0, 270.0, 176.0)
"""The astronaut's face, from hairline to chin."""
HEAD = (slice(20, 230), slice(120, 330))
"""Rows and columns of the astronaut's head: 210 x 210 px."""


def given(*strategies: SearchStrategy[Any]) -> Callable[[Callable[..., None]], Any]:
    """hypothesis's own without a deadline: a busy machine is no failure."""

    def held(test: Callable[..., None]) -> Any:
        return hypothesis.settings(deadline=None)(hypothesis.given(*strategies)(test))

    return held


@pytest.fixture(scope="package", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache folder with the weights that lie at hand; none can be fetched."""
    folder = tmp_path_factory.mktemp("cache")
    for name in ("yunet", "peppa_68"):
        file = weights.entries()[name].file
        for source in (SHARED / "weights" / name / file, weights.cache_folder() / file):
            if source.is_file():
                shutil.copy(source, folder)
                break

    def refuse(*where: object, **options: object) -> None:
        raise OSError("the tests use no network")

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RELUME_CACHE", str(folder))
        patch.setattr(socket, "getaddrinfo", refuse)
        yield folder


@pytest.fixture(scope="session")
def astronaut() -> Image:
    """A bright portrait, 512 x 512, that nobody can write to."""
    image = to_image(data.astronaut())
    image.setflags(write=False)
    return image


@pytest.fixture(scope="session")
def head(astronaut: Image) -> Image:
    """The portrait's head alone."""
    return np.ascontiguousarray(astronaut[HEAD])


@pytest.fixture
def yunet(cache: Path) -> None:
    """Skips where YuNet's weights are not at hand."""
    _need("yunet")


@pytest.fixture(params=["yunet", "relume"])
def usual(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The detector that is taken where none is named: YuNet where it is at hand, or the shipped."""
    if request.param == "yunet":
        request.getfixturevalue("yunet")
    else:
        monkeypatch.setenv("RELUME_CACHE", str(tmp_path))
    assert usual_detector() == request.param
    return str(request.param)


@pytest.fixture
def peppa(cache: Path) -> None:
    """Skips where Peppa's weights are not at hand."""
    _need("peppa_68")


def _need(name: str) -> None:
    try:
        weights.path(name)
    except WeightsError as error:
        pytest.skip(reason(error))


def reason(error: RelumeError) -> str:
    """The first part of a message: what is missing, without all that was tried."""
    return str(error).partition(" from ")[0].partition("; ")[0]
