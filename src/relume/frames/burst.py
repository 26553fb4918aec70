"""A burst of dark frames as one photo: each relit, aligned to the reference, merged.

Averaging dark frames first would harm: clipped noise leaves a pedestal that no network has seen.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar, cast

import numpy as np

from relume.enhancers import Brightness
from relume.enhancers.api import Enhancement, prepare
from relume.enhancers.base import PlansExposure, TakesBrightness
from relume.errors import InputError, ParameterError
from relume.frames.align import Motion, align_globally, fit, refine
from relume.frames.average import DarkMean, shares, take_over
from relume.frames.merge import disagreement, match_exposure
from relume.frames.sharpness import sharpest
from relume.image.exposure import mean_level
from relume.photo import Array, Image, Photo, check_image, check_several, from_image, to_image

Picture = TypeVar("Picture", bound=Photo | Array)

SAME_SCENE = 0.3
"""Correlation of structure (:func:`relume.frames.align.fit`) from which frames may show one scene:
in the deepest noise two frames of one have little more."""
LEAST_TRUST = 0.3
"""The share of a frame that has to agree with the reference."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Burst(Generic[Picture]):
    """A merged burst: the ``picture``, as the one at index ``reference`` saw the scene.

    ``left_out`` are the indices of pictures that do not fit the reference; ``frames`` is how many
    frames the places of the picture hold, on average.
    """

    picture: Picture
    reference: int
    left_out: tuple[int, ...]
    frames: float


def enhance_burst(
    pictures: Iterable[Picture],
    *,
    brightness: Brightness | None = None,
    reference: int | None = None,
    **options: Any,
) -> Picture:
    """The pictures of one scene, taken one after the other in the dark, as one relit picture.

    ``pictures`` are Photos or arrays, ``brightness`` and ``options`` those of
    :func:`relume.enhance`. The result shows what the picture at index ``reference`` shows, by
    default the first unless another is clearly sharper, in its dtype and with its metadata; what
    moved between the pictures is taken from it alone. Pictures that do not fit it, or are
    of another size than most, are left out, with a warning in the log.

    Raises:
        InputError: no picture, sizes that differ, or pictures that do not show the same scene.
        ParameterError: a reference that is no index, or another wrong option.
        RelumeError: as :func:`relume.enhance`.
    """
    burst = merge_burst(pictures, brightness=brightness, reference=reference, **options)
    for index in burst.left_out:
        logger.warning("picture %d of the burst does not fit and is left out", index + 1)
    return burst.picture


def merge_burst(
    pictures: Iterable[Picture],
    *,
    brightness: Brightness | None = None,
    reference: int | None = None,
    **options: Any,
) -> Burst[Picture]:
    """:func:`enhance_burst`, with which pictures were used.

    Raises:
        RelumeError: as :func:`enhance_burst`.
    """
    check_several(pictures)
    pictures = list(pictures)
    images = [check_image(p.pixels) if isinstance(p, Photo) else to_image(p) for p in pictures]
    if reference is not None and not 0 <= reference < len(images):
        raise ParameterError(
            f"the reference must be an index from 0 to {len(images) - 1}, got {reference}"
        )
    left_out = _of_another_size(images, reference)
    fitting = [index for index in range(len(images)) if index not in left_out]
    if reference is None:
        reference = fitting[sharpest([images[index] for index in fitting])]
    own = images[reference]
    relight = _in_one_light(prepare(brightness=brightness, **options), own, brightness)
    relit = relight(own)
    merged, count = relit, 1.0
    others = [index for index in fitting if index != reference]
    if others:
        total, weight = relit.copy(), np.ones(relit.shape[:2], np.float32)
        dark = DarkMean(own)
        for index in others:
            frame = relight(images[index])
            found = _agreement(relit, frame)
            if found is None:
                left_out.append(index)
                continue
            moved, share, motion = found
            total += moved * share[:, :, None]
            weight += share
            dark.add(images[index], motion.positions, share)
        if len(left_out) == len(images) - 1:
            raise InputError("these do not show the same scene: no picture fits the reference")
        total /= weight[:, :, None]
        merged, count = np.clip(total, 0, 1, out=total), float(weight.mean())
        detail, tones = shares(dark.noise())
        if detail > 0:
            mean = relight(dark.as_one_frame(weight, merged))
            merged = np.clip(take_over(merged, mean, weight, detail, tones), 0, 1)
    like = pictures[reference]
    if isinstance(like, Photo):
        picture = cast(Picture, like.with_pixels(merged))
    else:
        picture = cast(Picture, from_image(merged, like=like))
    return Burst(picture, reference, tuple(sorted(left_out)), count)


def _of_another_size(images: Sequence[Image], reference: int | None) -> list[int]:
    """The indices of images of another size than the reference's, or than most have."""
    if not images:
        raise InputError("expected the pictures of a burst, got none")
    sizes = [(image.shape[1], image.shape[0]) for image in images]
    usual = Counter(sizes).most_common(1)[0][0] if reference is None else sizes[reference]
    others = [index for index, size in enumerate(sizes) if size != usual]
    if others and len(others) == len(images) - 1:
        one, other = ("x".join(map(str, size)) for size in (usual, sizes[others[0]]))
        which = f"number {index + 1}" if (index := sizes.index(usual)) else "the first"
        raise InputError(
            f"the pictures of a burst must have one size: {which} is {one}, "
            f"number {others[0] + 1} is {other}"
        )
    return others


def _in_one_light(
    work: Enhancement, reference: Image, brightness: Brightness | None
) -> Callable[[Image], Image]:
    """What relights the frames of a burst alike: as the reference is, unless a level is asked for.

    For the reference it is what ``work`` makes of it alone.
    """
    method = work.enhancer
    if isinstance(method, PlansExposure):
        known = method.as_taken(reference)
        aim = known.aim_for(reference, known.read(reference))
        aim = aim if aim.source == "asked" else replace(aim, source="steadied")
        return lambda image: work(image, known.plan(image, aim=aim))
    if not isinstance(method, TakesBrightness) or isinstance(brightness, int | float):
        return work
    relit = work(reference)
    level = min(max(mean_level(relit), 1e-3), 1.0)
    same = replace(work, enhancer=method.with_brightness(level), protect=False)
    return lambda image: relit if image is reference else same(image)


def _agreement(reference: Image, frame: Image) -> tuple[Image, Image, Motion] | None:
    """The relit frame as the reference sees it, how far each place agrees, and how it moved.

    None if it does not show the reference's scene.
    """
    motion = align_globally(reference, frame)
    moved = motion.apply(frame)
    if fit(reference, moved, motion.overlap) < SAME_SCENE:
        return None
    moved = match_exposure(reference, moved, motion.overlap)
    share = motion.overlap / (1 + disagreement(reference, moved))
    if float(share.mean()) < 0.9:
        # where one motion does not explain the frame, its parts may move on their own
        closer = refine(motion, reference, moved)
        local = match_exposure(reference, closer.apply(frame), closer.overlap)
        agrees = closer.overlap / (1 + disagreement(reference, local))
        better = agrees > share + np.float32(0.3)
        moved[better], share[better] = local[better], agrees[better]
        positions = np.where(better[:, :, None], closer.positions, motion.positions)
        motion = Motion(positions, share)
    return (moved, share, motion) if float(share.mean()) >= LEAST_TRUST else None
