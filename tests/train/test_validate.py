"""Validation: the figures are those of the enhancers, the curves can be read."""

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from relume.enhancers.retinexnet import RetinexNetEnhancer  # noqa: E402
from relume.metrics.quality import psnr  # noqa: E402
from relume.nets.retinexnet import RetinexNet  # noqa: E402
from relume.train.data import Pair  # noqa: E402
from relume.train.export import export_retinexnet  # noqa: E402
from relume.train.phases import RelumeNet  # noqa: E402
from relume.train.validate import draw_curves, relight, validate_retinexnet  # noqa: E402


def pair(height: int, width: int) -> Pair:
    high = np.random.default_rng(3).integers(60, 256, (height, width, 3), np.uint8)
    return Pair("p", "s", high // 5, high)


def test_validation_measures_what_the_enhancer_gives_users(tmp_path: Path) -> None:
    """Sizes that are no multiple of the network's, where padding tells."""
    torch.manual_seed(0)
    net, one = RetinexNet().eval(), pair(45, 51)
    _, graph = export_retinexnet(net, tmp_path)
    enhancer = RetinexNetEnhancer(denoise="none", weights=str(graph))
    low, high = (side.astype(np.float32) / np.float32(255) for side in (one.low, one.high))
    expected = psnr(np.clip(enhancer(low), 0, 1), high)
    assert validate_retinexnet(net, [one])["psnr_db"] == pytest.approx(expected, abs=0.002)


def test_a_photo_is_relit_to_the_brightness_given_or_to_the_nets_own() -> None:
    torch.manual_seed(0)
    net, one = RelumeNet().eval(), pair(70, 83)
    image, aimed = relight(net, one.low, 0.3)
    assert (image.shape, aimed) == (one.low.shape, 0.3)
    _, aimed = relight(net, one.low, None)
    assert aimed == pytest.approx(net.exposure.usual, rel=0.01)  # an untrained estimator's


@pytest.mark.parametrize("scale", [1.0, 0.02, 60.0])
def test_curves_are_labelled_and_nothing_is_covered(scale: float) -> None:
    terms = {"l1": 1.0, "ssim": 0.9, "gradient": 1.1, "colour": 1.05, "log": 1.0, "total": 1.02}
    rows: list[dict[str, object]] = [
        {"number": 0, "phase": "picture", "step": s,
         "loss": {k: v * (0.05 + 0.055 * scale / (1 + s)) for k, v in terms.items()}}
        for s in range(0, 100, 10)
    ]  # fmt: skip
    rows.append(
        {"number": 0, "phase": "picture", "step": 99, "epoch": 1, "validation": {"psnr_db": 20.0}}
    )
    rows.append({"number": 1, "phase": "picture", "step": 0, "loss": terms})
    figure = draw_curves([json.loads(json.dumps(row)) for row in rows])
    figure.draw_without_rendering()
    first = figure.axes[0]
    legend = first.get_legend()
    assert legend is not None
    assert [t.get_text() for t in legend.get_texts()] == [*terms, "PSNR, dB (right)"]
    boxes = [axes.get_window_extent() for axes in figure.axes]
    assert all(not legend.get_window_extent().overlaps(box) for box in boxes)
    assert legend.get_window_extent().y0 >= 0
    low, high = first.get_ylim()
    labels = [t.get_text() for t in first.get_yticklabels() if low <= t.get_position()[1] <= high]
    assert len(labels) >= 3
    assert all(float(label) > 0 for label in labels)  # plain numbers
    assert len(figure.axes) == 3  # two phases of one name are two plots
