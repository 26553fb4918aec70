"""relume's own face detector: anchor-free, from the photograph as it is to boxes and five points.

It sees a photograph opened up by a black level and one gain (:mod:`relume.image.opening`), which
its first step does, and the gain itself, which tells it how much of what it sees is noise.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from relume.nets.sizes import DETECTOR_STRIDES_PX

SCORES, BOX, POINTS = 1, 4, 10
WIDTH = 64
RARE = -4.0
"""The bias of the scores at the start: few cells hold a face."""


class Layer(nn.Sequential):
    """A 3x3 convolution (or of another size), batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, size: int = 3) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class Residual(nn.Module):
    """``x`` and what a layer adds to it."""

    def __init__(self, width: int, *, size: int = 3) -> None:
        super().__init__()
        self.layer = Layer(width, width, size=size)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        return x + self.layer(x)


class Branch(nn.Sequential):
    """What is asked of the cells of one level: a look at their neighbours, then one at channels."""

    def __init__(self, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(WIDTH, WIDTH, 3, padding=1, groups=WIDTH, bias=False),
            nn.Conv2d(WIDTH, WIDTH, 1, bias=False),
            nn.BatchNorm2d(WIDTH),
            nn.ReLU(inplace=True),
            nn.Conv2d(WIDTH, outputs, 1),
        )


class Head(nn.Module):
    """Score, box and points of the cells of one level; whether and where are asked apart."""

    def __init__(self) -> None:
        super().__init__()
        self.score, self.place = Branch(SCORES), Branch(BOX + POINTS)
        for branch in (self.score, self.place):
            nn.init.zeros_(branch[-1].bias)
        nn.init.constant_(self.score[-1].bias, RARE)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 64, H, W) to (B, H W, 15), cells row by row."""
        return _cells(torch.cat([self.score(x), self.place(x)], dim=1))


class FaceNet(nn.Module):
    """Three levels of features, each given what the coarser ones see; a head on each.

    ``teacher`` reads a teacher's features out of them, in training only (Romero et al., *FitNets*,
    ICLR 2015); it is not exported.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(Layer(4, 16, stride=2), Layer(16, 32, stride=2), Residual(32))
        self.fine = nn.Sequential(Layer(32, WIDTH, stride=2), Residual(WIDTH), Residual(WIDTH))
        self.middle = nn.Sequential(Layer(WIDTH, WIDTH, stride=2), Residual(WIDTH))
        self.coarse = nn.Sequential(Layer(WIDTH, WIDTH, stride=2), Residual(WIDTH))
        self.heads = nn.ModuleList(Head() for _ in DETECTOR_STRIDES_PX)
        self.teacher = nn.ModuleList(nn.Conv2d(WIDTH, WIDTH, 1) for _ in DETECTOR_STRIDES_PX)

    def forward(self, image: Tensor, black: Tensor, gain: Tensor) -> list[Tensor]:
        """Each level's score (a logit), box and points (B, N, 15), as ``faces.cells`` has them.

        ``image`` is (B, 3, H, W) in [0, 1], H and W multiples of 32, ``black`` (B, 3), ``gain``
        (B, 1): see :class:`relume.image.opening.Opening`.
        """
        return self._asked(self.features(image, black, gain))

    def taught(self, image: Tensor, black: Tensor, gain: Tensor) -> tuple[Tensor, Tensor]:
        """The levels joined, (B, N, 15), and what a teacher's features (B, N, 64) may be."""
        features = self.features(image, black, gain)
        read = [_cells(layer(x)) for layer, x in zip(self.teacher, features, strict=True)]
        return torch.cat(self._asked(features), dim=1), torch.cat(read, dim=1)

    def features(self, image: Tensor, black: Tensor, gain: Tensor) -> tuple[Tensor, ...]:
        """(B, 64, H / s, W / s) of each stride s."""
        x = self.opened(image, black, gain)  # (B, 4, H, W)
        fine = self.fine(self.stem(x))  # (B, 64, H / 8, W / 8)
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        middle = middle + F.interpolate(coarse, scale_factor=2.0, mode="nearest")
        fine = fine + F.interpolate(middle, scale_factor=2.0, mode="nearest")
        return fine, middle, coarse

    def _asked(self, features: tuple[Tensor, ...]) -> list[Tensor]:
        return [head(x) for head, x in zip(self.heads, features, strict=True)]

    @staticmethod
    def opened(image: Tensor, black: Tensor, gain: Tensor) -> Tensor:
        """The picture opened up, and the gain's logarithm as a fourth channel."""
        dark = black[:, :, None, None]
        left = (1 - (image - dark) / (1 - dark)).clamp(1e-6, 1)
        power = gain[:, :, None, None]
        place = torch.log2(power) / 8 + torch.zeros_like(image[:, :1])
        return torch.cat([1 - left**power, place], dim=1)


def _cells(x: Tensor) -> Tensor:
    """(B, C, H, W) as (B, H W, C), row by row."""
    return x.flatten(2).transpose(1, 2)


class DetectorOutputs(nn.Module):
    """The detector as it is exported: scores, boxes and points of each level by themselves."""

    def __init__(self, net: FaceNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, black: Tensor, gain: Tensor) -> tuple[Tensor, ...]:
        """``cls`` (B, N, 1), ``bbox`` (B, N, 4) and ``kps`` (B, N, 10) of each stride in turn."""
        out: list[Tensor] = []
        for level in self.net(image, black, gain):
            score, box, points = level.split([SCORES, BOX, POINTS], dim=2)
            out += [score.sigmoid(), box, points]
        return tuple(out)


DETECTOR_OUTPUTS = [
    f"{part}_{stride}" for stride in DETECTOR_STRIDES_PX for part in ("cls", "bbox", "kps")
]
