"""Parameters, their checks, and specs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from relume.catalog import Catalog, Info, Parameter
from relume.errors import ParameterError, UnknownName

LEVEL = Parameter("level", "how bright", "auto", 0.0, 1.0, exclusive_low=True, also=("auto",))
COUNT = Parameter("count", "how many", 2, 1, 9)
ON = Parameter("on", "whether", True)


@pytest.fixture
def catalogue() -> Catalog[dict[str, Any]]:
    entries: Catalog[dict[str, Any]] = Catalog("thing")
    entries.add(Info("plain", "no parameters", "MIT", "tests"), dict)
    entries.add(Info("full", "three", "MIT", "tests", parameters=(LEVEL, COUNT, ON)), dict)
    return entries


def test_a_spec_gives_what_was_given_and_no_defaults(catalogue: Catalog[dict[str, Any]]) -> None:
    assert catalogue.parse("full") == ("full", {})
    assert catalogue.parse("full:0.5") == ("full", {"level": 0.5})
    assert catalogue.parse("full:count=3, on=no") == ("full", {"count": 3, "on": False})


def test_create_fills_in_the_defaults(catalogue: Catalog[dict[str, Any]]) -> None:
    assert catalogue.create("full:0.5", {"count": 4}) == {"level": 0.5, "count": 4, "on": True}
    assert catalogue.create("full:count=3", {"count": 4})["count"] == 4, "keywords win"
    assert catalogue.create("plain") == {}


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("full:2", "level must be above 0 and at most 1, or 'auto', got 2"),
        ("full:0", "level must be above 0 and at most 1, or 'auto', got 0"),
        ("full:nan", "level must be above 0"),
        ("full:dark", "got 'dark'"),
        ("full:count=2.5", "count must be a whole number"),
        ("full:on=maybe", "on must be true or false"),
        ("full:size=1", "full has no parameter 'size'; it has: level, count, on"),
        ("plain:1", "plain takes no parameters"),
    ],
)
def test_what_a_spec_must_not_hold(
    catalogue: Catalog[dict[str, Any]], spec: str, says: str
) -> None:
    for read in (catalogue.parse, catalogue.create):
        with pytest.raises(ParameterError, match=says):
            read(spec)


def test_an_unknown_name_suggests_the_nearest(catalogue: Catalog[dict[str, Any]]) -> None:
    with pytest.raises(UnknownName, match="did you mean 'plain'"):
        catalogue.parse("plane")


def test_info_as_json_holds_every_fact(catalogue: Catalog[dict[str, Any]]) -> None:
    data = json.loads(json.dumps(catalogue.info("full").as_json()))
    assert data["parameters"][0] == {
        "name": "level",
        "summary": "how bright",
        "default": "auto",
        "low": 0.0,
        "high": 1.0,
        "choices": [],
        "also": ["auto"],
        "exclusive_low": True,
        "several": 1,
    }
    assert (data["weights"], data["extra"], data["takes_brightness"]) == ([], None, False)


def test_several_numbers_are_taken_at_once() -> None:
    three = Parameter("black", "of 255", "auto", 0.0, 128.0, also=("auto",), several=3)
    assert three.check("auto") == "auto"
    assert three.check("14, 3,14.5") == "14,3,14.5"
    assert three.check("14/3/14") == "14,3,14"  # inside a spec a comma parts parameters
    assert three.check(5) == "5"
    for wrong in ("1,2", "1,2,300", "a", True, ""):
        with pytest.raises(ParameterError, match=r"black must be 0 to 128 \(one, or 3 with commas"):
            three.check(wrong)
