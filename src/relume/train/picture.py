"""The phases of the picture network's training as modules: a batch in, loss terms out."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from relume.nets.picture import ExposureNet, PictureNet
from relume.train import losses
from relume.train.retinex import Terms, filled

PICTURE_WEIGHTS = {"l1": 1.0, "ssim": 0.25, "gradient": 0.3, "colour": 0.3, "log": 0.02}
EXPOSURE_WEIGHTS: dict[str, float] = {}


class RelumeNet(nn.Module):
    """What is trained and shipped together: the picture network and the exposure estimator."""

    def __init__(self) -> None:
        super().__init__()
        self.picture = PictureNet()
        self.exposure = ExposureNet()


class PicturePhase(nn.Module):
    """The picture network, told the reference's brightness."""

    def __init__(self, net: RelumeNet, weights: Mapping[str, float], *, bf16: bool) -> None:
        super().__init__()
        self.picture = net.picture
        self.weights = filled(PICTURE_WEIGHTS, weights, "picture")
        self.bf16 = bf16

    def forward(self, low: Tensor, high: Tensor, thumbnail: Tensor, brightness: Tensor) -> Terms:
        """The loss terms of a batch."""
        with torch.autocast(low.device.type, torch.bfloat16, enabled=self.bf16):
            out = self.picture(low, thumbnail, brightness)
        out = out.float()
        terms = {
            "l1": (out - high).abs().mean(),
            "ssim": 1 - losses.ssim(out, high),
            "gradient": losses.gradient_difference(out, high),
            "colour": losses.colour_difference(out, high),
            "log": losses.log_error(out, high),
        }
        total = sum((self.weights[k] * v for k, v in terms.items()), start=low.new_zeros(()))
        return {**terms, "total": total}


class ExposurePhase(nn.Module):
    """The exposure estimator: each member's own error of the log brightness (Huber)."""

    def __init__(self, net: RelumeNet, weights: Mapping[str, float], *, bf16: bool) -> None:
        super().__init__()
        self.exposure = net.exposure
        filled(EXPOSURE_WEIGHTS, weights, "exposure")
        self.bf16 = bf16

    def forward(self, thumbnail: Tensor, brightness: Tensor) -> Terms:
        """The loss terms of a batch."""
        with torch.autocast(thumbnail.device.type, torch.bfloat16, enabled=self.bf16):
            guesses = self.exposure.guesses(thumbnail)
        wanted = (brightness / self.exposure.usual).log().expand_as(guesses)
        return {"total": F.smooth_l1_loss(guesses.float(), wanted, beta=0.1)}


PHASES = {"picture": PicturePhase, "exposure": ExposurePhase}
