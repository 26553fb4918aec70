"""Local exposure over HTTP: ``local`` in the query, a map of stops in the form."""

from __future__ import annotations

import json
from typing import Any

import httpx
import numpy as np
import pytest

from relume.enhancers import enhance
from relume.enhancers.options import EXPOSE_FOR, LOCAL
from relume.io import decode
from relume.web.exposure import MAX_BYTES, MOST_CELLS

from .conftest import Post, opened

PATH = "/v1/enhance?format=png"


def grid(stops: list[Any], width: object = None, height: object = 1) -> str:
    return json.dumps({"width": width or len(stops), "height": height, "stops": stops})


def sent(client: httpx.Client, night: bytes, text: str | bytes, path: str = PATH) -> httpx.Response:
    files = {"file": ("n.jpg", night), "exposure": (None, text)}
    return client.post(path, files=files)  # type: ignore[arg-type]


def test_local_reaches_the_core(post: Post, night: bytes) -> None:
    for local in (0, 0.5):
        got = decode(post(f"enhance?format=png&local={local}", night).content).pixels
        wanted = enhance(decode(night), local=local).pixels
        np.testing.assert_allclose(got, wanted, atol=0.5 / 255 + 1e-6)
    answer = post("enhance?method=gamma&local=0.5", night)
    assert (answer.status_code, answer.json()["error"]) == (422, "ParameterError")


def test_whom_to_expose_for_is_asked(client: httpx.Client, post: Post, night: bytes) -> None:
    got = decode(post("enhance?format=png&expose_for=scene", night).content).pixels
    np.testing.assert_allclose(got, enhance(decode(night)).pixels, atol=0.5 / 255 + 1e-6)
    for query in ("method=gamma&expose_for=faces", "expose_for=people"):
        answer = post(f"enhance?{query}", night)
        assert (answer.status_code, answer.json()["error"]) == (422, "ParameterError")
    assert EXPOSE_FOR.as_json() in client.get("/v1/methods").json()["options"]


def test_local_is_offered(client: httpx.Client) -> None:
    menu = client.get("/v1/methods").json()
    assert LOCAL.as_json() in menu["options"]
    takers = {entry["name"] for entry in menu["enhancers"] if entry["takes_local"]}
    assert takers == {"relume", "relume-fast", "machine"}


@pytest.mark.parametrize("as_file", [False, True])
def test_a_map_reaches_the_core(client: httpx.Client, night: bytes, as_file: bool) -> None:
    stops = [0, 0.5, 1, 0, 0.5, 2.25]
    part = ("map.json" if as_file else None, grid(stops, 3, 2), "application/json")
    answer = client.post(PATH, files={"file": ("n.jpg", night), "exposure": part})  # type: ignore[dict-item]
    wanted = enhance(decode(night), exposure=np.array(stops, np.float32).reshape(2, 3)).pixels
    got = decode(answer.content).pixels
    np.testing.assert_allclose(got, wanted, atol=0.5 / 255 + 1e-6)
    assert np.abs(wanted - enhance(decode(night)).pixels).max() > 0.05


def test_the_largest_map_fits(client: httpx.Client, night: bytes) -> None:
    text = grid([0.12345678901234567] * MOST_CELLS**2, MOST_CELLS, MOST_CELLS)
    assert opened(sent(client, night, text).content).size == (60, 40)


@pytest.mark.parametrize(
    ("text", "status", "why"),
    [
        pytest.param("", 400, "not JSON", id="empty"),
        pytest.param("{", 400, "not JSON", id="cut"),
        pytest.param(b"\xff\xfe\0", 400, "not JSON", id="bytes"),
        pytest.param("[" * 50_000, 400, "not JSON", id="deep"),
        pytest.param("9" * 50_000, 400, "not JSON", id="long number"),
        pytest.param(grid([float("nan")]), 400, "not JSON", id="NaN"),
        pytest.param(grid([float("-inf")]), 400, "not JSON", id="infinite"),
        pytest.param('{"width":1,"height":1,"stops":[1e999]}', 422, "from -8 to 8", id="1e999"),
        pytest.param(grid([10**400]), 422, "from -8 to 8", id="huge number"),
        pytest.param(grid([9]), 422, "from -8 to 8", id="9 stops"),
        pytest.param(grid(["1"]), 422, "from -8 to 8", id="text"),
        pytest.param(grid([True]), 422, "from -8 to 8", id="true"),
        pytest.param(grid([None]), 422, "from -8 to 8", id="null"),
        pytest.param(grid([[0, 0], [0]], 2, 2), 422, "must be 4 numbers, got 2", id="ragged"),
        pytest.param(grid([[0], [0]], 2, 1), 422, "from -8 to 8", id="nested"),
        pytest.param(grid([0] * 5, 2, 2), 422, "must be 4 numbers, got 5", id="too many"),
        pytest.param(grid([0] * 65), 422, "width", id="too wide"),
        pytest.param(grid([], 0, 0), 422, "width", id="no cells"),
        pytest.param(grid([0], 1.0), 422, "width", id="1.0 wide"),
        pytest.param(grid([0], True), 422, "width", id="true wide"),
        pytest.param(grid([0], 10**9, 10**9), 422, "width", id="huge"),
        pytest.param('{"width":1,"height":1,"stops":"0"}', 422, "got no list", id="no list"),
        pytest.param("[0]", 422, "exposure must be", id="list"),
        pytest.param('{"width":1,"height":1}', 422, "exposure must be", id="no stops"),
        pytest.param('{"width":1,"height":1,"stops":[0],"x":0}', 422, "must be", id="more"),
        pytest.param(" " * MAX_BYTES + "0", 413, "larger than 128 KiB", id="too long"),
    ],
)
def test_a_map_that_is_none_is_refused(
    client: httpx.Client, night: bytes, text: str | bytes, status: int, why: str
) -> None:
    answer = sent(client, night, text)
    assert answer.status_code == status
    assert set(answer.json()) == {"error", "detail"}
    assert why in answer.json()["detail"]
    assert len(answer.json()["detail"]) < 200
    assert client.get("/healthz").is_success


def test_who_takes_no_map_says_so(client: httpx.Client, night: bytes) -> None:
    answer = sent(client, night, grid([0]), "/v1/enhance?method=gamma")
    assert (answer.status_code, answer.json()["error"]) == (422, "ParameterError")
    answer = sent(client, night, grid([0]), "/v1/detect")
    assert (answer.status_code, answer.json()["error"]) == (422, "UnknownField")
    twice = [("file", ("n.jpg", night)), *[("exposure", (None, grid([0])))] * 2]
    assert client.post(PATH, files=twice).status_code == 422  # type: ignore[arg-type]


def test_the_map_is_described(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]

    def form(path: str) -> dict[str, Any]:
        content = paths[path]["post"]["requestBody"]["content"]
        schema: dict[str, Any] = content["multipart/form-data"]["schema"]
        return schema

    exposure = form("/v1/enhance")["properties"]["exposure"]
    assert exposure["properties"]["width"]["maximum"] == MOST_CELLS
    assert exposure["properties"]["stops"]["items"]["maximum"] == 8
    assert form("/v1/enhance")["required"] == ["file"]
    assert set(form("/v1/detect")["properties"]) == {"file"}
