"""Which group each labelled face is in: from the labels, or, for ``skin``, measured.

The skin's group is that of its typology angle (:mod:`relume.metrics.skin`) in the *bright*
photograph, inside the labelled box. Its limits: light, exposure and white balance move the angle;
it is no ethnicity; a beard, a hand or a mask on the cheeks is measured with them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from relume.errors import InputError, ParameterError, RelumeError
from relume.image.exposure import mean_level
from relume.metrics import skin
from relume.photo import Image
from relume.study import dataset
from relume.study.dataset import Box, Labels
from relume.study.plan import Plan

SKIN = "skin"
LOG = logging.getLogger(__name__)


def assign(plan: Plan, labels: Labels, references: Mapping[str, Path]) -> Labels:
    """The labels with the groupings that the plan asks for, and no others.

    Raises:
        InputError: a grouping that the labels do not have.
        ParameterError: ``skin``, where no bright photograph shows it.
    """
    wanted = plan.groups or labels.groupings
    missing = sorted(set(wanted) - set(labels.groupings) - {SKIN})
    if missing:
        have = ", ".join((*labels.groupings, SKIN))
        raise InputError(
            f"the labels have no column {dataset.GROUP}{missing[0]}; groups there are: {have}"
        )
    if SKIN in wanted and SKIN not in labels.groupings:
        labels = _with_skin(plan, labels, references)
    return replace(labels, groupings=tuple(wanted))


def _with_skin(plan: Plan, labels: Labels, references: Mapping[str, Path]) -> Labels:
    if not plan.darken and not references:
        raise ParameterError(
            "skin is measured on bright photographs: darken them in the study (--darken), or give "
            "bright ones of the same names (--reference)"
        )
    found = {}
    for name, faces in labels.faces.items():
        try:
            bright = dataset.load(references.get(name, plan.pictures / name))
        except RelumeError as error:  # fails again as a row, which the report lists
            LOG.info("no skin is measured in %s: %s", name, error)
            found[name] = faces
            continue
        groups = [skin.skin_group(skin.skin_angle(bright, face.box)) for face in faces]
        found[name] = tuple(
            replace(face, groups={**face.groups, SKIN: group}) if group else face
            for face, group in zip(faces, groups, strict=True)
        )
    return replace(labels, faces=found)


def level_in(image: Image, box: Box) -> float:
    """The mean grey level in [0, 1] inside a box, as far as it lies in the picture."""
    x0, y0, x1, y1 = (round(value) for value in box)
    inside = image[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
    return mean_level(inside) if inside.size else 0.0
