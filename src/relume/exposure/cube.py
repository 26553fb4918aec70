"""The global part of a plan as a 3D LUT, the .cube file that other editors read.

Colours alone go in, so noise removal, light from place to place and faces are left out.
"""

from __future__ import annotations

import numpy as np

from relume.exposure.curve import expose_directly
from relume.exposure.meter import meter
from relume.exposure.plan import Plan
from relume.image.color import largest
from relume.photo import Image

SIZE = 33
"""Colours along each side of the cube; what is between is interpolated by whoever reads it."""


def look_up_table(plan: Plan, image: Image) -> Image:
    """(33, 33, 33, 3), by blue, green and red: what a plan for ``image`` makes of each colour.

    The curve is applied to a colour's largest channel, as if its surroundings were like it.
    """
    steps = np.linspace(0, 1, SIZE, dtype=np.float32)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    colours = np.stack([red, green, blue], axis=-1).reshape(SIZE, -1, 3)
    colours = plan.black.off(colours)
    if plan.curve is None:
        reading = meter(plan.black.off(image)).counted_for(plan.aim)
        factor = np.full(colours.shape[:2], reading.overall_gain(plan.aim.level), np.float32)
    elif plan.is_even:
        factor = np.full(colours.shape[:2], plan.curve.overall, np.float32)
    else:
        factor = plan.curve.at(largest(colours))
    exposed = plan.cast.off(expose_directly(colours, factor), plan.network_share(factor))
    return np.clip(exposed, 0, 1).reshape(SIZE, SIZE, SIZE, 3)


def as_cube(table: Image, title: str) -> str:
    """The table as the text of a .cube file (Adobe, Cube LUT Specification 1.0)."""
    name = title.replace('"', "'")
    rows = "\n".join(f"{r:.6f} {g:.6f} {b:.6f}" for r, g, b in table.reshape(-1, 3))
    return f'TITLE "{name}"\nLUT_3D_SIZE {len(table)}\nDOMAIN_MIN 0 0 0\nDOMAIN_MAX 1 1 1\n{rows}\n'


def looked_up(table: Image, image: Image) -> Image:
    """``image`` (H, W, 3) through the table, interpolated between the eight nearest colours."""
    most = len(table) - 1
    place = np.clip(image, 0, 1)[..., ::-1] * np.float32(most)  # blue, green, red
    low = np.minimum(place.astype(np.int32), most - 1)
    share = (place - low)[..., None]  # (H, W, 3, 1)
    out = np.zeros_like(image)
    for corner in np.ndindex(2, 2, 2):
        parts = [share[..., n, :] if up else 1 - share[..., n, :] for n, up in enumerate(corner)]
        at = low + np.array(corner)
        out += parts[0] * parts[1] * parts[2] * table[at[..., 0], at[..., 1], at[..., 2]]
    return out
