"""relume's own 68 points: a map of where each point may be, its mean, and how sure that is.

Like the detector (:mod:`relume.nets.detector`) it sees a crop opened up by a black level and one
gain, and the gain. Every point has a map of 24 x 24 cells, whose softmax says where the point may
be; the mean of it is the point (Sun et al., *Integral Human Pose Regression*, 2018). A second map,
averaged in the same places, is the logarithm of the error that may be expected there (as in Kumar
et al., *LUVLi*, 2020).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from relume.nets.detector import FaceNet, Layer, Residual
from relume.nets.sizes import LANDMARKS_PX

POINTS = 68
STRIDE_PX = 4
FINE, MIDDLE, COARSE = 32, 64, 96
SPREAD_PX = 2.0
"""The error that is expected at the start."""


class LandmarkNet(nn.Module):
    """Four levels of features down to 3 x 3 cells, brought together on the finest."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Sequential(Layer(4, 16, stride=2), Layer(16, FINE, stride=2), Residual(FINE))
        self.middle = nn.Sequential(
            Layer(FINE, MIDDLE, stride=2), Residual(MIDDLE), Residual(MIDDLE)
        )
        self.coarse = nn.Sequential(Layer(MIDDLE, COARSE, stride=2), Residual(COARSE))
        self.whole = nn.Sequential(Layer(COARSE, COARSE, stride=2), Residual(COARSE, size=1))
        self.from_coarse = Layer(COARSE, MIDDLE, size=1)
        self.joined = Residual(MIDDLE)
        self.from_fine = Layer(FINE, MIDDLE, size=1)
        self.spread = nn.Conv2d(MIDDLE, MIDDLE, 3, padding=1, groups=MIDDLE, bias=False)
        self.mix = Layer(MIDDLE, MIDDLE, size=1)
        self.out = nn.Conv2d(MIDDLE, 2 * POINTS, 1)
        nn.init.zeros_(self.out.bias)
        nn.init.constant_(self.out.bias[POINTS:], math.log(SPREAD_PX))

    def forward(self, image: Tensor, black: Tensor, gain: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Where points may be (B, 68, cells, logits), points (B, 68, 2) and log spread (B, 68).

        ``image`` is (B, 3, 96, 96) in [0, 1], ``black`` (B, 3), ``gain`` (B, 1). Points are in
        pixels of the crop. The spread s, in pixels too, is that of a density exp(-r / s) of the
        distance r: the mean distance is 2 s.
        """
        fine = self.fine(FaceNet.opened(image, black, gain))  # (B, 32, 24, 24)
        middle = self.middle(fine)  # (B, 64, 12, 12)
        coarse = self.coarse(middle)  # (B, 96, 6, 6)
        coarse = coarse + _twice(self.whole(coarse))
        middle = self.joined(middle + _twice(self.from_coarse(coarse)))
        x = self.out(self.mix(self.spread(self.from_fine(fine) + _twice(middle))))
        side = x.shape[3]
        where, doubt = x.flatten(2).split(POINTS, dim=1)  # (B, 68, 576) each
        share = where.softmax(dim=2)
        centres = (torch.arange(side, device=x.device, dtype=x.dtype) + 0.5) * STRIDE_PX
        rows = share.unflatten(2, (side, side))
        points = torch.stack([rows.sum(2) @ centres, rows.sum(3) @ centres], dim=2)
        return where, points, (share * doubt).sum(2)


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


class LandmarkOutputs(nn.Module):
    """The landmarker as it is exported: shares of the crop's side."""

    def __init__(self, net: LandmarkNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, black: Tensor, gain: Tensor) -> tuple[Tensor, Tensor]:
        """``points`` (B, 68, 2) and ``sigma`` (B, 68): their standard deviation along each axis."""
        _, points, spread = self.net(image, black, gain)
        # the variance along an axis is half of the mean square distance, 6 s^2
        return points / LANDMARKS_PX, spread.exp() * (math.sqrt(3) / LANDMARKS_PX)


LANDMARK_OUTPUTS = ["points", "sigma"]
