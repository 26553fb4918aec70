"""The API against its own OpenAPI description, by schemathesis."""

from __future__ import annotations

import warnings
from typing import Any

import httpx
import pytest

from .conftest import Service, packed, picture

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what its dependencies deprecate is not ours to mend
    schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

CHEAP = ["original", "gamma", "auto-gamma", "auto-exposure", "clahe"]
PICTURES = [packed(picture(w, h), kind) for w, h in ((1, 1), (17, 9)) for kind in ("PNG", "JPEG")]
ALLOWED = {200, 400, 413, 415, 422}
EXAMPLES = 20
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def api(service: Service) -> Any:
    return schemathesis.openapi.from_url(f"{service.url}/openapi.json")


def cases(api: Any, path: str, verb: str, mode: GenerationMode = GenerationMode.POSITIVE) -> Any:
    return api[path][verb].as_strategy(generation_mode=mode)


def check(url: str, case: Any, body: bytes) -> None:
    """Send the generated query with a body of our own; look at status, type and shape."""
    headers = {"content-type": "application/octet-stream"}
    query = {k: v for k, v in (case.query or {}).items() if k not in ("method", "detector")}
    if case.path == "/v1/enhance":
        query["method"] = CHEAP[len(str(query)) % len(CHEAP)]
    if case.path == "/v1/detect":
        query |= {"detector": "haar", "landmarks": ""}
        query.pop("views", None)
    answer = httpx.request(
        case.method, url + case.path, params=query, content=body,
        headers=headers, timeout=30,
    )  # fmt: skip
    assert answer.status_code in ALLOWED, (case.path, query, answer.text[:300])
    documented = case.operation.definition.raw["responses"].get(str(answer.status_code), {})
    kinds = {kind.split(";")[0] for kind in documented.get("content", {})}
    assert answer.headers["content-type"].split(";")[0] in kinds
    if answer.status_code != 200:
        assert set(answer.json()) == {"error", "detail"}
        assert answer.json()["detail"]


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("path", ["/v1/enhance", "/v1/detect"])
def test_generated_queries_are_answered_as_described(
    api: Any, service: Service, path: str, mode: GenerationMode
) -> None:
    """Queries that the description allows, and such as it does not."""
    bodies = st.one_of(st.sampled_from(PICTURES), st.binary(max_size=300))

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(case=cases(api, path, "POST", mode), body=bodies)
    def run(case: Any, body: bytes) -> None:
        check(service.url, case, body)

    run()


@pytest.mark.parametrize("path", ["/v1/methods", "/healthz"])
def test_what_only_tells_is_as_described(api: Any, path: str) -> None:
    @settings(max_examples=3, suppress_health_check=list(HealthCheck))
    @given(case=cases(api, path, "GET"))
    def run(case: Any) -> None:
        case.call_and_validate()

    run()


def test_any_text_in_a_query_is_answered(service: Service) -> None:
    names = st.sampled_from(["method", "param", "strength", "brightness", "quality", "format", "x"])
    value = st.one_of(st.text(max_size=40), st.floats().map(str), st.sampled_from(["gamma:", ":"]))
    with httpx.Client(base_url=service.url, timeout=30) as client:

        @settings(max_examples=60)
        @given(query=st.lists(st.tuples(names, value), min_size=1, max_size=4))
        def run(query: list[tuple[str, str]]) -> None:
            kind = {"content-type": "image/png"}
            pairs = [("method", "gamma"), *query]
            answer = client.post("/v1/enhance", params=pairs, content=PICTURES[0], headers=kind)
            assert answer.status_code in ALLOWED, (query, answer.text)

        run()
