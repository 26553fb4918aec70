"""What Peppa's network wants to see, and where YuNet's boxes lie: the evidence for two constants.

    python benchmarks/peppa_preprocessing.py --train LFPW/train --test LFPW/test

Both folders hold photographs with 68 points beside them (``x,y`` CSV). YuNet finds the faces of
every k-th photograph; the network sees them in both channel orders, normalised in several ways,
in square crops of several sizes around YuNet's box or around the points' bounds expected in it.
The error is the NME over the outer eye distance. The way with the least error on ``--train`` is
then measured on ``--test``, which takes no part in the choice. The medians are LEFT, TOP, RIGHT
and BOTTOM in ``relume/faces/search.py``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt

import relume
from relume.errors import RelumeError
from relume.faces import Box, box_around
from relume.faces.peppa import CROP, Peppa, square_crop
from relume.faces.search import BOTTOM, LEFT, RIGHT, TOP, bounds, iou
from relume.faces.yunet import YuNet
from relume.metrics.landmarks import POINTS, nme
from relume.photo import Image

Floats = npt.NDArray[np.float64]

ORDERS = "RGB", "BGR"
NORMALISED: dict[str, Callable[[Image], Image]] = {
    "(v - 127) / 127": lambda v: (v - np.float32(127)) / np.float32(127),
    "v / 255": lambda v: v / np.float32(255),
    "v - 127": lambda v: v - np.float32(127),
    "v": lambda v: v,
}
FACTORS = 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6
SQUARES = "bounds", "box"
"""Around the points' bounds expected in YuNet's box, or around that box itself."""


@dataclass(frozen=True)
class Labelled:
    """A photograph, its 68 points and YuNet's box of that face."""

    image: Image
    points: Floats
    box: Box


@dataclass(frozen=True)
class Way:
    """One way to show a face to the network."""

    order: str
    normalised: str
    factor: float
    square: str

    def __str__(self) -> str:
        return f"{self.order}, {self.normalised}, {self.factor:g} x the {self.square}"


OURS = Way("BGR", "(v - 127) / 127", CROP, "bounds")


def labelled(folder: Path, most: int) -> list[Labelled]:
    find = YuNet()
    files = sorted(folder.glob("*.jpg"))
    files = files[:: max(1, len(files) // most)][:most]
    found = []
    for path in files:
        image = relume.read(path).pixels
        points = np.loadtxt(path.with_suffix(".csv"), delimiter=",", skiprows=1)
        around = box_around(points)
        near = [face.box for face in find(image) if iou(face.box, around) > 0.5]
        if near:
            found.append(Labelled(image, points, near[0]))
    print(f"{folder}: YuNet finds {len(found)} of {len(files)} faces")
    if not found:
        raise RelumeError(f"no photograph with a face and its points in {folder}")
    return found


def medians(faces: Sequence[Labelled]) -> None:
    """Where YuNet's boxes lie in the points' bounds, from 0 (left, top) to 1 (right, bottom)."""
    shares = []
    for face in faces:
        x0, y0, x1, y1 = bounds(face.points)
        shares.append((np.array(face.box) - (x0, y0, x0, y0)) / np.tile([x1 - x0, y1 - y0], 2))
    middle = np.median(shares, axis=0)
    print(f"YuNet's boxes in the bounds of the 68 points, medians (n = {len(faces)})")
    for name, value, ours in zip(
        ("LEFT", "TOP", "RIGHT", "BOTTOM"), middle, (LEFT, TOP, RIGHT, BOTTOM), strict=True
    ):
        print(f"  {name:8} {value:6.3f}  (in boxes.py {ours:6.3f})")


def errors(net: Peppa, face: Labelled, ways: Sequence[Way]) -> list[float]:
    """The NME of one face, shown in each way; no mirroring."""
    found = []
    crops = {}
    for way in ways:
        key = (way.square, way.factor)
        if key not in crops:
            # square_crop expects bounds in a box; around the corners' box they are the corners
            box = face.box if way.square == "bounds" else box_around([face.box[:2], face.box[2:]])
            crops[key] = square_crop(face.image, box, factor=way.factor)
        pixels, side_px, corner = crops[key]
        shown = pixels if way.order == "BGR" else pixels[:, :, ::-1]
        batch = NORMALISED[way.normalised](shown.transpose(2, 0, 1)[None])
        out = net.network({net.network.inputs[0]: batch})[net.network.outputs[0]]
        points = out[0, : 2 * POINTS].reshape(POINTS, 2) * side_px + corner
        found.append(nme(points, face.points))
    return found


def compared(net: Peppa, faces: Sequence[Labelled]) -> Way:
    """Print the mean NME of all ways, and return the best."""
    ways = [Way(*choice) for choice in product(ORDERS, NORMALISED, FACTORS, SQUARES)]
    table = np.array([errors(net, face, ways) for face in faces])
    mean = dict(zip(ways, table.mean(axis=0), strict=True))
    best = min(ways, key=lambda way: mean[way])
    print(f"mean NME in %, at {best.factor:g} x the {best.square} (n = {len(faces)})")
    print(f"  {'':16}" + "".join(f"{order:>8}" for order in ORDERS))
    for name in NORMALISED:
        cells = [mean[replace(best, normalised=name, order=order)] for order in ORDERS]
        print(f"  {name:16}" + "".join(f"{100 * cell:8.2f}" for cell in cells))
    print(f"mean NME in %, {best.order}, {best.normalised}: crops by their factor")
    print(f"  {'':16}" + "".join(f"{factor:8g}" for factor in FACTORS))
    for square in SQUARES:
        cells = [mean[replace(best, square=square, factor=factor)] for factor in FACTORS]
        print(f"  around {square:9}" + "".join(f"{100 * cell:8.2f}" for cell in cells))
    print(f"best:     {best}: {100 * mean[best]:.2f} %")
    more = table[:, ways.index(OURS)] - table[:, ways.index(best)]
    doubt = more.std() / len(more) ** 0.5
    print(f"relume's: {OURS}: {100 * mean[OURS]:.2f} %")
    print(f"  more than the best by {100 * more.mean():.2f} +- {100 * doubt:.2f} (paired)")
    return best


def report(net: Peppa, faces: Sequence[Labelled], best: Way) -> None:
    """The best way and relume's on photographs that took no part in the choice."""
    for name, way in (("best", best), ("relume's", OURS)):
        values = [errors(net, face, [way])[0] for face in faces]
        print(f"test, {name}: {way}: {described(values)} (n = {len(faces)})")
    mirrored = Peppa()
    values = [nme(mirrored(face.image, face.box), face.points) for face in faces]
    print(f"test, relume's landmarker, mirroring too: {described(values)}")


def described(values: Sequence[float]) -> str:
    return f"mean NME {100 * np.mean(values):.2f} %, median {100 * np.median(values):.2f} %"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--test", type=Path)
    parser.add_argument("-n", type=int, default=101, help="photographs of each folder")
    options = parser.parse_args()
    try:
        net = Peppa(mirror=False)
        train = labelled(options.train, options.n)
        medians(train)
        best = compared(net, train)
        if options.test:
            report(net, labelled(options.test, options.n), best)
    except RelumeError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
