"""Large pictures: levels, tiles, boxes cut by a tile, and one answer for each face.

The search runs at a twentieth of its real size, on bright squares instead of faces.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from hypothesis import strategies as st

from relume.faces import search as search_module
from relume.faces.search import LARGEST_PX, OVERLAP_PX, TILE_PX, RawDetections, iou, search
from relume.photo import Image

from .conftest import given

LARGEST_SQUARE_PX = 45
SMALLEST_SQUARE_PX = 4


@pytest.fixture(scope="module", autouse=True)
def scale() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_module, "LARGEST_PX", 64)
        patch.setattr(search_module, "TILE_PX", 100)
        patch.setattr(search_module, "OVERLAP_PX", 30)
        yield


def some(*boxes: tuple[float, ...], score: float = 0.9) -> RawDetections:
    corners = np.array(boxes, np.float32).reshape(-1, 4)
    centres = (corners[:, None, :2] + corners[:, None, 2:]) / 2
    return RawDetections(corners, np.full(len(corners), score, np.float32), centres)


def squares(image: Image) -> RawDetections:
    """Bright squares of a range of sizes; the larger, the surer."""
    _, _, stats, _ = cv2.connectedComponentsWithStats((image[:, :, 0] > 0.5).astype(np.uint8))
    x, y, width, height, _ = stats[1:].T.astype(np.float32)
    sides = np.maximum(width, height)
    seen = (sides <= LARGEST_SQUARE_PX) & (np.minimum(width, height) >= SMALLEST_SQUARE_PX)
    boxes = np.stack([x, y, x + width, y + height], axis=1)[seen]
    return RawDetections(boxes, 0.5 + sides[seen] / 100, boxes.reshape(-1, 2, 2))


def black(height: int, width: int) -> Image:
    return np.zeros((height, width, 3), np.float32)


def test_real_sizes_leave_no_gap() -> None:
    """What is left to the next level is whole on it, if that is not in tiles any more."""
    assert OVERLAP_PX < TILE_PX / 2
    assert OVERLAP_PX < LARGEST_PX <= TILE_PX


@pytest.mark.parametrize(
    ("size", "shapes"),
    [
        ((1, 1), [(1, 1)]),
        ((64, 64), [(64, 64)]),
        ((40, 65), [(40, 65), (20, 32)]),
        ((101, 150), [(100, 100)] * 4 + [(50, 75), (25, 37)]),
        ((1, 200), [(1, 100)] * 3 + [(1, 100), (1, 50)]),
    ],
)
def test_levels_and_tiles(size: tuple[int, int], shapes: list[tuple[int, int]]) -> None:
    looked_at = []

    def find(tile: Image) -> RawDetections:
        looked_at.append(tile.shape[:2])
        return some()

    assert search(find, black(*size), most_iou=0.3).faces() == []
    assert looked_at == shapes


@given(st.integers(1, 400), st.integers(1, 400))
def test_tiles_show_every_pixel(height: int, width: int) -> None:
    """Of the full size; each pixel has the number of its place."""
    places = np.arange(height * width, dtype=np.float32).reshape(height, width)
    shown: set[float] = set()

    def find(tile: Image) -> RawDetections:
        assert max(tile.shape[:2]) <= 100
        shown.update(tile[:, :, 0].ravel().tolist())
        return some()

    search(find, np.dstack([places] * 3), most_iou=0.3)
    assert shown >= set(places.ravel().tolist())


@given(st.data(), st.integers(30, 400), st.integers(30, 400))
def test_every_square_is_found_once(data: st.DataObject, height: int, width: int) -> None:
    """Wherever it lies, from the smallest to 0.4 of the picture's side."""
    most = min(height, width, int(0.4 * max(height, width)))
    side = data.draw(st.integers(SMALLEST_SQUARE_PX + 1, most))
    x, y = data.draw(st.integers(0, width - side)), data.draw(st.integers(0, height - side))
    image = black(height, width)
    image[y : y + side, x : x + side] = 1
    (face,) = search(squares, image, most_iou=0.2).faces()
    assert iou(face.box, (x, y, x + side, y + side)) > 0.6
    assert face.landmarks is not None
    np.testing.assert_allclose(face.landmarks.ravel(), face.box)


