"""Other networks beside relume on real dark photographs: faces, lit detail, noise, skin.

    python benchmarks/rivals.py PHOTOS LABELS.csv OUT relume iat=onnx:iat.onnx lytnet=onnx:lyt.onnx
    python benchmarks/rivals.py PHOTOS LABELS.csv OUT

PHOTOS and LABELS.csv are laid out as for ``real_dark.py``. The chosen photographs (``--sets``, so
many of each, drawn by a hash of their names) are fitted into ``--side`` pixels and saved as JPEG in
OUT/photograph: what all methods get. Each method that is named fills OUT/<name> with pictures that
are not there yet. Networks that ``onnx:FILE`` cannot run fill a folder of OUT by their own code;
whatever folder of OUT holds a picture of every photograph is measured:

* faces by frozen YuNet on the picture alone, at ``--rate`` false alarms a photograph, and found /
  false alarms at .6;
* lit detail (median, and the share of photographs that keep .9), noise in flat dark places and the
  mean level, both of 255;
* of the faces found by hand at least 20 px wide, the share with the hue of skin: the median colour
  of the middle of the face within ``SKIN_HUE`` degrees in CIELAB, as it is in nine of ten bright
  photographs.

``blind.py make`` makes pairs of these folders, and ``peers.py`` compares times.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
from real_dark import LOWEST, Labelled, labelled

import relume
from relume.faces import detectors
from relume.image.color import luma
from relume.metrics.detection import Scored, found_at_false_alarms
from relume.metrics.quality import dark_noise, lit_detail
from relume.photo import Image, Photo

KEPT = 0.9
LEAST_PX = 20
SKIN_HUE = (20.0, 80.0)
PHOTOGRAPH = "photograph"


@dataclass
class Measured:
    """What was measured of one method, a value a photograph (of ``hues``: a face)."""

    scored: list[Scored] = field(default_factory=list)
    lit: list[float] = field(default_factory=list)
    noise: list[float] = field(default_factory=list)
    level: list[float] = field(default_factory=list)
    hues: list[float] = field(default_factory=list)


def name_of(photo: Labelled) -> str:
    return f"{photo.kind}-{photo.file.stem}"


def chosen(photos: list[Labelled], sets: dict[str, int]) -> list[Labelled]:
    """So many photographs of each set, by a hash of their names; all of them without sets."""
    kinds: dict[str, list[Labelled]] = defaultdict(list)
    for photo in photos:
        kinds[photo.kind].append(photo)
    found: list[Labelled] = []
    for kind, most in (sets or {kind: len(of) for kind, of in kinds.items()}).items():
        of = kinds[kind]
        found += sorted(of, key=lambda p: sha256(name_of(p).encode()).hexdigest())[:most]
    return found


def laid_out(photo: Labelled, folder: Path, side: int, quality: int) -> Labelled:
    """The photograph as all methods get it, and its boxes in that picture's pixels."""
    image = relume.read(photo.file).pixels
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = (round(width * scale), round(height * scale))
    file = folder / f"{name_of(photo)}.jpg"
    if not file.exists():
        fitted = np.clip(cv2.resize(image, size, interpolation=cv2.INTER_AREA), 0, 1)
        Photo(fitted).save(file, quality=quality)
    across = np.array([size[0] / width, size[1] / height] * 2)
    faces, ignored = ([tuple(across * box) for box in of] for of in (photo.faces, photo.ignored))
    return replace(photo, file=file, faces=faces, ignored=ignored)


def picture_of(folder: Path, photo: Labelled) -> Path | None:
    """The picture of a photograph in a folder, whatever its format."""
    return next(iter(sorted(folder.glob(f"{photo.file.stem}.*"))), None)


def fill(folder: Path, method: str, photos: list[Labelled]) -> None:
    """The pictures that a method's folder lacks; lit places of networks are as they leave them."""
    folder.mkdir(exist_ok=True)
    network = method.partition(":")[0] == "onnx"
    for photo in photos:
        if picture_of(folder, photo) is None:
            image = relume.read(photo.file).pixels
            result = relume.enhance(image, method=method, protect_lit=not network)
            Photo(result).save(folder / f"{photo.file.stem}.png")


