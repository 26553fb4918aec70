"""The one door: every enhancement of a photo or an array passes through :func:`enhance`.

:func:`relume.enhance` (``relume.faces.front_door``) is this one with a search for faces.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from typing import cast as as_type

import numpy as np

from relume.catalog import Value
from relume.engine import Runtime
from relume.enhancers.base import (
    Brightness,
    ChoosesPrecision,
    Enhancer,
    PlansExposure,
    RunsNetwork,
    TakesBrightness,
    TakesLocal,
)
from relume.enhancers.options import (
    ALWAYS,
    DEFAULT_METHOD,
    OPTIONS,
    check_options,
    given_options,
)
from relume.enhancers.registry import methods
from relume.enhancers.retinexnet import Decomposition, RetinexNetEnhancer
from relume.errors import DeviceError, ParameterError, RelumeError
from relume.exposure.black import Black, black_text
from relume.exposure.faces import Finder
from relume.exposure.maps import check_stops
from relume.exposure.plan import Plan
from relume.image.color import is_grey, luma
from relume.image.exposure import LitProtection
from relume.image.parallel import for_row_blocks
from relume.photo import Array, Image, Photo, check_image, from_image, to_image

Picture = TypeVar("Picture", bound=Photo | Array)


def enhance(
    picture: Picture,
    *,
    method: str = DEFAULT_METHOD,
    finder: Finder | None = None,
    **options: Any,
) -> Picture:
    """The picture enhanced, as :func:`relume.enhance` says, whose options these are.

    ``finder`` gives what finds the faces, or whatever else comes first; without it none are.

    Raises:
        RelumeError: as :func:`relume.enhance`.
    """
    work = prepare(method, finder=finder, **options)
    image = check_image(picture.pixels) if isinstance(picture, Photo) else to_image(picture)
    return _like(picture, image, work(image))


def enhance_each(
    picture: Picture,
    brightness: Iterable[Brightness],
    *,
    method: str = DEFAULT_METHOD,
    finder: Finder | None = None,
    **options: Any,
) -> list[Picture]:
    """What :func:`enhance` makes of the picture at each brightness; it is metered once.

    Raises:
        RelumeError: as :func:`relume.enhance`.
    """
    works = [prepare(method, finder=finder, brightness=level, **options) for level in brightness]
    image = check_image(picture.pixels) if isinstance(picture, Photo) else to_image(picture)
    planners = [work.enhancer for work in works if isinstance(work.enhancer, PlansExposure)]
    plans: list[Plan | None] = [None] * len(works)
    if planners and image.any():
        copy = planners[0].working_copy(image)
        reading = planners[0].read(copy)
        plans = [planner.plan(copy, reading=reading) for planner in planners]
    return [
        _like(picture, image, work(image, plan)) for work, plan in zip(works, plans, strict=True)
    ]


def _like(picture: Picture, image: Image, result: Image) -> Picture:
    """The result as the picture came; an array as a copy, so that writing to it is always safe."""
    if result is image:
        return picture if isinstance(picture, Photo) else as_type(Picture, picture.copy())
    if isinstance(picture, Photo):
        return as_type(Picture, picture.with_pixels(result))
    return as_type(Picture, from_image(result, like=picture))


def prepare(
    method: str = DEFAULT_METHOD,
    *,
    exposure: Array | None = None,
    parameters: Mapping[str, Value] | None = None,
    runtime: Runtime | None = None,
    finder: Finder | None = None,
    **given: Any,
) -> Enhancement:
    """A method with the options of :func:`enhance`, all of them checked, for any number of images.

    ``given`` are those of :data:`relume.enhancers.options.OPTIONS`, by name.

    Raises:
        RelumeError: as :func:`relume.enhance`.
    """
    own: dict[str, Value] = {}
    asked: dict[str, Value] = {}
    if isinstance(method, str) and ":" in method:
        method, own, asked = methods().parse_with(OPTIONS, method)
    enhancer = build(method, parameters={**own, **(parameters or {})}, runtime=runtime)
    if given.get("black") is not None:
        given["black"] = black_text(given["black"])
    options = check_options(enhancer.info, ALWAYS | asked | given_options(given))
    if finder is None and options.get("expose_for") == "faces":
        raise ParameterError("expose_for='faces' is for single photos: take 'scene' here")
    if exposure is not None and not enhancer.info.takes_local:
        raise ParameterError(f"{enhancer.info.name} takes no exposure map")
    if "brightness" in options:
        assert isinstance(enhancer, TakesBrightness), "Info.takes_brightness says so"
        enhancer = enhancer.with_brightness(options["brightness"])
    protect = options["protect_lit"] and not isinstance(options.get("brightness"), float)
    if isinstance(enhancer, TakesLocal):
        is_local = options.get("local", enhancer.local) > 0
        if not is_local and options.get("expose_for") == "faces":
            raise ParameterError(
                "expose_for='faces' needs local above 0: with one exposure for the whole photo "
                f"{enhancer.info.name} lifts no face"
            )
        protect = protect and not is_local  # the plan does
        enhancer = enhancer.with_exposure(
            local=options.get("local"),
            exposure=None if exposure is None else check_stops(exposure),
            protect_lit=options["protect_lit"],
            find=finder(options.get("expose_for", "auto")) if finder and is_local else None,
        )
    if options.get("black", "auto") != "auto":
        assert isinstance(enhancer, PlansExposure), "Info.takes_black says so"
        enhancer = enhancer.with_black(Black.parse(options["black"]))
    if "cast" in options:
        assert isinstance(enhancer, PlansExposure), "Info.takes_cast says so"
        enhancer = enhancer.with_cast(options["cast"])
    return Enhancement(enhancer, protect, options["strength"])


@dataclass(frozen=True)
class Enhancement:
    """A method with its options: what :func:`prepare` makes, called with each image.

    ``protect`` keeps lit parts of what the method makes; ``strength`` blends it with the image.
    """

    enhancer: Enhancer
    protect: bool = False
    strength: float = 1.0

    def __call__(self, image: Image, plan: Plan | None = None) -> Image:
        """The image enhanced, in [0, 1]; itself, where nothing is to be done.

        A ``plan`` of the enhancer's is followed, in place of one that is made for the image.
        """
        enhancer = self.enhancer
        if self.strength == 0 or enhancer.info.name == "original" or not image.any():
            return image  # where there is no light, none can be brought up
        if plan is not None:
            assert isinstance(enhancer, PlansExposure), "whose plan it is"
            enhancer = enhancer.with_plan(plan)
        return _run(enhancer, image, protect=self.protect, strength=self.strength)


def decompose(
    picture: Photo | Array,
    *,
    parameters: Mapping[str, Value] | None = None,
    runtime: Runtime | None = None,
) -> Decomposition:
    """The picture taken apart by Retinex-Net, as images by the array contract.

    Raises:
        InputError: an array that is no picture.
        ParameterError: a parameter that Retinex-Net does not have, or outside its range.
        WeightsError: the weights are missing or damaged.
        DeviceError: the runtime's device or precision is not there.
    """
    enhancer = build("retinexnet", parameters=parameters, runtime=runtime)
    if not isinstance(enhancer, RetinexNetEnhancer):
        raise ParameterError("the catalogue's retinexnet was replaced by a method without R and I")
    image = picture.pixels if isinstance(picture, Photo) else to_image(picture)
    return enhancer.decompose(check_image(image))


def describe(
    method: str = DEFAULT_METHOD,
    *,
    parameters: Mapping[str, Value] | None = None,
    runtime: Runtime | None = None,
) -> str:
    """One line: what the method would run, on what, in which precision.

    Raises:
        RelumeError: as :func:`enhance`.
    """
    enhancer = build(method, parameters=parameters, runtime=runtime)
    if isinstance(enhancer, RunsNetwork):
        return enhancer.describe()
    return f"{enhancer.info.name}: NumPy and OpenCV on CPU, f32"


def settle(
    method: str = DEFAULT_METHOD,
    *,
    parameters: Mapping[str, Value] | None = None,
    runtime: Runtime | None = None,
    elsewhere: bool = False,
) -> Runtime | None:
    """The runtime with its precision settled, for processes that share the work on many photos.

    So that all of them are done alike, and none measures beside the others. On machines
    ``elsewhere``, whose processors may differ, it is f32 unless something else was asked for.

    Raises:
        RelumeError: as :func:`enhance`.
    """
    wanted = runtime or Runtime()
    enhancer = build(method, parameters=parameters, runtime=runtime)
    if not isinstance(enhancer, RunsNetwork) or not wanted.on_cpu:
        return runtime
    precision = wanted.wanted_precision
    if precision == "auto" and elsewhere:
        precision = "f32"
    elif precision == "auto" and isinstance(enhancer, ChoosesPrecision):
        precision = enhancer.precision
    return replace(wanted, precision=precision)


def build(
    method: str,
    *,
    parameters: Mapping[str, Value] | None = None,
    runtime: Runtime | None = None,
) -> Enhancer:
    """The method with its parameters and runtime set, all of them checked.

    Raises:
        UnknownName: no such method.
        ParameterError: a parameter that is not allowed or not taken.
        DeviceError: a GPU for a method that runs no network.
    """
    enhancer = methods().create(method, parameters)
    if runtime is None:
        return enhancer
    if not isinstance(runtime, Runtime):
        raise ParameterError(f"expected a relume.engine.Runtime, got {runtime!r}")
    if isinstance(enhancer, RunsNetwork):
        return enhancer.with_runtime(runtime)
    if not runtime.on_cpu:
        raise DeviceError(
            f"{enhancer.info.name} runs no network, so it cannot run on {runtime.device!r}; "
            "use device cpu"
        )
    return enhancer


def _run(enhancer: Enhancer, image: Image, *, protect: bool, strength: float) -> Image:
    """The enhancer's result: finite, in [0, 1], lit parts kept, grey if the image is, blended."""
    protection = LitProtection.of(image) if protect else None
    enhanced, name = enhancer(image), enhancer.info.name
    if enhanced.shape != image.shape:
        raise RelumeError(f"{name} gave a picture of {enhanced.shape} for one of {image.shape}")
    grey, out = is_grey(image), _reusable(enhanced, image)

    # a few rows at a time, in place: each further picture of 50 MP would take 600 MB
    def finish(rows: slice) -> None:
        before, after = image[rows], enhanced[rows]
        if not np.isfinite(after).all():
            raise RelumeError(f"{name} gave values that are not finite; try precision f32")
        after = np.clip(after, 0.0, 1.0)  # or they would wrap around in the cast to 8 bit
        if protection is not None:
            after = protection.blend(before, after)
        if grey:
            after = np.repeat(luma(after)[:, :, None], 3, axis=2)
        out[rows] = _blend(before, after, strength)

    for_row_blocks(finish, image)
    return out


def _reusable(enhanced: Image, image: Image) -> Image:
    """``enhanced`` itself, if nobody else needs it, or memory of its size."""
    free = enhanced.dtype == np.float32 and enhanced.flags.writeable
    if free and not np.may_share_memory(enhanced, image):
        return enhanced
    return np.empty(image.shape, np.float32)


def _blend(before: Image, after: Image, strength: float) -> Image:
    if strength == 1:
        return after
    share = np.float32(strength)
    return np.asarray(before * (1 - share) + after * share, np.float32)
