"""S3FD and FAN from the package ``face-alignment`` (the extra ``fan``).

Bulat and Tzimiropoulos, *How far are we from solving the 2D & 3D Face Alignment problem?* (ICCV
2017): FAN, and S3FD (Zhang et al., *S3FD: Single Shot Scale-invariant Face Detector*, ICCV 2017)
in front of it, as the course project used them.

face-alignment fetches its weights itself, at first use, into torch's hub folder. Their
names carry the start of their sha256, which is checked; they are read with ``weights_only``.
``checkpoint`` takes a file of one's own instead.
"""

from __future__ import annotations

import importlib
import os
import re
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np

from relume.catalog import Info, Parameter
from relume.errors import DeviceError, MissingExtra, RelumeError, WeightsError
from relume.faces.base import Box, Face, Points
from relume.faces.search import RawDetections
from relume.photo import Image, check_image, quantise
from relume.weights import sha256_of

DEVICES = ("auto", "cpu", "cuda")
LEAST_SIDE_PX = 64
"""S3FD halves the picture five times; smaller ones are padded."""
SOURCE = "https://github.com/1adrianb/face-alignment"

DEVICE = Parameter("device", "where it runs", "auto", choices=DEVICES)
CHECKPOINT = Parameter("checkpoint", "a weights file of one's own; empty: fetched", "")
DETECTOR_INFO = Info(
    name="s3fd",
    summary="S3FD (2017), the course project's detector: accurate, slow",
    licence="BSD-3-Clause",
    source=SOURCE,
    parameters=(
        Parameter("threshold", "lowest score of a face", 0.6, 0.0, 1.0),
        DEVICE,
        CHECKPOINT,
    ),
    extra="fan",
)
LANDMARKER_INFO = Info(
    name="fan",
    summary="FAN-4 (2017), the course project's 68 points, given a box: accurate, slow",
    licence="BSD-3-Clause",
    source=SOURCE,
    parameters=(
        DEVICE,
        CHECKPOINT,
        Parameter(
            "reference_px", "box size at scale 1: 195 for S3FD's boxes, 165 for tighter ones",
            195, 100, 300,
        ),
    ),
    extra="fan",
)  # fmt: skip


class S3FD:
    """The Single Shot Scale-invariant Face Detector, on the picture at its own size."""

    info = DETECTOR_INFO

    def __init__(
        self, *, threshold: float = 0.6, device: str = "auto", checkpoint: str = ""
    ) -> None:
        """Load the detector and its weights.

        Raises:
            MissingExtra: face-alignment or torch is not installed.
            WeightsError: the weights cannot be fetched or read.
            DeviceError: there is no such device.
        """
        what = "the detector 's3fd'"
        module = _package(what, "detection.sfd.sfd_detector")
        self.threshold = threshold
        self._detector = _load(
            what,
            lambda: module.SFDDetector(
                device=_device(device),
                path_to_detector=str(_weights(module.models_urls["s3fd"], checkpoint)),
                filter_threshold=threshold,
            ),
        )
        self._lock = threading.Lock()

    def __call__(self, image: Image) -> list[Face]:
        """The faces, best score first."""
        check_image(image)
        height, width = image.shape[:2]
        pixels = quantise(image, np.uint8)
        right, bottom = max(0, LEAST_SIDE_PX - width), max(0, LEAST_SIDE_PX - height)
        if right or bottom:
            pixels = cv2.copyMakeBorder(pixels, 0, bottom, 0, right, cv2.BORDER_CONSTANT)
        with self._lock:
            found = self._detector.detect_from_image(pixels)
        rows = np.asarray([row for row in found if len(row)], np.float32).reshape(-1, 5)
        rows = rows[rows[:, 4] >= self.threshold]
        none = np.zeros((len(rows), 0, 2), np.float32)
        return RawDetections(rows[:, :4], rows[:, 4], none).faces()


