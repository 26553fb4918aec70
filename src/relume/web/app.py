"""The HTTP service: routes, and nothing else; the work is the core's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request, Security
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.security import HTTPBearer
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from pydantic.json_schema import SkipJsonSchema
from starlette.exceptions import HTTPException

from relume import __version__
from relume.errors import RelumeError
from relume.web import exposure
from relume.web.clips import Clips
from relume.web.errors import http_error
from relume.web.frames import add_bursts, add_clips
from relume.web.handlers import MEDIA, Result, detect_upload, enhance_upload
from relume.web.limiter import ClientGone, Limiter
from relume.web.menu import menu
from relume.web.middleware import GuardMiddleware
from relume.web.query import DetectQuery, EnhanceQuery, query_error, refuse_repeats
from relume.web.settings import Settings
from relume.web.upload import FIELD, ClientDisconnect, Upload, read_uploads, wait_for_disconnect

STATIC = Path(__file__).with_name("static")
FRESH = {"Cache-Control": "no-cache"}
EXPOSED = ["Content-Disposition", "Server-Timing", "Retry-After", "X-Relume-Left-Out"]
EXPOSED += ["X-Relume-Brightness-Before", "X-Relume-Brightness-After", "X-Relume-Note"]

SUMMARY = """Relights photographs taken in the dark, and finds faces in them.

Pictures are sent as the form field `file` or as the body itself; options go into the address.
Nothing of a picture is stored or logged; a clip lies in a temporary file until it is fetched.
"""
_BINARY = {"schema": {"type": "string", "format": "binary"}}
REFUSALS = {
    400: "the form cannot be read",
    401: "no token, or another one",
    403: "called by another site's page, or by a name that is not the service's",
    408: "the upload took too long",
    413: "too many bytes or pixels",
    415: "not a picture, or not sent as one",
    422: "an option or the picture cannot be used",
    429: "too many requests at once from one address",
    500: "an error of the service",
    501: "an optional package is not installed",
    503: "busy, too slow, or weights are missing; Retry-After says when to come again",
}


class ErrorAnswer(BaseModel):
    """Why a request was refused: a short name for programs, and a sentence."""

    error: str
    detail: str


class BoxAnswer(BaseModel):
    """Corners in pixels, half open, cut to the picture."""

    x0: float
    y0: float
    x1: float
    y1: float


class QualityAnswer(BaseModel):
    """How well the photo shows a face; the error is over the distance of the outer eye corners."""

    level: float
    noise: float
    clarity: float
    expected_nme: float


class FaceAnswer(BaseModel):
    """A face, and the views that showed it, joined by +."""

    box: BoxAnswer
    score: float
    view: str
    landmarks: list[tuple[float, float]] | None
    sigma: list[float] | SkipJsonSchema[None] = None
    quality: QualityAnswer | SkipJsonSchema[None] = None


class DetectAnswer(BaseModel):
    """The faces of a picture, best score first; a warning where it is too dark to be sure."""

    photo: str
    width: int
    height: int
    detector: str
    threshold: float
    views: list[str]
    version: str
    warning: str | SkipJsonSchema[None] = None
    faces: list[FaceAnswer]


ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"description": text, "model": ErrorAnswer} for status, text in REFUSALS.items()
}
PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"description": "the picture", "content": dict.fromkeys(MEDIA.values(), _BINARY)}
}
FACES: dict[int | str, dict[str, Any]] = {200: {"description": "the faces", "model": DetectAnswer}}


def _body(**more: dict[str, Any]) -> dict[str, Any]:
    """The description of a body with a picture; in a form, with ``more`` fields."""
    form = {
        "type": "object",
        "properties": {FIELD: _BINARY["schema"], **more},
        "required": [FIELD],
        "additionalProperties": False,
    }
    encoding = {name: {"contentType": "application/json"} for name in more}
    content: dict[str, Any] = {
        "multipart/form-data": {"schema": form, "encoding": encoding},
        **dict.fromkeys((*MEDIA.values(), "application/octet-stream"), _BINARY),
    }
    return {"requestBody": {"required": True, "content": content}}


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service as an ASGI application, ready to be run by any server for such."""
    settings = (settings or Settings()).bounded()
    limiter = Limiter(
        workers=settings.workers,
        queue=settings.queue,
        per_client=settings.per_client,
        time_limit_s=settings.time_limit_s,
    )
    clips = Clips(settings, limiter)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        clips.close()
        limiter.close()

    app = FastAPI(
        title="relume",
        version=__version__,
        description=SUMMARY,
        docs_url=None,  # FastAPI's own load their scripts from another site
        redoc_url=None,
        lifespan=lifespan,
        # for the description only: the middleware asks for it, before any route is looked for
        dependencies=[] if settings.token is None else [Security(HTTPBearer(auto_error=False))],
    )
    _add_pictures(app, settings, limiter)
    add_clips(app, clips, ERRORS)
    _add_about(app, settings, limiter)
    _add_pages(app)
    _add_errors(app, settings)
    app.add_middleware(GuardMiddleware, settings=settings)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type"],
            expose_headers=EXPOSED,
        )
    return app


