"""The graph for other programs: the whole of one exposure, in any ONNX runtime."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from relume.enhancers.relume import RelumeEnhancer

GRAPH = Path(__file__).resolve().parents[2] / "models" / "relume-photo.onnx"


@pytest.mark.parametrize("size", [(400, 600), (301, 477), (97, 131), (110, 700)])
def test_a_generic_runtime_gives_what_relume_gives(size: tuple[int, int]) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    rng = np.random.default_rng(0)
    coarse = rng.random((9, 11, 3)).astype(np.float32)
    smooth = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
    image = np.clip(0.15 * smooth + rng.normal(0, 0.01, smooth.shape), 0, 1).astype(np.float32)
    session = onnxruntime.InferenceSession(GRAPH, providers=["CPUExecutionProvider"])
    for brightness in (0.25, 0.45):
        inputs = {
            "image": image.transpose(2, 0, 1)[None],
            "brightness": np.array([[brightness]], np.float32),
        }
        photo = session.run(None, inputs)[0][0].transpose(1, 2, 0)
        ours = RelumeEnhancer(brightness=brightness, local=0, cast=0, faithful=False)(image)
        assert np.abs(photo - np.clip(ours, 0, 1)).max() < 1 / 255
