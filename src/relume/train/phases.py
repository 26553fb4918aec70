"""The phases of training as modules: a batch in, loss terms out.

Each is what data-parallel training wraps. Its forward takes the parts of a batch, as its sampler
makes them, and returns the terms by name, ``total`` last.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from relume.nets.detector import FaceNet
from relume.nets.fast import FastNet
from relume.nets.landmarks import LandmarkNet
from relume.nets.picture import ExposureNet, PictureNet
from relume.nets.retinexnet import RetinexNet
from relume.nets.sizes import DETECTOR_STRIDES_PX
from relume.train import faces, losses

LossTerms = dict[str, Tensor]
FACE_CELLS = 4.0
"""How much more a teacher's features count in a cell with a face than in one without."""


class RelumeNet(nn.Module):
    """What is trained and shipped together: the picture network and the exposure estimator."""

    def __init__(self) -> None:
        super().__init__()
        self.picture = PictureNet()
        self.exposure = ExposureNet()


class PhaseModule(nn.Module):
    """The loss of a phase: the weights of its terms, and the precision of its forward pass."""

    defaults: ClassVar[dict[str, float]] = {}

    def __init__(self, weights: Mapping[str, float], *, bf16: bool) -> None:
        super().__init__()
        self.weights = {**self.defaults, **weights}
        self.bf16 = bf16

    def autocast(self, batch: Tensor) -> torch.autocast:
        """Where networks run in bf16, if that is asked for."""
        return torch.autocast(batch.device.type, torch.bfloat16, enabled=self.bf16)


class DecomPhase(PhaseModule):
    """Phase 1, Decom-Net: L = L_recon + 0.01 L_ir + 0.1 L_is (Wei et al., eq. 2-5)."""

    defaults: ClassVar[dict[str, float]] = {
        "cross": 0.001,
        "consistency": 0.01,
        "smoothness": 0.1,
        "gradient": 10.0,
    }

    def __init__(self, net: RetinexNet, weights: Mapping[str, float], *, bf16: bool) -> None:
        super().__init__(weights, bf16=bf16)
        self.decom = net.decom

    def forward(self, low: Tensor, high: Tensor) -> LossTerms:
        """Loss terms of patches (B, 3, P, P); both go through the same weights at once."""
        with self.autocast(low):
            # (2 B, 3, P, P), (2 B, 1, P, P)
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


class EnhancePhase(PhaseModule):
    """Phase 2, Enhance-Net: L = |R_low I_hat - S_normal|_1 + 3 L_is(I_hat, R_low), Decom frozen."""

    defaults: ClassVar[dict[str, float]] = {"smoothness": 3.0, "gradient": 10.0}

    def __init__(self, net: RetinexNet, weights: Mapping[str, float], *, bf16: bool) -> None:
        super().__init__(weights, bf16=bf16)
        self.decom = net.decom.requires_grad_(False)
        self.enhance = net.enhance

    def forward(self, low: Tensor, high: Tensor) -> LossTerms:
        """Loss terms of patches (B, 3, P, P)."""
        with self.autocast(low):
            with torch.no_grad():
                reflectance, illumination = self.decom(low)  # (B, 3, P, P), (B, 1, P, P)
            relit = self.enhance(reflectance, illumination)  # (B, 1, P, P)
        reflectance, relit = reflectance.float(), relit.float()
        recon = losses.reconstruction(reflectance, relit, high)
        smooth = losses.smoothness(relit, reflectance, self.weights["gradient"])
        total = recon + self.weights["smoothness"] * smooth
        return {"recon": recon, "smoothness": smooth, "total": total}


class PicturePhase(PhaseModule):
    """The picture network, with the reference's mean grey level given."""

    defaults: ClassVar[dict[str, float]] = {
        "l1": 1.0,
        "ssim": 0.25,
        "gradient": 0.3,
        "colour": 0.3,
        "log": 0.02,
    }

    def __init__(self, net: RelumeNet, weights: Mapping[str, float], *, bf16: bool) -> None:
        super().__init__(weights, bf16=bf16)
        self.picture = net.picture

    def forward(
        self, low: Tensor, high: Tensor, thumbnail: Tensor, brightness: Tensor, gain: Tensor
    ) -> LossTerms:
        """Loss terms of patches (B, 3, P, P) and gains (B, 1, P, P).

        Thumbnails are (B, 3, 96, 96), brightness is (B, 1).
        """
        with self.autocast(low):
            out = self.picture(low, thumbnail, brightness, gain)  # (B, 3, P, P)
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


