"""What every method of the catalogue promises; a new one is held to it by being entered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from relume.catalog import Info, Value
from relume.engine import Runtime
from relume.enhancers import enhance, methods
from relume.errors import DeviceError, ParameterError, UnknownName
from relume.photo import Meta, Photo

NAMES = methods().names()
CASES = [*NAMES, "small retinexnet"]
Pixels = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Case:
    """A method, with what it needs to run here."""

    name: str
    parameters: Mapping[str, Value]

    @property
    def info(self) -> Info:
        return methods().info(self.name)

    def __call__(self, picture: Any, **options: Any) -> Any:
        return enhance(picture, method=self.name, parameters=self.parameters, **options)


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, small_retinexnet: Path, picture_net: Path) -> Case:
    if request.param == "onnx":
        return Case("onnx", {"file": str(picture_net)})
    if request.param == "small retinexnet":
        return Case("retinexnet", {"weights": str(small_retinexnet), "tile_px": 64})
    return Case(request.param, {})


def night(height: int = 48, width: int = 70, dtype: str = "uint8") -> Pixels:
    """A dark gradient with a lamp, edges and noise."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:height, :width]
    image = np.stack([x / width, y / height, (x + y) / (height + width)], axis=2) * 0.15
    image[height // 4 : height // 2, width // 4 : width // 2] *= 0.3
    image[: height // 6, : width // 6] = 0.95
    image = np.clip(image + rng.normal(0, 0.01, image.shape), 0, 1)
    if dtype.startswith("float"):
        return image.astype(dtype)
    return np.rint(image * np.iinfo(dtype).max).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_shape_dtype_range_and_an_input_left_alone(case: Case, dtype: str) -> None:
    picture = night(dtype=dtype)
    before = picture.copy()
    picture.setflags(write=False)
    result = case(picture)
    np.testing.assert_array_equal(picture, before)
    assert result.shape == picture.shape
    assert result.dtype == picture.dtype
    assert np.isfinite(result).all()
    if dtype.startswith("float"):
        assert result.min() >= 0
        assert result.max() <= 1


def test_deterministic(case: Case) -> None:
    np.testing.assert_array_equal(case(night()), case(night()))


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 2), (2, 1), (3, 3), (7, 9), (3, 5000), (5000, 3), (65, 8)]
)
def test_every_size(case: Case, size: tuple[int, int]) -> None:
    result = case(night(*size))
    assert result.shape == (*size, 3)


def test_sixteen_bits_are_sixteen_bits(case: Case) -> None:
    """The range follows the dtype, and the gradations of 16 bits survive."""
    deep = night(dtype="uint16")
    result = case(deep)
    shallow = case(night(dtype="uint8"))
    assert len(np.unique(result)) > 2 * len(np.unique(shallow))
    difference = np.abs(result / 65535.0 - shallow / 255.0)
    assert np.median(difference) < 0.06


@pytest.mark.parametrize("shape", ["plane", "one channel", "equal channels"])
def test_grey_stays_grey(case: Case, shape: str) -> None:
    plane = night()[:, :, 1]
    grey = {
        "plane": plane,
        "one channel": plane[:, :, None],
        "equal channels": np.dstack([plane, plane, plane]),
    }[shape]
    result = case(grey)
    assert result.shape == grey.shape
    if shape == "equal channels":
        assert (np.ptp(result.astype(int), axis=2) == 0).all()


def test_alpha_is_kept(case: Case) -> None:
    alpha = np.random.default_rng(0).integers(0, 256, (48, 70), dtype=np.uint8)
    result = case(np.dstack([night(), alpha]))
    np.testing.assert_array_equal(result[:, :, 3], alpha)
    np.testing.assert_array_equal(result[:, :, :3], case(night()))


def test_a_photo_keeps_what_is_around_its_pixels(case: Case) -> None:
    photo = Photo(
        night(dtype="float32"), np.full((48, 70), 0.5, np.float32), 16, Meta("tiff", exif=b"e")
    )
    result = case(photo)
    assert isinstance(result, Photo)
    assert (result.alpha is photo.alpha, result.depth_bits, result.meta) == (True, 16, photo.meta)
    assert result.pixels.dtype == np.float32
    assert 0 <= result.pixels.min() <= result.pixels.max() <= 1


@pytest.mark.parametrize("level", [0, 255])
def test_black_and_white(case: Case, level: int) -> None:
    flat = np.full((40, 40, 3), level, np.uint8)
    result = case(flat)
    assert np.ptp(result.astype(int), axis=2).max() == 0, "no cast on a colourless picture"
    if level == 255:
        # the gate keeps 95 % of a well exposed photo whatever the method does
        assert result.min() >= 234


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_strength_0_is_the_input_bit_for_bit(case: Case, dtype: str) -> None:
    picture = night(dtype=dtype)
    result = case(picture, strength=0)
    assert result is not picture
    np.testing.assert_array_equal(result, picture)


def test_strength_blends(case: Case) -> None:
    picture = night(dtype="float32")
    whole, half = case(picture), case(picture, strength=0.5)
    np.testing.assert_allclose(half, (picture + whole) / 2, atol=1e-6)


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_strength_outside_its_range(case: Case, strength: float) -> None:
    with pytest.raises(ParameterError, match="strength must be 0 to 1"):
        case(night(), strength=strength)


def test_brightness_is_met_or_refused(case: Case) -> None:
    if not case.info.takes_brightness:
        with pytest.raises(ParameterError, match=r"takes no brightness; .*auto-exposure"):
            case(night(), brightness=0.4)
        return
    for level in (0.2, 0.4):
        result = case(night(), brightness=level)
        grey = result.astype(float) @ [0.299, 0.587, 0.114] / 255
        assert grey.mean() == pytest.approx(level, rel=0.05)
    np.testing.assert_array_equal(case(night(), brightness="auto"), case(night()))
    for wrong in (0.0, 1.5, float("nan"), "bright"):
        with pytest.raises(ParameterError, match="brightness must be"):
            case(night(), brightness=wrong)


def test_protect_lit_keeps_a_lit_picture(case: Case) -> None:
    lit = np.clip(night(dtype="float32") * 2 + 0.45, 0, 1)
    change = np.abs(case(lit) - lit).mean()
    unprotected = np.abs(case(lit, protect_lit=False) - lit).mean()
    assert change <= unprotected + 1e-6
    assert change < 0.08


def test_a_gpu_is_never_silently_ignored(case: Case) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(DeviceError, match="cuda"):
        case(night(), runtime=Runtime(device="cuda"))
    case(night(), runtime=Runtime(device="cpu"))


@pytest.mark.parametrize("name", NAMES)
def test_the_data_beside_the_code_is_complete(name: str) -> None:
    info = methods().info(name)
    assert info.name == name
    assert info.summary
    assert info.licence
    assert info.source
    for parameter in info.parameters:
        assert parameter.summary
        assert parameter.check(parameter.default) == parameter.default
        if parameter.low is not None:
            with pytest.raises(ParameterError, match=parameter.name):
                parameter.check(parameter.low - 1)
    with pytest.raises(ParameterError, match="has no parameter"):
        enhance(night(), method=name, parameters={"no_such": 1})


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'gamma'"):
        enhance(night(), method="gama")
