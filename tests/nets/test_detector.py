"""The detector's network: what it opens up is what is opened up elsewhere; its size; its cells."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from relume.image.opening import Opening  # noqa: E402
from relume.nets.detector import (  # noqa: E402
    DETECTOR_OUTPUTS,
    DetectorOutputs,
    FaceNet,
)


def inputs(height: int, width: int) -> tuple[torch.Tensor, ...]:
    image = torch.rand(2, 3, height, width)
    return image, torch.tensor([[0.0, 0.1, 0.2]] * 2), torch.tensor([[1.0], [30.0]])


def test_it_is_as_small_as_promised() -> None:
    assert sum(p.numel() for p in FaceNet().parameters()) <= 300_000


def test_it_opens_a_picture_up_as_the_core_does() -> None:
    image, black, gain = inputs(32, 64)
    opened = FaceNet.opened(image, black, gain)
    assert opened.shape == (2, 4, 32, 64)
    for n in range(2):
        theirs = Opening(black[n].numpy(), float(gain[n, 0]))(image[n].numpy().transpose(1, 2, 0))
        assert np.abs(opened[n, :3].numpy().transpose(1, 2, 0) - theirs).max() < 1e-4
        assert (opened[n, 3] == torch.log2(gain[n, 0]) / 8).all()


def test_every_level_has_its_cells_and_scores_begin_low() -> None:
    net = DetectorOutputs(FaceNet().eval())
    with torch.no_grad():
        out = dict(zip(DETECTOR_OUTPUTS, net(*inputs(64, 96)), strict=True))
    for stride, cells in ((8, 8 * 12), (16, 4 * 6), (32, 2 * 3)):
        assert out[f"cls_{stride}"].shape == (2, cells, 1)
        assert out[f"bbox_{stride}"].shape == (2, cells, 4)
        assert out[f"kps_{stride}"].shape == (2, cells, 10)
        assert float(out[f"cls_{stride}"].max()) < 0.2
