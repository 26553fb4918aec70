"""Faces in clips: looked for on every few frames, followed between them, numbered by track.

In the dark a frozen detector is shown the frame, and the searched frames relit and merged as a clip
(:mod:`relume.frames.clip`) at the machine view's brightness; relume's own sees the frame alone.
Between two searches a face moves with the median flow of points in its box (Kalal et al.,
*Forward-Backward Error*, ICPR 2010) on a small copy, which in the dark is brightened; at a search
it keeps its number if a found box overlaps it. Only what was seen at the last search is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from relume.engine import Runtime
from relume.errors import ParameterError
from relume.faces import (
    ORIGINAL,
    RELIT,
    Box,
    Face,
    View,
    detect_on_views,
    detectors,
    landmarkers,
    usual_detector,
    usual_views,
)
from relume.faces.search import iou
from relume.faces.views import is_dark, usual_scale
from relume.frames.align import reduced
from relume.frames.clip import ClipRelighter
from relume.frames.cuts import Cuts
from relume.image import draw
from relume.image.filters import downscale
from relume.io.video import ClipFrames, ClipReport, Progress, convert_clip
from relume.photo import Array, Image, from_image, to_image

EVERY = 5
"""Frames from one search to the next."""
FLOW_SIDE_PX = 480
"""Longer side of the copies on which faces are followed."""
DARK_LEVEL, DARK_BLUR_PX = 0.3, 1.5
"""What the mean of a dark copy is brought to, and the sigma of the blur against its noise."""
POINTS = 8
"""Rows and columns of points in a box that are followed."""
WINDOW_PX = (21, 21)
MOST_ERROR_PX = 1.0
"""How far a point that is followed there and back may end from where it began."""
SAME_FACE = 0.3
"""Overlap (IoU) of a followed and a found box from which they are one face."""
MOST_MISSES = 2
"""Searches in a row that may miss a face before its number is given up."""


@dataclass(frozen=True, eq=False)
class TrackedFace:
    """A face with the number of its track, from 1; ``found`` in this frame, or followed to it."""

    face: Face
    track: int
    found: bool

    def as_json(self, width: int, height: int) -> dict[str, Any]:
        """As JSON has it: the track, and the face as of a photograph."""
        return {"track": self.track, "found": self.found, **self.face.as_json(width, height)}


@dataclass(frozen=True, eq=False)
class FrameFaces:
    """The faces of the frame with this number (from 0), shown after so many ``seconds``."""

    frame: int
    seconds: float
    width: int
    height: int
    faces: list[TrackedFace]

    def as_json(self) -> dict[str, Any]:
        """A line of JSON lines."""
        faces = [face.as_json(self.width, self.height) for face in self.faces]
        return {"frame": self.frame, "time": round(self.seconds, 4), "faces": faces}


@dataclass
class _Track:
    number: int
    face: Face
    misses: int = 0


class FaceTracker:
    """Called with each frame (H, W, 3) of a clip in order; what is kept does not grow.

    ``relit`` is the last frame that was relit, None if there was no need to.
    """

    def __init__(
        self,
        *,
        detector: str | None = None,
        landmarks: str | None = None,
        threshold: float | None = None,
        every: int = EVERY,
        full_size: bool = False,
        runtime: Runtime | None = None,
    ) -> None:
        """As :func:`relume.detect_faces`; ``every`` so many frames are searched.

        ``full_size`` relights every frame of a dark shot, whole: for drawing. Else what is searched
        is relit, in copies of half a megapixel, if the detector needs it.

        Raises:
            ParameterError: ``every`` below 1, or a wrong threshold or parameter.
            RelumeError: an unknown name, or weights that are missing.
        """
        if every < 1:
            raise ParameterError(f"every must be at least 1 frame, got {every}")
        name, given = detectors().parse(detector or usual_detector())
        if threshold is not None:
            given["threshold"] = threshold
        self._find = detectors().create(name, given)
        self._landmarker = None
        if landmarks is not None:
            self._landmarker = landmarkers().create(*landmarkers().parse(landmarks))
        self._every, self._full_size = every, full_size
        self._looks_relit = RELIT in usual_views(name, landmarks)
        self._relighter = ClipRelighter(method=RELIT, runtime=runtime)
        self._cuts = Cuts()
        self._last_number = 0
        self._restart()

    def _restart(self) -> None:
        self._tracks: list[_Track] = []
        self._age = 0
        self._dark = False
        self._before: Array | None = None
        self.relit: Image | None = None

    def __call__(self, frame: Image) -> list[TrackedFace]:
        """The faces of the frame, in the order of their numbers."""
        if self._cuts(frame):
            self._restart()
        search = self._age % self._every == 0
        self._age += 1
        if search and not self._dark and is_dark(frame):  # and so for the rest of the shot
            self._dark, self._before = True, None
            self._relighter.restart()
        scale = 1.0 if self._full_size else usual_scale(frame)
        if self._dark and (self._full_size or (search and self._looks_relit)):
            self.relit = self._relighter(_resized(frame, scale))
        grey = reduced(frame, FLOW_SIDE_PX)
        self._follow(_brightened(grey) if self._dark else grey, frame.shape[1])
        if search:
            views = [View(ORIGINAL, frame, 1.0)]
            if self._looks_relit and self.relit is not None:
                views.append(View(RELIT, self.relit, scale))
            self._assign(detect_on_views(views, self._find, landmarker=self._landmarker))
        return [TrackedFace(t.face, t.number, search) for t in self._tracks if not t.misses]

    def _follow(self, grey: Image, width: int) -> None:
        """Move every face with what moves in its box."""
        now = np.rint(255 * np.clip(grey, 0, 1)).astype(np.uint8)
        before, self._before = self._before, now
        if before is None:
            return
        scale, (height, length) = width / grey.shape[1], grey.shape
        for track in self._tracks:
            dx, dy = _shift(before, now, track.face.box, scale)
            track.face = _moved(track.face, dx, dy)
        self._tracks = [
            t for t in self._tracks if _is_inside(t.face, scale * length, scale * height)
        ]

    def _assign(self, found: list[Face]) -> None:
        """Give every face that was found its number: the nearest track's, or a new one."""
        pairs = sorted(
            (
                (iou(track.face.box, face.box), t, f)
                for t, track in enumerate(self._tracks)
                for f, face in enumerate(found)
            ),
            reverse=True,
        )
        known: dict[int, int] = {}  # track -> face
        for overlap, t, f in pairs:
            if overlap >= SAME_FACE and t not in known and f not in known.values():
                known[t] = f
        for t, track in enumerate(self._tracks):
            if t in known:
                track.face, track.misses = found[known[t]], 0
            else:
                track.misses += 1
        self._tracks = [track for track in self._tracks if track.misses <= MOST_MISSES]
        for f, face in enumerate(found):
            if f not in known.values():
                self._last_number += 1
                self._tracks.append(_Track(self._last_number, face))


