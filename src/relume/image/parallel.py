"""Large pictures a few rows at a time, over the cores: temporaries stay small and in the cache.

A curve with branches makes several temporaries; of a whole 12 MP picture each takes 144 MB. The
result is the same whatever the number of threads, which is OpenCV's (``cv2.setNumThreads``),
and not above the cores that this process has.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from relume.executor import cores
from relume.photo import Array, Image

BLOCK_VALUES = 1 << 18
"""Values that a band has at most: 1 MB of float32, which stays in a core's cache."""


def for_row_blocks(work: Callable[[slice], None], like: Array) -> None:
    """``work`` for every band of rows of an array of the shape of ``like``, in any order.

    What ``work`` raises is raised here.
    """
    parts = row_blocks(like)
    threads = min(cv2.getNumThreads(), cores(), len(parts))
    if threads <= 1:
        for rows in parts:
            work(rows)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, parts))


def map_row_blocks(curve: Callable[[Image], Image], image: Image) -> Image:
    """A pointwise ``curve`` of the image, float32 of any shape."""
    if image.size <= BLOCK_VALUES:
        return np.asarray(curve(image), np.float32)
    out = np.empty(image.shape, np.float32)

    def draw(rows: slice) -> None:
        out[rows] = curve(image[rows])

    for_row_blocks(draw, image)
    return out


def row_blocks(like: Array) -> list[slice]:
    """The blocks of rows of an array of the shape of ``like``; each starts at an even row."""
    if like.size <= BLOCK_VALUES:
        return [slice(None)]
    rows = max(2, BLOCK_VALUES * like.shape[0] // like.size // 2 * 2)
    return [slice(top, min(top + rows, len(like))) for top in range(0, len(like), rows)]


def free_memory() -> None:
    """Give memory that was freed back to the system: glibc keeps blocks of up to 32 MB."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(0)
