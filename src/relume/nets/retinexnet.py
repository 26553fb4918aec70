"""Retinex-Net: Wei et al., *Deep Retinex Decomposition for Low-Light Enhancement*, BMVC 2018.

A photo S is split into reflectance R and illumination I, S = R * I (Decom-Net, the same weights
for a dark and a normal-light photo); Enhance-Net relights I; the result is R * I_hat.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Skips = Literal["add", "concat"]

CHANNELS = 64


def _conv(inputs: int, outputs: int, kernel: int, *, stride: int = 1, padding: str) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, padding_mode=padding)


class DecomNet(nn.Module):
    """Splits a photo ``(B, 3, H, W)`` into R ``(B, 3, H, W)`` and I ``(B, 1, H, W)``, in (0, 1).

    Input RGB and their maximum; 9x9 convolution without activation, five 3x3 with ReLU, one 3x3,
    sigmoid. 207,748 parameters. ``padding`` is "zeros" (the paper's) or "replicate".
    """

    def __init__(self, *, padding: str = "zeros") -> None:
        super().__init__()
        self.shallow = _conv(4, CHANNELS, 9, padding=padding)
        self.body = nn.ModuleList(_conv(CHANNELS, CHANNELS, 3, padding=padding) for _ in range(5))
        self.head = _conv(CHANNELS, 4, 3, padding=padding)

    def forward(self, photo: Tensor) -> tuple[Tensor, Tensor]:
        """R and I of ``photo``."""
        # (B, 4, H, W) -> (B, 64, H, W)
        x = self.shallow(torch.cat([photo, photo.amax(dim=1, keepdim=True)], dim=1))
        for layer in self.body:
            x = F.relu(layer(x))
        x = torch.sigmoid(self.head(x))  # (B, 4, H, W)
        return x[:, :3], x[:, 3:]


class EnhanceNet(nn.Module):
    """Relights: R ``(B, 3, H, W)`` and I ``(B, 1, H, W)`` to I_hat ``(B, 1, H, W)``, unbounded.

    An encoder of three stride-2 convolutions, a decoder of three nearest upsamplings with
    convolutions, the three decoder scales brought to full size and fused (the paper's
    multi-scale concatenation). ``skips`` is "add" as in the paper (236,865 parameters) or
    "concat" as in a public PyTorch port (347,457).
    """

    def __init__(self, *, skips: Skips = "add", padding: str = "zeros") -> None:
        super().__init__()
        self.skips = skips
        up_inputs = CHANNELS if skips == "add" else 2 * CHANNELS
        self.first = _conv(4, CHANNELS, 3, padding=padding)
        self.down = nn.ModuleList(
            _conv(CHANNELS, CHANNELS, 3, stride=2, padding=padding) for _ in range(3)
        )
        self.up = nn.ModuleList(_conv(up_inputs, CHANNELS, 3, padding=padding) for _ in range(3))
        self.fusion = nn.Conv2d(3 * CHANNELS, CHANNELS, 1)
        self.head = _conv(CHANNELS, 1, 3, padding=padding)

    def forward(self, reflectance: Tensor, illumination: Tensor) -> Tensor:
        """The relit illumination."""
        # (B, 64, H, W), then at 1/2, 1/4 and 1/8 of the size
        features = [self.first(torch.cat([reflectance, illumination], dim=1))]
        for layer in self.down:
            features.append(F.relu(layer(features[-1])))
        x = features.pop()
        scales = []
        for layer in self.up:
            skip = features.pop()
            x = self._merge(layer, F.interpolate(x, size=skip.shape[2:]), skip)
            scales.append(x)  # (B, 64) at 1/4, 1/2 and full size
        full = [F.interpolate(s, size=illumination.shape[2:]) for s in scales[:-1]]
        # (B, 192, H, W) -> (B, 64, H, W) -> (B, 1, H, W)
        return self.head(self.fusion(torch.cat([*full, scales[-1]], dim=1)))

    def _merge(self, layer: nn.Module, upsampled: Tensor, skip: Tensor) -> Tensor:
        if self.skips == "add":
            return F.relu(layer(upsampled)) + skip
        return F.relu(layer(torch.cat([upsampled, skip], dim=1)))


class RetinexNet(nn.Module):
    """Both networks: a photo to R, I and the relit I_hat (clamping and denoising come later)."""

    def __init__(self, *, skips: Skips = "add", padding: str = "zeros") -> None:
        super().__init__()
        self.decom = DecomNet(padding=padding)
        self.enhance = EnhanceNet(skips=skips, padding=padding)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``(reflectance, illumination, relit_illumination)`` of ``image`` (B, 3, H, W)."""
        reflectance, illumination = self.decom(image)
        return reflectance, illumination, self.enhance(reflectance, illumination)