def detect_video(
    source: str | PathLike[str],
    found: Callable[[FrameFaces], None],
    *,
    drawing: str | PathLike[str] | None = None,
    on_relit: bool | None = None,
    start_s: float = 0.0,
    end_s: float | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> ClipReport:
    """Find the faces of a clip: ``found`` is called with those of every frame, in order.

    ``drawing`` is a clip to write with boxes and numbers, ``on_relit`` whether on the relit
    frames (by default where the clip is dark); ``options`` are those of :class:`FaceTracker`.

    Raises:
        RelumeError: as :func:`relume.io.video.convert_clip` and :class:`FaceTracker`.
    """
    tracker = FaceTracker(full_size=drawing is not None and on_relit is not False, **options)

    def work(frames: ClipFrames) -> Iterator[Array]:
        for number, frame in enumerate(frames):
            image = to_image(frame)
            faces = tracker(image)
            height, width = image.shape[:2]
            found(FrameFaces(number, frames.seconds, width, height, faces))
            if drawing is None:
                yield frame
                continue
            ground = image if tracker.relit is None or on_relit is False else tracker.relit
            yield from_image(_drawn(ground, faces), like=frame)

    return convert_clip(
        Path(source),
        None if drawing is None else Path(drawing),
        work,
        start_s=start_s,
        end_s=end_s,
        overwrite=overwrite,
        progress=progress,
    )


def _drawn(image: Image, faces: list[TrackedFace]) -> Image:
    colours = [draw.ORANGE if face.face.only_relit else draw.SKY for face in faces]
    words = [f"{face.track}" for face in faces]
    return draw.draw_faces(image, [face.face for face in faces], colours, words=words)


def _brightened(grey: Image) -> Image:
    """A dark copy (h, w) as it can be followed."""
    quiet = cv2.GaussianBlur(grey, (0, 0), DARK_BLUR_PX)
    return np.asarray(quiet * np.float32(DARK_LEVEL / max(float(quiet.mean()), 1e-4)), np.float32)


def _shift(before: Array, now: Array, box: Box, scale: float) -> tuple[float, float]:
    """How far what ``box`` holds has moved; (0, 0) if nothing can be followed.

    ``before`` and ``now`` are grey copies (h, w), uint8, smaller than the frame by ``scale``.
    """
    x0, y0, x1, y1 = (value / scale for value in box)
    # a quarter inside, where the box is all face
    x = np.linspace(0.75 * x0 + 0.25 * x1, 0.25 * x0 + 0.75 * x1, POINTS)
    y = np.linspace(0.75 * y0 + 0.25 * y1, 0.25 * y0 + 0.75 * y1, POINTS)
    points = np.dstack(np.meshgrid(x, y)).reshape(-1, 1, 2).astype(np.float32)
    there, ok, _ = cv2.calcOpticalFlowPyrLK(before, now, points, None, winSize=WINDOW_PX)
    back, ok_back, _ = cv2.calcOpticalFlowPyrLK(now, before, there, None, winSize=WINDOW_PX)
    error = np.linalg.norm(back - points, axis=2)
    good = (ok & ok_back).astype(bool) & (error < MOST_ERROR_PX)
    if good.sum() < POINTS:
        return 0.0, 0.0
    dx, dy = (scale * float(v) for v in np.median((there - points)[good], axis=0))
    return dx, dy


def _is_inside(face: Face, width: float, height: float) -> bool:
    x0, y0, x1, y1 = face.box
    return x1 > 0 and y1 > 0 and x0 < width and y0 < height


def _moved(face: Face, dx: float, dy: float) -> Face:
    x0, y0, x1, y1 = face.box
    points = face.landmarks
    if points is not None:
        points = points + np.array([dx, dy], np.float32)
    return replace(face, box=(x0 + dx, y0 + dy, x1 + dx, y1 + dy), landmarks=points)


def _resized(image: Image, scale: float) -> Image:
    height, width = image.shape[:2]
    return downscale(image, max(1, round(width * scale)), max(1, round(height * scale)))
