"""Clips: every frame relit, in steady light, with what the frames before it have seen.

Live: a frame comes out as it goes in, and the memory needed does not grow with the clip. Carried
from frame to frame are how much brighter the result is than the clip (followed slowly), the last
result, and how many frames each of its places holds. A cut starts anew.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from relume.enhancers import Brightness
from relume.enhancers.api import prepare
from relume.enhancers.base import PlansExposure
from relume.enhancers.fast import FastEnhancer
from relume.enhancers.options import DEFAULT_METHOD, FAST_METHOD
from relume.errors import InputError, ParameterError
from relume.exposure.aim import Aim
from relume.exposure.plan import Plan
from relume.frames.cuts import Cuts
from relume.frames.steady import Merger
from relume.image.detail import relight_halved
from relume.image.exposure import NEARLY, left_as_lit, mean_level, subsample
from relume.io.video import ClipFrames, ClipReport, Progress, convert_clip
from relume.photo import Array, Image, check_several, from_image, to_image

LONG_MP = 600.0
"""Megapixels of all frames of a clip together from which the small network is taken unless
somebody asks: a minute at 854x480. The large one would take three minutes on two cores."""
METER_EVERY = 5
"""Frames from one reading of the wanted brightness to the next."""
SAME_LIGHT = 0.02
"""Change of the mean level, as a log, up to which an even plan serves the frames between two."""
FOLLOW = 0.15
"""The share of a new reading in the light that is followed."""
FOLLOWED = 0.5
"""The power of a frame's mean level that the result's follows: dark frames, below the toe of the
camera's curve, change by about the square of what bright ones do."""

SIDE_PX, FAST_SIDE_PX = 480, 320
"""Longer side of the copies on which the motion is found and frames are compared."""
KEPT_STEP = 0.1
"""By how much a shot at most changes, in a frame, between being relit and being left as it is."""
STAYS_RELIT = 0.75
"""Share of the most change of what is left alone, below which a shot that was relit is, too."""


def enhance_frames(
    frames: Iterable[Array],
    *,
    brightness: Brightness | None = None,
    fast: bool = False,
    **options: Any,
) -> Iterator[Array]:
    """The frames of a clip or a camera, one by one, relit in steady light and with less noise.

    ``frames`` are arrays as for :func:`relume.enhance`, ``brightness`` and ``options`` its options;
    each result has the dtype and shape of its frame. ``fast`` is for cameras: the small network of
    the method relume-fast. A frame is asked for only when its result is, and none is kept but the
    last: a camera and a clip of hours need the same memory.

    Raises:
        InputError: one array instead of several, or a frame that is no picture; it is named.
        RelumeError: as :func:`relume.enhance`.
    """
    check_several(frames)
    relighter = ClipRelighter(brightness=brightness, fast=fast, **options)
    for number, frame in enumerate(frames, 1):
        try:
            image = to_image(frame)
        except InputError as error:
            raise InputError(f"frame {number}: {error}") from None
        yield from_image(relighter(image), like=frame)


def enhance_video(
    source: str | PathLike[str],
    target: str | PathLike[str],
    *,
    brightness: Brightness | None = None,
    start_s: float = 0.0,
    end_s: float | None = None,
    compare: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
    fast: bool | None = None,
    **options: Any,
) -> ClipReport:
    """Relight the clip in the file ``source`` and write it to ``target``; how many frames, notes.

    Sound and subtitles are copied, timestamps and colour tags kept, frames upright. ``start_s`` and
    ``end_s`` name a part of it, ``compare`` puts before and after side by side, ``progress`` is
    called with the frames done and, where known, their number. ``brightness`` and ``options`` are
    those of :func:`relume.enhance`. ``fast`` is whether the small network does it (relume-fast);
    None leaves that to the length and size of the clip, where no method is asked for. The report
    says what relit it.

    Raises:
        RelumeError: as :func:`relume.io.video.convert_clip` and :func:`relume.enhance`.
    """
    asked = {"brightness": brightness, **options}
    relighter = ClipRelighter(fast=bool(fast), **asked)
    how = "" if relighter.method == DEFAULT_METHOD else relighter.method

    def relit(frames: ClipFrames) -> Iterator[Array]:
        nonlocal relighter, how
        for number, frame in enumerate(frames):
            if not number and fast is None and _takes_long(frames.total, frame, options):
                relighter = ClipRelighter(fast=True, **asked)
                how = f"{relighter.method}, as it is long"
            frames.hurry = relighter.method == FAST_METHOD
            result = from_image(relighter(to_image(frame)), like=frame)
            yield np.hstack([frame, result]) if compare else result

    report = convert_clip(
        Path(source),
        Path(target),
        relit,
        start_s=start_s,
        end_s=end_s,
        overwrite=overwrite,
        progress=progress,
    )
    report.how = how
    relighter.tell(report)
    return report


def _takes_long(frames: int | None, first: Array, options: Mapping[str, Any]) -> bool:
    """Whether the large network, which nobody has asked for, would take minutes."""
    chosen = options.get("method") or options.get("parameters")
    height, width = first.shape[:2]
    return not chosen and (frames or 0) * height * width > LONG_MP * 1e6


