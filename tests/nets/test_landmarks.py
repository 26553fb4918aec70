"""The landmarker's network: its size, what its outputs are, and that they are means of its maps."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from relume.nets.landmarks import LandmarkNet, LandmarkOutputs  # noqa: E402


def inputs(count: int = 2) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(1)
    return torch.rand(count, 3, 96, 96), torch.zeros(count, 3), torch.full((count, 1), 3.0)


def test_it_is_as_small_as_promised() -> None:
    assert sum(p.numel() for p in LandmarkNet().parameters()) <= 400_000


def test_a_point_is_the_mean_of_its_map() -> None:
    """Cells of 4 px: of a map that is all in row 2, column 7, it is (30, 10)."""
    net = LandmarkNet().eval()
    given = inputs()
    where, points, spread = net(*given)
    assert (where.shape, points.shape, spread.shape) == ((2, 68, 576), (2, 68, 2), (2, 68))
    share = where[1, 5].softmax(0).reshape(24, 24).detach().numpy()
    rows, columns = np.mgrid[:24, :24] * 4 + 2
    mean = [(share * columns).sum(), (share * rows).sum()]
    assert points[1, 5].tolist() == pytest.approx(mean, abs=1e-3)


def test_outputs_are_shares_of_the_side_and_sigma_is_along_an_axis() -> None:
    """Of a density exp(-r / s) of distances in the plane, drawn: 3^.5 s along an axis."""
    net = LandmarkNet().eval()
    given = inputs()
    _, points, spread = net(*given)
    shares, sigma = LandmarkOutputs(net)(*given)
    assert torch.allclose(shares * 96, points)
    rng = np.random.default_rng(0)
    distance = rng.gamma(2, 1.0, 200_000)  # r exp(-r): the plane's circles grow with r
    along = distance * np.cos(rng.uniform(0, 2 * np.pi, 200_000))
    assert float((sigma * 96 / spread.exp()).mean().detach()) == pytest.approx(
        along.std(), rel=0.02
    )
