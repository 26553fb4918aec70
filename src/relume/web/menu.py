"""What the service offers, as data for the page: entries, options, formats, limits."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any

from relume import __version__
from relume.catalog import Info
from relume.enhancers import DEFAULT_METHOD, methods
from relume.enhancers.options import OPTIONS, takes
from relume.faces import ORIGINAL, RELIT, detectors, landmarkers, usual_detector, usual_views
from relume.io.formats import QUALITY, READABLE_SUFFIXES, WRITABLE
from relume.web import query
from relume.web.settings import Settings

PACKAGES = {"fan": "face_alignment", "train": "torch", "video": "av"}
"""The module whose presence tells that an extra is installed."""


def menu(settings: Settings) -> dict[str, Any]:
    """Everything that can be asked for: entries, options, formats, limits."""
    return {
        "version": __version__,
        "default": DEFAULT_METHOD,
        "default_detector": usual_detector(),
        "default_views": [ORIGINAL, RELIT],
        # what expose_for=auto comes to here
        "exposes_for_faces": True,
        "enhancers": [
            _entry(info) | {"options": [o.name for o in OPTIONS if takes(info, o)]}
            for info in methods()
            if not info.needs_file
        ],
        "detectors": [
            _entry(info) | {"views": list(usual_views(info.name))}
            for info in detectors()
            if not info.needs_file
        ],
        "landmarkers": [_entry(info) for info in landmarkers()],
        "options": [p.as_json() for p in (*OPTIONS, query.FORMAT, QUALITY)],
        "formats": [
            {"name": name, "media_type": format.media_type, "suffix": format.suffixes[0]}
            for name, format in WRITABLE.items()
            if format.is_available
        ],
        "readable_suffixes": sorted(READABLE_SUFFIXES),
        "limits": {
            "workers": settings.workers,
            "queue": settings.queue,
            "upload_bytes": settings.max_upload_bytes,
            "clip_bytes": settings.max_clip_bytes if _installed("video") else 0,
            "clip_s": settings.max_clip_s,
            "megapixels": settings.max_megapixels,
            "time_s": settings.time_limit_s,
        },
    }


def _entry(info: Info) -> dict[str, Any]:
    return info.as_json() | {
        "parameters": [p.as_json() for p in query.offered(info)],
        "available": info.extra is None or _installed(info.extra),
    }


@cache
def _installed(extra: str) -> bool:
    return find_spec(PACKAGES.get(extra, extra)) is not None
