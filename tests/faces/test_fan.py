"""The package face-alignment: loading, boxes and errors, with placeholder weights made here.

Every test of what is loaded runs twice: on a stand-in, and on the package itself if that is
installed. The placeholders have the shapes of the real weights and say the same of every picture.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import math
import pickle
import sys
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from relume.errors import DeviceError, MissingExtra, WeightsError
from relume.faces import Detector, Landmarker, detectors, landmarkers
from relume.photo import Image

torch = pytest.importorskip("torch", reason="face-alignment's networks are torch's")

SFD = "detection.sfd.sfd_detector"
SURE = 1 / (1 + math.exp(-3))
"""The score of a logit of 3: 0.953."""
Package = Callable[[str], Any]


def imported(name: str) -> Any:
    """A module of face-alignment, without torch's and numba's deprecations."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(f"face_alignment.{name}")


@pytest.fixture(params=["stand-in", "package"] if find_spec("face_alignment") else ["stand-in"])
def package(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Package:
    """A module of face-alignment by its name."""
    if request.param == "stand-in":
        from .alignment import modules

        for name, module in modules():
            monkeypatch.setitem(sys.modules, name, module)
    return imported


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """torch's folder of fetched weights, empty."""
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path / "hub" / "checkpoints"


def silent(network: Any) -> dict[str, Any]:
    """The network's state with nothing in it."""
    state = network.state_dict()
    return {k: torch.zeros_like(v) if v.is_floating_point() else v for k, v in state.items()}


def s3fd_weights(package: Package, file: Path) -> Path:
    """A face in every cell of the coarsest map, none in the others."""
    state = silent(package(SFD).s3fd())
    for name, value in state.items():
        if name.endswith("_conf.bias"):
            value[:-1], value[-1] = 9, -9
    state["conv7_2_mbox_conf.bias"][:] = torch.tensor([0.0, 3.0])
    torch.save(state, file)
    return file


def picture(height: int = 192, width: int = 160) -> Image:
    image = np.full((height, width, 3), 0.5, np.float32)
    image[:, :, 0] = 1
    return image


def s3fd(file: Path | str = "", **options: float | str) -> Detector:
    given = {"checkpoint": str(file), "device": "cpu", **options}
    return detectors().create("s3fd", given)


def fan(file: Path | str = "", **options: float | str) -> Landmarker:
    return landmarkers().create("fan", {"checkpoint": str(file), "device": "cpu", **options})


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (64, 64), (192, 160)])
def test_s3fd_of_a_checkpoint(package: Package, tmp_path: Path, size: tuple[int, int]) -> None:
    """Boxes of 4 strides of 128 px around the cells' middles."""
    find = s3fd(s3fd_weights(package, tmp_path / "own.pth"))
    faces = find(picture(*size))
    assert faces
    for face in faces:
        x0, y0, x1, y1 = face.box
        assert (x1 - x0, y1 - y0) == pytest.approx((512, 512))
        assert ((x0 + x1) / 2 % 128, (y0 + y1) / 2 % 128) == pytest.approx((64, 64))
        assert face.score == pytest.approx(SURE, abs=1e-5)
        assert face.landmarks is None


def test_s3fds_threshold(package: Package, tmp_path: Path) -> None:
    file = s3fd_weights(package, tmp_path / "own.pth")
    assert s3fd(file, threshold=SURE - 0.01)(picture())
    assert s3fd(file, threshold=SURE + 0.01)(picture()) == []


def test_a_detector_is_given_rgb_bytes(package: Package, tmp_path: Path) -> None:
    find = s3fd(s3fd_weights(package, tmp_path / "own.pth"))
    given: list[Any] = []

    def told(pixels: Any) -> list[list[float]]:
        given.append(pixels)
        return [[1, 2, 30, 40, 0.7], [5, 6, 7, 8, 0.2], [2, 3, 40, 50, 0.9], []]

    find._detector.detect_from_image = told  # type: ignore[attr-defined]
    faces = find(picture(70, 100))
    assert [face.box for face in faces] == [(2, 3, 40, 50), (1, 2, 30, 40)]
    assert (given[0].dtype, given[0].shape) == (np.uint8, (70, 100, 3))
    assert given[0][0, 0].tolist() == [255, 128, 128]


@pytest.mark.parametrize("reference_px", [195, 165])
def test_fan_of_a_checkpoint(package: Package, tmp_path: Path, reference_px: int) -> None:
    """All points in the first cell of 64 x 64, whose square is 200 px at the box's scale."""
    torch.save(silent(package("api").FAN(4)), tmp_path / "own.pth")
    place = fan(tmp_path / "own.pth", reference_px=reference_px)
    points = place(picture(), (20, 20, 70, 80))
    assert points.shape == (68, 2)
    assert points.dtype == np.float32
    side_px = 200 * (50 + 60) / reference_px
    corner = np.array([45, 50 - 0.12 * 60]) - side_px / 2
    np.testing.assert_allclose(points, np.tile(corner, (68, 1)), atol=side_px / 64 + 1)


