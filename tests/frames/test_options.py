"""Every option of ``enhance`` through a clip and a burst: taken as for a photo, or refused."""

from __future__ import annotations

import numpy as np
import pytest

import relume
from relume.enhancers import methods
from relume.enhancers.options import OPTIONS, takes
from relume.errors import ParameterError
from relume.photo import Array, quantise

from .conftest import night, scene

VALUES = {
    "strength": 0.5, "brightness": 0.3, "local": 0.25, "expose_for": "scene", "protect_lit": False,
    "black": "4,4,4", "cast": 0.0,
}  # fmt: skip


def frame() -> Array:
    """A dark scene with a lit place."""
    dark = night(scene(), 1, 0.05)
    dark[20:80, 20:90] = scene()[20:80, 20:90]
    dark *= np.array([1, 0.6, 0.3], np.float32)  # by lamps
    return quantise(dark, np.uint8)


@pytest.mark.parametrize("method", ["relume", "machine", "gamma", "auto-exposure"])
@pytest.mark.parametrize("option", [option.name for option in OPTIONS])
def test_an_option_of_a_clip_and_of_a_burst(method: str, option: str) -> None:
    info = methods().info(method)
    asked = {"method": method, option: VALUES[option]}
    parameter = next(one for one in OPTIONS if one.name == option)
    dark = frame()
    if not takes(info, parameter):
        with pytest.raises(ParameterError, match=f"takes no {option}"):
            list(relume.enhance_frames([dark], **asked))
        with pytest.raises(ParameterError, match=f"takes no {option}"):
            relume.enhance_burst([dark], **asked)
        return
    scene_only = {"expose_for": "scene"} if info.takes_local else {}
    photo = relume.enhance(dark, **{**scene_only, **asked})
    usual = relume.enhance(dark, method=method, **scene_only)
    if option not in ("expose_for", "protect_lit"):
        assert np.abs(photo.astype(int) - usual).max() > 3, "the option has no effect to be tested"
    (clip,) = relume.enhance_frames([dark], **asked)
    burst = relume.enhance_burst([dark], **asked)
    for door, got in (("clip", clip), ("burst", burst)):
        np.testing.assert_allclose(got.astype(int), photo, atol=2, err_msg=door)


@pytest.mark.parametrize("several", [relume.enhance_frames, relume.enhance_burst])
def test_faces_are_for_photos(several: object) -> None:
    with pytest.raises(ParameterError, match="single photos"):
        list(several([frame()], expose_for="faces"))  # type: ignore[operator]