class PictureEndpoint:
    """Where every picture comes in: a slot, the upload, the work, the answer."""

    def __init__(self, settings: Settings, limiter: Limiter) -> None:
        self._settings = settings
        self._limiter = limiter

    async def __call__(
        self,
        request: Request,
        work: Callable[[Any], Result],
        *,
        fields: Sequence[str] = (FIELD,),
        most: int | None = None,
    ) -> Response:
        """Answer the request by what ``work`` makes of its picture; a form has these ``fields``.

        With ``most``, of a list of pictures, no more than that.
        """
        client = request.client.host if request.client else ""
        with self._limiter.acquire(client) as slot:
            uploads = await read_uploads(
                request,
                max_bytes=self._settings.max_upload_bytes,
                limit_s=self._settings.upload_limit_s,
                fields=fields,
                most=most or 1,
            )
            upload: Upload | list[Upload] = uploads if most else uploads[0]
            result, waited_s = await slot.run(
                partial(work, upload), hung_up=partial(wait_for_disconnect, request)
            )
        headers = result.headers(waited_s=waited_s)
        return Response(result.body, media_type=result.media_type, headers=headers)


def _add_pictures(app: FastAPI, settings: Settings, limiter: Limiter) -> None:
    answer = PictureEndpoint(settings, limiter)
    limit = settings.max_megapixels
    about: dict[str, Any] = {
        "tags": ["pictures"],
        "response_class": Response,
        "dependencies": [Depends(refuse_repeats)],
    }

    @app.post(
        "/v1/enhance",
        summary="Relight a picture",
        responses={**ERRORS, **PICTURE},
        openapi_extra=_body(exposure=exposure.SCHEMA),
        **about,
    )
    async def enhance(
        request: Request,
        asked: Annotated[EnhanceQuery, Query()],
    ) -> Response:
        """The picture relit, of the type that `format` asks for, else its own.

        Size, bit depth, alpha, EXIF, ICC and XMP are kept. X-Relume-Brightness-Before and -After
        say its mean grey level, 0 to 1; X-Relume-Note, what reading had to change or leave out, as
        all but the first picture of an animation. A form may also hold a map of light to add or to
        take, `exposure`.
        """
        work = partial(
            enhance_upload,
            call=asked.call,
            format=asked.format,
            quality=asked.quality,
            max_megapixels=limit,
        )
        return await answer(request, work, fields=(FIELD, exposure.FIELD))

    @app.post(
        "/v1/detect",
        summary="Find faces in a picture",
        responses={**ERRORS, **FACES},
        openapi_extra=_body(),
        **about,
    )
    async def detect(request: Request, asked: Annotated[DetectQuery, Query()]) -> Response:
        """The faces with boxes, scores, landmarks, and the views that showed them."""
        work = partial(detect_upload, call=asked.call, max_megapixels=limit)
        return await answer(request, work)

    described = {"responses": {**ERRORS, **PICTURE}, "openapi_extra": _body()}
    add_bursts(app, answer, settings, about | described)


def _add_about(app: FastAPI, settings: Settings, limiter: Limiter) -> None:
    @app.get("/v1/methods", tags=["about"], summary="What can be asked for")
    def methods() -> JSONResponse:
        """Methods, detectors and landmarkers with their parameters, formats and limits."""
        return JSONResponse(menu(settings), headers={"Cache-Control": "no-store"})

    @app.get("/healthz", tags=["about"], summary="Whether the service is up, and how busy")
    def healthz() -> JSONResponse:
        """Answers as long as requests are taken; ``taken`` of ``slots`` are in use."""
        body = {"status": "ok", "version": __version__}
        return JSONResponse(body | {"slots": limiter.slots, "taken": limiter.taken})


def _add_pages(app: FastAPI) -> None:
    def add(path: str, file: str) -> None:
        @app.api_route(path, methods=["GET", "HEAD"], include_in_schema=False)
        def page() -> FileResponse:
            return FileResponse(STATIC / file, headers=FRESH)

    add("/", "index.html")
    add("/docs", "docs.html")
    add("/favicon.ico", "icon.svg")
    app.mount("/static", _FreshFiles(directory=STATIC), name="static")


class _FreshFiles(StaticFiles):
    """Static files that a browser asks about again: an update must not meet an old script."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers.update(FRESH)
        return response


def _add_errors(app: FastAPI, settings: Settings) -> None:
    @app.exception_handler(RelumeError)
    async def refuse(_: Request, error: RelumeError) -> JSONResponse:
        return http_error(error, explain=settings.explain).response()

    @app.exception_handler(RequestValidationError)
    async def refuse_query(_: Request, error: RequestValidationError) -> JSONResponse:
        return http_error(query_error(error)).response()

    @app.exception_handler(ClientGone)
    @app.exception_handler(ClientDisconnect)
    async def left(_: Request, error: Exception) -> Response:
        del error
        return Response(status_code=499)  # nobody is there to read it

    @app.exception_handler(HTTPException)
    async def no_route(_: Request, error: HTTPException) -> JSONResponse:
        body = {"error": error.detail.replace(" ", ""), "detail": error.detail}
        return JSONResponse(body, error.status_code, error.headers)
