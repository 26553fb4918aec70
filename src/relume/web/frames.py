"""Routes of bursts and clips."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from pydantic import BaseModel

from relume.errors import ParameterError
from relume.web.clips import Clips
from relume.web.handlers import burst_upload
from relume.web.query import EnhanceQuery, refuse_repeats
from relume.web.settings import Settings

FRESH = {"Cache-Control": "no-store"}
MOST_PHOTOS = 16
"""Photos of a burst over HTTP; together they have the bytes and pixels that one may have."""

Name = Annotated[str, Path(description="the clip's name, as POST answered it")]


class ClipAnswer(BaseModel):
    """How far a clip is: waiting, working, done or failed; ``total`` frames, if that is known."""

    state: str
    frames: int
    total: int | None
    frames_per_second: float | None
    notes: list[str]
    error: str | None = None
    detail: str | None = None


class NewClipAnswer(ClipAnswer):
    """The same of a clip that was just sent, and its name."""

    name: str


def add_bursts(app: FastAPI, answer: Any, settings: Settings, about: dict[str, Any]) -> None:
    """The route that merges photos; ``answer`` is the service's way in for pictures."""

    @app.post("/v1/burst", summary="Merge the pictures of a burst", **about)
    async def burst(request: Request, asked: Annotated[EnhanceQuery, Query()]) -> Response:
        """The pictures of one scene, sent as several form fields `file`, as one relit picture.

        It shows what the first one shows, unless another is clearly sharper. X-Relume-Left-Out
        names those that do not fit, by number from 1.
        """
        work = partial(
            burst_upload,
            call=asked.call_of_frames,
            format=asked.format,
            quality=asked.quality,
            max_megapixels=settings.max_megapixels,
        )
        return await answer(request, work, most=MOST_PHOTOS)  # type: ignore[no-any-return]


def add_clips(app: FastAPI, clips: Clips, errors: dict[int | str, dict[str, Any]]) -> None:
    """The routes of clips."""
    body = {"schema": {"type": "string", "format": "binary"}}
    content = {"video/mp4": body, "video/*": body, "application/octet-stream": body}

    @app.post(
        "/v1/videos",
        tags=["clips"],
        summary="Relight a clip",
        status_code=202,
        response_model=NewClipAnswer,
        responses=errors,
        dependencies=[Depends(refuse_repeats)],
        openapi_extra={"requestBody": {"required": True, "content": content}},
    )
    async def send(request: Request, asked: Annotated[EnhanceQuery, Query()]) -> JSONResponse:
        """Takes the clip as the body; it is relit in steady light and written as MP4.

        The answer's `name` is what to ask about: GET says how far it is, GET .../file gives the
        result, DELETE stops and forgets it. Until then, and for 15 minutes at most after it was
        last asked about, it lies in a temporary file.
        """
        if asked.format or asked.quality:
            raise ParameterError("format and quality are for pictures: a clip comes back as MP4")
        name, clip = await clips.take(request, asked.call_of_frames)
        where = {"Location": f"{request.scope.get('root_path', '')}/v1/videos/{name}", **FRESH}
        return JSONResponse({"name": name, **clip.as_json()}, 202, where)

    @app.get(
        "/v1/videos/{name}",
        tags=["clips"],
        summary="How far a clip is",
        response_model=ClipAnswer,
        responses=errors,
    )
    def state(name: Name) -> JSONResponse:
        """Ask about once a second."""
        return JSONResponse(clips.get(name).as_json(), headers=FRESH)

    @app.get(
        "/v1/videos/{name}/file",
        tags=["clips"],
        summary="The relit clip",
        response_class=FileResponse,
        responses=errors,
    )
    def file(name: Name) -> FileResponse:
        """The clip, once it is done; parts of it, too (Range)."""
        path = clips.file(name)
        return FileResponse(path, media_type="video/mp4", filename="clip.relume.mp4", headers=FRESH)

    @app.delete(
        "/v1/videos/{name}",
        tags=["clips"],
        summary="Stop and forget a clip",
        status_code=204,
        responses=errors,
    )
    def delete(name: Name) -> Response:
        """Also one that is done."""
        clips.get(name)
        clips.delete(name)
        return Response(status_code=204)
