"""The package's numbers for the page's engine: ``python constants.py > src/core/constants.json``.

So that none is written twice. The file is committed, as ``menu.json`` is, and
``tests/web/test_site.py`` holds it equal to what this prints.
"""

from __future__ import annotations

import json
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from relume.catalog import Parameter

MODULES = {
    "exposure": "relume.exposure.constants",
    "levels": "relume.image.exposure",
    "detail": "relume.image.detail",
    "color": "relume.image.color",
    "texture": "relume.image.texture",
    "sizes": "relume.nets.sizes",
    "curves": "relume.enhancers.curves",
    "machine": "relume.enhancers.machine",
    "relume": "relume.enhancers.relume",
    "views": "relume.faces.views",
    "fusion": "relume.faces.fusion",
    "quality": "relume.faces.quality",
    "light": "relume.faces.light",
    "faces": "relume.faces.front_door",
    "detector": "relume.faces.relume",
    "opening": "relume.image.opening",
    "parallel": "relume.image.parallel",
    "search": "relume.faces.search",
}


def site_constants() -> dict[str, dict[str, Any]]:
    """The constants that the page uses, by their module's short name here.

    They are numbers, words and tuples of them; of a parameter it is the default.
    """
    core = (Path(__file__).parent / "src/core").glob("*.js")
    used = set(re.findall("[A-Z][A-Z0-9_]+", "".join(file.read_text("utf-8") for file in core)))
    found = ((name, _constants(module)) for name, module in MODULES.items())
    return {name: {k: v for k, v in values.items() if k in used} for name, values in found}


def _constants(module: str) -> dict[str, Any]:
    named = {name: value for name, value in vars(import_module(module)).items() if name.isupper()}
    values = {n: v.default if isinstance(v, Parameter) else v for n, v in named.items()}
    return {name: value for name, value in values.items() if _is_plain(value)}


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return isinstance(value, int | float | str)


if __name__ == "__main__":
    json.dump(site_constants(), sys.stdout, indent=1)
    print()
