"""The two phases of Retinex-Net's training as modules: a batch in, loss terms out.

Each is what data-parallel training wraps: its forward takes ``low`` and ``high``
``(B, 3, P, P)`` and returns the terms by name, ``total`` last.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from relume.errors import RecipeError
from relume.nets.retinexnet import RetinexNet
from relume.train import losses

Terms = dict[str, Tensor]

DECOM_WEIGHTS = {"cross": 0.001, "consistency": 0.01, "smoothness": 0.1, "gradient": 10.0}
ENHANCE_WEIGHTS = {"smoothness": 3.0, "gradient": 10.0}


class DecomPhase(nn.Module):
    """Phase 1, Decom-Net: L = L_recon + 0.01 L_ir + 0.1 L_is (Wei et al., eq. 2-5)."""

    def __init__(self, net: RetinexNet, weights: Mapping[str, float], *, bf16: bool) -> None:
        super().__init__()
        self.decom = net.decom
        self.weights = filled(DECOM_WEIGHTS, weights, "decom")
        self.bf16 = bf16

    def forward(self, low: Tensor, high: Tensor) -> Terms:
        """The loss terms of a batch; both photos go through the same weights at once."""
        with torch.autocast(low.device.type, torch.bfloat16, enabled=self.bf16):
            reflectance, illumination = self.decom(torch.cat([low, high]))
        r_low, r_high = reflectance.float().chunk(2)
        i_low, i_high = illumination.float().chunk(2)
        w = self.weights
        recon = losses.reconstruction_all((r_low, r_high), (i_low, i_high), (low, high), w["cross"])
        consistency = losses.reflectance_consistency(r_low, r_high)
        smooth = losses.smoothness(i_low, r_low, w["gradient"])
        smooth = smooth + losses.smoothness(i_high, r_high, w["gradient"])
        total = recon + w["consistency"] * consistency + w["smoothness"] * smooth
        return {"recon": recon, "consistency": consistency, "smoothness": smooth, "total": total}


class EnhancePhase(nn.Module):
    """Phase 2, Enhance-Net: L = |R_low I_hat - S_normal|_1 + 3 L_is(I_hat, R_low), Decom frozen."""

    def __init__(self, net: RetinexNet, weights: Mapping[str, float], *, bf16: bool) -> None:
        super().__init__()
        self.decom = net.decom.requires_grad_(False)
        self.enhance = net.enhance
        self.weights = filled(ENHANCE_WEIGHTS, weights, "enhance")
        self.bf16 = bf16

    def forward(self, low: Tensor, high: Tensor) -> Terms:
        """The loss terms of a batch."""
        with torch.autocast(low.device.type, torch.bfloat16, enabled=self.bf16):
            with torch.no_grad():
                reflectance, illumination = self.decom(low)
            relit = self.enhance(reflectance, illumination)
        reflectance, relit = reflectance.float(), relit.float()
        recon = losses.relit(reflectance, relit, high)
        smooth = losses.smoothness(relit, reflectance, self.weights["gradient"])
        total = recon + self.weights["smoothness"] * smooth
        return {"recon": recon, "smoothness": smooth, "total": total}


PHASES = {"decom": DecomPhase, "enhance": EnhancePhase}


def filled(
    defaults: Mapping[str, float], given: Mapping[str, float], phase: str
) -> dict[str, float]:
    """The given loss weights over the defaults.

    Raises:
        RecipeError: a weight of an unknown term.
    """
    unknown = sorted(given.keys() - defaults.keys())
    if unknown:
        known = ", ".join(defaults)
        raise RecipeError(f"phase {phase}: unknown loss weight {unknown[0]!r}; known: {known}")
    return {**defaults, **given}
