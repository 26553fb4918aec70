"""A photo exposed for the faces in it: :func:`relume.enhance`'s ``expose_for``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import relume
from relume import enhancers
from relume.errors import ParameterError
from relume.image.color import linear_to_srgb, luma, srgb_to_linear
from relume.photo import Image

from .conftest import FACE


def against_the_light(astronaut: Image) -> Image:
    """The portrait with a tenth of its light, before a background that has all of it."""
    height, width = astronaut.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    cx, cy = (FACE[0] + FACE[2]) / 2, (FACE[1] + FACE[3]) / 2
    head = ((x - cx) / 90) ** 2 + ((y - cy) / 100) ** 2
    body = ((x - cx) / 230) ** 2 + ((y - 480) / 300) ** 2
    person = 1 / (1 + np.minimum(head, body) ** 6)
    light = srgb_to_linear(astronaut) * (1 - 0.9 * person)[:, :, None].astype(np.float32)
    return np.clip(linear_to_srgb(light.astype(np.float32)), 0, 1)


def face_level(picture: Image) -> float:
    x0, y0, x1, y1 = (int(v) for v in FACE)
    return float(luma(picture)[y0 + 10 : y1 - 5, x0 + 10 : x1 - 10].mean())


def test_a_face_against_the_light_is_exposed_like_a_face(usual: str, astronaut: Image) -> None:
    dark = against_the_light(astronaut)
    scene, face = (relume.enhance(dark, expose_for=mode) for mode in ("scene", "faces"))
    short = [2.2 * np.log2(face_level(x) / face_level(astronaut)) for x in (scene, face)]
    assert short[0] < -1.5
    assert short[0] + 1.4 < short[1] < 0.3
    np.testing.assert_array_equal(relume.enhance(dark), face)  # auto does it, too
    window = np.s_[20:120, 400:500]  # bright before, and as far from the face as can be
    assert np.abs(face[window] - scene[window]).mean() < 4 / 255


def test_a_well_lit_face_is_left(usual: str, astronaut: Image) -> None:
    scene, face = (relume.enhance(astronaut, expose_for=mode) for mode in ("scene", "faces"))
    np.testing.assert_array_equal(face, scene)


def test_damaged_weights_do_not_stop_a_photo(
    astronaut: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELUME_CACHE", str(tmp_path))
    dark = against_the_light(astronaut)
    shipped = relume.enhance(dark)
    (tmp_path / "yunet_n_dynamic.onnx").write_bytes(b"half a file")
    np.testing.assert_array_equal(relume.enhance(dark), shipped)


def test_methods_without_local_exposure_take_no_faces(astronaut: Image) -> None:
    with pytest.raises(ParameterError, match="gamma takes no expose_for; these do: relume"):
        relume.enhance(astronaut, method="gamma", expose_for="faces")
    with pytest.raises(ParameterError, match="expose_for must be one of auto, scene, faces"):
        relume.enhance(astronaut, expose_for="people")  # type: ignore[arg-type]
    gamma = relume.enhance(astronaut, method="gamma:0.5")
    np.testing.assert_array_equal(gamma, enhancers.enhance(astronaut, method="gamma:0.5"))
