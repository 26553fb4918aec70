"""A small world to study: bright discs on a dark ground, and a detector that sees discs.

The detector is exact and fast, so that every count of a study can be foretold; the shipped ones
have tests of their own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pil

from relume.catalog import Info, Parameter
from relume.enhancers import methods
from relume.errors import RelumeError
from relume.faces import Face, detectors, landmarkers
from relume.faces.base import Box, Points
from relume.photo import Image
from relume.study import Plan

SIZE_PX = 64
RADIUS_PX = 12


def disc(path: Path, *, level: int, centre: tuple[int, int] = (32, 32), faces: int = 1) -> None:
    """A picture with a disc of this grey level in it, saved without loss."""
    pixels = np.full((SIZE_PX, SIZE_PX, 3), 4, np.uint8)
    if faces:
        cv2.circle(pixels, centre, RADIUS_PX, (level, level, level), -1)
    path.parent.mkdir(parents=True, exist_ok=True)
    Pil.fromarray(pixels).save(path)


def box_of(centre: tuple[int, int] = (32, 32)) -> Box:
    x, y = centre
    return (x - RADIUS_PX, y - RADIUS_PX, x + RADIUS_PX + 1, y + RADIUS_PX + 1)


class Discs:
    """Finds everything brighter than 40 of 255; the score grows with its brightness."""

    info = Info(
        "discs", "bright discs", "MIT", "tests", (Parameter("threshold", "", 0.6, 0.0, 1.0),)
    )

    def __init__(self, *, threshold: float = 0.6) -> None:
        self.threshold = threshold

    def __call__(self, image: Image) -> list[Face]:
        mask = (image.max(axis=2) > 40 / 255).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
        faces = []
        for x, y, width, height, area in stats[1:]:
            if area >= 16:
                inside = image[y : y + height, x : x + width]
                score = float(min(1.0, 0.4 + inside.max()))
                box = (float(x), float(y), float(x + width), float(y + height))
                faces.append(Face(box, score))
        return [face for face in faces if face.score >= self.threshold]


class Grid:
    """68 points on a grid in the box, displaced to the right in dark pictures."""

    info = Info("grid", "a grid of points", "MIT", "tests")

    def __call__(self, image: Image, box: Box) -> Points:
        shift = 4.0 * (1.0 - float(image.max()))
        return np.asarray(grid(box) + np.array([shift, 0.0]), np.float32)


def grid(box: Box) -> np.ndarray:
    """68 points that span a box."""
    x0, y0, x1, y1 = box
    steps = np.arange(68)
    return np.stack(
        [x0 + (x1 - x0) * (steps % 17) / 16, y0 + (y1 - y0) * (steps // 17) / 3], axis=1
    )


class Twice:
    """Twice as bright, and counted."""

    info = Info("twice", "twice as bright", "MIT", "tests")
    calls = 0

    def __call__(self, image: Image) -> Image:
        Twice.calls += 1
        return image * np.float32(2)


class Fussy:
    """Darkens everything; refuses pictures with a very bright disc."""

    info = Info("fussy", "refuses bright pictures", "MIT", "tests")

    def __call__(self, image: Image) -> Image:
        if image.max() > 0.9:
            raise RelumeError("too bright for me")
        return image * np.float32(0.2)


@pytest.fixture(scope="package", autouse=True)
def world() -> Iterator[None]:
    """The small world's methods in the catalogues, while the study is tested."""
    with pytest.MonkeyPatch.context() as patch:
        for catalog, kind in (
            (methods(), Twice),
            (methods(), Fussy),
            (detectors(), Discs),
            (landmarkers(), Grid),
        ):
            patch.setitem(catalog._entries, kind.info.name, (kind.info, kind))
        yield


def draw_pictures(folder: Path) -> Path:
    """Eight pictures: discs from dark (not found) to bright, one in a folder below."""
    for i, level in enumerate((20, 30, 35, 60, 90, 120, 160)):
        disc(folder / f"p{i}.png", level=level)
    disc(folder / "more" / "p7.png", level=200)
    return folder


def small_plan(folder: Path) -> Plan:
    """A plan on eight pictures, with one arm and the exact detector."""
    return Plan(
        pictures=draw_pictures(folder / "pictures"),
        report=folder / "report",
        arms=("twice:protect_lit=no",),
        detectors=("discs",),
        threshold=0.5,
    )


MakePlan = Callable[..., Plan]


@pytest.fixture
def make(tmp_path: Path) -> MakePlan:
    """The plan on the small world; options replace its own."""
    plan = small_plan(tmp_path)

    def with_options(**options: object) -> Plan:
        return dataclasses.replace(plan, **options)  # type: ignore[arg-type]

    return with_options
