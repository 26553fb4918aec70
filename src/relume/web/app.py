"""The HTTP service: routes, and nothing else; the work is the core's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from fastapi import FastAPI, Request, Security
from fastapi.exceptions import HTTPException
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from fastapi.security import HTTPBearer
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException as StarletteHTTPException

from relume import __version__
from relume.errors import RelumeError
from relume.web import query, schema
from relume.web.errors import refusal_of
from relume.web.handlers import PANEL_KINDS, STRIP, Answer, chosen, decomposed, detected, enhanced
from relume.web.limiter import Gone, Limiter
from relume.web.middleware import GuardMiddleware, answer_of
from relume.web.prometheus import Measures
from relume.web.settings import Settings
from relume.web.upload import ClientDisconnect, Upload, gone, read_upload

STATIC = Path(__file__).with_name("static")

SUMMARY = """Relights photographs taken in the dark, and finds faces in them.

Pictures are sent as the form field `file` or as the body itself; options go into the address.
Nothing of a picture is stored or logged.
"""
Work = Callable[[Upload], Answer]


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service as an ASGI application, ready to be run by any server for such."""
    settings = (settings or Settings()).bounded()
    gate = Limiter(
        workers=settings.workers,
        queue=settings.queue,
        per_client=settings.per_client,
        time_limit_s=settings.time_limit_s,
    )
    measures = Measures()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        gate.close()

    app = FastAPI(
        title="relume",
        version=__version__,
        description=SUMMARY,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        # for the description only: the doorkeeper asks for it, before any route is looked for
        dependencies=[] if settings.token is None else [Security(HTTPBearer(auto_error=False))],
    )
    desk = _Desk(settings, gate, measures)
    _add_work(app, desk)
    _add_pages(app)
    _add_watching(app, settings, gate, measures)
    _add_errors(app)
    known = {getattr(route, "path", "") for route in app.routes}
    app.add_middleware(GuardMiddleware, settings=settings, measures=measures, known=known)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
            expose_headers=["Content-Disposition", "Server-Timing", "Retry-After"],
        )
    return app


class _Desk:
    """Where every picture comes in: a place, the upload, the work, the answer."""

    def __init__(self, settings: Settings, gate: Limiter, measures: Measures) -> None:
        self._settings = settings
        self._gate = gate
        self._measures = measures

    async def serve(self, request: Request, work: Work) -> Response:
        client = request.client.host if request.client else ""
        with self._gate.place(client) as place:
            upload = await read_upload(
                request,
                max_bytes=self._settings.max_upload_bytes,
                limit_s=self._settings.upload_limit_s,
            )
            answer, waited_s = await place.run(
                partial(work, upload), hung_up=partial(gone, request)
            )
        self._measures.pixels(answer.pixels)
        return Response(
            answer.body,
            media_type=answer.media_type,
            headers=answer.headers(waited_s=waited_s),
        )


def _add_work(app: FastAPI, desk: _Desk) -> None:
    limit = desk._settings.max_megapixels

    @app.post(
        "/v1/enhance",
        tags=["pictures"],
        summary="Relight a picture",
        openapi_extra=schema.enhance_operation(),
        response_class=Response,
    )
    async def enhance(request: Request) -> Response:
        """The picture relit, of the type that `format` or `Accept` asks for, else its own.

        Size, bit depth, alpha, EXIF, ICC and XMP are kept.
        """
        asked = query.enhance_options(request.query_params.multi_items())
        accept = request.headers.get("accept", "")
        if asked.format is None:
            chosen(accept, schema.MEDIA, STRIP)  # refuse before the work, not after it
        return await desk.serve(
            request, partial(enhanced, options=asked, accept=accept, max_megapixels=limit)
        )

    @app.post(
        "/v1/detect",
        tags=["pictures"],
        summary="Find faces in a picture",
        openapi_extra=schema.detect_operation(),
        response_class=Response,
    )
    async def detect(request: Request) -> Response:
        """The faces with boxes, scores, landmarks, and the views that showed them."""
        asked = query.detect_options(request.query_params.multi_items())
        return await desk.serve(request, partial(detected, options=asked, max_megapixels=limit))

    @app.post(
        "/v1/decompose",
        tags=["pictures"],
        summary="Take a picture apart into reflectance and illumination",
        openapi_extra=schema.decompose_operation(),
        response_class=Response,
    )
    async def decompose(request: Request) -> Response:
        """Retinex-Net's panels: input, R, I, the relit I and the result."""
        asked = query.decompose_options(request.query_params.multi_items())
        accept = request.headers.get("accept", "")
        if asked.format is None:
            chosen(accept, PANEL_KINDS, STRIP)
        return await desk.serve(
            request, partial(decomposed, options=asked, accept=accept, max_megapixels=limit)
        )


def _add_pages(app: FastAPI) -> None:
    fresh = {"Cache-Control": "no-cache"}

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(STATIC / "index.html", headers=fresh)

    @app.api_route("/docs", methods=["GET", "HEAD"], include_in_schema=False)
    def docs() -> FileResponse:
        return FileResponse(STATIC / "docs.html", headers=fresh)

    @app.api_route("/favicon.ico", methods=["GET", "HEAD"], include_in_schema=False)
    def icon() -> FileResponse:
        return FileResponse(STATIC / "icon.svg", media_type="image/svg+xml")

    app.mount("/static", _Fresh(directory=STATIC), name="static")


class _Fresh(StaticFiles):
    """Static files that a browser asks about again: an update must not meet an old script."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "no-cache"
        return response


def _add_watching(app: FastAPI, settings: Settings, gate: Limiter, measures: Measures) -> None:
    @app.get("/v1/methods", tags=["about"], summary="What can be asked for")
    def methods() -> JSONResponse:
        """Methods, detectors and landmarkers with their parameters, formats and limits."""
        return JSONResponse(schema.menu(settings), headers={"Cache-Control": "no-store"})

    @app.get("/healthz", tags=["about"], summary="Whether the service is up")
    def healthz() -> JSONResponse:
        """Answers as long as requests are taken."""
        return JSONResponse({"status": "ok", "version": __version__})

    @app.get(
        "/metrics",
        tags=["about"],
        summary="Numbers for Prometheus",
        response_class=PlainTextResponse,
    )
    def metrics() -> PlainTextResponse:
        """Requests, their times and statuses, and how full the service is."""
        gauges = {
            "relume_workers": ("Pictures worked on at once, at most.", gate.workers),
            "relume_places": ("Requests taken in at once, at most.", gate.places),
            "relume_places_taken": ("Requests taken in now.", gate.taken),
            "relume_running": ("Pictures worked on now.", gate.running),
        }
        text = measures.text({name: (words, float(n)) for name, (words, n) in gauges.items()})
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(RelumeError)
    async def refused(_: Request, error: RelumeError) -> JSONResponse:
        return answer_of(refusal_of(error))

    @app.exception_handler(Gone)
    @app.exception_handler(ClientDisconnect)
    async def left(_: Request, error: Exception) -> Response:
        del error
        return Response(status_code=499)  # nobody is there to read it; it is counted

    @app.exception_handler(StarletteHTTPException)
    async def routed(_: Request, error: HTTPException) -> JSONResponse:
        body = {"error": error.detail.replace(" ", ""), "detail": error.detail}
        return JSONResponse(body, error.status_code, error.headers)
