"""Pictures for people: faces drawn in, panels with captions, before and after.

Colours are Okabe and Ito's, told apart with every kind of colour vision; every line has a dark rim,
so that it is seen on snow and at night.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Protocol, TypeAlias, cast

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image
from PIL import ImageDraw, ImageFont

from relume.errors import ParameterError
from relume.photo import Image, check_image

Colour: TypeAlias = tuple[int, int, int]
ORANGE: Colour = (230, 159, 0)
SKY: Colour = (86, 180, 233)
GREEN: Colour = (0, 158, 115)
YELLOW: Colour = (240, 228, 66)
PURPLE: Colour = (204, 121, 167)
WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)
INK: Colour = (34, 34, 34)

IBUG_68: tuple[tuple[int, int, bool, Colour], ...] = (
    (0, 17, False, SKY),  # jaw
    (17, 22, False, ORANGE),  # brows
    (22, 27, False, ORANGE),
    (27, 31, False, YELLOW),  # nose
    (31, 36, False, YELLOW),
    (36, 42, True, GREEN),  # eyes
    (42, 48, True, GREEN),
    (48, 60, True, PURPLE),  # lips, outer and inner
    (60, 68, True, PURPLE),
)
"""iBUG-68's contours: first point, one past the last, whether closed, colour."""

RIM_SHARE = 0.6
SUBPIXEL_BITS = 4
SMALLEST_LETTERS_PX = 8
WIDEST_PANEL = 3.0
"""Width over height; wider pictures are shown smaller."""

Points: TypeAlias = npt.NDArray[np.floating]


class FaceLike(Protocol):
    """What is drawn of a face."""

    @property
    def box(self) -> tuple[float, float, float, float]:
        """(x0, y0, x1, y1), which may reach past the picture."""

    @property
    def score(self) -> float:
        """In [0, 1]."""

    @property
    def landmarks(self) -> npt.NDArray[np.float32] | None:
        """(K, 2) or None."""


class _Sheet:
    """A transparent sheet over a picture: what is not drawn on stays as it is, bit for bit."""

    def __init__(self, height: int, width: int) -> None:
        self.colour = np.zeros((height, width, 3), np.uint8)
        self.ink = np.zeros((height, width), np.uint8)
        self.rim = np.zeros((height, width), np.uint8)

    def line(self, points: Points, colour: Colour, width_px: int, *, closed: bool) -> None:
        """A smooth line; OpenCV clips it, but not at coordinates beyond its integers."""
        near = np.clip(points, -1e5, 1e5)
        path = [np.rint(near * (1 << SUBPIXEL_BITS)).astype(np.int32).reshape(-1, 1, 2)]
        rim_px = width_px + 2 * max(1, round(width_px / 2))
        for plane, value, px in (
            (self.rim, 255, rim_px),
            (self.ink, 255, width_px),
            (self.colour, colour, width_px + 2),
        ):
            cv2.polylines(plane, path, closed, value, px, cv2.LINE_AA, SUBPIXEL_BITS)

    def dot(self, point: Points, colour: Colour, radius_px: float) -> None:
        """A filled circle."""
        near = np.clip(point, -1e5, 1e5) * (1 << SUBPIXEL_BITS)
        x, y = (round(float(value)) for value in near)
        for plane, value, px in (
            (self.rim, 255, radius_px + 1),
            (self.ink, 255, radius_px),
            (self.colour, colour, radius_px + 1),
        ):
            radius = round(px * (1 << SUBPIXEL_BITS))
            cv2.circle(plane, (x, y), radius, value, -1, cv2.LINE_AA, SUBPIXEL_BITS)

    def tag(self, words: str, left: int, top: int, colour: Colour, size_px: int) -> None:
        """Dark words on a coloured ground, their upper left corner at (left, top)."""
        face = font(size_px)
        width, height = _tag_size(words, face)
        window = np.s_[top : top + height, left : left + width]
        ground = np.empty((height, width, 3), np.float32)
        ground[...] = np.asarray(colour, np.float32) / 255
        self.ink[window] = 255
        self.rim[window] = 0
        self.colour[window] = np.rint(255 * lettered(ground, words, face, BLACK))

    def over(self, image: Image) -> Image:
        """The picture under the sheet."""
        out = image.copy()
        left, top, width, height = cv2.boundingRect(cv2.max(self.ink, self.rim))
        if not width:
            return out
        window = np.s_[top : top + height, left : left + width]
        ink = (self.ink[window].astype(np.float32) / np.float32(255))[:, :, None]
        rim = (self.rim[window].astype(np.float32) * np.float32(RIM_SHARE / 255))[:, :, None]
        colour = self.colour[window].astype(np.float32) / np.float32(255)
        below = out[window] * (1 - rim)
        out[window] = below + ink * (colour - below)
        return out


