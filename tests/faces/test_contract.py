"""What every detector and landmarker promises; a new one is held to it by being entered."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest

from relume import weights
from relume.catalog import Catalog, Info
from relume.errors import InputError, ParameterError, RelumeError, UnknownName, WeightsError
from relume.faces import Box, Detector, Face, Landmarker, detectors, landmarkers
from relume.faces.base import Points
from relume.faces.search import iou
from relume.photo import Image

from .conftest import FACE, reason

THRESHOLD = 0.6
LENGTHEN = 5
SIZES = [(1, 1), (3, 5), (64, 64), (1, 150), (150, 1), (70, 33)]


@cache
def built(catalog: Catalog[Any], name: str, **parameters: float) -> Any:
    """The entry; skipped if its extra or weights to be fetched are not here, never otherwise."""
    info = catalog.info(name)
    fetched = any(not weights.entries()[weight].shipped for weight in info.weights)
    try:
        return catalog.create(name, parameters)
    except RelumeError as error:
        if info.extra is None and not (fetched and isinstance(error, WeightsError)):
            raise
        pytest.skip(reason(error))


@dataclass(frozen=True)
class Find:
    """A detector, built at its first call."""

    name: str
    threshold: float = THRESHOLD

    def __call__(self, image: Image) -> list[Face]:
        find: Detector = built(detectors(), self.name, threshold=self.threshold)
        return find(image)


@dataclass(frozen=True)
class Place:
    """A landmarker, built at its first call."""

    name: str

    def __call__(self, image: Image, box: Box) -> Points:
        place: Landmarker = built(landmarkers(), self.name)
        return place(image, box)


@pytest.fixture(params=[info.name for info in detectors() if not info.needs_file])
def find(request: pytest.FixtureRequest) -> Find:
    return Find(request.param)


@pytest.fixture(params=landmarkers().names())
def place(request: pytest.FixtureRequest) -> Place:
    return Place(request.param)


def checked(faces: Sequence[Face], threshold: float = THRESHOLD) -> list[Face]:
    """The faces, if they are what the contract says."""
    assert isinstance(faces, list)
    for face in faces:
        assert all(type(value) is float and math.isfinite(value) for value in face.box)
        assert face.box[2] > face.box[0]
        assert face.box[3] > face.box[1]
        assert type(face.score) is float
        assert threshold <= face.score <= 1
        assert face.view == "original"
        if face.landmarks is not None:
            assert face.landmarks.dtype == np.float32
            assert face.landmarks.shape[1:] == (2,)
    scores = [face.score for face in faces]
    assert scores == sorted(scores, reverse=True)
    return faces


def same(one: Sequence[Face], other: Sequence[Face]) -> bool:
    return [(f.box, f.score) for f in one] == [(f.box, f.score) for f in other]


def noise(height: int, width: int) -> Image:
    return np.random.default_rng(7).random((height, width, 3), dtype=np.float32)


def found(faces: Sequence[Face], box: Box) -> bool:
    return any(iou(face.box, box) > 0.5 for face in faces)


def test_the_portraits_face_is_the_best_one(find: Find, astronaut: Image) -> None:
    best = checked(find(astronaut))[0]
    assert iou(best.box, FACE) > 0.5


def test_boxes_follow_the_picture(find: Find, astronaut: Image) -> None:
    """64 px more on the left and above, a multiple of every network's stride."""
    moved = cv2.copyMakeBorder(astronaut, 64, 0, 64, 0, cv2.BORDER_CONSTANT, value=(0.5,) * 3)
    before, after = find(astronaut)[0], find(moved)[0]
    shift = np.subtract(after.box, before.box)
    np.testing.assert_allclose(shift, 64, atol=0.1 * (before.box[2] - before.box[0]))


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_no_face_on_a_flat_picture(find: Find, level: float) -> None:
    assert find(np.full((240, 320, 3), level, np.float32)) == []


