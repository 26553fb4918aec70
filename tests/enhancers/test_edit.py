"""Edits as data: the same pixels again, at another size, on a series; what does not fit is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from relume.enhancers import enhance
from relume.enhancers.edit import Edit
from relume.errors import InputError
from relume.exposure.faces import Region
from relume.exposure.meter import meter
from relume.image.detail import halve
from relume.image.filters import downscale
from relume.photo import Image

DOCS = Path(__file__).resolve().parents[2] / "docs"


def night(seed: int = 3, side: int = 192) -> Image:
    """A dark room with a lamp and some noise (H, W, 3)."""
    rng = np.random.default_rng(seed)
    blocks = rng.random((6, 8, 3)).astype(np.float32) * np.float32(0.1)
    room = np.kron(blocks, np.ones((side // 6, side // 6, 1), np.float32))
    room[8:40, 8:48] = 0.85 + 0.1 * rng.random((32, 40, 1), np.float32)
    return np.asarray(np.clip(room + rng.normal(0, 0.004, room.shape), 0, 1), np.float32)


def again(edit: Edit) -> Edit:
    return Edit.from_json(edit.to_json())


CASES: list[tuple[str, dict[str, Any]]] = [
    ("relume", {}),
    ("relume", {"brightness": 0.4, "local": 0.5, "strength": 0.8}),
    ("relume", {"local": 0.0}),
    ("relume", {"black": (10, 0, 12)}),
    ("relume", {"cast": 1.0}),
    ("relume:ensemble=2", {"protect_lit": False}),
    ("machine", {}),
    ("gamma:0.6", {"strength": 0.5}),
]


@pytest.mark.parametrize(("method", "options"), CASES)
def test_the_same_pixels_come_out_again(method: str, options: dict[str, Any]) -> None:
    image = night()
    edit = again(Edit.of(image, method, options=options))
    assert np.array_equal(edit(image), enhance(image, method=method, **options))


def test_a_map_and_a_face_are_part_of_it() -> None:
    image = night()
    stops = np.zeros((4, 5), np.float32)
    stops[2:] = 1.0

    def finder(_: object) -> Any:
        return lambda _: [Region((0.5, 0.5, 0.7, 0.8))]

    edit = again(Edit.of(image, "relume", exposure=stops, finder=finder))
    assert edit.plan is not None
    assert edit.plan.face_stops is not None
    expected = enhance(image, exposure=stops, finder=finder)
    assert np.array_equal(edit(image), expected)  # nobody has to look for the face again


def test_a_smaller_copy_gets_the_exposure_of_the_original() -> None:
    image = night(side=384)
    edit = again(Edit.of(image, "relume"))
    small = downscale(image, image.shape[1] // 2, image.shape[0] // 2)
    places = [downscale(edit(x), 16, 12) for x in (small, image)]  # (12, 16, 3): four a block
    assert np.abs(places[0] - places[1]).mean() < 0.03
    dimmer = again(Edit.of(image, "relume", options={"brightness": 0.2}))
    assert np.abs(downscale(dimmer(small), 16, 12) - places[1]).mean() > 0.1


def test_another_photo_of_a_series_is_lifted_alike() -> None:
    image = night()
    other = np.roll(image, 24, axis=1)[:, ::-1].copy()  # the same light, elsewhere
    brighter = np.asarray(other * np.float32(1.3), np.float32)
    edit = again(Edit.of(image, "relume"))
    assert edit(other).mean() == pytest.approx(edit(image).mean(), rel=0.03)
    # automatic exposure would bring both to about the same; as this one, the brighter stays so
    assert edit(brighter).mean() > 1.1 * edit(other).mean()


def test_a_large_photo_is_planned_at_the_size_that_it_is_worked_on() -> None:
    """Which is half of its own: so the pixels are those of a run without an edit."""
    parameters = {"half_above_mp": 0.1}
    image = night(side=384)
    edit = again(Edit.of(image, "relume", parameters=parameters))
    assert edit.plan is not None
    assert edit.plan.reading is not None
    assert np.array_equal(edit(image), enhance(image, parameters=parameters))
    assert edit.plan.reading.base.shape == meter(halve(image)).base.shape


@pytest.mark.parametrize(("method", "options"), CASES)
def test_edits_are_as_their_schema_says(method: str, options: dict[str, Any]) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="needs jsonschema")
    schema = json.loads((DOCS / "reference" / "edit.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    edit = Edit.of(night(), method, options=options)
    jsonschema.validate(json.loads(edit.to_json()), schema)
    assert schema["properties"]["version"]["const"] == edit.version


def changed(edit: Edit, *place: str, to: object) -> str:
    table: Any = json.loads(edit.to_json())
    inner = table
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = to
    return json.dumps(table)


@pytest.mark.parametrize(
    ("place", "to", "why"),
    [
        (("version",), 2, "is an edit of version 2; this relume reads version 1"),
        (("version",), None, "no edit of relume's"),
        (
            ("plan", "reading", "slope", "float32"),
            "AAAA",
            "plan: reading: slope: expected an array",
        ),
        (
            ("plan", "reading", "slope", "shape"),
            [1, 9**9],
            "plan: reading: slope: expected an array",
        ),
        (("plan", "curve", "gain"), "much", "plan: curve: gain: expected a number, got 'much'"),
        (("plan", "curve", "gian"), 1.0, "unknown key 'gian'; did you mean 'gain'"),
        (("plan", "aim", "over"), "all", "expected one of content, frame"),
        (("look",), 7, "look: expected a table"),
        (("method",), True, "method: expected text"),
    ],
)
def test_what_is_no_edit_is_told_in_one_line(place: tuple[str, ...], to: object, why: str) -> None:
    text = changed(Edit.of(night(), "relume"), *place, to=to)
    with pytest.raises(InputError) as caught:
        Edit.from_json(text, "a.json")
    assert why in str(caught.value)
    assert str(caught.value).startswith("a.json")
    assert "\n" not in str(caught.value)


def test_text_that_is_no_json_and_keys_that_are_missing() -> None:
    edit = Edit.of(night(), "gamma")
    with pytest.raises(InputError, match=r"^a\.json is no JSON"):
        Edit.from_json("brightness: much", "a.json")
    table = json.loads(edit.to_json())
    del table["look"]
    with pytest.raises(InputError, match="the key 'look' is missing"):
        Edit.from_json(json.dumps(table))


def test_other_weights_are_refused_not_guessed() -> None:
    edit = Edit.of(night(), "relume")
    other = replace(edit, weights={**edit.weights, "relume": "0" * 64})
    with pytest.raises(InputError, match="other weights of relume than are here"):
        other(night())