class FastPhase(PhaseModule):
    """The fast network: held to the reference, and to what the large network made of the photo.

    Where noise has eaten the detail, the reference cannot be reached and the answer can.
    """

    defaults: ClassVar[dict[str, float]] = {
        "l1": 0.5,
        "taught": 0.5,
        "ssim": 0.25,
        "gradient": 0.3,
        "colour": 0.3,
    }

    def __init__(self, net: FastNet, weights: Mapping[str, float], *, bf16: bool) -> None:
        super().__init__(weights, bf16=bf16)
        self.net = net

    def forward(
        self,
        low: Tensor,
        high: Tensor,
        thumbnail: Tensor,
        brightness: Tensor,
        gain: Tensor,
        taught: Tensor,
    ) -> LossTerms:
        """Loss terms of patches (B, 3, P, P), as :class:`PicturePhase`; ``taught`` the answers."""
        with self.autocast(low):
            out = self.net(low, thumbnail, brightness, gain)  # (B, 3, P, P)
        out = out.float()
        between = (high + taught) / 2
        terms = {
            "l1": (out - high).abs().mean(),
            "taught": (out - taught).abs().mean(),
            "ssim": 1 - losses.ssim(losses.grey(out), losses.grey(between)),
            "gradient": losses.gradient_difference(out, between),
            "colour": losses.colour_difference(out, high),
        }
        total = sum((self.weights[k] * v for k, v in terms.items()), start=low.new_zeros(()))
        return {**terms, "total": total}


class ExposurePhase(PhaseModule):
    """The exposure estimator: each member's own error of the log brightness (Huber)."""

    def __init__(self, net: RelumeNet, weights: Mapping[str, float], *, bf16: bool) -> None:
        super().__init__(weights, bf16=bf16)
        self.exposure = net.exposure

    def forward(self, thumbnail: Tensor, brightness: Tensor) -> LossTerms:
        """Loss terms of thumbnails (B, 3, 96, 96) and their target brightness (B, 1)."""
        with self.autocast(thumbnail):
            guesses = self.exposure.guesses(thumbnail)  # (B, members)
        target = (brightness / self.exposure.usual).log().expand_as(guesses)
        return {"total": F.smooth_l1_loss(guesses.float(), target, beta=0.1)}


