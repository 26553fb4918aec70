"""Enhancers: the catalogue of methods, and :func:`enhance`, the one door to them.

The names are loaded at first use, so that ``relume.enhancers.options``, which are data, can be
read without OpenCV.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relume.enhancers.api import decompose as decompose
    from relume.enhancers.api import describe as describe
    from relume.enhancers.api import enhance as enhance
    from relume.enhancers.api import settle as settle
    from relume.enhancers.base import Brightness as Brightness
    from relume.enhancers.base import Enhancer as Enhancer
    from relume.enhancers.edit import Edit as Edit
    from relume.enhancers.options import DEFAULT_METHOD as DEFAULT_METHOD
    from relume.enhancers.registry import methods as methods
    from relume.enhancers.retinexnet import Decomposition as Decomposition

_HOMES = {
    "DEFAULT_METHOD": "options",
    "Brightness": "base",
    "Decomposition": "retinexnet",
    "Edit": "edit",
    "Enhancer": "base",
    "decompose": "api",
    "describe": "api",
    "enhance": "api",
    "methods": "registry",
    "settle": "api",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
