"""Weights by name: shipped or fetched once, and verified (sha256) whenever they are used.

>>> from relume import weights
>>> weights.entries()["yunet"].licence
'Apache-2.0'
"""

from __future__ import annotations

from relume.weights.manifest import Entry, sha256_of
from relume.weights.store import cache_folder, entries, is_here, path

__all__ = ["Entry", "cache_folder", "entries", "is_here", "path", "sha256_of"]
