"""Clips: steady light, less noise, no trace of what was there before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import relume
from relume.errors import InputError, ParameterError
from relume.frames import ClipRelighter
from relume.frames.align import local_motion
from relume.image.color import luma
from relume.io.video import ClipReport
from relume.photo import Array, Image, quantise

from .conftest import moved, night, psnr, scene

LIGHT = 0.42


def still(count: int, *, k: float = 0.03, flicker: float = 0.0) -> list[Array]:
    rng = np.random.default_rng(1)
    bright = scene()
    return [
        quantise(night(bright, n, k * float(1 + rng.normal(0, flicker))), np.uint8)
        for n in range(count)
    ]


def change(frames: list[Array]) -> float:
    """Standard deviation of the frame-to-frame differences of the mean level, in levels."""
    return float(np.std(np.diff([f.mean() for f in frames])))


def test_a_still_clip_stands_still() -> None:
    dark = still(8)
    alone = [relume.enhance(f, brightness=LIGHT) for f in dark]
    clip = list(relume.enhance_frames(iter(dark), brightness=LIGHT))
    assert all(f.dtype == np.uint8 and f.shape == dark[0].shape for f in clip)
    assert np.array([f.mean() / 255 for f in clip]) == pytest.approx(LIGHT, abs=0.03)
    variance = np.mean([np.var(x[4:], axis=0).mean() for x in [np.float32(clip)]])
    frame_by_frame = np.var(np.float32(alone[4:]), axis=0).mean()
    assert variance < frame_by_frame / 4
    bright = scene()
    assert psnr(clip[-1] / 255, bright) > psnr(alone[-1] / 255, bright)


def test_the_motion_found_does_not_depend_on_what_was_seen_before() -> None:
    a, b = luma(night(scene(), 0, 0.1)), luma(night(moved(scene(), 2, 1), 1, 0.1))
    first = local_motion(a, b)
    tiny = luma(scene(60, 40))
    local_motion(tiny, tiny)  # OpenCV's DIS keeps the coarser scales of a small picture
    assert np.array_equal(local_motion(a, b), first)


@pytest.mark.parametrize("brightness", [None, LIGHT])
def test_a_cameras_flicker_is_taken_out(brightness: float | None) -> None:
    dark = still(8, flicker=0.08)
    options = {} if brightness is None else {"brightness": brightness}
    clip = list(relume.enhance_frames(dark, **options))
    assert change(clip) < 0.4 * change([relume.enhance(f, method="gamma:0.4") for f in dark])


def test_what_moves_leaves_no_trail() -> None:
    bright, head = scene(), scene(40, 40, which="chelsea")
    truths = []
    for n in range(6):
        truth = bright.copy()
        truth[70:110, 20 + 30 * n : 60 + 30 * n] = head
        truths.append(truth)
    dark = [night(t, n, 0.1) for n, t in enumerate(truths)]
    clip = list(relume.enhance_frames(dark, brightness=LIGHT))
    for n in range(2, 6):
        one = relume.enhance(dark[n], brightness=LIGHT)
        of = (slice(70, 110), slice(20, None))
        assert psnr(clip[n][of], truths[n][of]) > psnr(one[of], truths[n][of]) - 0.3
        assert psnr(clip[n], truths[n]) > psnr(one, truths[n]) - 0.1


def test_a_panning_camera_keeps_sharp() -> None:
    bright = scene(400, 300)
    truths = [moved(bright, -4 * n, -2 * n)[60:240, 60:300] for n in range(7)]
    dark = [night(np.ascontiguousarray(t), n, 0.03) for n, t in enumerate(truths)]
    clip = list(relume.enhance_frames(dark, brightness=LIGHT))
    light = [float(c.mean() / t.mean()) for c, t in zip(clip, truths, strict=True)]
    assert light == pytest.approx([light[0]] * 7, rel=0.035)  # brighter where the scene is
    gains = [
        psnr(c / c.mean(), t / t.mean()) - psnr(one / one.mean(), t / t.mean())
        for c, t, one in zip(
            clip, truths, (relume.enhance(d, brightness=LIGHT) for d in dark), strict=True
        )
    ]
    assert min(gains) > -0.1
    assert np.mean(gains[2:]) > 0.2


def test_nothing_bleeds_over_a_cut() -> None:
    first = [night(scene(), n) for n in range(3)]
    second = [night(scene(which="coffee"), n) for n in range(3, 5)]
    after = list(relume.enhance_frames([*first, *second]))[3:]
    fresh = list(relume.enhance_frames(second))
    for a, b in zip(after, fresh, strict=True):
        assert np.array_equal(a, b)


def test_a_light_that_is_switched_on_starts_anew() -> None:
    frames = [night(scene(), n, 0.01) for n in range(2)] + [night(scene(), 3, 0.2)]
    lit = list(relume.enhance_frames(frames))[-1]
    assert np.array_equal(lit, next(iter(relume.enhance_frames(frames[2:]))))


def test_frames_are_asked_for_one_by_one_and_not_kept() -> None:
    asked = 0

    def camera() -> Iterator[Image]:
        nonlocal asked
        while True:
            asked += 1
            yield night(scene(60, 40), asked)

    clip = relume.enhance_frames(camera())
    for n in range(1, 4):
        next(clip)
        assert asked == n


def test_other_methods_and_changing_sizes_work() -> None:
    frames = [night(scene(60, 40), 0), night(scene(60, 40), 1), night(scene(50, 40), 2)]
    shapes = [f.shape for f in relume.enhance_frames(frames, method="gamma:0.4")]
    assert shapes == [f.shape for f in frames]
    for tiny in (np.zeros((1, 1, 3), np.uint8), np.zeros((9, 5), np.uint8)):
        assert [f.shape for f in relume.enhance_frames([tiny, tiny])] == [tiny.shape] * 2


def test_what_is_left_alone_is_the_input_to_the_last_pixel() -> None:
    """A pan through a lit room loses no texture to the merging, and strength 0 gives it back."""
    bright = scene(400, 300)
    lit = [quantise(moved(bright, -3 * n, -n)[60:240, 60:300], np.uint8) for n in range(6)]
    dark = still(3)
    for frames, options in (
        (lit, {}),
        (lit, {"method": "gamma"}),
        (dark, {"strength": 0}),
        (dark, {"method": "original"}),
    ):
        clip = list(relume.enhance_frames(frames, **options))
        assert all(np.array_equal(a, b) for a, b in zip(clip, frames, strict=True)), options
    asked = list(relume.enhance_frames(lit[:2], brightness=0.3))
    assert asked[1].mean() / 255 == pytest.approx(0.3, abs=0.02)


def test_a_clip_tells_how_bright_it_became_and_what_it_left_alone() -> None:
    dark, lit, report = scene(which="coffee"), scene(), ClipReport()
    relighter = ClipRelighter()
    for n in range(2):
        relighter(night(dark, n))
    for _ in range(3):  # a cut to a lit room
        relighter(lit)
    relighter.tell(report)
    levels = [float(night(dark, 0).mean()), float(lit.mean())]
    assert report.left_alone == 3
    assert report.levels is not None
    assert report.levels[0] == pytest.approx((2 * levels[0] + 3 * levels[1]) / 5, abs=0.02)
    assert report.levels[1] > report.levels[0] + 0.05


def test_a_shot_does_not_jump_between_relit_and_left_alone() -> None:
    """Light that comes slowly, until the room looks lit."""
    bright = scene(120, 90)
    light = [*np.linspace(0.4, 0.95, 15), *[0.95] * 75]
    dim = [np.asarray(bright * np.float32(f), np.float32) for f in light]
    clip = list(relume.enhance_frames(dim))
    levels = [float(f.mean()) for f in clip]
    assert not np.array_equal(clip[0], dim[0])
    assert np.abs(np.diff(levels)).max() < 0.02
    assert np.array_equal(clip[-1], dim[-1])


@pytest.mark.parametrize("which", ["astronaut", "coffee"])
def test_the_mean_of_a_pan_under_flicker_is_steady(which: str) -> None:
    """Light that flickers must not be taken for motion."""
    rng, bright = np.random.default_rng(3), scene(360, 270, which=which)
    truths = [np.ascontiguousarray(moved(bright, -2 * n, -n)[40:220, 40:280]) for n in range(12)]
    dark = [night(t, n, 0.03 * float(1 + rng.normal(0, 0.05))) for n, t in enumerate(truths)]
    level = float(np.mean([t.mean() for t in truths]))
    clip = list(relume.enhance_frames(dark, brightness=level))
    assert change([255 * c for c in clip]) < 0.45  # .53 and .69 where flicker moves the flow


def test_bad_frames_and_options_are_named() -> None:
    with pytest.raises(InputError, match="frame 2: expected an image of shape"):
        list(relume.enhance_frames([np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 2), np.uint8)]))
    with pytest.raises(ParameterError, match="brightness"):
        ClipRelighter(brightness=3)
    assert list(relume.enhance_frames([])) == []


def with_bars(frame: Array, height: int) -> Array:
    return np.pad(frame, ((height, height), (0, 0), (0, 0)))


def without_sky(frame: Array) -> Array:
    """The frame with its upper half clipped to black."""
    clipped = frame.copy()
    clipped[: len(frame) // 2] = 0
    return clipped


@pytest.mark.parametrize("options", [{}, {"local": 0.5}, {"local": 0.0}, {"brightness": LIGHT}])
@pytest.mark.parametrize(
    ("framed", "inside"),
    [
        (lambda f: with_bars(f, 40), np.s_[40:-40]),
        (lambda f: with_bars(f, 80), np.s_[80:-80]),
        (without_sky, np.s_[90:]),
    ],
    ids=["bars", "high bars", "clipped sky"],
)
def test_a_clip_with_bars_is_as_bright_as_its_photos(
    framed: Callable[[Array], Array], inside: slice, options: dict[str, float]
) -> None:
    frames = [framed(f) for f in still(7, k=0.1)]
    for frame, after in zip(frames, relume.enhance_frames(frames, **options), strict=True):
        photo = relume.enhance(frame, expose_for="scene", **options)  # type: ignore[arg-type]
        assert after[inside].mean() / 255 == pytest.approx(photo[inside].mean() / 255, abs=0.03)


def test_a_letterboxed_clip_through_h264_is_as_bright_as_its_photos(tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="clips need PyAV (the extra video)")
    frames = [with_bars(f, 40) for f in still(6, k=0.1)]
    with av.open(str(tmp_path / "dark.mp4"), "w") as clip:
        stream = clip.add_stream("libx264", rate=25, options={"crf": "12"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            clip.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        clip.mux(stream.encode(None))
    relume.enhance_video(tmp_path / "dark.mp4", tmp_path / "lit.mp4")

    def inside(name: str) -> list[Array]:
        with av.open(str(tmp_path / name)) as clip:
            return [f.to_ndarray(format="rgb24")[40:-40] for f in clip.decode(video=0)]

    photos = [relume.enhance(with_bars(f, 40), expose_for="scene") for f in inside("dark.mp4")]
    for after, photo in zip(inside("lit.mp4"), photos, strict=True):
        assert after.mean() / 255 == pytest.approx(photo[40:-40].mean() / 255, abs=0.03)


def test_a_fade_into_noise_stays_dark() -> None:
    """What is left at the end is noise: a clip lifts it as little as a photo does."""
    dim, rng = 0.12 * scene(), np.random.default_rng(3)
    fade = [*[1.0] * 4, *np.geomspace(1, 0.005, 24), *[0.0] * 4]
    noisy = (dim * np.float32(k) + rng.normal(0, 1.5 / 255, dim.shape) for k in fade)
    frames = [quantise(np.clip(f, 0, 1).astype(np.float32), np.uint8) for f in noisy]
    clip = [f.mean() for f in relume.enhance_frames(frames)]
    photos = [relume.enhance(f, expose_for="scene").mean() for f in frames]
    assert clip[0] == pytest.approx(photos[0], abs=1)
    left = [(c, p) for c, p in zip(clip, photos, strict=True) if p < 3]
    assert len(left) > 6
    assert all(c < p + 0.03 * 255 for c, p in left)


def test_bars_stay_out_of_a_burst() -> None:
    frames = [with_bars(f, 60) for f in still(3, k=0.1)]
    alone, burst = relume.enhance(frames[0], expose_for="scene"), relume.enhance_burst(frames)
    inside = np.s_[60:-60]
    assert burst[inside].mean() / 255 == pytest.approx(alone[inside].mean() / 255, abs=0.03)


def test_the_fast_network_keeps_what_clips_promise() -> None:
    dark = still(8, flicker=0.05)
    clip = list(relume.enhance_frames(iter(dark), brightness=LIGHT, fast=True))
    assert all(f.dtype == np.uint8 and f.shape == dark[0].shape for f in clip)
    assert np.array([f.mean() / 255 for f in clip]) == pytest.approx(LIGHT, abs=0.03)
    alone = [relume.enhance(f, brightness=LIGHT, method="relume-fast") for f in dark]
    assert not np.array_equal(clip[-1], relume.enhance(dark[-1], brightness=LIGHT))
    still_noise = np.float32(clip[4:]).var(axis=0).mean()
    assert still_noise < np.float32(alone[4:]).var(axis=0).mean() / 3


def test_large_frames_of_the_fast_network_are_merged_at_half_their_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sides of 1.3 megapixels: the network sees half of each, the result has all, and is bright."""
    bright = scene(1376, 960)
    seen = []
    relit = ClipRelighter._relit

    def watched(self: ClipRelighter, frame: Image) -> Image:
        seen.append(frame.shape)
        return relit(self, frame)

    monkeypatch.setattr(ClipRelighter, "_relit", watched)
    frames = [night(bright, n, 0.1) for n in range(2)]
    relighter = ClipRelighter(fast=True, brightness=LIGHT)
    results = [relighter(frame) for frame in frames]
    assert seen == [(480, 688, 3)] * 2
    assert [r.shape for r in results] == [(960, 1376, 3)] * 2
    assert results[1].mean() == pytest.approx(LIGHT, abs=0.03)
    assert 0 <= results[1].min() <= results[1].max() <= 1


