from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from relume.image.parallel import BLOCK_VALUES, for_row_blocks, map_row_blocks, row_blocks


@pytest.fixture(params=[1, 4])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(request.param)
    yield request.param
    cv2.setNumThreads(before)


@pytest.mark.parametrize(
    "shape", [(1, 1, 3), (701, 300, 3), (3, BLOCK_VALUES), (BLOCK_VALUES * 2,)]
)
def test_every_row_is_in_one_band(shape: tuple[int, ...]) -> None:
    like = np.empty(shape, np.float32)
    rows = [row for band in row_blocks(like) for row in range(*band.indices(len(like)))]
    assert rows == list(range(len(like)))
    assert all((band.start or 0) % 2 == 0 for band in row_blocks(like))


def test_a_large_picture_has_small_bands() -> None:
    like = np.empty((701, 300, 3), np.float32)
    assert len(row_blocks(like)) > 2
    assert all(like[band].size <= BLOCK_VALUES for band in row_blocks(like))


@pytest.mark.parametrize("shape", [(), (2, 2, 3), (701, 300, 3)])
def test_a_curve_by_bands_is_the_curve(threads: int, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).random(shape).astype(np.float32)
    np.testing.assert_array_equal(map_row_blocks(np.sqrt, values), np.sqrt(values))


def test_what_the_work_raises_is_raised(threads: int) -> None:
    def work(rows: slice) -> None:
        if rows.start:
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        for_row_blocks(work, np.empty((701, 300, 3), np.float32))
