"""MkDocs hook: the repository's own pages (MODEL_CARD.md, CHANGELOG.md) as pages of the site."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The text that a page which is nothing but a link to a file of the root stands for."""
    link = re.fullmatch(r"\[.+\]\((?:\.\./)+([A-Z_]+\.md)\)\s*", markdown)
    if link is None or page.file.src_uri.count("/"):
        return markdown
    return (ROOT / link[1]).read_text("utf-8").replace("](docs/", "](")