def test_a_grey_picture_shows_the_face_too(find: Find, astronaut: Image) -> None:
    grey = cv2.cvtColor(cv2.cvtColor(astronaut, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    assert found(checked(find(grey)), FACE)


@pytest.mark.parametrize("size", SIZES)
def test_every_size(find: Find, size: tuple[int, int]) -> None:
    checked(find(noise(*size)))
    assert find(np.zeros((*size, 3), np.float32)) == []


def test_a_large_picture_shows_large_and_small_faces(find: Find, head: Image) -> None:
    large = cv2.resize(head, None, fx=LENGTHEN, fy=LENGTHEN, interpolation=cv2.INTER_LINEAR)
    picture = np.full((1600, 2400, 3), 0.5, np.float32)
    picture[: large.shape[0], : large.shape[1]] = large
    picture[1350:1560, 2150:2360] = head
    faces = checked(find(picture))
    in_head = np.subtract(FACE, (120, 20, 120, 20))
    assert found(faces, tuple(in_head * LENGTHEN))
    assert found(faces, tuple(np.add(in_head, (2150, 1350, 2150, 1350))))


def test_the_threshold_only_cuts_the_list_short(find: Find, astronaut: Image) -> None:
    low, high = 0.2, 0.75
    all_faces = checked(replace(find, threshold=low)(astronaut), low)
    sure = checked(replace(find, threshold=high)(astronaut), high)
    assert same(sure, [face for face in all_faces if face.score >= high])
    assert sure


def test_a_detector_leaves_the_picture_alone_and_is_sure(find: Find, astronaut: Image) -> None:
    picture = astronaut.copy()
    first = find(picture)
    np.testing.assert_array_equal(picture, astronaut)
    find(noise(90, 120))
    assert same(find(astronaut), first), "nothing is left over from the picture before"


def test_calls_from_several_threads_do_not_mix(find: Find, astronaut: Image) -> None:
    pictures = [astronaut, astronaut[:, ::-1].copy(), noise(200, 260)] * 2
    alone = [find(picture) for picture in pictures[:3]] * 2
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(find, pictures))
    assert all(same(a, b) for a, b in zip(together, alone, strict=True))


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((20, 20, 3), np.uint8),
        np.zeros((20, 20), np.float32),
        np.full((20, 20, 3), np.nan, np.float32),
    ],
    ids=["bytes", "grey", "nan"],
)
def test_arrays_that_are_no_images(find: Find, wrong: Image) -> None:
    with pytest.raises(InputError, match="expected"):
        find(wrong)


def test_68_points_lie_on_the_face(place: Place, astronaut: Image) -> None:
    points = place(astronaut, FACE)
    assert points.shape == (68, 2)
    assert points.dtype == np.float32
    share = (points - FACE[:2]) / np.subtract(FACE[2:], FACE[:2])
    assert share.min() > -0.15
    assert share.max() < 1.15
    right_eye, left_eye, mouth = points[36:42], points[42:48], points[48:68]
    assert right_eye[:, 0].max() < left_eye[:, 0].min(), "the person's right is on the left"
    assert points[17:27, 1].mean() < right_eye[:, 1].mean() < points[30, 1]
    assert points[30, 1] < mouth[:, 1].mean() < points[8, 1]


def test_a_landmarker_leaves_the_picture_alone_and_is_sure(place: Place, astronaut: Image) -> None:
    picture = astronaut.copy()
    first = place(picture, FACE)
    np.testing.assert_array_equal(picture, astronaut)
    np.testing.assert_array_equal(place(picture, FACE), first)


def test_points_follow_the_picture(place: Place, astronaut: Image) -> None:
    cut = astronaut[16:, 32:].copy()
    x0, y0, x1, y1 = FACE
    moved = place(cut, (x0 - 32, y0 - 16, x1 - 32, y1 - 16))
    np.testing.assert_allclose(np.add(moved, (32, 16)), place(astronaut, FACE), atol=1.5)


@pytest.mark.parametrize("box", [(-30.0, -40.0, 60.0, 70.0), (0.0, 0.0, 1.0, 1.0)])
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (64, 64)])
def test_points_are_given_wherever_the_box_is(
    place: Place, size: tuple[int, int], box: Box
) -> None:
    points = place(noise(*size), box)
    assert points.shape == (68, 2)
    assert np.isfinite(points).all()


@pytest.mark.parametrize("info", [*detectors(), *landmarkers()], ids=lambda info: info.name)
def test_the_data_beside_the_code_is_complete(info: Info) -> None:
    assert info.summary
    assert info.licence
    # what is shipped was made here; all else says where it comes from
    shipped = [weights.entries()[name].shipped for name in info.weights]
    assert info.source.startswith("relume; " if shipped and all(shipped) else "http")
    assert set(info.weights) <= set(weights.entries())
    for parameter in info.parameters:
        assert parameter.summary
        assert parameter.check(parameter.default) == parameter.default
        if parameter.low is not None:
            with pytest.raises(ParameterError, match=parameter.name):
                parameter.check(parameter.low - 1)


@pytest.mark.parametrize("name", detectors().names())
def test_every_detector_has_a_threshold(name: str) -> None:
    (threshold,) = [p for p in detectors().info(name).parameters if p.name == "threshold"]
    assert (threshold.low, threshold.high, threshold.default) == (0.0, 1.0, 0.6)


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'yunet'"):
        detectors().create("yunett")
    with pytest.raises(UnknownName, match="did you mean 'peppa'"):
        landmarkers().create("pepa")