def test_fast_goes_with_no_other_method() -> None:
    with pytest.raises(ParameterError, match="relume-fast, which excludes gamma"):
        list(relume.enhance_frames(still(1), method="gamma", fast=True))


@pytest.mark.parametrize(
    ("options", "how"),
    [
        ({}, "relume-fast, as it is long"),
        ({"fast": False}, ""),
        ({"method": "relume"}, ""),
        ({"fast": True}, "relume-fast"),
    ],
)
def test_a_long_clip_is_relit_by_the_fast_network_unless_somebody_chose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, object], how: str
) -> None:
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "a.mp4"), "w") as clip:
        video = clip.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        for frame in still(5):
            picture = np.ascontiguousarray(frame[:64, :96])
            clip.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        clip.mux(video.encode(None))
    pixels = 5 * 96 * 64 / 1e6
    for longest, told in ((0.99 * pixels, how), (1.01 * pixels, how.partition(",")[0])):
        if longest > pixels and not options:
            told = ""
        monkeypatch.setattr("relume.frames.clip.LONG_MP", longest)
        target = tmp_path / f"b{longest}.mp4"
        report = relume.enhance_video(tmp_path / "a.mp4", target, **options)  # type: ignore[arg-type]
        assert (report.frames, report.how) == (5, told)