class ClipRelighter:
    """What is carried from frame to frame; called with each frame (H, W, 3) in order."""

    def __init__(
        self, *, brightness: Brightness | None = None, fast: bool = False, **options: Any
    ) -> None:
        """``brightness`` and ``options`` as of :func:`relume.enhance`; ``fast`` is relume-fast.

        Raises:
            RelumeError: options that the method does not take.
        """
        if fast:
            if options.get("method") not in (None, DEFAULT_METHOD, FAST_METHOD):
                raise ParameterError(f"fast is {FAST_METHOD}, which excludes {options['method']}")
            options["method"] = FAST_METHOD
        self._work = prepare(brightness=brightness, **options)
        asked = isinstance(brightness, int | float)
        self._spares_lit = options.get("protect_lit") is not False and not asked
        self.method = self._work.enhancer.info.name
        side_px, self._half_above_px = SIDE_PX, math.inf
        if isinstance(self._work.enhancer, FastEnhancer):
            side_px = FAST_SIDE_PX
            self._half_above_px = self._work.enhancer.half_above_mp * 1e6
        self._cuts, self._merge = Cuts(), Merger(side_px)
        self._levels: list[float] = [0.0, 0.0]
        self._frames = self._left_alone = 0
        self.restart()

    def restart(self) -> None:
        """Forget all frames: the next one is the first of a shot."""
        self._method: PlansExposure | None = None
        self._aim: Aim | None = None
        self._planned: Plan | None = None
        self._planned_at = 0.0
        self._lift = 0.0
        self._met = 1.0
        self._age = 0
        self._merge.restart()
        self._kept, self._is_left = 0.0, False

    def __call__(self, frame: Image) -> Image:
        """The frame relit, in [0, 1]."""
        if self._cuts(frame):
            self.restart()
        if frame.shape[0] * frame.shape[1] > self._half_above_px and self._work.strength:
            result = relight_halved(frame, self._relit)
            np.clip(result, 0, 1, out=result)
        else:
            result = self._relit(frame)
        result = frame if self._is_left else result
        self._note(result)
        return result

    def _relit(self, frame: Image) -> Image:
        """The frame, or a smaller copy of it, relit and merged with those before."""
        plan = self._plan(frame)
        relit = self._work(frame, plan)
        self._kept = self._keeps(frame, relit)
        fading = self._fading(plan)
        self._age += 1
        self._is_left = relit is frame or self._kept == 1
        if self._is_left:
            self._merge.restart()
            return frame
        if fading < 0.98:
            self._merge.fade(fading)
        merged = self._merge(relit)
        if not self._kept:
            return merged
        return np.asarray(merged + np.float32(self._kept) * (frame - merged), np.float32)

    def tell(self, report: ClipReport) -> None:
        """Write into the report how bright the frames became, and how many were left alone."""
        if self._frames:
            before, after = (level / self._frames for level in self._levels)
            report.levels, report.left_alone = (before, after), self._left_alone

    def _note(self, result: Image) -> None:
        self._levels[0] += math.exp(self._cuts.level)
        self._levels[1] += mean_level(subsample(result, 60_000))
        self._frames += 1
        self._left_alone += self._kept == 1

    def _keeps(self, frame: Image, relit: Image) -> float:
        """How much of the frame stays as it is, in [0, 1]: all of it in a shot that looks lit.

        A photo that looks lit is hardly changed; a clip is not at all, as merging takes texture.
        """
        if not self._spares_lit or relit is frame:
            return 0.0
        nearly = NEARLY * (STAYS_RELIT if self._age and self._kept < 1 else 1)
        wanted = float(left_as_lit(frame, relit, nearly=nearly))
        if not self._age or abs(wanted - self._kept) <= KEPT_STEP:
            return wanted
        return self._kept + min(max(wanted - self._kept, -KEPT_STEP), KEPT_STEP)

    def _plan(self, frame: Image) -> Plan | None:
        """How the frame is exposed: as bright as it is, lifted as the shot is.

        Only the level is steadied: which part of a frame counts, and how far its noise lets it be
        brought there, is seen anew in each whose light has changed or differs from place to place,
        so that bars and a fade to black stay black. The camera's black and the light's colour are
        those of a shot's first frame.
        """
        if not isinstance(self._work.enhancer, PlansExposure):
            return None
        read, before = self._age % METER_EVERY == 0, self._planned
        same = abs(self._cuts.level - self._planned_at) < SAME_LIGHT
        if before is not None and before.is_even and same and not read:
            return before
        method = self._method = self._method or self._work.enhancer.as_taken(frame)
        reading = method.read(frame)
        followed = FOLLOWED * self._cuts.level
        if self._aim is None or read:
            aim = method.aim_for(frame, reading)
            lift = math.log(max(aim.level, 1e-3)) - followed
            self._lift = lift if self._aim is None else self._lift + FOLLOW * (lift - self._lift)
            self._aim = aim if aim.source == "asked" else replace(aim, source="steadied")
        level = min(max(math.exp(followed + self._lift), 1e-3), 1.0)
        self._planned_at = self._cuts.level
        self._planned = method.plan(frame, aim=replace(self._aim, level=level), reading=reading)
        return self._planned

    def _fading(self, plan: Plan | None) -> float:
        """How much darker than the last frame noise makes this one stay: that is no flicker."""
        met = plan.expected / plan.aim.level if plan is not None and plan.aim.is_bounded else 1.0
        before, self._met = self._met, max(met, 1e-3)
        return min(self._met / before, 1.0)