BAD: dict[str, Callable[[Path], object]] = {
    "garbage": lambda file: file.write_bytes(b"no weights at all"),
    "empty": lambda file: file.write_bytes(b""),
    "another network": lambda file: torch.save({"w": torch.zeros(3)}, file),
    "a list": lambda file: torch.save([1, 2], file),
    "code": lambda file: file.write_bytes(pickle.dumps(Path("x"))),
    "code, packed": lambda file: torch.save({"w": Path("x")}, file),
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("name", ["s3fd", "fan"])
def test_files_that_are_no_weights(package: Package, tmp_path: Path, name: str, bad: str) -> None:
    package("api")
    file = tmp_path / "own.pth"
    BAD[bad](file)
    with pytest.raises(WeightsError, match=f"the weights of the .* '{name}' cannot be") as caught:
        fan(file) if name == "fan" else s3fd(file)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("name", ["s3fd", "fan"])
def test_a_checkpoint_that_is_not_there(package: Package, tmp_path: Path, name: str) -> None:
    with pytest.raises(WeightsError, match="there is no weights file"):
        fan(tmp_path / "no.pth") if name == "fan" else s3fd(tmp_path / "no.pth")


def declared(package: Package, monkeypatch: pytest.MonkeyPatch, source: Path) -> str:
    """The name that s3fd's weights have when they are fetched: with the start of their sha256."""
    name = f"s3fd-{hashlib.sha256(source.read_bytes()).hexdigest()[:10]}.pth"
    urls = package(SFD).models_urls
    monkeypatch.setitem(urls, "s3fd", f"https://example.org/{name}")
    return name


def test_weights_are_fetched_once_and_checked(
    package: Package, tmp_path: Path, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = s3fd_weights(package, tmp_path / "source.pth")
    name = declared(package, monkeypatch, source)
    fetched: list[tuple[str, str | None]] = []

    def fetch(url: str, target: str, prefix: str | None, progress: bool) -> None:
        assert not progress
        fetched.append((url, prefix))
        Path(target).write_bytes(source.read_bytes())

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    assert s3fd()(picture())
    assert s3fd()(picture())
    assert fetched == [(f"https://example.org/{name}", name[5:15])]
    (hub / name).write_bytes(b"something else")
    with pytest.raises(WeightsError, match=r"expected a sha256 that starts with .*; delete it"):
        s3fd()


def test_without_a_network_the_place_is_named(
    package: Package, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests' own lack of one is met here."""
    package(SFD)
    with pytest.raises(WeightsError, match="could not be fetched from https://") as caught:
        s3fd()
    assert str(hub / "s3fd-619a316812.pth") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_gpu_is_never_silently_ignored(package: Package, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(DeviceError, match="torch sees no CUDA device"):
        s3fd(s3fd_weights(package, tmp_path / "own.pth"), device="cuda")


@pytest.mark.skipif(find_spec("face_alignment") is None, reason="face-alignment is not installed")
def test_the_names_are_the_packages_own() -> None:
    module = imported(SFD)
    assert module.models_urls["s3fd"].startswith("https://")
    known = set(inspect.signature(module.SFDDetector).parameters)
    assert {"device", "path_to_detector", "filter_threshold"} <= known


@pytest.mark.parametrize("name", ["s3fd", "fan"])
@pytest.mark.parametrize("absent", ["face-alignment", "torch"])
def test_one_line_says_what_to_install(
    name: str, absent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the package, and with a package whose torch is not there."""
    for loaded in [m for m in sys.modules if m.partition(".")[0] == "face_alignment"]:
        monkeypatch.delitem(sys.modules, loaded)
    if absent == "torch":
        (tmp_path / "face_alignment").mkdir()
        (tmp_path / "face_alignment" / "__init__.py").write_text("import torch\n", "utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setitem(sys.modules, "torch", None)
    else:
        monkeypatch.setitem(sys.modules, "face_alignment", None)
    with pytest.raises(MissingExtra) as caught:
        fan() if name == "fan" else s3fd()
    kind = "landmarker" if name == "fan" else "detector"
    assert str(caught.value) == (
        f"the package '{absent}' is not installed; for the {kind} '{name}', "
        "install it with: pip install 'relume[fan]' (in a checkout of relume: '.[fan]')"
    )