def draw_faces(
    image: Image,
    faces: Sequence[FaceLike],
    colours: Sequence[Colour] | None = None,
    *,
    words: Sequence[str] | None = None,
) -> Image:
    """The picture with the faces' boxes, scores and landmarks drawn in.

    ``colours`` are the boxes', one a face (by default sky blue); ``words`` stand in the place of
    the scores. 68 landmarks are drawn as iBUG's contours, any other number as dots. Lines and
    letters grow with the picture, and shrink with small faces. A score stands where it hides no
    other face, or is left out. What is not drawn on stays bit for bit.
    """
    height, width = check_image(image).shape[:2]
    sheet = _Sheet(height, width)
    words = words or [f"{face.score:.2f}" for face in faces]
    coloured = list(zip(faces, colours or [SKY] * len(faces), words, strict=True))
    coloured.sort(key=lambda each: each[0].score)  # the surest is drawn last, on top
    for face, _, _ in coloured:
        if face.landmarks is not None:
            _draw_landmarks(sheet, face)
    for face, colour, _ in coloured:
        x0, y0, x1, y1 = face.box
        outline = np.array([(x0, y0), (x1 - 1, y0), (x1 - 1, y1 - 1), (x0, y1 - 1)])
        sheet.line(outline, colour, _line_px(sheet, face), closed=True)
    hidden: list[tuple[float, float, float, float]] = []
    for face, colour, tag in reversed(coloured):
        others = [other.box for other, _, _ in coloured if other is not face]
        corners = _tag_corners(sheet, face, tag, others + hidden)
        if corners is not None:
            hidden.append(corners)
            sheet.tag(tag, int(corners[0]), int(corners[1]), colour, _tag_px(sheet, face))
    return sheet.over(image)


