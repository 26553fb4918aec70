"""The site that works on the visitor's own device, served as any static host would.

It is built from ``site/`` (docs/browser.md). Nothing of a photo reaches this service: there is no
route to send one to.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from relume.errors import InputError
from relume.web.middleware import HEADERS, POLICY, GuardMiddleware
from relume.web.settings import Settings

FILES = ("index.html", "app.js", "worker.js")
BUILT = Path(__file__).resolve().parents[3] / "site" / "dist"
"""Where a checkout of the repository has it, once it is built."""

SITE_HEADERS = HEADERS | {
    "Content-Security-Policy": POLICY.replace(
        "script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'"
    ).replace("connect-src 'self' blob:", "connect-src 'self'"),
    # isolated from other sites' pages, a page may use threads
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}


def create_site(folder: Path | None, settings: Settings) -> Starlette:
    """The built site in ``folder`` (that of the checkout if None) as an ASGI application.

    Raises:
        InputError: there is no such site.
    """
    folder = folder or BUILT
    if not all((folder / name).is_file() for name in FILES):
        raise InputError(
            f"no built site in {folder}: in a checkout of relume, build it with "
            "'cd site && npm ci && npm run build', then name its folder: "
            "relume serve --on-device site/dist"
        )
    guard = Middleware(GuardMiddleware, settings=settings, headers=SITE_HEADERS)
    files = _SiteFiles(directory=folder, html=True)
    return Starlette(routes=[Mount("/", files)], middleware=[guard])


class _SiteFiles(StaticFiles):
    """Files that a browser asks about again, but those whose names hold their hash."""

    def file_response(self, full_path: Any, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(full_path, *args, **kwargs)
        lasting = Path(full_path).suffix == ".bin"
        response.headers["Cache-Control"] = "max-age=31536000, immutable" if lasting else "no-cache"
        return response
