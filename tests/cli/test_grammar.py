"""NAME:KEY=VALUE,... is read alike through every door, and no option is ignored in any."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

from relume import enhance, read
from relume.catalog import split_specs
from relume.enhancers import methods
from relume.enhancers.options import OPTIONS, parse_spec, takes
from relume.faces import parse_views, render_views
from relume.photo import Image
from relume.study.arms import parse as parse_arm
from relume.web.query import EnhanceQuery

from .conftest import Relume

VALUES = {
    "strength": 0.5, "brightness": 0.3, "local": 0.25, "expose_for": "scene", "protect_lit": False,
    "black": "2,3,2", "cast": 0.0,
}  # fmt: skip


def test_every_option_is_tried_here() -> None:
    assert VALUES.keys() == {option.name for option in OPTIONS}


@pytest.mark.parametrize("method", ["relume", "machine", "gamma", "auto-exposure"])
@pytest.mark.parametrize("option", VALUES)
def test_an_option_in_a_spec(relume: Relume, night: Path, method: str, option: str) -> None:
    """Taken and effective, or refused in one line."""
    spec = f"{method}:{option}={VALUES[option]}"
    image, info = read(night).pixels, methods().info(method)
    parameter = next(one for one in OPTIONS if one.name == option)
    out = night.with_name("out.png")
    by_command = relume("enhance", night, "-m", spec, "-o", out, "--overwrite")
    if not takes(info, parameter):
        assert (by_command.code, by_command.err.count("\n")) == (2, 1)
        refusing = {
            "spec": parse_spec,
            "arm": parse_arm,
            "view": lambda spec: parse_views([spec]),
            "python": lambda spec: enhance(image, method=spec),
            "http": lambda spec: EnhanceQuery(method=spec).call,
        }
        for door in refusing.values():
            with pytest.raises(ValueError, match=f"takes no {option}"):
                door(spec)
        return
    asked = enhance(image, method=method, **{option: VALUES[option]})
    if option in ("strength", "brightness"):
        assert np.abs(asked - enhance(image, method=method)).max() > 0.02
    doors: dict[str, Image] = {"python": enhance(image, method=spec)}
    call = EnhanceQuery(method=spec).call
    assert call[option] == VALUES[option]
    doors["http"] = enhance(image, **call)
    doors["arm"] = parse_arm(spec)._picture(image, None)
    if option != "brightness" or method != "relume":
        (view,) = render_views(parse_views([f"{spec}@1"]), image)
        doors["view"] = view.image
    for door, got in doors.items():
        np.testing.assert_allclose(got, asked, atol=2e-3, err_msg=door)
    assert by_command.code == 0, by_command.err
    with Pil.open(io.BytesIO(out.read_bytes())) as written:
        np.testing.assert_allclose(np.asarray(written) / 255, asked, atol=0.6 / 255)


def test_what_is_asked_for_by_name_comes_first(relume: Relume, night: Path) -> None:
    image = read(night).pixels
    both = enhance(image, method="relume:brightness=0.2", brightness=0.4)
    np.testing.assert_array_equal(both, enhance(image, brightness=0.4))
    dry = relume("enhance", night, "-m", "relume:brightness=0.2,local=0.5", "-b", "0.4", "-n")
    assert dry.out.endswith("night.relume-b40-l50.jpg\n")
    dry = relume("enhance", night, "-p", "strength=0.5", "-n")
    assert dry.out.endswith("night.relume-s50.jpg\n")


def test_lists_of_specs() -> None:
    assert parse_spec("relume:black=4,5,6,local=1")[2] == {"black": "4,5,6", "local": 1.0}
    assert split_specs("machine:black=4,5,6,gamma") == ("machine:black=4,5,6", "gamma")
    text = "original, machine:brightness=.4,local=1@mirrored,haar:0.5,,gamma"
    assert split_specs(text) == (
        "original", "machine:brightness=.4,local=1@mirrored", "haar:0.5", "gamma",
    )  # fmt: skip
    assert split_specs(None) == ()