def panels(images: Sequence[Image], captions: Sequence[str], *, height_px: int = 400) -> Image:
    """The pictures side by side on white, each with its caption above it.

    Every picture is scaled to ``height_px``; one more than three times as wide is shown smaller,
    and one that is narrower than its caption stands in the middle of a wider panel.

    Raises:
        ParameterError: no picture, another number of captions, or a height below 16.
    """
    if not images or len(images) != len(captions):
        raise ParameterError(
            f"expected as many captions as pictures, and at least one, got {len(images)} pictures "
            f"and {len(captions)} captions"
        )
    if height_px < 16:
        raise ParameterError(f"expected panels of 16 px or more, got {height_px}")
    size_px = int(min(max(12, height_px / 18), 40))
    face, gap, bar = font(size_px), max(4, size_px // 2), 2 * size_px
    room = [min(text_size(words, face)[0] + 4, height_px) for words in captions]
    parts = [
        _panel(image, height_px, max(px, 2 * size_px))
        for image, px in zip(images, room, strict=True)
    ]
    width = sum(part.shape[1] for part in parts) + gap * (len(parts) + 1)
    out = np.ones((height_px + bar + gap, width, 3), np.float32)
    x = gap
    for part, caption in zip(parts, captions, strict=True):
        across = part.shape[1]
        out[bar : bar + height_px, x : x + across] = part
        words = fitted(caption, face, across)
        out[:bar, x : x + across] = lettered(out[:bar, x : x + across], words, face, INK)
        x += across + gap
    return out


def sheet(pictures: Sequence[Image], *, width_px: int = 2000) -> Image:
    """The pictures in rows on white, as many beside each other as ``width_px`` has room for.

    Raises:
        ParameterError: no picture.
    """
    if not pictures:
        raise ParameterError("expected at least one picture for a sheet, got none")
    across = max(check_image(picture).shape[1] for picture in pictures)
    columns = max(1, min(len(pictures), width_px // across))
    rows = [pictures[at : at + columns] for at in range(0, len(pictures), columns)]
    heights = [max(picture.shape[0] for picture in row) for row in rows]
    out = np.ones((sum(heights), columns * across, 3), np.float32)
    top = 0
    for row, height in zip(rows, heights, strict=True):
        for column, picture in enumerate(row):
            left = column * across
            out[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        top += height
    return out


def stacked(rows: Sequence[Image]) -> Image:
    """The pictures one below the other, on white."""
    width = max(row.shape[1] for row in rows)
    wide = [np.pad(r, ((0, 0), (0, width - r.shape[1]), (0, 0)), constant_values=1) for r in rows]
    return np.concatenate(wide)


def before_after(before: Image, after: Image) -> Image:
    """Both pictures whole, side by side, a white line between them and a label in each.

    Raises:
        ParameterError: pictures of different sizes.
    """
    if check_image(before).shape != check_image(after).shape:
        raise ParameterError(
            f"expected two pictures of one size, got {before.shape[:2]} and {after.shape[:2]}"
        )
    height, width = before.shape[:2]
    line = np.ones((height, max(1, round(min(height, width) / 125)), 3), np.float32)
    out = np.concatenate([before, line, after], axis=1)
    right = width + line.shape[1]
    size_px = int(min(max(12, min(height, width) / 24), 96))
    margin = max(4, size_px // 2)
    for words, start, stop in (("before", 0, width), ("after", right, right + width)):
        _badge(out, words, start + margin, stop - margin, margin, font(size_px))
    return out


def _draw_landmarks(sheet: _Sheet, face: FaceLike) -> None:
    points = np.asarray(face.landmarks, np.float64)
    px = max(1, _line_px(sheet, face) // 2)
    if len(points) == 68:
        for start, stop, closed, colour in IBUG_68:
            sheet.line(points[start:stop], colour, px, closed=closed)
        return
    for point in points:
        sheet.dot(point, YELLOW, 1.5 * px)


def _line_px(sheet: _Sheet, face: FaceLike) -> int:
    """A 300th of the picture's shorter side, and at most a 30th of the face."""
    x0, y0, x1, y1 = face.box
    of_picture = min(sheet.ink.shape) / 300
    return max(1, round(min(of_picture, max(x1 - x0, y1 - y0) / 30)))


def _tag_px(sheet: _Sheet, face: FaceLike) -> int:
    """A 40th of the picture's shorter side, but no more than the face's size bears."""
    _, y0, _, y1 = face.box
    of_picture = max(11, min(sheet.ink.shape) / 40)
    return int(min(max(SMALLEST_LETTERS_PX, min(of_picture, (y1 - y0) / 4)), 64))


def _tag_corners(
    sheet: _Sheet, face: FaceLike, tag: str, occupied: Sequence[tuple[float, float, float, float]]
) -> tuple[float, float, float, float] | None:
    """Where a face's ``tag`` hides nothing: above the box, below it, or beside; None if nowhere."""
    width, height = _tag_size(tag, font(_tag_px(sheet, face)))
    full_height, full_width = sheet.ink.shape
    if width > full_width or height > full_height:
        return None
    x0, y0, x1, y1 = face.box
    rim = _line_px(sheet, face) / 2
    for x, y in (
        (x0 - rim, y0 - rim - height),
        (x1 + rim - width, y0 - rim - height),
        (x0 - rim, y1 + rim),
        (x1 + rim, y0 - rim),
        (x0 - rim - width, y0 - rim),
    ):
        left = int(min(max(x, 0), full_width - width))
        top = int(min(max(y, 0), full_height - height))
        right, bottom = left + width, top + height
        if not any(
            left < ox1 and ox0 < right and top < oy1 and oy0 < bottom
            for ox0, oy0, ox1, oy1 in occupied
        ):
            return (left, top, right, bottom)
    return None


def _tag_size(words: str, face: ImageFont.FreeTypeFont) -> tuple[int, int]:
    width, height = text_size(words, face)
    return width + round(0.5 * face.size), height + round(0.2 * face.size)


def _badge(
    out: Image, words: str, start: int, stop: int, margin: int, face: ImageFont.FreeTypeFont
) -> None:
    """White words on a darkened, rounded ground, low in the picture; left out if too large."""
    width, height = _tag_size(words, face)
    bottom = out.shape[0] - margin
    if width > stop - start or height > bottom - margin:
        return
    left = (start + stop - width) // 2
    window = np.s_[bottom - height : bottom, left : left + width]
    ground = out[window] * (1 - np.float32(0.55) * _rounded(height, width)[:, :, None])
    out[window] = lettered(ground, words, face, WHITE)


@cache
def _rounded(height: int, width: int) -> Image:
    """A rounded rectangle that fills its plane, with smooth corners."""
    corner = height / 3
    y = np.abs(np.arange(height) - (height - 1) / 2)[:, None] - (height / 2 - corner)
    x = np.abs(np.arange(width) - (width - 1) / 2)[None, :] - (width / 2 - corner)
    distance = np.hypot(np.maximum(x, 0), np.maximum(y, 0))
    return np.asarray(np.clip(corner - distance + 0.5, 0, 1), np.float32)


def _panel(image: Image, height_px: int, least_px: int) -> Image:
    """The picture scaled to ``height_px``, in the middle of a white panel if it is too narrow."""
    height, width = check_image(image).shape[:2]
    scale = min(height_px / height, WIDEST_PANEL * height_px / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if scale < 1:
        how = cv2.INTER_AREA
    else:
        how = cv2.INTER_NEAREST if scale >= 4 else cv2.INTER_CUBIC
    scaled = np.clip(cv2.resize(image, size, interpolation=how), 0, 1)
    across, down = max(size[0], least_px), height_px
    if (across, down) == size:
        return np.asarray(scaled, np.float32)
    panel = np.ones((down, across, 3), np.float32)
    top, left = (down - size[1]) // 2, (across - size[0]) // 2
    panel[top : top + size[1], left : left + size[0]] = scaled
    return panel


@cache
def font(size_px: int) -> ImageFont.FreeTypeFont:
    """Pillow's own font in a size."""
    return cast(ImageFont.FreeTypeFont, ImageFont.load_default(size_px))


def text_size(words: str, face: ImageFont.FreeTypeFont) -> tuple[int, int]:
    """Width and height of a line of words; the height is the font's, the same for all words."""
    ascent, descent = face.getmetrics()
    return round(face.getlength(words)), ascent + descent


def fitted(words: str, face: ImageFont.FreeTypeFont, width_px: int) -> str:
    """The words on one line, cut with an ellipsis if they are wider than ``width_px``."""
    words = " ".join(words.split())
    if text_size(words, face)[0] <= width_px:
        return words
    cut = len(words)
    while cut and text_size(words[:cut].rstrip() + "...", face)[0] > width_px:
        cut -= 1
    return words[:cut].rstrip() + "..." if cut else ""


def text_mask(words: str, face: ImageFont.FreeTypeFont, height: int, width: int) -> Image:
    """The words in the middle of a plane (height, width), as a share of ink in [0, 1]."""
    plane = PIL.Image.new("L", (width, height))
    # middle of the capitals, so that descenders do not lift the line
    capitals = face.getbbox("X")
    y = (height - (capitals[3] - capitals[1])) / 2 - capitals[1]
    x = (width - face.getlength(words)) / 2
    ImageDraw.Draw(plane).text((round(x), round(y)), words, 255, font=face)
    return np.asarray(plane, np.float32) / np.float32(255)


def lettered(ground: Image, words: str, face: ImageFont.FreeTypeFont, colour: Colour) -> Image:
    """``ground`` with the words in its middle."""
    share = text_mask(words, face, *ground.shape[:2])[:, :, None]
    ink = np.asarray(colour, np.float32) / np.float32(255)
    return np.asarray(ground + share * (ink - ground), np.float32)
