"""Pictures for people: faces and landmarks drawn, captioned strips, before beside after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from relume.photo import Array, Image, quantise

ORANGE, SKY, YELLOW = (230, 159, 0), (86, 180, 233), (240, 228, 66)
"""Of Okabe and Ito's palette, which colour-blind people can tell apart."""

INK, PAPER = (236, 236, 236), (18, 18, 20)

CONTOURS: tuple[tuple[range, bool], ...] = (
    (range(17), False),  # jaw
    (range(17, 22), False),  # brows
    (range(22, 27), False),
    (range(27, 31), False),  # nose
    (range(31, 36), False),
    (range(36, 42), True),  # eyes
    (range(42, 48), True),
    (range(48, 60), True),  # lips
    (range(60, 68), True),
)
"""The 68 iBUG points as lines: which points, and whether the line is closed."""

FINE = 16
SHIFT = 4
"""OpenCV draws on a grid of 1/16 px."""


class Drawable(Protocol):
    """A face as it can be drawn."""

    @property
    def box(self) -> tuple[float, float, float, float]:
        """(x0, y0, x1, y1), pixels."""

    @property
    def score(self) -> float:
        """In [0, 1]."""

    @property
    def landmarks(self) -> npt.NDArray[np.float32] | None:
        """(K, 2) points, or None."""


def draw_faces(image: Image, faces: Sequence[Drawable]) -> Image:
    """A copy of ``image`` with boxes, scores and landmarks; 68 points as iBUG contours.

    Line width follows the picture's size.
    """
    canvas = np.ascontiguousarray(quantise(image, np.uint8))
    width_px = max(1, round(min(image.shape[:2]) / 240))
    for face in faces:
        _outline(canvas, face.box, width_px)
        if face.landmarks is not None:
            _points(canvas, np.asarray(face.landmarks), width_px)
    picture = PillowImage.fromarray(canvas)
    pen = ImageDraw.Draw(picture)
    for face in faces:
        _tag(pen, face, picture.size)
    return np.asarray(picture, np.float32) / np.float32(255)


def panels(
    images: Sequence[Image], captions: Sequence[str], *, height_px: int | None = None
) -> Image:
    """The images side by side at one height, a caption above each.

    ``height_px`` is that of the images; without it, the first one's.
    """
    height = height_px or images[0].shape[0]
    shown = [_at_height(image, height) for image in images]
    size_px = max(11, round(height / 16))
    bar, gap = round(size_px * 1.9), max(2, height // 120)
    width = sum(s.shape[1] for s in shown) + gap * (len(shown) - 1)
    picture = PillowImage.new("RGB", (width, height + bar), PAPER)
    pen = ImageDraw.Draw(picture)
    x = 0
    for image, caption in zip(shown, captions, strict=True):
        picture.paste(PillowImage.fromarray(quantise(image, np.uint8)), (x, bar))
        font = _font(size_px)
        while size_px > 8 and pen.textlength(caption, font=font) > image.shape[1]:
            size_px -= 1
            font = _font(size_px)
        pen.text((x + image.shape[1] / 2, bar / 2), caption, INK, font, anchor="mm")
        x += image.shape[1] + gap
    return np.asarray(picture, np.float32) / np.float32(255)


def before_after(before: Image, after: Image) -> Image:
    """One picture, its left half from ``before``, its right half from ``after``, both labelled."""
    height, width = before.shape[:2]
    middle = width // 2
    both = np.concatenate([before[:, :middle], after[:, middle:]], axis=1)
    picture = PillowImage.fromarray(quantise(both, np.uint8))
    pen = ImageDraw.Draw(picture, "RGBA")
    line_px = max(1, round(width / 400))
    pen.rectangle((middle - line_px / 2, 0, middle + line_px / 2, height), (255, 255, 255, 220))
    font, margin = _font(max(11, round(height / 24))), max(4, height // 40)
    for text, x, anchor in (("before", margin, "ls"), ("after", width - margin, "rs")):
        place = (x, height - margin)
        box = pen.textbbox(place, text, font, anchor=anchor)
        pad = margin / 2
        pen.rounded_rectangle(
            (box[0] - pad, box[1] - pad, box[2] + pad, box[3] + pad), pad, (0, 0, 0, 150)
        )
        pen.text(place, text, (255, 255, 255, 255), font, anchor=anchor)
    return np.asarray(picture, np.float32)[:, :, :3] / np.float32(255)


def _outline(canvas: Array, box: tuple[float, float, float, float], width_px: int) -> None:
    x0, y0, x1, y1 = box
    # half open: the last row and column inside are x1 - 1, y1 - 1
    start, end = _fixed((x0, y0)), _fixed((x1 - 1, y1 - 1))
    cv2.rectangle(canvas, start, end, (0, 0, 0), width_px + 2, cv2.LINE_AA, SHIFT)
    cv2.rectangle(canvas, start, end, ORANGE, width_px, cv2.LINE_AA, SHIFT)


def _points(canvas: Array, points: Array, width_px: int) -> None:
    if len(points) == 68:
        for indices, closed in CONTOURS:
            line = np.rint(points[list(indices)] * FINE).astype(np.int32)[None]
            cv2.polylines(canvas, line, closed, SKY, max(1, width_px // 2), cv2.LINE_AA, SHIFT)
    radius = FINE * max(1, width_px) if len(points) < 68 else FINE * max(1, width_px) * 2 // 3
    for point in points:
        cv2.circle(canvas, _fixed(point), radius, YELLOW, -1, cv2.LINE_AA, SHIFT)


def _tag(pen: ImageDraw.ImageDraw, face: Drawable, size: tuple[int, int]) -> None:
    x0, y0, x1, _ = face.box
    font = _font(int(np.clip((x1 - x0) / 8, 10, max(12, min(size) / 24))))
    text = f"{face.score:.2f}"
    left, top, right, bottom = pen.textbbox((0, 0), text, font)
    width, height = right - left + 6, bottom - top + 6
    x = float(np.clip(x0, 0, max(0, size[0] - width)))
    y = y0 - height if y0 >= height else y0
    pen.rectangle((x, y, x + width, y + height), ORANGE)
    pen.text((x + 3 - left, y + 3 - top), text, (0, 0, 0), font)


def _at_height(image: Image, height_px: int) -> Image:
    if image.shape[0] == height_px:
        return image
    width = max(1, round(image.shape[1] * height_px / image.shape[0]))
    smaller = height_px < image.shape[0]
    how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    resized = cv2.resize(image, (width, height_px), interpolation=how)
    return np.asarray(np.clip(resized, 0, 1), np.float32)


def _fixed(point: Sequence[float] | Array) -> tuple[int, int]:
    return round(float(point[0]) * FINE), round(float(point[1]) * FINE)


def _font(size_px: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size_px)
