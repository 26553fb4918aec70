"""The arms of a study: what is done to a picture before the detectors see it.

An arm is ``original``, an enhancer of the catalogue with parameters (``gamma:0.4``), views that
detectors look at together (``original+machine``), exactly as ``detect_faces`` does, either of them
under a name of one's own (``soft=gamma:0.8``), or ``NAME=DIR``, a folder of somebody else's results
matched by name (``NAME=./gamma`` where it is called like a method). Beside an enhancer's own
parameters an arm takes the options of ``enhance`` that the enhancer does: ``strength``,
``brightness``, ``local`` ...
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from relume.catalog import Value
from relume.engine import Runtime
from relume.enhancers import methods
from relume.enhancers.options import parse_spec
from relume.errors import InputError, ParameterError
from relume.faces import View, enhance, parse_views, render_views, select_views
from relume.photo import Image, quantise
from relume.study import dataset
from relume.study.plan import ORIGINAL, Plan, is_spec, level_folder, named
from relume.study.rows import Unit

RUNTIME = Runtime(threads=1, precision="f32")
"""Results must depend neither on how many processes share the work nor on the CPU's bf16."""


@dataclass(frozen=True)
class Arm:
    """One thing done to a picture: nothing, an enhancer, a file looked up, or several views."""

    name: str
    method: str | None = None
    folder: Path | None = None
    parameters: Mapping[str, Value] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    """Those of :func:`relume.enhance`, checked."""
    views: tuple[str, ...] = ()

    def show(self, image: Image, file: Path | None = None) -> list[View]:
        """The views of a picture in this arm, in 8 bit steps as files would hold them.

        One view, or those of several that this picture needs. ``file`` is the picture's result in
        a folder arm.

        Raises:
            RelumeError: the enhancer cannot do this picture, or the file cannot be read.
        """
        if self.views:
            specs = select_views(parse_views(self.views), image)
            return list(render_views(specs, image, runtime=RUNTIME, eight_bit=True))
        picture = quantise(self._picture(image, file), np.uint8).astype(np.float32)
        return [View(self.name, picture / np.float32(255), 1.0)]

    def _picture(self, image: Image, file: Path | None) -> Image:
        if self.folder is not None:
            assert file is not None, "a folder arm is rendered from a file"
            result = dataset.load(file)
            if result.shape != image.shape:
                raise InputError(f"{file}: expected shape {image.shape}, got {result.shape}")
            return result
        if self.method is not None:
            return enhance(
                image,
                method=self.method,
                parameters=self.parameters,
                runtime=RUNTIME,
                **self.options,
            )
        return image


def parse(spec: str) -> Arm:
    """An arm from its spec; its name is the spec, or NAME of ``NAME=DIR`` and ``NAME=SPEC``.

    >>> parse("original+gamma").views
    ('original', 'gamma')
    >>> parse("soft=gamma:0.8").name
    'soft'

    Raises:
        UnknownName: no such enhancer.
        ParameterError: a parameter it does not have, or a value outside its range.
    """
    if spec == ORIGINAL:
        return Arm(ORIGINAL)
    name, rest = named(spec)
    if rest is not None:
        # "gamma=gamma:0.8" is clear; "gamma=0.8" is a slip of the pen
        ambiguous = name in methods() and rest.partition(":")[0] != name
        if not name or not rest or name == ORIGINAL or ambiguous:
            raise ParameterError(
                "expected NAME=DIR or NAME=SPEC with a name of your own (not that of another "
                f"enhancer), got {spec!r}"
            )
        return replace(parse(rest), name=name) if is_spec(rest) else Arm(name, folder=Path(rest))
    if "+" in spec:
        views = tuple(part.strip() for part in spec.split("+"))
        parse_views(views)
        return Arm(spec, views=views)
    return _enhancer(spec)


def check(plan: Plan, names: Sequence[str]) -> dict[str, dict[Unit, Path]]:
    """The files of every folder arm, all there and of their pictures' size.

    Raises:
        InputError: missing or differently sized files, by name.
        ParameterError: two arms of one name.
    """
    arms = [parse(spec) for spec in plan.arms]
    used = [arm.name for arm in arms]
    if len(set(used)) < len(used):
        raise ParameterError(f"two arms have the same name: {', '.join(sorted(used))}")
    found: dict[str, dict[Unit, Path]] = {}
    for arm in arms:
        for level in plan.levels if arm.folder else ():
            assert arm.folder is not None
            folder = arm.folder if level is None else arm.folder / level_folder(level)
            files = dataset.match(plan.pictures, names, folder, f"arm {arm.name!r}")
            found.setdefault(arm.name, {})
            found[arm.name] |= {(name, level): file for name, file in files.items()}
    return found


def _enhancer(spec: str) -> Arm:
    """An enhancer with its parameters and the options of ``enhance``."""
    try:
        info, parameters, options = parse_spec(spec)
    except ParameterError as error:
        raise type(error)(f"arm {spec!r}: {error}") from error
    if info.takes_expose_for:
        # not auto: results must not depend on which weights are here
        options = {"expose_for": "scene", **options}
    return Arm(spec, method=info.name, parameters=parameters, options=options)
