"""Scenes as handheld cameras see them in the dark; no weights are needed but relume's own."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage import data

from relume.image.darken import Camera, darken
from relume.photo import Image, to_image

CAMERA = Camera(red_gain=2.1, blue_gain=1.7, shot=0.003, read=3e-5, jpeg_quality=92)


@pytest.fixture(autouse=True)
def _own_cache(own_cache: None) -> None: ...


def scene(width: int = 240, height: int = 180, *, which: str = "astronaut") -> Image:
    """A bright photograph."""
    photo = to_image(getattr(data, which)())
    return np.asarray(cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def moved(image: Image, dx: float, dy: float, degrees: float = 0.0) -> Image:
    """The image as a camera sees it that has turned and shifted."""
    height, width = image.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    turn[:, 2] += dx, dy
    out = cv2.warpAffine(
        image, turn, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    return np.asarray(np.clip(out, 0, 1), np.float32)


def night(image: Image, seed: int, k: float = 0.03) -> Image:
    """The image darkened, with noise of its own."""
    return darken(image, k, np.random.default_rng(seed), camera=CAMERA)


def psnr(image: Image, reference: Image) -> float:
    return float(-10 * np.log10(np.square(image - reference).mean()))