def on_full_tiles(*boxes: tuple[float, ...]) -> list[tuple[float, ...]]:
    """What is left of boxes that are seen on both tiles (at 0 and at 50 px) of 150 x 60 px."""

    def find(tile: Image) -> RawDetections:
        return some(*boxes) if tile.shape[1] == 100 else some()

    return sorted(face.box for face in search(find, black(60, 150), most_iou=0.9).faces())


def test_boxes_cut_by_an_inner_edge_are_dropped() -> None:
    assert on_full_tiles((-5, 10, 20, 40)) == [(-5, 10, 20, 40)]
    assert on_full_tiles((80, 10, 105, 40)) == [(130, 10, 155, 40)]
    assert on_full_tiles((20, -9, 30, 10)) == [(20, -9, 30, 10), (70, -9, 80, 10)]


def test_large_boxes_are_left_to_the_next_level() -> None:
    """Larger than the overlap of 30 px; on the last level there is none to leave them to."""
    assert on_full_tiles((20, 10, 30, 40)) == [(20, 10, 30, 40), (70, 10, 80, 40)]
    assert on_full_tiles((20, 10, 30, 41)) == []
    (face,) = search(lambda level: some((0, 0, 50, 50)), black(64, 64), most_iou=0.3).faces()
    assert face.box == (0, 0, 50, 50)


def test_levels_are_brought_to_the_full_size() -> None:
    """A box of the level of half the size, with its landmark in its middle."""

    def find(level: Image) -> RawDetections:
        return some((10, 4, 20, 8)) if level.shape[:2] == (20, 45) else some()

    (face,) = search(find, black(40, 90), most_iou=0.3).faces()
    assert face.box == (20, 8, 40, 16)
    np.testing.assert_array_equal(face.landmarks, [[30, 12]])


def test_moved_by_hand() -> None:
    moved = some((1, 2, 3, 4)).moved(scale=2, x_px=10, y_px=20)
    np.testing.assert_array_equal(moved.boxes, [[22, 44, 26, 48]])
    np.testing.assert_array_equal(moved.landmarks, [[[24, 46]]])
    assert moved.boxes.dtype == moved.landmarks.dtype == np.float32


def test_faces_have_an_area_and_a_score_in_range() -> None:
    found = RawDetections(
        np.array([[0, 0, 5, 5], [3, 3, 3, 9], [0, 0, 9, 9]], np.float32),
        np.array([0.5, 0.9, 1.0000001], np.float32),
        np.zeros((3, 0, 2), np.float32),
    ).faces()
    assert [(face.box, face.score) for face in found] == [((0, 0, 9, 9), 1), ((0, 0, 5, 5), 0.5)]
    assert all(face.landmarks is None for face in found)


def test_suppression_keeps_boxes_scores_and_landmarks_together() -> None:
    far, near = some((50, 0, 60, 9), score=0.3), some((0, 0, 10, 9), (1, 0, 11, 9), score=0.8)
    both = RawDetections.joined([far, near]).suppressed(0.5)
    np.testing.assert_array_equal(both.boxes, [[0, 0, 10, 9], [50, 0, 60, 9]])
    np.testing.assert_allclose(both.scores, [0.8, 0.3])
    np.testing.assert_array_equal(both.landmarks[:, 0, 0], [5, 55])


def test_boxes_of_one_face_are_averaged_by_the_square_of_their_scores() -> None:
    raw = RawDetections(
        np.array([[0, 0, 10, 10], [2, 0, 12, 10], [8, 0, 18, 10], [50, 50, 60, 60]], np.float32),
        np.array([0.8, 0.4, 0.3, 0.5], np.float32),
        np.zeros((4, 0, 2), np.float32),
    )
    merged = raw.merged(0.1)
    # the second overlaps the first by 8 of 12 columns, the third by 2 of 18: only suppressed
    shift = 2 * 0.4**2 / (0.8**2 + 0.4**2)
    assert merged.boxes == pytest.approx(
        np.float32([[shift, 0, 10 + shift, 10], [50, 50, 60, 60]]), abs=1e-5
    )
    assert merged.scores.tolist() == raw.scores[[0, 3]].tolist()
    assert len(raw.where([]).merged(0.3).boxes) == 0
