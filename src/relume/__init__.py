"""relume: photographs taken in the dark, relit for people and for machines.

>>> import relume
>>> photo = relume.read("night.jpg")  # doctest: +SKIP
>>> relume.enhance(photo).save("bright.jpg")  # doctest: +SKIP

The public names and the packages they are of (``relume.faces``, say) are loaded at first use, so
that ``import relume`` stays fast and imports neither OpenCV nor OpenVINO nor torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.2.0"

if TYPE_CHECKING:
    from relume import engine as engine
    from relume import enhancers as enhancers
    from relume import errors as errors
    from relume import faces as faces
    from relume import frames as frames
    from relume import io as io
    from relume.enhancers import methods as methods
    from relume.errors import RelumeError as RelumeError
    from relume.faces import Face as Face
    from relume.faces import detect_faces as detect_faces
    from relume.faces import detectors as detectors
    from relume.faces import enhance as enhance
    from relume.faces import landmarkers as landmarkers
    from relume.frames import enhance_burst as enhance_burst
    from relume.frames import enhance_frames as enhance_frames
    from relume.frames import enhance_video as enhance_video
    from relume.io import read as read
    from relume.photo import Photo as Photo

_HOMES = {
    "enhance": "relume.faces",
    "enhance_burst": "relume.frames",
    "enhance_frames": "relume.frames",
    "enhance_video": "relume.frames",
    "methods": "relume.enhancers",
    "read": "relume.io",
    "Photo": "relume.photo",
    "Face": "relume.faces",
    "detect_faces": "relume.faces",
    "detectors": "relume.faces",
    "landmarkers": "relume.faces",
    "RelumeError": "relume.errors",
}

_PACKAGES = ("engine", "enhancers", "errors", "faces", "frames", "io")

__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> object:
    if name in _PACKAGES:
        return import_module(f"relume.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'relume' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
