"""What the site offers, from the package's own catalogue: ``python menu.py > menu.json``.

The file is committed, so that building the site needs no Python; ``tests/web/test_site.py`` holds
it equal to what this prints.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from relume.io.formats import FORMATS
from relume.web.menu import menu
from relume.web.settings import Settings

METHODS = ("relume", "machine", "original", "gamma", "auto-gamma", "auto-exposure")
PARAMETERS = ("half_above_mp", "exponent", "normalise", "target", "max_gain")
DETECTORS = ("yunet", "relume")  # the first that is there is the default
WRITTEN = ("jpeg", "png", "webp")
READ = ("jpeg", "png", "webp", "gif", "bmp", "avif", "heif")


def site_menu() -> dict[str, Any]:
    """The service's menu, as far as a browser can serve it by itself."""
    whole = menu(Settings())
    methods = [_named(whole["enhancers"], name) for name in METHODS]
    return whole | {
        "enhancers": [
            entry | {"parameters": [p for p in entry["parameters"] if p["name"] in PARAMETERS]}
            for entry in methods
        ],
        "detectors": [_named(whole["detectors"], name) for name in DETECTORS],
        "landmarkers": [],
        "default_detector": DETECTORS[0],
        "exposes_for_faces": True,
        "formats": [format for format in whole["formats"] if format["name"] in WRITTEN],
        "readable_suffixes": sorted(suffix for name in READ for suffix in FORMATS[name].suffixes),
        "limits": {"workers": 0, "megapixels": whole["limits"]["megapixels"]},
    }


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    (entry,) = (one for one in entries if one["name"] == name)
    return entry


if __name__ == "__main__":
    json.dump(site_menu(), sys.stdout, indent=1)
    print()
