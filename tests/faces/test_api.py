"""The door, ``relume.detect_faces``: what it takes and refuses, and views looked at together."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import cv2
import numpy as np
import pytest

import relume
from relume import weights
from relume.engine import Runtime
from relume.errors import InputError, ParameterError, UnknownName, WeightsError
from relume.faces import Box, Face, View, detect, detect_on_views, detectors
from relume.faces.search import iou
from relume.image.darken import darken
from relume.photo import Image, Photo, quantise

from .conftest import FACE

GREY = np.full((30, 40, 3), 128, np.uint8)
K = 0.02


def best(faces: list[Face]) -> Face:
    """The surest face at the portrait's place."""
    return next(face for face in faces if iou(face.box, FACE) > 0.5)


def score_at(faces: list[Face], box: Box = FACE) -> float:
    return max((face.score for face in faces if iou(face.box, box) > 0.5), default=0.0)


@pytest.mark.parametrize(
    "convert",
    [
        lambda image: quantise(image, np.uint8),
        lambda image: quantise(image, np.uint8).astype(np.uint16) * 257,
        lambda image: image.astype(np.float64),
        lambda image: np.dstack([quantise(image, np.uint8), np.full((512, 512), 9, np.uint8)]),
        lambda image: Photo(image),
    ],
    ids=["uint8", "uint16", "float64", "rgba", "photo"],
)
def test_every_kind_of_photograph(
    astronaut: Image, convert: Callable[[Image], Photo | Image]
) -> None:
    (face,) = relume.detect_faces(convert(astronaut), detector="haar")
    (plain,) = relume.detect_faces(astronaut, detector="haar")
    assert (face.box, face.score) == (plain.box, plain.score)
    assert iou(face.box, FACE) > 0.5


def test_a_grey_plane(astronaut: Image) -> None:
    plane = quantise(cv2.cvtColor(astronaut, cv2.COLOR_RGB2GRAY), np.uint8)
    assert score_at(relume.detect_faces(plane, detector="haar")) > 0.6


@pytest.mark.parametrize("picture", [[[1]], np.zeros((4, 4, 2)), np.full((4, 4, 3), 2.0), "a.jpg"])
def test_what_is_no_photograph(picture: object) -> None:
    with pytest.raises(InputError, match="expected"):
        relume.detect_faces(picture)  # type: ignore[arg-type]


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_wrong_thresholds(threshold: float) -> None:
    with pytest.raises(ParameterError, match="threshold must be 0 to 1"):
        relume.detect_faces(GREY, detector="haar", threshold=threshold)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"detector": "harr"}, "did you mean 'haar'"),
        ({"detector": "haar", "landmarks": "pepa"}, "did you mean 'peppa'"),
        ({"detector": "haar", "views": ("original", "machin")}, "did you mean 'machine'"),
    ],
)
def test_unknown_names_suggest_the_nearest(options: dict[str, object], said: str) -> None:
    with pytest.raises(UnknownName, match=said):
        relume.detect_faces(GREY, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [
        {"detector": "haar:cascade=front"},
        {"detector": "haar:nms=0.3"},
        {"detector": "haar", "landmarks": "peppa:passes=9"},
        {"detector": "haar", "views": ()},
    ],
)
def test_wrong_parameters(options: dict[str, object]) -> None:
    with pytest.raises(ParameterError):
        relume.detect_faces(GREY, **options)  # type: ignore[arg-type]


def test_a_parameter_reaches_the_detector(astronaut: Image) -> None:
    (alt2,) = relume.detect_faces(astronaut, detector="haar")
    (default,) = relume.detect_faces(astronaut, detector="haar:cascade=default")
    assert iou(default.box, FACE) > 0.5
    assert default.box != alt2.box


def test_the_threshold_is_kept(astronaut: Image) -> None:
    (face,) = relume.detect_faces(astronaut, detector="haar", threshold=0.6)
    assert relume.detect_faces(astronaut, detector="haar", threshold=face.score - 1e-6)
    assert not relume.detect_faces(astronaut, detector="haar", threshold=face.score + 1e-6)


