"""relume's own network with its shipped weights: brightness, tiles, extremes, no harm."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest
from skimage import data

import relume
from relume.enhancers import enhance
from relume.enhancers.relume import MACHINE_LEVEL, MachineEnhancer, RelumeEnhancer, match_mean
from relume.image.color import luma
from relume.image.darken import darken
from relume.image.exposure import mean_level
from relume.metrics.quality import psnr
from relume.photo import Image, to_image


@cache
def scene() -> Image:
    """scikit-image's astronaut."""
    return to_image(data.astronaut())


@cache
def dark(k: float = 0.1) -> Image:
    return darken(scene(), k, np.random.default_rng(4))


@pytest.mark.parametrize("asked", [0.2, 0.35, 0.5, 0.65])
def test_the_result_has_the_brightness_asked_for(asked: float) -> None:
    result = enhance(dark(), method="relume", brightness=asked)
    assert mean_level(result) == pytest.approx(asked, rel=0.05)


def test_brightness_moves_the_whole_result_one_way() -> None:
    means = [mean_level(enhance(dark(), brightness=b)) for b in np.linspace(0.1, 0.8, 8)]
    assert (np.diff(means) > 0).all()


def test_the_picture_is_nearer_to_the_bright_original_than_a_gain() -> None:
    level = mean_level(scene())
    ours = enhance(dark(0.03), method="relume", brightness=level)
    gain = enhance(dark(0.03), method="auto-exposure", brightness=level)
    assert psnr(ours, scene()) > psnr(gain, scene()) + 2


@pytest.mark.parametrize("tile_px", [128, 208])
def test_tiles_give_what_one_go_gives(tile_px: int) -> None:
    whole = RelumeEnhancer(brightness=0.4)(dark())
    tiled = RelumeEnhancer(brightness=0.4, tile_px=tile_px)(dark())
    assert np.abs(tiled - whole).max() < 1 / 255


def test_the_exposure_goes_smoothly_with_the_light() -> None:
    ladder = np.geomspace(1, 0.03, 10)
    means = [mean_level(enhance(dark(float(k)), method="relume")) for k in ladder]
    # steepest where the gate for lit photographs opens
    assert np.abs(np.diff(means)).max() < 0.2


def test_a_well_exposed_photo_passes_nearly_unchanged() -> None:
    assert psnr(enhance(scene(), method="relume"), scene()) > 32


def test_the_machine_view_has_one_level_whatever_the_photo() -> None:
    for k in (0.1, 0.02):
        view = MachineEnhancer()(dark(k))
        assert mean_level(np.clip(view, 0, 1)) == pytest.approx(MACHINE_LEVEL, rel=0.05)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((64, 64, 3), np.uint8),
        np.full((64, 64, 3), 255, np.uint8),
        np.zeros((1, 1, 3), np.uint8),
        np.full((3, 500, 3), 9, np.uint8),
        np.random.default_rng(0).integers(0, 3000, (40, 56, 3), np.uint16),
    ],
    ids=["black", "white", "one pixel", "a strip", "16 bit"],
)
def test_extremes_keep_shape_and_kind(picture: np.ndarray) -> None:
    result = relume.enhance(picture, method="relume")
    assert result.shape == picture.shape
    assert result.dtype == picture.dtype


def test_a_flat_dark_wall_stays_flat() -> None:
    wall = darken(np.full((160, 160, 3), 0.5, np.float32), 0.03, np.random.default_rng(1))
    result = luma(enhance(wall, method="relume"))[16:-16, 16:-16]
    smooth = cv2.GaussianBlur(result, (0, 0), 4)
    assert result.std() < 0.06
    assert (result - smooth).std() < 0.03


def test_grey_stays_grey() -> None:
    grey = np.repeat(dark()[:96, :96, :1], 3, axis=2)
    result = enhance(np.rint(grey * 255).astype(np.uint8), method="relume")
    assert (result[..., 0] == result[..., 1]).all()


@pytest.mark.parametrize(("level", "asked"), [(0.2, 0.22), (0.3, 0.3), (0.5, 0.4)])
def test_at_level_meets_a_level_by_one_factor(level: float, asked: float) -> None:
    image = np.random.default_rng(2).random((30, 30, 3), np.float32) * np.float32(2 * level)
    met = match_mean(image, asked)
    assert mean_level(np.minimum(met, 1)) == pytest.approx(asked, rel=0.03)
