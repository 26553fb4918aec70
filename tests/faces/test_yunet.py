"""YuNet against OpenCV's own decoding, and what it does at the ends of its range."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from relume.errors import WeightsError
from relume.faces.search import iou
from relume.faces.yunet import YuNet
from relume.photo import Image, quantise

from .conftest import FACE, SHARED

FIXED = SHARED / "weights" / "yunet" / "yunet_n_640_640.onnx"
"""The same network for 640 x 640 px; OpenCV cannot read the one for any size."""


@pytest.fixture
def crowd(head: Image) -> Image:
    """640 x 640: faces of seven sizes, one of them cut by the border."""
    picture = np.full((640, 640, 3), 0.4, np.float32)
    places = (
        (0, 0, 210),
        (220, 0, 120),
        (350, 0, 80),
        (440, 10, 50),
        (0, 220, 400),
        (430, 300, 160),
    )
    for x, y, side in places:
        picture[y : y + side, x : x + side] = cv2.resize(head, (side, side))
    picture[500:640, 530:640] = cv2.resize(head, (140, 140))[:, :110]
    return quantise(picture, np.uint8).astype(np.float32) / np.float32(255)


@pytest.mark.parametrize("threshold", [0.3, 0.6, 0.9])
def test_the_same_faces_as_opencv(yunet: None, crowd: Image, threshold: float) -> None:
    if not FIXED.is_file():
        pytest.skip("../shared has no YuNet for 640 x 640 px, the only one that OpenCV reads")
    theirs = cv2.FaceDetectorYN.create(str(FIXED), "", (640, 640), threshold, 0.3, 5000)
    bgr = np.ascontiguousarray(quantise(crowd, np.uint8)[:, :, ::-1])
    rows = np.asarray(theirs.detect(bgr)[1])
    rows = rows[np.argsort(-rows[:, 14], kind="stable")]
    faces = YuNet(threshold=threshold, nms=0.3)(crowd)
    assert len(faces) == len(rows) >= 5
    for face, row in zip(faces, rows, strict=True):
        x, y, width, height = row[:4]
        np.testing.assert_allclose(face.box, (x, y, x + width, y + height), atol=0.05)
        assert face.score == pytest.approx(row[14], abs=1e-4)
        assert face.landmarks is not None
        np.testing.assert_allclose(face.landmarks.ravel(), row[4:14], atol=0.05)


def test_five_points_in_their_order(yunet: None, astronaut: Image) -> None:
    """Right eye, left eye, nose tip, right and left mouth corner; the person's right is left."""
    points = YuNet()(astronaut)[0].landmarks
    assert points is not None
    right_eye, left_eye, nose, right_mouth, left_mouth = points
    assert right_eye[0] < nose[0] < left_eye[0]
    assert right_mouth[0] < left_mouth[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])


def test_a_face_that_fills_a_large_picture(yunet: None, head: Image) -> None:
    """800 px wide, more than it sees at once: found on a smaller level, and no parts of it."""
    (face,) = YuNet()(cv2.resize(head, (1890, 1890)))
    in_head = np.subtract(FACE, (120, 20, 120, 20)) * 9
    assert iou(face.box, tuple(in_head)) > 0.8


def test_suppression_can_be_turned_off(yunet: None, astronaut: Image) -> None:
    every = YuNet(nms=1.0)(astronaut)
    assert len(every) > 1
    assert all(iou(face.box, FACE) > 0.5 for face in every)
    assert len(YuNet()(astronaut)) == 1


def test_without_its_weights_it_names_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELUME_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match="use --detector relume") as caught:
        YuNet()
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)