def test_the_threshold_of_a_spec_counts_unless_one_is_asked_for(
    yunet: None, astronaut: Image
) -> None:
    score = best(relume.detect_faces(astronaut, views=("original",))).score
    above = f"yunet:{min(1.0, score + 0.01):.4f}"
    assert relume.detect_faces(astronaut, detector=above, views=("original",)) == []
    assert relume.detect_faces(astronaut, detector=above, views=("original",), threshold=0.5)


def test_no_faces_is_an_empty_list() -> None:
    assert relume.detect_faces(GREY, detector="haar") == []
    assert relume.detect_faces(GREY // 8, detector="haar") == [], "two views of it too"


def test_the_default_sees_the_portrait(usual: str, astronaut: Image) -> None:
    (face,) = relume.detect_faces(astronaut)
    assert iou(face.box, FACE) > 0.7
    assert face.score > 0.8
    assert face.landmarks is not None
    assert face.landmarks.shape == (5, 2)


def test_a_bright_photograph_costs_one_view(
    astronaut: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = "relume.faces.views.enhance"
    monkeypatch.setattr(made, lambda *_, **options: pytest.fail("a second view was made"))
    (face,) = relume.detect_faces(astronaut, detector="haar")
    assert face.view == "original"


def test_the_runtime_reaches_the_enhancer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads and precision of a view are the caller's: a study runs in one thread, in f32."""
    runtimes: list[Runtime | None] = []

    def enhance(image: Image, *, method: str, runtime: Runtime | None) -> Image:
        runtimes.append(runtime)
        return image

    monkeypatch.setattr("relume.faces.views.enhance", enhance)
    wanted = Runtime(threads=1, precision="f32")
    assert relume.detect_faces(GREY // 8, detector="haar", runtime=wanted) == []
    assert runtimes == [wanted]


def test_one_view_by_its_name_alone(astronaut: Image) -> None:
    (face,) = relume.detect_faces(astronaut, detector="haar", views="gamma")
    assert face.view == "gamma"


@pytest.mark.parametrize("scale", [0.5, 2])
def test_a_scaled_view_answers_in_the_photographs_pixels(
    usual: str, astronaut: Image, scale: float
) -> None:
    (face,) = relume.detect_faces(astronaut, views=(f"original@{scale}",))
    assert iou(face.box, FACE) > 0.7
    assert face.landmarks is not None
    assert FACE[0] < face.landmarks[:, 0].min() < face.landmarks[:, 0].max() < FACE[2]


def test_a_face_cut_by_the_border(usual: str, astronaut: Image) -> None:
    """A fifth of it is missing on the left: the box may reach past the picture."""
    (face,) = relume.detect_faces(astronaut[:, 196:])
    x0, y0, x1, y1 = FACE
    assert iou(face.box, (max(0, x0 - 196), y0, x1 - 196, y1)) > 0.6
    assert face.box[0] < 3


@pytest.mark.parametrize("size_px", [210, 64])
def test_a_crowd_is_found_whole(usual: str, head: Image, size_px: int) -> None:
    one = cv2.resize(head, (size_px, size_px), interpolation=cv2.INTER_AREA)
    faces = relume.detect_faces(np.tile(one, (5, 5, 1)))
    in_head = np.subtract(FACE, (120, 20, 120, 20)) * size_px / 210
    for row in range(5):
        for column in range(5):
            box = tuple(in_head + np.tile([column, row], 2) * size_px)
            assert score_at(faces, box) > 0.6, f"row {row}, column {column}"
    assert len(faces) == 25


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_second_view_helps_in_the_dark(yunet: None, astronaut: Image, seed: int) -> None:
    dark = darken(astronaut, K, np.random.default_rng(seed))
    alone = relume.detect_faces(dark, views=("original",))
    both = relume.detect_faces(dark)
    face = best(both)
    assert face.score > score_at(alone)
    assert "machine" in face.view.split("+")
    for own in alone:
        assert score_at(both, own.box) >= own.score, "what the original shows stays found"
    assert [f.score for f in both] == sorted((f.score for f in both), reverse=True)


def test_68_landmarks_in_the_dark(yunet: None, astronaut: Image) -> None:
    dark = darken(astronaut, K, np.random.default_rng(1))
    face = best(relume.detect_faces(dark, landmarks="relume"))
    (bright,) = relume.detect_faces(astronaut, landmarks="relume")
    for points in (face.landmarks, bright.landmarks):
        assert points is not None
        assert points.shape == (68, 2)
        share = (points - FACE[:2]) / np.subtract(FACE[2:], FACE[:2])
        assert -0.1 < share.min() < share.max() < 1.1
    assert bright.landmarks is not None
    assert face.landmarks is not None
    distances = np.linalg.norm(face.landmarks - bright.landmarks, axis=1)
    assert distances.mean() < 0.1 * np.linalg.norm(bright.landmarks[45] - bright.landmarks[36])


class Levels:
    """Finds one face in the middle of a view that is bright enough; its score is the level."""

    info = relume.detectors().info("haar")

    def __init__(self, threshold: float = 0.1) -> None:
        self.threshold = threshold

    def __call__(self, image: Image) -> list[Face]:
        height, width = image.shape[:2]
        box = (width / 4, height / 4, width * 3 / 4, height * 3 / 4)
        face = Face(box, float(image.mean()))
        return [face] if face.score >= self.threshold else []


def flat_views(*levels: tuple[str, float, float]) -> list[View]:
    """Flat views of a photograph of 40 x 40 px: name, scale, level."""
    return [
        View(name, np.full((int(40 * scale), int(40 * scale), 3), level, np.float32), scale)
        for name, scale, level in levels
    ]


def test_views_are_merged_in_the_photographs_pixels() -> None:
    two = flat_views(("original", 1, 0.25), ("machine@2", 2, 0.75))
    (face,) = detect_on_views(two, Levels())
    assert face.box == (10, 10, 30, 30)
    assert (face.score, face.view) == (0.75, "original+machine@2")
    (face,) = detect_on_views(two, Levels(0.5))
    assert face.view == "machine@2"


def test_landmarks_are_placed_on_the_enhanced_view() -> None:
    """They come from a view of twice the size, where the face has twice the size too."""
    asked: list[tuple[float, Box]] = []

    class Middle:
        info = relume.landmarkers().info("peppa")

        def __call__(self, image: Image, box: Box) -> np.ndarray:
            asked.append((float(image.mean()), box))
            return np.full((68, 2), (box[0] + box[2]) / 2, np.float32)

    two = flat_views(("original", 1, 0.25), ("machine@2", 2, 0.75))
    (face,) = detect_on_views(two, Levels(), landmarker=Middle())
    assert asked == [(0.75, (20, 20, 60, 60))]
    np.testing.assert_allclose(face.landmarks, 20)


def test_views_stand_in_one_order_in_json() -> None:
    """Whichever was seen first or best: so that faces can be grouped by where they were seen."""
    found = {
        Face((0.0, 0.0, 9.0, 9.0), 0.9, None, "+".join(views)).as_json(10, 10)["view"]
        for views in permutations(("original", "machine@mirrored", "machine:brightness=0.45"))
    }
    assert found == {"original+machine:brightness=0.45+machine@mirrored"}


def test_the_shipped_detector_looks_once_at_a_dark_photograph(astronaut: Image) -> None:
    dark = darken(astronaut, K, np.random.default_rng(1))
    found = detect(dark, detector="relume")
    assert found.views == ("original",)
    assert iou(best(found.faces).box, FACE) > 0.5
    assert detect(dark, detector="haar").views[:2] == ("original", "machine")
    assert "machine" in detect(dark, detector="relume", views=("original", "machine")).views


def test_nothing_is_fetched_that_is_not_named(
    astronaut: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELUME_CACHE", str(tmp_path))
    monkeypatch.setattr("relume.weights.store._fetch", lambda *_: pytest.fail("it was fetched"))
    assert detect(astronaut).detector == "relume"
    (tmp_path / weights.entries()["yunet"].file).write_bytes(b"damaged")
    assert detect(astronaut).detector == "relume"
    with pytest.raises(WeightsError, match="truncated"):
        detectors().create("yunet")
