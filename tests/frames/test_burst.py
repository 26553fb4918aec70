"""Bursts: more light than one frame has, and never a ghost."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest

import relume
from relume.errors import InputError, ParameterError
from relume.frames import merge_burst
from relume.frames.align import align_globally, fit, global_motion, pixel_grid
from relume.frames.average import DarkMean, shares
from relume.frames.merge import disagreement
from relume.frames.sharpness import sharpest, sharpness
from relume.image.darken import darken, render, scene_light
from relume.photo import Image, Meta, Photo, quantise

from .conftest import CAMERA, moved, night, psnr, scene

HAND = ((0, 0, 0.0), (4, -3, 0.5), (-5, 2, -0.4), (2, 5, 0.3))
LIGHT = 0.42


def handheld(image: Image, k: float, seed: int) -> list[Image]:
    return [night(moved(image, *m), seed + n, k) for n, m in enumerate(HAND)]


@pytest.mark.parametrize("k", [0.03, 0.01])
def test_a_handheld_burst_holds_less_noise_and_no_less_picture_than_one_frame(k: float) -> None:
    bright = scene()
    ones, bursts = [], []
    for seed in (0, 10):
        frames = handheld(bright, k, seed)
        ones.append(relume.enhance(frames[0], brightness=LIGHT, local=0))
        bursts.append(merge_burst(frames, brightness=LIGHT, reference=0, local=0))
    merged = [burst.picture for burst in bursts]
    assert np.var(merged[0] - merged[1]) < 0.7 * np.var(ones[0] - ones[1])
    for one, picture, burst in zip(ones, merged, bursts, strict=True):
        assert psnr(picture, bright) > psnr(one, bright) + 0.4
        assert burst.frames > 2.2
        assert burst.left_out == ()


def test_the_motion_of_a_camera_is_found() -> None:
    bright = scene()
    warp = global_motion(bright, moved(bright, 7, -4, 1.0))
    angle = np.degrees(np.arctan2(warp[0, 1], warp[0, 0]))
    assert angle == pytest.approx(1.0, abs=0.1)
    centre = warp @ np.array([119.5, 89.5, 1])
    assert centre == pytest.approx([126.5, 85.5], abs=0.6)


def test_what_moved_is_taken_from_the_reference_alone() -> None:
    """A head pasted elsewhere in every frame leaves no trace where it was."""
    bright = scene()
    head = scene(60, 60, which="chelsea")
    frames = []
    for n, x in enumerate((20, 80, 140)):
        with_head = bright.copy()
        with_head[60:120, x : x + 60] = head
        frames.append(night(with_head, n, 0.1))
        if n == 0:
            truth = with_head
    level = float(truth.mean())
    one = relume.enhance(frames[0], brightness=level)
    merged = relume.enhance_burst(frames, brightness=level, reference=0)
    of = (slice(60, 120), slice(20, 200))
    assert psnr(merged[of], truth[of]) > psnr(one[of], truth[of]) - 0.2
    assert psnr(merged, truth) > psnr(one, truth)
    plain = np.mean([relume.enhance(f, brightness=level) for f in frames], axis=0)
    assert psnr(plain[of], truth[of]) < psnr(one[of], truth[of]) - 1  # the test has teeth


def test_what_differs_beyond_noise_is_told() -> None:
    rng = np.random.default_rng(0)
    a = np.full((90, 120, 3), 0.4, np.float32) + rng.normal(0, 0.02, (90, 120, 3))
    b = np.full((90, 120, 3), 0.4, np.float32) + rng.normal(0, 0.02, (90, 120, 3))
    b[30:60, 40:70] += 0.15
    share = 1 / (1 + disagreement(a.astype(np.float32), b.astype(np.float32)))
    assert share[35:55, 45:65].max() < 0.1
    assert share[:20].mean() > 0.9


def test_another_scene_is_left_out_and_two_are_refused(caplog: pytest.LogCaptureFixture) -> None:
    bright, other = scene(), scene(which="coffee")
    frames = [night(bright, 0), night(other, 1), night(moved(bright, 2, 1), 2)]
    assert merge_burst(frames, brightness=LIGHT, reference=0).left_out == (1,)
    with caplog.at_level(logging.WARNING, logger="relume"):
        relume.enhance_burst(frames, brightness=LIGHT, reference=0)
    assert "picture 2 of the burst does not fit" in caplog.text
    with pytest.raises(InputError, match="these do not show the same scene"):
        relume.enhance_burst(frames[:2], brightness=LIGHT)


def test_the_sharpest_frame_is_the_reference() -> None:
    import cv2

    bright = scene()
    blurred = cv2.GaussianBlur(bright, (0, 0), 2.5)
    frames = [night(blurred, 0, 0.1), night(bright, 1, 0.1), night(blurred, 2, 0.1)]
    assert merge_burst(frames, brightness=LIGHT).reference == 1
    same = [night(bright, n, 0.03) for n in range(3)]
    assert merge_burst(same, brightness=LIGHT).reference == 0


@pytest.mark.parametrize("k", [0.1, 0.03])
def test_noise_is_no_sharpness(k: float) -> None:
    """Of frames as sharp as each other a noisier one is not chosen, of a blurred first one is."""
    import cv2

    noisy = replace(CAMERA, shot=0.03, read=1e-3, jpeg_quality=97)
    bright = scene(480, 360)
    seen = [moved(bright, *m) for m in HAND]
    cameras = [CAMERA, noisy, CAMERA, noisy]

    def shot(frames: list[Image]) -> list[Image]:
        return [
            darken(f, k, np.random.default_rng(n), camera=c)
            for n, (f, c) in enumerate(zip(frames, cameras, strict=True))
        ]

    gains = sharpness(shot(seen))
    assert gains[0] == 1
    assert max(gains) < 1.2
    assert sharpest(shot(seen)) == 0
    blurred = cv2.GaussianBlur(seen[0], (0, 0), 2.5)
    assert sharpest(shot([blurred, *seen[1:]])) != 0
    # two alone: noise makes the other look less sharp than it is, never sharper
    assert sharpness(shot(seen)[:2])[1] < 1.1


def test_the_result_is_as_the_reference_and_keeps_its_metadata() -> None:
    frames = [night(scene(), n, 0.1) for n in range(2)]
    wide = [quantise(f, np.uint16) for f in frames]
    merged = relume.enhance_burst(wide, brightness=LIGHT)
    assert merged.dtype == np.uint16
    assert len(np.unique(merged)) > 2000  # not 8 bit in between
    exif = b"Exif\0\0reference"
    photos = [
        Photo(f, depth_bits=16, meta=Meta(exif=exif + bytes([n]))) for n, f in enumerate(frames)
    ]
    photo = relume.enhance_burst(photos, brightness=LIGHT, reference=1)
    assert photo.meta.exif == exif + b"\x01"
    assert photo.depth_bits == 16


def test_frames_of_another_exposure_are_brought_to_the_references() -> None:
    frames = [night(scene(), n, k) for n, k in enumerate((0.03, 0.036))]
    one = relume.enhance(frames[0])
    merged = relume.enhance_burst(frames, reference=0)
    assert float(merged.mean()) == pytest.approx(float(one.mean()), rel=0.02)


def test_one_picture_is_just_relit() -> None:
    frame = night(scene(), 0)
    assert np.array_equal(relume.enhance_burst([frame]), relume.enhance(frame))


def test_bad_bursts_are_refused() -> None:
    frame = night(scene(), 0)
    with pytest.raises(InputError, match="got none"):
        relume.enhance_burst([])
    with pytest.raises(InputError, match="the first is 240x180, number 2 is 239x180"):
        relume.enhance_burst([frame, np.ascontiguousarray(frame[:, 1:])])
    with pytest.raises(ParameterError, match="index from 0 to 1, got 2"):
        relume.enhance_burst([frame, frame], reference=2)
    with pytest.raises(ParameterError, match="brightness"):
        relume.enhance_burst([frame, frame], brightness=3)


def test_tiny_and_empty_frames_survive() -> None:
    for shape in ((1, 1, 3), (5, 7, 3), (40, 30, 3)):
        black = np.zeros(shape, np.uint8)
        assert relume.enhance_burst([black, black]).shape == shape


def test_fit_tells_scenes_apart() -> None:
    a, b = scene(), scene(which="coffee")
    motion = align_globally(a, b)
    assert fit(a, motion.apply(b), motion.overlap) < 0.4
    motion = align_globally(a, moved(a, 3, 3, 0.5))
    assert fit(a, motion.apply(moved(a, 3, 3, 0.5)), motion.overlap) > 0.9


def test_the_mean_of_dark_frames_loses_the_pedestal_that_clipped_noise_leaves() -> None:
    bright, k = scene(), 0.02
    frames = [night(bright, n, k) for n in range(6)]
    truth = render(scene_light(bright) * np.float32(k))
    height, width = bright.shape[:2]
    dark = DarkMean(frames[0])
    grid, all_of_it = pixel_grid(height, width), np.ones((height, width), np.float32)
    for frame in frames[1:]:
        dark.add(frame, grid, all_of_it)
    mean = np.mean(frames, axis=0)
    pedestal = float((mean - truth)[bright < 0.1].mean())
    assert pedestal > 1 / 255
    one = dark.as_one_frame(6 * all_of_it, bright)
    assert abs(float((one - truth)[bright < 0.1].mean())) < 0.5 * pedestal
    assert np.square(one - truth).mean() < 0.7 * np.square(mean - truth).mean()
    assert 0.2 < dark.noise() < 1
    alone = DarkMean(frames[0])
    assert np.array_equal(alone.as_one_frame(all_of_it, bright), frames[0])  # nothing was merged


def test_little_noise_and_nothing_but_noise_leave_the_merged_picture_alone() -> None:
    assert shares(0.1) == (0, 0)
    assert shares(0.9) == (0, 0)
    detail, tones = shares(0.5)
    assert detail > tones > 0
