"""``relume methods``: everything in the catalogues is told, for people and as JSON."""

from __future__ import annotations

import json

from relume.enhancers import DEFAULT_METHOD, methods
from relume.faces import detectors, landmarkers

from .conftest import Relume


def test_text_names_everything_and_marks_the_default(relume: Relume) -> None:
    result = relume("methods")
    assert result.code == 0
    lines = result.out.splitlines()
    for catalogue in (methods(), detectors(), landmarkers()):
        for info in catalogue:
            assert any(
                line.startswith(f"  {info.name} ") and info.summary in line for line in lines
            )
            assert info.licence in result.out
            for parameter in info.parameters:
                assert f"{parameter.name}=" in result.out
    (default,) = [line for line in lines if line.endswith("(default)")]
    assert default.startswith(f"  {DEFAULT_METHOD} ")


def test_verbose_says_what_runs_in_which_precision_and_why(relume: Relume) -> None:
    plain, verbose = relume("methods"), relume("methods", "-v")
    told = set(verbose.out.splitlines()) - set(plain.out.splitlines())
    networks = [info for info in methods() if info.weights]
    assert len(told) == len({info.weights[0] for info in networks})
    assert all("on CPU, f32 (RELUME_PRECISION)" in line for line in told)


def test_json_holds_the_same(relume: Relume) -> None:
    table = json.loads(relume("methods", "--json").out)
    assert table["default"] == DEFAULT_METHOD
    assert [e["name"] for e in table["enhancers"]] == methods().names()
    assert [e["name"] for e in table["detectors"]] == detectors().names()
    assert [e["name"] for e in table["landmarkers"]] == landmarkers().names()
    for kind in ("enhancers", "detectors", "landmarkers"):
        for entry in table[kind]:
            assert entry["licence"]
            assert "unknown" not in entry["weights"].values()
    gamma = next(e for e in table["enhancers"] if e["name"] == "gamma")
    assert gamma["parameters"][0]["default"] == 0.5
