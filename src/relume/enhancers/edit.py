"""Edits as data: what was decided about a photo, enough to make its result again.

The same pixels come out of the same photo, at another size the same exposure; another photo of the
series is exposed alike ("as this one").
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from relume import __version__, weights
from relume.catalog import Value
from relume.engine import Runtime
from relume.enhancers.api import Enhancement, prepare
from relume.enhancers.base import ChoosesPrecision, PlansExposure, own_network
from relume.enhancers.registry import methods
from relume.errors import InputError
from relume.exposure.black import black_text
from relume.exposure.faces import Finder
from relume.exposure.plan import Plan, carried_over
from relume.exposure.record import as_json, from_json
from relume.image.color import luma
from relume.image.filters import downscale
from relume.photo import Image
from relume.weights.manifest import sha256_of

VERSION = 1
"""Of the format: a reader of another one refuses it."""
LOOK_PX = 16
SAME_LOOK = 0.01
"""Mean difference of two copies of that size, relative to their mean, up to which a photo is the
edited one at whatever size: other frames of a series differ by several times that."""


@dataclass(frozen=True)
class Look:
    """What a photo is recognised by: its sides in pixels and its luma (16, 16)."""

    width: int
    height: int
    luma: Image

    @classmethod
    def of(cls, image: Image) -> Look:
        """The look of an image (H, W, 3)."""
        height, width = image.shape[:2]
        return cls(width, height, luma(downscale(image, LOOK_PX, LOOK_PX)))

    def is_of(self, image: Image) -> bool:
        """Whether ``image`` is the same picture, at this or another size."""
        other = Look.of(image)
        # a side of the smaller copy was rounded by half a pixel
        ratio = self.width * other.height / (self.height * other.width)
        near = abs(ratio - 1) <= 1 / min(self.width, self.height, other.width, other.height)
        apart = float(np.abs(self.luma - other.luma).mean())
        return near and apart <= SAME_LOOK * max(float(self.luma.mean()), 1e-6)


@dataclass(frozen=True)
class Edit:
    """A method with its options, the SHA-256 of its weights by name, and the photo's plan.

    ``precision`` is what its network ran in, "" for none; ``plan`` is None for methods that plan no
    exposure.
    """

    version: int
    relume: str
    method: str
    parameters: Mapping[str, Value]
    options: Mapping[str, Value]
    weights: Mapping[str, str]
    precision: str
    look: Look
    plan: Plan | None = None

    @classmethod
    def of(
        cls,
        image: Image,
        method: str,
        *,
        parameters: Mapping[str, Value] | None = None,
        options: Mapping[str, Any] | None = None,
        exposure: Image | None = None,
        runtime: Runtime | None = None,
        finder: Finder | None = None,
    ) -> Edit:
        """What :func:`relume.enhance` would decide about ``image``, whose arguments these are.

        Raises:
            RelumeError: as :func:`relume.enhance`.
        """
        name, given = methods().parse(method)
        given |= methods().info(name).check_given(parameters or {})
        kept = {key: value for key, value in (options or {}).items() if value is not None}
        if "black" in kept:
            kept["black"] = black_text(kept["black"])
        work = prepare(
            name, parameters=given, runtime=runtime, exposure=exposure, finder=finder, **kept
        )
        enhancer = work.enhancer
        precision = enhancer.precision if isinstance(enhancer, ChoosesPrecision) else ""
        plan = None
        if isinstance(enhancer, PlansExposure):
            plan = enhancer.plan(enhancer.working_copy(image))
        return cls(
            VERSION, __version__, name, given, kept, _hashes(name, given), precision,
            Look.of(image), plan,
        )  # fmt: skip

    def __call__(
        self, image: Image, *, finder: Finder | None = None, runtime: Runtime | None = None
    ) -> Image:
        """``image`` as the edit says, in [0, 1]; of another photo than the edited one, alike.

        Raises:
            InputError: the weights here are not those of the edit.
            RelumeError: as :func:`relume.enhance`.
        """
        work = self.prepare(finder=finder, runtime=runtime)
        plan, enhancer = self.plan, work.enhancer
        if plan is not None and isinstance(enhancer, PlansExposure) and not self.look.is_of(image):
            find = getattr(enhancer, "find", None)
            plan = carried_over(plan, enhancer.working_copy(image), find=find)
        return work(image, plan)

    def prepare(
        self, *, finder: Finder | None = None, runtime: Runtime | None = None
    ) -> Enhancement:
        """The method with its options, once the weights are found to be the same.

        Raises:
            InputError: they are not.
            RelumeError: as :func:`relume.enhance`.
        """
        for name, sha256 in _hashes(self.method, self.parameters).items():
            if self.weights.get(name) != sha256:
                raise InputError(
                    f"the edit was made by other weights of {name} than are here (relume "
                    f"{self.relume}, here {__version__}): it would give another picture; "
                    "make the edit again"
                )
        wanted = runtime or Runtime()
        if self.precision and wanted.on_cpu and wanted.precision == "auto":
            wanted = replace(wanted, precision=self.precision)
        options = dict(self.options)
        return prepare(
            self.method,
            parameters=self.parameters,
            runtime=wanted if self.precision else runtime,
            finder=finder,
            **options,  # type: ignore[arg-type]
        )

    def to_json(self) -> str:
        """The edit as JSON (docs/reference/edit.md)."""
        return json.dumps(as_json(self), indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str = "the edit") -> Edit:
        """The edit in a JSON text; ``where`` begins every error.

        Raises:
            InputError: no JSON, of another version, or not an edit's.
        """
        try:
            table = json.loads(text)
        except ValueError as error:
            raise InputError(f"{where} is no JSON: {error}") from None
        version = table.get("version") if isinstance(table, dict) else None
        if version != VERSION:
            what = "no edit of relume's" if version is None else f"an edit of version {version}"
            raise InputError(f"{where} is {what}; this relume reads version {VERSION}")
        return from_json(cls, table, where)


def _hashes(method: str, parameters: Mapping[str, Value]) -> dict[str, str]:
    """The SHA-256 of the method's networks by name, a user's own one under its file's name."""
    own = str(parameters.get("weights", ""))
    if own:
        model = own_network(own)
        try:
            return {model.name: sha256_of(model)}
        except OSError as error:
            raise InputError(f"cannot read {model}: {error.strerror}") from error
    entries = weights.entries()
    return {name: entries[name].sha256 for name in methods().info(method).weights}
