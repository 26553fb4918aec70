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

from relume.faces.search import non_maximum_suppression

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
PLACE = "https://www.adrianbulat.com/downloads/python-fan/"


def _channels_first(image: Pixels) -> torch.Tensor:
    return torch.from_numpy(image.transpose(2, 0, 1)[None].copy()).float()


class s3fd(nn.Module):  # noqa: N801
    """The coarsest of six heads: one box in 128 px, of 512 px."""

    def __init__(self) -> None:
        super().__init__()
        self.conv7_2_mbox_conf = nn.Conv2d(3, 2, kernel_size=3, padding=1)
        self.conv7_2_mbox_loc = nn.Conv2d(3, 4, kernel_size=3, padding=1)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        seen = F.adaptive_avg_pool2d(x, (x.shape[2] // 128 + 1, x.shape[3] // 128 + 1))
        return [self.conv7_2_mbox_conf(seen), self.conv7_2_mbox_loc(seen)]


class SFDDetector:
    def __init__(
        self,
        device: str,
        path_to_detector: str | None = None,
        verbose: bool = False,
        filter_threshold: float = 0.5,
    ) -> None:
        self.filter_threshold = filter_threshold
        self.face_detector = s3fd()
        self.face_detector.load_state_dict(torch.load(str(path_to_detector), weights_only=True))
        self.face_detector.to(device).eval()

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
        self.face_detector: Any = None
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
    named: dict[str, tuple[dict[str, str], Sequence[Callable[..., Any]]]] = {
        "api": (
            {"2DFAN-4": PLACE + "2DFAN4-11f355bf06.pth.tar"},
            (FAN, FaceAlignment, LandmarksType),
        ),
        "detection.sfd.sfd_detector": (
            {"s3fd": PLACE + "s3fd-619a316812.pth"},
            (s3fd, SFDDetector),
        ),
    }
    for name, (urls, members) in named.items():
        module = ModuleType(f"face_alignment.{name}")
        module.__dict__.update({member.__name__: member for member in members})
        module.__dict__["models_urls"] = urls
        yield module.__name__, module
