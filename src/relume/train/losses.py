"""Loss terms: those of Retinex-Net (Wei et al., BMVC 2018, section 3), then the picture network's.

All take batches ``(B, C, H, W)`` and return a scalar; ``| |_1`` is the *mean* absolute value, so
that weights do not depend on the patch size.

**Gradient convention.** The paper writes only "the gradient, horizontal and vertical". Here it is
the absolute forward difference, ``|x[i + 1] - x[i]|``, along each axis, at the positions where it
exists (no padding); a two-directional term is the sum of the two directions' means. The
reflectance enters the smoothness weight as grey (Rec. 601), as in the authors' code; their extra
3x3 averaging of its gradient is left out, as in the paper's equation.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from relume.image.color import REC601
from relume.nets.landmarks import STRIDE_PX


def grey(image: Tensor) -> Tensor:
    """Rec. 601 grey ``(B, 1, H, W)`` of an RGB batch."""
    weights = torch.tensor(REC601, dtype=image.dtype, device=image.device).view(1, 3, 1, 1)
    return (image * weights).sum(dim=1, keepdim=True)


def gradients(x: Tensor) -> tuple[Tensor, Tensor]:
    """Absolute forward differences: horizontal ``(.., H, W-1)`` and vertical ``(.., H-1, W)``."""
    horizontal = (x[..., :, 1:] - x[..., :, :-1]).abs()
    vertical = (x[..., 1:, :] - x[..., :-1, :]).abs()
    return horizontal, vertical


def reconstruction(reflectance: Tensor, illumination: Tensor, photo: Tensor) -> Tensor:
    """One term of L_recon: ``|R_i * I_j - S_j|_1``."""
    return (reflectance * illumination - photo).abs().mean()


def reconstruction_all(
    reflectances: tuple[Tensor, Tensor],
    illuminations: tuple[Tensor, Tensor],
    photos: tuple[Tensor, Tensor],
    cross_weight: float = 0.001,
) -> Tensor:
    """L_recon = sum_ij lambda_ij |R_i * I_j - S_j|_1 over i, j in (low, normal).

    lambda_ij is 1 for i = j and ``cross_weight`` otherwise (the paper's 0.001).
    """
    total = photos[0].new_zeros(())
    for i, reflectance in enumerate(reflectances):
        for j, (illumination, photo) in enumerate(zip(illuminations, photos, strict=True)):
            weight = 1.0 if i == j else cross_weight
            total = total + weight * reconstruction(reflectance, illumination, photo)
    return total


def reflectance_consistency(low: Tensor, normal: Tensor) -> Tensor:
    """L_ir = |R_low - R_normal|_1."""
    return (low - normal).abs().mean()


def smoothness(illumination: Tensor, reflectance: Tensor, gradient_weight: float = 10.0) -> Tensor:
    """L_is of one photo: ``|grad I * exp(-lambda_g * grad R)|_1`` with lambda_g = 10.

    Illumination is asked to be smooth, except where the reflectance has structure.
    """
    total = illumination.new_zeros(())
    for of_i, of_r in zip(gradients(illumination), gradients(grey(reflectance)), strict=True):
        total = total + (of_i * torch.exp(-gradient_weight * of_r)).mean()
    return total


def ssim(image: Tensor, reference: Tensor, window_px: int = 7) -> Tensor:
    """Mean structural similarity with a uniform window (Wang et al. 2004), for training.

    The reported SSIM is the Gaussian one of ``relume.metrics``; this one is cheaper to learn by.
    """

    def mean(x: Tensor) -> Tensor:
        # a box is separable: a third of the time of the square window
        rows = F.avg_pool2d(x, (window_px, 1), stride=1)
        return F.avg_pool2d(rows, (1, window_px), stride=1)

    a, b = mean(image), mean(reference)
    var_a = mean(image * image) - a * a
    var_b = mean(reference * reference) - b * b
    both = mean(image * reference) - a * b
    c1, c2 = 0.01**2, 0.03**2
    ratio = (2 * a * b + c1) * (2 * both + c2) / ((a * a + b * b + c1) * (var_a + var_b + c2))
    return ratio.mean()


def gradient_difference(image: Tensor, reference: Tensor) -> Tensor:
    """Mean absolute difference of the signed forward differences, both directions summed."""
    error = image - reference
    horizontal, vertical = gradients(error)
    return horizontal.mean() + vertical.mean()


def colour_difference(image: Tensor, reference: Tensor, cell_px: int = 16) -> Tensor:
    """Mean absolute difference of cell averages: casts and blotches, which pixels hide."""
    return (F.avg_pool2d(image, cell_px) - F.avg_pool2d(reference, cell_px)).abs().mean()


def log_error(image: Tensor, reference: Tensor) -> Tensor:
    """Mean over the batch of log10 of each picture's mean squared error: -PSNR / 10.

    A picture that is nearly right counts as much as one that is far off.
    """
    squared = (image - reference).square().mean(dim=(1, 2, 3))
    return (squared + 1e-5).log10().mean()


def quality_focal(logits: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Quality focal loss (Li et al., NeurIPS 2020) of scores (B, N), over what is wanted in all."""
    away = (wanted - logits.sigmoid()).abs().square()
    each = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none") * away * weight
    return each.sum() / wanted.sum().clamp(min=1)


def overlap(boxes: Tensor, wanted: Tensor) -> Tensor:
    """Intersection over union (N,) of boxes (N, 4) as corners."""
    low = torch.maximum(boxes[:, :2], wanted[:, :2])
    high = torch.minimum(boxes[:, 2:], wanted[:, 2:])
    both = (high - low).clamp(min=0).prod(dim=1)
    areas = [(x[:, 2:] - x[:, :2]).prod(dim=1) for x in (boxes, wanted)]
    return both / (areas[0] + areas[1] - both).clamp(min=1e-6)


def box_overlap(boxes: Tensor, wanted: Tensor) -> Tensor:
    """Efficient IoU loss (Zhang et al., 2021) of boxes (N, 4) as corners: (N,), 0 where equal."""
    iou = overlap(boxes, wanted)
    size, wanted_size = boxes[:, 2:] - boxes[:, :2], wanted[:, 2:] - wanted[:, :2]
    hull = torch.maximum(boxes[:, 2:], wanted[:, 2:]) - torch.minimum(boxes[:, :2], wanted[:, :2])
    hull = hull.square().clamp(min=1e-6)  # (N, 2)
    away = ((boxes[:, :2] + boxes[:, 2:]) - (wanted[:, :2] + wanted[:, 2:])).square().sum(dim=1) / 4
    return 1 - iou + away / hull.sum(dim=1) + ((size - wanted_size).square() / hull).sum(dim=1)


def map_entropy(logits: Tensor, points: Tensor) -> Tensor:
    """Cross entropy of maps (B, K, cells) and a blot of one cell around points (B, K, 2): (B, K).

    Cells are the landmarker's: a square map, row by row.
    """
    side = math.isqrt(logits.shape[2])
    centres = torch.arange(side, device=points.device) + 0.5  # (side,), in cells
    away = centres - points[..., None] / STRIDE_PX  # (B, K, 2, side)
    blot = (away.square() * -0.5).softmax(dim=3)
    wanted = blot[:, :, 1, :, None] * blot[:, :, 0, None, :]  # rows, columns
    return -(wanted.flatten(2) * logits.log_softmax(dim=2)).sum(dim=2)
