"""Clips over HTTP: sent, relit frame by frame between the photos of others, fetched, forgotten.

A clip takes longer than a connection should last. So it is a job: POST gives its name, GET how
far it is, and its file when it is done. Every frame waits its turn among the photos, so that a
clip makes nobody wait longer than a frame does. Clips lie in a temporary folder of the service's
until they are fetched and deleted, or for :data:`KEPT_S` after they were last asked about.
"""

from __future__ import annotations

import logging
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.requests import Request

from relume.errors import RelumeError
from relume.frames import ClipRelighter
from relume.io.demux import library
from relume.io.video import ClipFrames, convert_clip
from relume.photo import Array, from_image, to_image
from relume.web.errors import HttpError, http_error
from relume.web.limiter import Limiter
from relume.web.settings import Settings
from relume.web.upload import save_body

KEPT_S = 900.0
MOST_CLIPS = 8
"""Clips that are kept at once, waiting and done ones included."""
RESULT_PER_BYTE = 1.5
"""Room for the result, over the clip's bytes: noise that was dark takes some once it is lit."""
MOST_FRAME_MEGAPIXELS = 9.0
"""Frames up to 4096 x 2160."""
WAITING, WORKING, DONE, FAILED = "waiting", "working", "done", "failed"

log = logging.getLogger("relume.web")


class _Stopped(Exception):
    """The clip was deleted while it was worked on."""


@dataclass
class Clip:
    """One clip and how far it is."""

    source: Path
    target: Path
    call: Mapping[str, Any]
    client: str
    state: str = WAITING
    frames: int = 0
    total: int | None = None
    notes: list[str] = field(default_factory=list)
    error: HttpError | None = None
    began_s: float = 0.0
    took_s: float = 0.0
    asked_s: float = field(default_factory=time.monotonic)
    stopped: threading.Event = field(default_factory=threading.Event)

    def as_json(self) -> dict[str, Any]:
        """What a client is told."""
        seconds = self.took_s if self.state != WORKING else time.monotonic() - self.began_s
        answer = {
            "state": self.state,
            "frames": self.frames,
            "total": self.total,
            "frames_per_second": round(self.frames / seconds, 2) if seconds > 0 else None,
            "notes": self.notes,
        }
        if self.error is not None:
            answer |= {"error": self.error.kind, "detail": str(self.error)}
        return answer


