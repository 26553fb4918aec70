"""relume's own network with its shipped weights: brightness, tiles, extremes, no harm."""

from __future__ import annotations

import shutil
import tracemalloc
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from skimage import data

from relume import weights
from relume.enhancers import describe, enhance
from relume.enhancers.machine import MACHINE_LEVEL, MachineEnhancer
from relume.enhancers.relume import RelumeEnhancer
from relume.errors import ParameterError, WeightsError
from relume.image.color import luma
from relume.image.darken import darken
from relume.image.exposure import mean_level
from relume.metrics.quality import psnr
from relume.photo import Image, to_image


@cache
def scene() -> Image:
    """scikit-image's astronaut."""
    return to_image(data.astronaut())


@cache
def dark(k: float = 0.1) -> Image:
    return darken(scene(), k, np.random.default_rng(4))


@pytest.mark.parametrize("asked", [0.2, 0.35, 0.5, 0.65])
def test_the_result_has_the_brightness_asked_for(asked: float) -> None:
    result = enhance(dark(), method="relume", brightness=asked)
    assert mean_level(result) == pytest.approx(asked, rel=0.05)


def test_brightness_moves_the_whole_result_one_way() -> None:
    means = [mean_level(enhance(dark(), brightness=b)) for b in np.linspace(0.1, 0.8, 8)]
    assert (np.diff(means) > 0).all()


def test_the_picture_is_nearer_to_the_bright_original_than_a_gain() -> None:
    level = mean_level(scene())
    ours = enhance(dark(0.03), method="relume", brightness=level)
    gain = enhance(dark(0.03), method="auto-exposure", brightness=level)
    assert psnr(ours, scene()) > psnr(gain, scene()) + 2


def test_an_ensemble_does_not_depend_on_how_the_photo_is_turned() -> None:
    def from_turned(enhancer: RelumeEnhancer) -> Image:
        turned = enhancer(np.ascontiguousarray(np.rot90(dark())[:, ::-1]))
        return np.rot90(turned[:, ::-1], -1)

    once = RelumeEnhancer(brightness=0.4)
    assert np.abs(from_turned(once) - once(dark())).max() > 4 / 255, "nothing to be shown"
    best = replace(once, ensemble=8)
    assert np.abs(from_turned(best) - best(dark())).max() < 1 / 255


@pytest.mark.parametrize("tile_px", [128, 208])
def test_tiles_give_what_one_go_gives(tile_px: int) -> None:
    whole = RelumeEnhancer(brightness=0.4)(dark())
    tiled = RelumeEnhancer(brightness=0.4, tile_px=tile_px)(dark())
    assert np.abs(tiled - whole).max() < 1 / 255


def test_the_exposure_goes_smoothly_with_the_light() -> None:
    ladder = np.geomspace(1, 0.03, 10)
    means = [mean_level(enhance(dark(float(k)), method="relume")) for k in ladder]
    # steepest where the gate for lit photographs opens
    assert np.abs(np.diff(means)).max() < 0.2


def test_a_darker_photo_never_comes_out_much_brighter_than_a_lighter_one() -> None:
    """There is no light at which a photo stops being left alone and is all at once relit."""
    ladder = np.geomspace(1, 0.02, 14)
    means = [mean_level(enhance(dark(float(k)), method="relume")) for k in ladder]
    rises = [after - min(means[: n + 1]) for n, after in enumerate(means)]
    assert max(rises) < 0.08


def test_a_well_exposed_photo_passes_nearly_unchanged() -> None:
    assert psnr(enhance(scene(), method="relume"), scene()) > 32


def test_the_machine_view_has_one_level_whatever_the_photo() -> None:
    for k in (0.1, 0.02):
        view = MachineEnhancer()(dark(k))
        assert mean_level(np.clip(view, 0, 1)) == pytest.approx(MACHINE_LEVEL, rel=0.05)


def test_a_flat_dark_wall_stays_flat() -> None:
    wall = darken(np.full((160, 160, 3), 0.5, np.float32), 0.03, np.random.default_rng(1))
    result = luma(enhance(wall, method="relume"))[16:-16, 16:-16]
    smooth = cv2.GaussianBlur(result, (0, 0), 4)
    assert result.std() < 0.06
    assert (result - smooth).std() < 0.03


def copy_network(folder: Path, *names: str) -> Path:
    """The shipped files ``names`` as a training run leaves them in its folder."""
    for name in names:
        entry = weights.entries()[name]
        shutil.copy(weights.path(name), folder / entry.file)
    return folder / "relume.onnx"


@pytest.mark.parametrize("method", ["relume", "machine"])
def test_a_network_of_ones_own_is_used(tmp_path: Path, method: str) -> None:
    own = copy_network(tmp_path, "relume")
    parameters = {"weights": str(own)}
    result = enhance(dark(), method=method, parameters=parameters)
    np.testing.assert_array_equal(result, enhance(dark(), method=method))
    own.rename(tmp_path / "mine.onnx")
    assert describe(f"{method}:weights={tmp_path / 'mine.onnx'}").startswith("mine.onnx: OpenVINO")


def test_the_estimator_beside_ones_own_network_is_used(tmp_path: Path) -> None:
    own = copy_network(tmp_path, "relume", "relume-exposure")
    estimator = onnx.load(tmp_path / "relume-exposure.onnx")
    (last,) = [node for node in estimator.graph.node if "brightness" in node.output]
    last.output[0] = "guess"
    half = onnx.helper.make_tensor("half", onnx.TensorProto.FLOAT, [1], [0.5])
    estimator.graph.initializer.append(half)
    estimator.graph.node.append(onnx.helper.make_node("Mul", ["guess", "half"], ["brightness"]))
    onnx.save(estimator, tmp_path / "relume-exposure.onnx")
    ours = mean_level(enhance(dark(), method=f"relume:weights={own}", local=0))
    assert ours == pytest.approx(mean_level(enhance(dark(), local=0)) / 2, rel=0.06)


def test_what_is_no_network_of_relumes_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.onnx"
    shutil.copy(weights.path("relume-exposure"), wrong)
    says = (
        r"wrong\.onnx is not a network of relume's: expected brightness, gain, image, thumbnail "
        "-> photo"
    )
    with pytest.raises(WeightsError, match=says):
        enhance(dark(), method=f"relume:weights={wrong}")
    own = copy_network(tmp_path, "relume")
    shutil.copy(own, tmp_path / "relume-exposure.onnx")
    with pytest.raises(WeightsError, match="is not an exposure estimator: expected thumbnail"):
        enhance(dark(), method=f"relume:weights={own}")
    (tmp_path / "relume-exposure.onnx").unlink()
    with pytest.raises(WeightsError, match="cannot be read"):
        enhance(dark(), method=f"relume:weights={tmp_path / 'none.onnx'}")
    with pytest.raises(ParameterError, match=r"weights must name an \.onnx file"):
        enhance(dark(), method="relume:weights=net.pth")


def test_relighting_takes_little_beside_the_photo_and_its_result() -> None:
    """A copy of the photo with its gains, and planes of shares, were 300 MB of 50 MP's 1.9 GB."""

    def network(inputs: dict[str, Image]) -> dict[str, Image]:
        return {"photo": np.minimum(inputs["image"] * inputs["gain"], 1)}

    image, stops = np.tile(dark(), (2, 2, 1)), np.ones((2, 2), np.float32)
    enhancer = RelumeEnhancer(
        exposure=stops,
        brightness=0.4,
        tile_px=256,
        picture=network,  # type: ignore[arg-type]
    )
    tracemalloc.start()
    try:
        enhancer(image)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3.4 * image.nbytes
