"""Enhancers: the catalogue of methods, and :func:`enhance`, the one door to them.

This package is callable, because ``relume.enhancers`` is both its name and that of the public
function: once anything has imported it, Python binds the name in ``relume`` to the module.
``relume.enhancers()`` gives the catalogue either way.
"""

from __future__ import annotations

import sys
from types import ModuleType

from relume.catalog import Catalog
from relume.enhancers.api import decompose, describe, enhance
from relume.enhancers.base import Brightness, Enhancer
from relume.enhancers.registry import DEFAULT_METHOD, enhancers
from relume.enhancers.retinexnet import Decomposition

__all__ = [
    "DEFAULT_METHOD",
    "Brightness",
    "Decomposition",
    "Enhancer",
    "decompose",
    "describe",
    "enhance",
    "enhancers",
]


class _Callable(ModuleType):
    """A module that is called as the function of its name."""

    def __call__(self) -> Catalog[Enhancer]:
        """Every enhancement method, by name."""
        return enhancers()


sys.modules[__name__].__class__ = _Callable