class Clips:
    """The clips of a running service: one is worked on at a time, the others wait."""

    def __init__(self, settings: Settings, limiter: Limiter) -> None:
        self._settings, self._limiter = settings, limiter
        self._clips: dict[str, Clip] = {}
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="relume-clip")
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    async def take(self, request: Request, call: Mapping[str, Any]) -> tuple[str, Clip]:
        """The clip in the request's body as a job, and its name; ``call`` is for the core.

        Raises:
            HttpError: 413 too large, 408 too slow, 415 no clip's type, 429 or 503 too many, or no
                room for it.
            MissingExtra: this service relights no clips.
        """
        library()
        client = request.client.host if request.client else ""
        name = secrets.token_urlsafe(16)
        with self._lock:
            self._forget_old()
            self._admit(client)
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="relume-clips-")
            self._check_room(request)
            folder = Path(self._folder.name) / name
            clip = Clip(folder / "clip", folder / "relit.mp4", call, client)
            self._clips[name] = clip
        try:
            folder.mkdir()
            await save_body(
                request,
                clip.source,
                max_bytes=self._settings.max_clip_bytes,
                limit_s=10 * self._settings.upload_limit_s,
            )
        except BaseException:
            self.delete(name)
            raise
        clip.asked_s = time.monotonic()
        self._thread.submit(self._work, clip)
        return name, clip

    def get(self, name: str) -> Clip:
        """The clip of this name.

        Raises:
            HttpError: 404 there is none.
        """
        with self._lock:
            self._forget_old()
            clip = self._clips.get(name)
        if clip is None:
            raise HttpError(404, "NoSuchClip", "there is no clip of this name, or no longer")
        clip.asked_s = time.monotonic()
        return clip

    def file(self, name: str) -> Path:
        """The relit clip's file.

        Raises:
            HttpError: 404 there is no such clip, 409 it is not done, or why it failed.
        """
        clip = self.get(name)
        if clip.error is not None:
            raise clip.error
        if clip.state != DONE:
            raise HttpError(409, "NotDone", f"{clip.frames} frames are relit so far; ask again")
        return clip.target

    def delete(self, name: str) -> None:
        """Stop working on the clip and forget it."""
        with self._lock:
            clip = self._clips.pop(name, None)
        if clip is not None:
            self._remove(clip)

    def close(self) -> None:
        """Stop everything and leave no file."""
        for clip in self._clips.values():
            clip.stopped.set()
        self._thread.shutdown(wait=True, cancel_futures=True)
        if self._folder is not None:
            self._folder.cleanup()

    def _admit(self, client: str) -> None:
        most = self._settings.per_client
        if most and sum(clip.client == client for clip in self._clips.values()) >= most:
            what = f"at most {most} clips at once from one address; delete one that is done"
            raise HttpError(429, "TooManyRequests", what, retry_after_s=5)
        if len(self._clips) >= MOST_CLIPS:
            what = f"all {MOST_CLIPS} places for clips are taken; try again later"
            raise HttpError(503, "Busy", what, retry_after_s=30)

    def _check_room(self, request: Request) -> None:
        """Refuse a clip that the scratch folder has no room for, before it is sent."""
        assert self._folder is not None
        length = request.headers.get("content-length", "")
        bytes_ = min(int(length) if length.isdecimal() else 0, self._settings.max_clip_bytes)
        free = shutil.disk_usage(self._folder.name).free
        if free < (1 + RESULT_PER_BYTE) * bytes_:
            what = f"the service has {free >> 20} MiB of scratch room, too little for this clip"
            raise HttpError(503, "NoRoom", f"{what} and its result", retry_after_s=60)

    def _forget_old(self) -> None:
        now = time.monotonic()
        for name, clip in list(self._clips.items()):
            if clip.state in (DONE, FAILED) and now - clip.asked_s > KEPT_S:
                del self._clips[name]
                self._remove(clip)

    def _remove(self, clip: Clip) -> None:
        clip.stopped.set()
        shutil.rmtree(clip.source.parent, ignore_errors=True)

    def _work(self, clip: Clip) -> None:
        if clip.stopped.is_set():
            return
        clip.state, clip.began_s = WORKING, time.monotonic()
        try:
            self._relight(clip)
        except _Stopped:
            return
        except RelumeError as error:
            refused = http_error(error, explain=self._settings.explain)
            text = str(refused).replace(str(clip.source), "the clip")
            clip.error = HttpError(refused.status, refused.kind, text)
        except Exception as error:  # its message may hold a name
            log.error("a clip: %s", type(error).__name__)
            clip.error = HttpError(500, "InternalError", "the service failed; its log says where")
        finally:
            clip.took_s = time.monotonic() - clip.began_s
            clip.state = DONE if clip.error is None else FAILED
            clip.source.unlink(missing_ok=True)
            if clip.stopped.is_set():
                shutil.rmtree(clip.source.parent, ignore_errors=True)

    def _relight(self, clip: Clip) -> None:
        relighter = ClipRelighter(**clip.call)
        most_px = MOST_FRAME_MEGAPIXELS * 1e6

        def one(frame: Array) -> Array:
            return from_image(relighter(to_image(frame)), like=frame)

        def relit(frames: ClipFrames) -> Iterator[Array]:
            for frame in frames:
                height, width = frame.shape[:2]
                if height * width > most_px:
                    what = f"frames of {width}x{height}, more than the limit of 4096x2160"
                    raise HttpError(413, "TooLarge", what)
                if frames.seconds > self._settings.max_clip_s:
                    what = f"the clip is longer than the limit of {self._settings.max_clip_s:g} s"
                    raise HttpError(413, "TooLong", what)
                if clip.stopped.is_set():
                    raise _Stopped
                yield self._in_turn(lambda frame=frame: one(frame))  # type: ignore[misc]

        def count(done: int, total: int | None) -> None:
            clip.frames, clip.total = done, total

        report = convert_clip(clip.source, clip.target, relit, progress=count)
        relighter.tell(report)
        clip.notes = report.notes
        if report.left_alone:
            clip.notes.append(f"{report.left_alone} frames look lit and are left as they are")

    def _in_turn(self, job: Callable[[], Array]) -> Array:
        """The job's result, after the photos that asked before."""
        return self._limiter.submit(job).result()[0]
