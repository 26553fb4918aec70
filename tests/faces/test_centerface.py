"""CenterFace's decoding, worked out by hand, and what is said of a file that is not it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from relume.errors import ParameterError, WeightsError
from relume.faces import detectors
from relume.faces.centerface import CenterFace


def test_a_cell_becomes_a_face() -> None:
    """Row 3, column 5 of cells of 4 px: rows first in sizes, offsets and points."""
    heat, size, offset = (np.zeros((1, n, 8, 16), np.float32) for n in (1, 2, 2))
    points = np.zeros((1, 10, 8, 16), np.float32)
    heat[0, 0, 3, 5] = 0.75
    size[0, :, 3, 5] = np.log([5, 4])  # 20 px high, 16 wide
    offset[0, :, 3, 5] = 0.25, -0.25
    points[0, :, 3, 5] = np.tile([0.5, 0.25], 5)
    seen = []

    def network(given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        seen.append(given["input.1"])
        return {"537": heat, "538": size, "539": offset, "540": points}

    find = object.__new__(CenterFace)
    find.threshold, find.nms = 0.5, 0.3
    call = SimpleNamespace(inputs=("input.1",), outputs=("537", "538", "539", "540"))
    find.network = type("Fake", (SimpleNamespace,), {"__call__": lambda _, given: network(given)})(
        **vars(call)
    )
    (face,) = find(np.full((30, 60, 3), 0.2, np.float32))
    # the middle: (3 + .5 + .25) 4 = 15 px down, (5 + .5 - .25) 4 = 21 px across
    np.testing.assert_allclose(face.box, (13, 5, 29, 25), atol=1e-4)
    assert face.score == 0.75
    assert face.landmarks is not None
    np.testing.assert_allclose(face.landmarks, [[13 + 0.25 * 16, 5 + 0.5 * 20]] * 5, atol=1e-4)
    assert seen[0].shape == (1, 3, 32, 64)
    assert seen[0].max() == pytest.approx(51)  # 0 to 255
    find.threshold = 0.8
    assert find(np.full((30, 60, 3), 0.2, np.float32)) == []


def test_its_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"must name an \.onnx file, got ''"):
        detectors().create("centerface")
    with pytest.raises(WeightsError, match="how to get it"):
        detectors().create(f"centerface:{tmp_path / 'none.onnx'}")
    other = Path(__file__).parents[2] / "src" / "relume" / "weights" / "relume-faces.onnx"
    with pytest.raises(WeightsError, match="takes 3 inputs; expected one picture"):
        detectors().create(f"centerface:{other}")
