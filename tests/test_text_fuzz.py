"""Damaged text that is parsed here: recipes, plans, lists, rows, forms. An error of ours, or sense.

RELUME_FUZZ=100000 pytest tests/test_text_fuzz.py looks for longer.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relume.cli.lists import split
from relume.cli.tables import PHOTOS, Rows
from relume.errors import RelumeError
from relume.study.plan import Plan
from relume.train import recipe

ROOT = Path(__file__).parents[1]
THOROUGH = settings(
    max_examples=int(os.environ.get("RELUME_FUZZ", "60")),
    deadline=20_000,
    derandomize="RELUME_FUZZ" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
TOML = [path.read_text("utf-8") for path in sorted((ROOT / "recipes").glob("*.toml"))]
NUMBERS = ("-1", "0", "1e999", "nan", "9" * 30, "1979-05-27")
VALUES = st.sampled_from((*NUMBERS, "true", '""', '"x"', "[]", "[[1]]", "{}", "\0"))
SIGNS = st.sampled_from(("[[", "]]", "=", "\n", '"""', "."))
PIECES = st.one_of(VALUES, st.text(max_size=12), SIGNS)


def attempt(call: Callable[[], Any]) -> Any:
    """What the call gives, or None if it raises an error of ours, which says something."""
    message = ""
    try:
        return call()
    except RelumeError as error:
        message = str(error)
    assert message
    return None


def as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@st.composite
def damaged(draw: st.DrawFn, texts: list[str]) -> str:
    """A text with a few pieces replaced, or put in."""
    text = draw(st.sampled_from(texts))
    for where, piece, cut in draw(
        st.lists(st.tuples(st.floats(0, 1), PIECES, st.integers(0, 20)), min_size=1, max_size=5)
    ):
        at = int(len(text) * where)
        text = text[:at] + piece + text[at + cut :]
    return text


@st.composite
def other_values(draw: st.DrawFn, texts: list[str]) -> str:
    """A recipe some of whose values are others: sound TOML, mostly."""
    lines = draw(st.sampled_from(texts)).splitlines()
    for number in draw(st.lists(st.integers(0, len(lines) - 1), min_size=1, max_size=3)):
        key, equals, _ = lines[number].partition(" = ")
        if equals:
            lines[number] = f"{key} = {draw(VALUES)}"
    return "\n".join(lines)


@THOROUGH
@given(st.one_of(damaged(TOML), other_values(TOML)))
def test_recipes_and_plans(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "given.toml")
        path.write_bytes(as_bytes(text))
        for load, kind in ((recipe.load, recipe.Recipe), (Plan.load, Plan)):
            assert isinstance(attempt(partial(load, path)), kind | None)


LISTS = damaged(["a.jpg\nb/c.png\n# no\n", "/x/y\n../z\n"]).map(as_bytes)


@THOROUGH
@given(st.one_of(st.binary(max_size=200), LISTS))
def test_no_list_leads_out_of_its_folder(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "list.txt")
        path.write_bytes(data)
        found = attempt(lambda: split([f"@{path}"]))
        for picture in found[1] if found else ():
            assert not picture.relative.is_absolute()
            assert ".." not in picture.relative.parts


ROW = json.dumps({"photo": "a.jpg", "result": "b.jpg", "status": "ok", "error": None}) + "\n"


@THOROUGH
@given(st.one_of(damaged([2 * ROW]), st.text(max_size=100)))
def test_rows_of_a_run_that_was_broken_off(text: str) -> None:
    """What is no row is passed over, and what is one stays."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "rows.jsonl")
        target.with_name("rows.jsonl.partial").write_bytes(as_bytes(ROW + text))
        rows = Rows(str(target), PHOTOS, overwrite=False, go_on=True)

        def go_on() -> set[str]:
            with rows:
                known = rows.done()
                rows.finish(["a.jpg"])
            return known

        known = attempt(go_on)
        if known is not None:
            assert all(isinstance(name, str) for name in known)
            lines = target.read_text("utf-8").splitlines()
            assert lines
            assert all("photo" in json.loads(line) for line in lines)


FORM = (
    '--x\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n'
    "Content-Type: image/jpeg\r\n\r\nDATA\r\n--x--\r\n"
)
FORMS = [FORM, FORM.replace("--x--", FORM + "--x--"), FORM.replace("file", "exposure")]
BOUNDED = "multipart/form-data; boundary="
KINDS = (f"{BOUNDED}x", f'{BOUNDED}"x"', "multipart/form-data", "image/png", BOUNDED + 300 * "y")


async def uploads(body: bytes, kind: str, sizes: list[int]) -> Any:
    from starlette.requests import Request

    from relume.web.upload import read_uploads

    pieces, at = [], 0
    for size in [*sizes, len(body)]:
        pieces.append(body[at : at + size])
        at += size

    async def receive() -> dict[str, Any]:
        piece = pieces.pop(0) if pieces else b""
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    headers = [(b"content-type", kind.encode())]
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}
    return await read_uploads(Request(scope, receive), max_bytes=10_000, limit_s=10)


# what a form that breaks off leaves lies in memory, and ends with it
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@THOROUGH
@given(damaged(FORMS), st.sampled_from(KINDS), st.lists(st.integers(1, 40), max_size=6))
def test_forms(text: str, kind: str, sizes: list[int]) -> None:
    pytest.importorskip("starlette", reason="needs the extra web")
    from relume.web.errors import HttpError

    body, status = as_bytes(text), 200
    try:
        (found,) = asyncio.run(uploads(body, kind, sizes))
    except HttpError as error:
        status = error.status
    else:
        assert len(found.data) <= len(body)
        assert "/" not in found.name
    assert status == 200 or 400 <= status < 500