class Fan:
    """The four-stack Face Alignment Network, with the box handed over."""

    info = LANDMARKER_INFO

    def __init__(
        self, *, device: str = "auto", checkpoint: str = "", reference_px: int = 195
    ) -> None:
        """Load FAN-4.

        Raises:
            MissingExtra: face-alignment or torch is not installed.
            WeightsError: the weights cannot be fetched or read.
            DeviceError: there is no such device.
        """
        what = "the landmarker 'fan'"
        api = _package(what, "api")
        self._lock = threading.Lock()

        class Alignment(api.FaceAlignment):  # type: ignore[name-defined, misc]
            """face-alignment with verified weights from a file."""

            def _load_native(self, name: str, size: int, device: str, dtype: Any) -> Any:
                import torch

                file = _weights(api.models_urls[name], checkpoint)
                network = api.FAN(size)
                network.load_state_dict(torch.load(file, map_location=device, weights_only=True))
                return network.to(device, dtype=dtype).eval()

        # "folder" is the package's name for boxes from elsewhere: it loads no detector
        self._alignment = _load(
            what,
            lambda: Alignment(
                api.LandmarksType.TWO_D,
                device=_device(device),
                face_detector="folder",
                compile=False,
            ),
        )
        # the crop is the box's mean side over this, times 200 px
        self._alignment.face_detector = SimpleNamespace(reference_scale=reference_px)

    def __call__(self, image: Image, box: Box) -> Points:
        """The 68 points of the face in ``box``, on a grid of about 1/64 of the face."""
        check_image(image)
        with self._lock:
            points = self._alignment.get_landmarks_from_image(
                quantise(image, np.uint8), detected_faces=[np.array(box)]
            )
        return np.asarray(points[0], np.float32)


def _package(what: str, module: str) -> Any:
    try:
        with warnings.catch_warnings():
            # deprecations of torch and numba at import are not the user's business
            warnings.simplefilter("ignore")
            return importlib.import_module(f"face_alignment.{module}")
    except ImportError as error:
        missing = "torch" if error.name == "torch" else "face-alignment"
        raise MissingExtra(what, "fan", missing) from error


def _weights(url: str, checkpoint: str) -> Path:
    """The weights file: the user's own, or the package's, fetched once into torch's hub folder."""
    if checkpoint:
        own = Path(os.path.expanduser(checkpoint))  # noqa: PTH111  as it is without a home
        if not own.is_file():
            raise WeightsError(f"there is no weights file {own}")
        return own
    import torch

    name = url.rpartition("/")[2]
    file = Path(torch.hub.get_dir()) / "checkpoints" / name
    start = re.search(r"-([0-9a-f]{8,64})\.", name)
    prefix = start.group(1) if start else ""
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(file), prefix or None, progress=False)
        except (OSError, RuntimeError) as error:
            raise WeightsError(
                f"the weights {name} could not be fetched from {url} ({error}); to go on without "
                f"a network, put the file there by hand: {file}"
            ) from error
    if not sha256_of(file).startswith(prefix):
        raise WeightsError(
            f"{file} is not what its name says: expected a sha256 that starts with {prefix}; "
            "delete it, and it is fetched again"
        )
    return file


def _device(name: str) -> str:
    import torch

    if name == "cuda" and not torch.cuda.is_available():
        raise DeviceError("device cuda was asked for, but torch sees no CUDA device; use cpu")
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return name


def _load(what: str, build: Callable[[], Any]) -> Any:
    """Build a network from its weights; a checkpoint of another network is a clear error."""
    try:
        return build()
    except RelumeError:
        raise
    except Exception as error:
        # torch's and pickle's errors share no other base class; torch goes on after
        # its first sentence to say how such a file could be read unsafely
        text = str(error).strip() or repr(error)
        first = text.splitlines()[0].partition(". ")[0]
        raise WeightsError(f"the weights of {what} cannot be used: {first[:200]}") from error