class DetectorPhase(PhaseModule):
    """The face detector: scores by quality focal loss, boxes by EIoU, points by Huber loss.

    A score is asked to be the target's times the IoU of the net's own box, so that of several
    cells the best placed is the surest (Li et al., *Generalized focal loss*, NeurIPS 2020). Boxes
    and points count where a face is asked for, by how much and by how sure the net is: what
    nobody can see in the dark shall not blur the rest. An error of a point is a share of the
    face's size. The teacher's features count by each channel's deviation in the batch, and more
    in cells with faces.
    """

    defaults: ClassVar[dict[str, float]] = {
        "score": 1.0,
        "box": 1.0,
        "points": 0.5,
        "features": 0.5,
    }

    def __init__(self, net: FaceNet, weights: Mapping[str, float], *, bf16: bool) -> None:
        super().__init__(weights, bf16=bf16)
        self.net = net.to(memory_format=torch.channels_last)

    def forward(
        self, image: Tensor, black: Tensor, gain: Tensor, wanted: Tensor, features: Tensor
    ) -> LossTerms:
        """Loss terms of crops (B, 3, P, P), black (B, 3), gain (B, 1), targets (B, N, 17).

        And of the teacher's features (B, N, 64 or none).
        """
        image = image.contiguous(memory_format=torch.channels_last)
        with self.autocast(image):  # (B, N, 15), (B, N, 64)
            out, read = (x.float() for x in self.net.taught(image, black, gain))
        side_px = image.shape[3]
        stride = torch.from_numpy(faces.strides(side_px)).to(image)[:, None]  # (N, 1)
        corner = torch.from_numpy(faces.centres(side_px)).to(image) - stride / 2  # (N, 2)
        found = wanted[:, :, 0] >= faces.ASKED  # (B, N)
        share = wanted[:, :, 0][found]
        stride, corner = (x.expand(len(out), -1, -1)[found] for x in (stride, corner))
        raw, box, points = out[found], wanted[found][:, 2:6], wanted[found][:, 6:16]
        middle, size = corner + raw[:, 1:3] * stride, raw[:, 3:5].clamp(-4, 6).exp() * stride
        boxes = torch.cat([middle - size / 2, middle + size / 2], dim=1)
        away = corner.repeat(1, 5) + raw[:, 5:] * stride - points
        away = away / (box[:, 2:] - box[:, :2]).clamp(min=1).prod(dim=1, keepdim=True).sqrt()
        huber = F.smooth_l1_loss(away, torch.zeros_like(away), beta=0.05, reduction="none")
        scores = wanted[:, :, 0].clone()
        scores[found] = share * losses.overlap(boxes.detach(), box)
        seen = share * raw[:, 0].detach().sigmoid()
        total_seen = seen.sum().clamp(min=1)
        terms = {
            "score": losses.quality_focal(out[:, :, 0], scores, wanted[:, :, 1]),
            "box": (losses.box_overlap(boxes, box) * seen).sum() / total_seen,
            "points": (huber.mean(dim=1) * seen * wanted[found][:, 16]).sum() / total_seen,
        }
        if features.shape[2]:
            terms["features"] = self._unlike(read, features, wanted[:, :, 0], side_px)
        total = sum((self.weights[k] * v for k, v in terms.items()), start=image.new_zeros(()))
        return {**terms, "total": total}

    @staticmethod
    def _unlike(read: Tensor, features: Tensor, scores: Tensor, side_px: int) -> Tensor:
        """Mean squared error of features (B, N, 64), the mean of the levels'."""
        cells = [(side_px // stride_px) ** 2 for stride_px in DETECTOR_STRIDES_PX]
        terms = []
        for own, true, score in zip(
            *(x.split(cells, 1) for x in (read, features, scores)), strict=True
        ):
            mean, scale = true.mean(dim=(0, 1)), true.std(dim=(0, 1)).clamp(min=0.1)
            weight = 1 + FACE_CELLS * score
            away = (own - (true - mean) / scale).square().mean(dim=2)
            terms.append((away * weight).sum() / weight.sum())
        return torch.stack(terms).mean()


class LandmarksPhase(PhaseModule):
    """The landmarker: where each point may be (cross entropy), and the point with its error.

    The point's loss is the negative log likelihood of its distance r under a density exp(-r / s),
    weighted by the root of the s that was expected (Seitzer et al., *beta-NLL*, 2022), so that
    faces of which little can be seen are not given up.
    """

    defaults: ClassVar[dict[str, float]] = {"where": 0.2, "error": 1.0}

    def __init__(self, net: LandmarkNet, weights: Mapping[str, float], *, bf16: bool) -> None:
        super().__init__(weights, bf16=bf16)
        self.net = net.to(memory_format=torch.channels_last)

    def forward(self, image: Tensor, black: Tensor, gain: Tensor, wanted: Tensor) -> LossTerms:
        """Loss terms of squares (B, 3, 96, 96), black (B, 3), gain (B, 1), points (B, 68, 3)."""
        image = image.contiguous(memory_format=torch.channels_last)
        with self.autocast(image):
            where, points, spread = (x.float() for x in self.net(image, black, gain))
        trust, true = wanted[:, :, 2], wanted[:, :, :2]
        distance = (points - true).square().sum(2).add(1e-4).sqrt()  # (B, 68), pixels
        likelihood = 2 * spread + distance * (-spread).exp()
        weighed = trust * (0.5 * spread.detach()).exp()
        inside = trust * ((true > 0) & (true < image.shape[3])).all(dim=2)
        terms = {
            "where": (losses.map_entropy(where, true) * inside).sum() / inside.sum().clamp(min=1),
            "error": (likelihood * weighed).sum() / trust.sum().clamp(min=1),
        }
        total = sum((self.weights[k] * v for k, v in terms.items()), start=image.new_zeros(()))
        distance = (distance.detach() * trust).sum() / trust.sum().clamp(min=1)
        return {**terms, "distance_px": distance, "total": total}


PHASES: dict[str, dict[str, type[Any]]] = {
    "retinexnet": {"decom": DecomPhase, "enhance": EnhancePhase},
    "detector": {"detector": DetectorPhase},
    "landmarks": {"landmarks": LandmarksPhase},
    "relume": {"picture": PicturePhase, "exposure": ExposurePhase},
    "relume-fast": {"fast": FastPhase},
}
"""The phases of a recipe's network, by name."""
