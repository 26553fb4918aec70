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
DETECTORS = ("yunet",)
WRITTEN = ("jpeg", "png", "webp")
READ = ("jpeg", "png", "webp", "gif", "bmp", "avif", "heif")


def site_menu() -> dict[str, Any]:
    """The service's menu, as far as a browser can serve it by itself."""
    whole = menu(Settings())
    named = {name: {entry["name"]: entry for entry in whole[name]} for name in KINDS}
    return whole | {
        "enhancers": [named["enhancers"][name] for name in METHODS],
        "detectors": [named["detectors"][name] for name in DETECTORS],
        "landmarkers": [],
        "formats": [format for format in whole["formats"] if format["name"] in WRITTEN],
        "readable_suffixes": sorted(suffix for name in READ for suffix in FORMATS[name].suffixes),
        "limits": {"workers": 0, "megapixels": whole["limits"]["megapixels"]},
    }


KINDS = ("enhancers", "detectors")

if __name__ == "__main__":
    json.dump(site_menu(), sys.stdout, indent=1)
    print()