def hue(picture: Image, box: tuple[float, float, float, float]) -> float:
    """The hue in degrees of the median colour of the middle of a face; NaN of a small one."""
    x0, y0, x1, y1 = box
    if max(x1 - x0, y1 - y0) < LEAST_PX:
        return float("nan")
    rows = slice(round(y0 + 0.3 * (y1 - y0)), round(y0 + 0.7 * (y1 - y0)))
    columns = slice(round(x0 + 0.25 * (x1 - x0)), round(x0 + 0.75 * (x1 - x0)))
    inside = picture[rows, columns].reshape(1, -1, 3)
    _, a, b = np.median(cv2.cvtColor(inside, cv2.COLOR_RGB2LAB)[0], axis=0)
    return float(np.degrees(np.arctan2(b, a)))


def measured(folder: Path, photos: list[Labelled]) -> Measured:
    detector = detectors().create("yunet", {"threshold": LOWEST})
    out = Measured()
    for photo in photos:
        file = picture_of(folder, photo)
        assert file is not None
        before, after = relume.read(photo.file).pixels, relume.read(file).pixels
        found = detector(after)
        boxes, scores = [f.box for f in found], [f.score for f in found]
        out.scored.append(Scored.of(boxes, scores, photo.faces, photo.ignored))
        out.lit.append(lit_detail(before, after))
        out.noise.append(dark_noise(before, after))
        out.level.append(float(luma(after).mean()))
        out.hues += [hue(after, box) for box in photo.faces]
    return out


def row(name: str, values: Measured, rate: float) -> str:
    faces = found_at_false_alarms(values.scored, rate)
    best = np.concatenate([scored.best for scored in values.scored])
    false = sum(int((scored.false >= 0.6).sum()) for scored in values.scored) / len(values.scored)
    hues = np.array(values.hues)[np.isfinite(values.hues)]
    skin = ((hues >= SKIN_HUE[0]) & (hues <= SKIN_HUE[1])).mean() if len(hues) else np.nan
    lit = np.array(values.lit)
    return (
        f"{name:16}{faces:7.2f}{int((best >= 0.6).sum()):6d} /{false:5.2f}{np.median(lit):8.2f}"
        f"{(lit >= KEPT).mean():7.0%}{np.nanmean(values.noise) * 255:8.2f}"
        f"{np.mean(values.level) * 255:7.1f}{skin:7.0%}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("methods", nargs="*", help="a method, or NAME=METHOD, as in iat=onnx:FILE")
    parser.add_argument("--sets", default="", help="SET=COUNT with commas; without: all")
    parser.add_argument("--side", type=int, default=640, help="longer side, pixels")
    parser.add_argument("--quality", type=int, default=90, help="of the JPEG that all methods get")
    parser.add_argument("--rate", type=float, default=0.25, help="false alarms a photograph")
    options = parser.parse_intermixed_args()
    sets = dict(part.split("=") for part in options.sets.split(",") if part)
    photos = [p for p in labelled(options.folder, options.labels) if p.file.exists()]
    photos = chosen(photos, {kind: int(most) for kind, most in sets.items()})
    originals = options.out / PHOTOGRAPH
    originals.mkdir(parents=True, exist_ok=True)
    photos = [laid_out(p, originals, options.side, options.quality) for p in photos]
    for text in options.methods:
        name, named, method = text.partition("=")
        fill(options.out / name, method if named else text, photos)
    faces = sum(len(p.faces) for p in photos)
    print(f"{len(photos)} photographs, {faces} faces, at {options.rate} false alarms a photograph")
    print("                  faces    .6 / false     lit   .9   noise  level   skin")
    for folder in sorted(path for path in options.out.iterdir() if path.is_dir()):
        missing = sum(picture_of(folder, photo) is None for photo in photos)
        if missing:
            print(f"{folder.name:16}lacks {missing} of the pictures")
        else:
            print(row(folder.name, measured(folder, photos), options.rate), flush=True)


if __name__ == "__main__":
    main()
