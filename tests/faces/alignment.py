"""A stand-in for the package ``face-alignment`` 1.5: its modules, names, signatures and answers.

Its networks are heads without bodies: the same names and shapes of the last layers, fed with the
picture's mean. ``test_fan.py`` runs over the package itself too, where that is installed, which
holds the two to the same behaviour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from relume.faces.boxes import non_maximum_suppression

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
PLACE = "https://www.adrianbulat.com/downloads/python-fan/"
NO_FACES = np.zeros((0, 5))


def _read(file: str) -> Any:
    return torch.load(file, weights_only=True)


def _channels_first(image: Pixels) -> torch.Tensor:
    return torch.from_numpy(image.transpose(2, 0, 1)[None].copy()).float()


class Detector:
    """What all the package's detectors have."""

    def __init__(self, device: str, verbose: bool) -> None:
        if not any(known in device for known in ("cpu", "cuda", "mps")):
            raise ValueError
        self.device = device

    def _ready(self, network: nn.Module, weights: Any) -> nn.Module:
        network.load_state_dict(weights)
        return network.to(self.device).eval()


class s3fd(nn.Module):  # noqa: N801
    """The coarsest of six heads: one box in 128 px, of 512 px."""

    def __init__(self) -> None:
        super().__init__()
        self.conv7_2_mbox_conf = nn.Conv2d(3, 2, kernel_size=3, padding=1)
        self.conv7_2_mbox_loc = nn.Conv2d(3, 4, kernel_size=3, padding=1)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        seen = F.adaptive_avg_pool2d(x, (x.shape[2] // 128 + 1, x.shape[3] // 128 + 1))
        return [self.conv7_2_mbox_conf(seen), self.conv7_2_mbox_loc(seen)]


class SFDDetector(Detector):
    def __init__(
        self,
        device: str,
        path_to_detector: str | None = None,
        verbose: bool = False,
        filter_threshold: float = 0.5,
    ) -> None:
        super().__init__(device, verbose)
        self.filter_threshold = filter_threshold
        self.face_detector = self._ready(s3fd(), _read(str(path_to_detector)))

    @torch.no_grad()
    def detect_from_image(self, image: Pixels) -> Any:
        classes, places = self.face_detector(_channels_first(image))
        scores = classes.softmax(dim=1)[0, 1].numpy()
        rows = [
            [*(np.array([x - 256, y - 256, x + 256, y + 256]) + 51.2 * shift), scores[i, j]]
            for i, j in np.ndindex(*scores.shape)
            for x, y in [(64 + 128 * j, 64 + 128 * i)]
            for shift in [np.tile(places[0, :2, i, j].numpy(), 2)]
            if scores[i, j] > 0.05
        ]
        if not rows:
            return np.array([])
        kept = non_maximum_suppression([r[:4] for r in rows], [r[4] for r in rows], most_iou=0.3)
        return [np.array(rows[k]) for k in kept if rows[k][4] > self.filter_threshold]


class BlazeFace(nn.Module):
    """896 anchors: two in each of 16 x 16 cells, six in each of 8 x 8."""

    def __init__(self, back_model: bool = False) -> None:
        super().__init__()
        self.min_score_thresh = 0.75
        self.classifier_8, self.classifier_16 = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 6, 1)
        self.regressor_8, self.regressor_16 = nn.Conv2d(3, 32, 1), nn.Conv2d(3, 96, 1)

    def load_anchors_from_npy(self, anchors: Any, device: str) -> None:
        assert anchors.shape == (896, 4)
        self.anchors = torch.tensor(anchors)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        fine, coarse = F.adaptive_avg_pool2d(x, 16), F.adaptive_avg_pool2d(x, 8)

        def rows(width: int, *parts: torch.Tensor) -> torch.Tensor:
            return torch.cat([p.permute(0, 2, 3, 1).reshape(-1, width) for p in parts])

        places = rows(16, self.regressor_8(fine), self.regressor_16(coarse))
        return places, rows(1, self.classifier_8(fine), self.classifier_16(coarse))[:, 0]


class BlazeFaceDetector(Detector):
    def __init__(
        self,
        device: str,
        back_model: bool = False,
        path_to_detector: str | None = None,
        path_to_anchor: str | None = None,
        verbose: bool = False,
        min_score_thresh: float = 0.5,
        min_suppression_threshold: float = 0.3,
    ) -> None:
        super().__init__(device, verbose)
        network = BlazeFace(back_model)
        self.face_detector = self._ready(network, _read(str(path_to_detector)))
        network.load_anchors_from_npy(np.load(str(path_to_anchor)), device)
        network.min_score_thresh = min_score_thresh

    @torch.no_grad()
    def detect_from_image(self, image: Pixels) -> Any:
        height, width = image.shape[:2]
        side = min(height, width)
        left, top = (width - side) // 2, (height - side) // 2
        square = image[top : top + side, left : left + side]
        places, logits = self.face_detector(_channels_first(square))
        anchors, scores = self.face_detector.anchors, logits.sigmoid()
        middle = places[:, :2] / 128 * anchors[:, 2:] + anchors[:, :2]
        half = places[:, 2:4] / 256 * anchors[:, 2:]
        boxes = torch.cat([middle - half, middle + half], dim=1) * side
        boxes += torch.tensor([left, top, left, top])
        sure = scores >= self.face_detector.min_score_thresh
        rows = torch.cat([boxes, scores[:, None]], dim=1)[sure].numpy()
        return rows[non_maximum_suppression(rows[:, :4], rows[:, 4], most_iou=0.3)]


class FAN(nn.Module):
    """The heat maps of the last stack, 64 x 64."""

    def __init__(self, num_modules: int = 1) -> None:
        super().__init__()
        self.last = f"l{num_modules - 1}"
        for i in range(num_modules):
            self.add_module(f"l{i}", nn.Conv2d(3, 68, kernel_size=1))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [getattr(self, self.last)(F.avg_pool2d(x, 4))]


class LandmarksType(IntEnum):
    TWO_D = 1
    TWO_HALF_D = 2
    THREE_D = 3


class FaceAlignment:
    def __init__(
        self,
        landmarks_type: LandmarksType,
        network_size: int = 4,
        device: str = "cuda",
        dtype: torch.dtype = torch.float32,
        flip_input: bool = True,
        face_detector: str = "sfd",
        face_detector_kwargs: dict[str, Any] | None = None,
        verbose: bool = False,
        compile: bool = True,
        max_batch_size: int = 1,
    ) -> None:
        assert face_detector == "folder", "every other one loads weights of its own"
        assert not compile
        assert landmarks_type == LandmarksType.TWO_D
        self.face_detector: Any = Detector(device, verbose)
        self.face_alignment_net = self._load_native("2DFAN-4", network_size, device, dtype)

    def _load_native(self, network_name: str, network_size: int, device: str, dtype: Any) -> Any:
        raise AssertionError("it would be fetched, unchecked")

    @torch.no_grad()
    def get_landmarks_from_image(
        self, image: Pixels, detected_faces: Sequence[Any]
    ) -> list[np.ndarray[Any, Any]]:
        found = []
        for x0, y0, x1, y1 in detected_faces:
            scale = (x1 - x0 + y1 - y0) / self.face_detector.reference_scale
            middle = np.array([(x0 + x1) / 2, (y0 + y1) / 2 - 0.12 * (y1 - y0)])
            crop = torch.full((1, 3, 256, 256), float(image.mean()) / 255)
            best = self.face_alignment_net(crop)[-1][0].flatten(1).argmax(dim=1).numpy()
            cells = np.stack([best % 64, best // 64], axis=1) + 0.5
            found.append(middle + (cells / 64 - 0.5) * 200 * scale)
        return found


def modules() -> Iterator[tuple[str, ModuleType]]:
    """The package's modules by name, as an import would find them."""
    sfd, blaze = {"s3fd": PLACE + "s3fd-619a316812.pth"}, PLACE + "blazeface.pth?raw=true"
    anchors = PLACE + "anchors.npy?raw=true"
    blazeface = {"blazeface_weights": blaze, "blazeface_anchors": anchors}
    fan = {"2DFAN-4": PLACE + "2DFAN4-11f355bf06.pth.tar"}
    named: dict[str, Sequence[Callable[..., Any]]] = {
        "api": (FAN, FaceAlignment, LandmarksType),
        "detection.sfd.sfd_detector": (s3fd, SFDDetector),
        "detection.blazeface.blazeface_detector": (BlazeFace, BlazeFaceDetector),
    }
    for (name, members), urls in zip(named.items(), (fan, sfd, blazeface), strict=True):
        module = ModuleType(f"face_alignment.{name}")
        module.__dict__.update({member.__name__: member for member in members})
        module.__dict__["models_urls"] = dict(urls)
        yield module.__name__, module
