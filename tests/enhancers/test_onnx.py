"""Anybody's network as a method: how pictures are handed to it, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pil

from relume import study
from relume.cli.main import main
from relume.enhancers import describe, enhance
from relume.errors import InputError, ParameterError, RelumeError, WeightsError
from relume.study import Plan

from .conftest import write_picture_net

FREE = (1, 3, "h", "w")
PHOTO = np.random.default_rng(2).uniform(0.05, 0.4, (40, 56, 3)).astype(np.float32)


def run(net: Path, photo: Any = PHOTO, **parameters: Any) -> Any:
    return enhance(
        photo, method="onnx", parameters={"file": str(net), **parameters}, protect_lit=False
    )


@pytest.mark.parametrize("shape", [FREE, (1, "h", "w", 3), ("n", 3, "h", "w")])
def test_the_layout_is_the_graphs(tmp_path: Path, shape: Sequence[int | str]) -> None:
    net = write_picture_net(tmp_path / "net.onnx", shape, gain=2.0)
    np.testing.assert_allclose(run(net), PHOTO * 2, atol=1e-6)
    assert ("nhwc" if shape[-1] == 3 else "nchw") in describe(f"onnx:{net}")


def test_a_layout_that_the_graph_does_not_say(tmp_path: Path) -> None:
    net = write_picture_net(tmp_path / "net.onnx", (1, "c", "h", "w"), gain=2.0)
    with pytest.raises(ParameterError, match="give layout=nchw or layout=nhwc"):
        run(net)
    np.testing.assert_allclose(run(net, layout="nchw"), PHOTO * 2, atol=1e-6)
    assert enhance(PHOTO, method=f"onnx:{net},layout=nchw").shape == PHOTO.shape


@pytest.mark.parametrize(("order", "channel"), [("rgb", 0), ("bgr", 2)])
def test_the_order_of_channels(tmp_path: Path, order: str, channel: int) -> None:
    net = write_picture_net(tmp_path / "net.onnx", FREE, gain=[2.0, 1.0, 1.0])
    expected = PHOTO.copy()
    expected[:, :, channel] *= 2
    np.testing.assert_allclose(run(net, order=order), expected, atol=1e-6)


@pytest.mark.parametrize(("name", "offset"), [("1", 0.1), ("255", 25.5), ("-1..1", 0.2)])
def test_the_range_of_values(tmp_path: Path, name: str, offset: float) -> None:
    net = write_picture_net(tmp_path / "net.onnx", FREE, offset=offset)
    np.testing.assert_allclose(run(net, range=name), PHOTO + 0.1, atol=1e-6)


def test_a_graph_of_bytes_gets_bytes(tmp_path: Path) -> None:
    net = write_picture_net(tmp_path / "net.onnx", (1, "h", "w", 3), kind="UINT8", gain=2.0)
    photo = np.full((8, 9, 3), 40, np.uint8)
    np.testing.assert_array_equal(run(net, photo), np.full_like(photo, 80))


@pytest.mark.parametrize("stride", [1, 4, 16])
def test_the_multiple_is_read_from_the_graph(tmp_path: Path, stride: int) -> None:
    """A network that halves and doubles again takes only multiples of its stride."""
    net = write_picture_net(tmp_path / "net.onnx", FREE, gain=2.0, stride=stride)
    assert describe(f"onnx:{net}").endswith(f"multiples of {stride}")
    flat = np.full((21, 34, 3), 0.2, np.float32)
    np.testing.assert_allclose(run(net, flat), flat * 2, atol=1e-6)


def test_large_photos_are_done_in_tiles(tmp_path: Path) -> None:
    net = write_picture_net(tmp_path / "net.onnx", FREE, gain=2.0, stride=4)
    photo = np.random.default_rng(0).uniform(0, 0.5, (300, 700, 3)).astype(np.float32)
    np.testing.assert_allclose(run(net, photo, tile_px=256), run(net, photo), atol=1e-6)


def test_a_fixed_size_takes_that_size_only(tmp_path: Path) -> None:
    net = write_picture_net(tmp_path / "net.onnx", (1, 3, 40, 56), gain=2.0)
    np.testing.assert_allclose(run(net), PHOTO * 2, atol=1e-6)
    with pytest.raises(InputError, match="takes pictures of 56x40 only, this one is 40x56; export"):
        run(net, PHOTO.transpose(1, 0, 2))


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ((1, 1, "h", "w"), r"expected a picture of 3 channels, it takes \(1, 1, \?, \?\)"),
        ((1, 4, 40, 56), "expected a picture of 3 channels"),
        ((4, 3, "h", "w"), r"expected an input of shape \(1, 3, H, W\).*got \(4, 3"),
        ((3, "h", "w"), r"expected an input of shape \(1, 3, H, W\)"),
    ],
)
def test_other_inputs_are_refused(tmp_path: Path, shape: Sequence[int | str], says: str) -> None:
    with pytest.raises(WeightsError, match=says):
        run(write_picture_net(tmp_path / "net.onnx", shape))


def test_a_second_input_is_refused(tmp_path: Path) -> None:
    net = write_picture_net(tmp_path / "net.onnx", FREE, inputs=2)
    with pytest.raises(WeightsError, match="expected one input, a picture; it takes image, image1"):
        run(net)


def test_several_outputs_need_a_choice(tmp_path: Path) -> None:
    net = write_picture_net(tmp_path / "net.onnx", FREE, gain=2.0, outputs=2)
    with pytest.raises(ParameterError, match="say which, as in output=photo"):
        run(net)
    np.testing.assert_allclose(run(net, output="photo"), PHOTO * 2, atol=1e-6)
    with pytest.raises(ParameterError, match="has no output 'mask'; it has: photo, photo1"):
        run(net, output="mask")


def test_a_result_that_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(RelumeError, match="values that are not finite"):
        run(write_picture_net(tmp_path / "nan.onnx", FREE, gain=float("nan")))
    grey = write_picture_net(tmp_path / "grey.onnx", FREE, channels_out=1)
    with pytest.raises(WeightsError, match="expected a picture of 3 channels out, it gives photo"):
        run(grey)
    small = write_picture_net(tmp_path / "small.onnx", FREE, shrink=2)
    with pytest.raises(ParameterError, match="gives a picture of the size that went in"):
        run(small)
    with pytest.raises(
        RelumeError, match=r"gave \(1, 3, 20, 28\) for a picture of \(1, 3, 40, 56\)"
    ):
        run(small, multiple=2)


def test_the_file_must_be_a_network(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="onnx needs a network: name its file"):
        enhance(PHOTO, method="onnx")
    with pytest.raises(ParameterError, match=r"the network must name an \.onnx file"):
        enhance(PHOTO, method="onnx:net.pt")
    with pytest.raises(WeightsError, match="cannot be read: No such file"):
        enhance(PHOTO, method=f"onnx:{tmp_path / 'none.onnx'}")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no network")
    with pytest.raises(WeightsError, match="is not a network"):
        run(broken)


def test_a_file_written_anew_is_read_anew(tmp_path: Path) -> None:
    net = write_picture_net(tmp_path / "net.onnx", FREE, gain=2.0)
    run(net)
    write_picture_net(net, (1, "h", "w", 3), gain=1.5)
    np.testing.assert_allclose(run(net), PHOTO * 1.5, atol=1e-6)


def test_it_is_a_method_of_the_command_line(
    tmp_path: Path, picture_net: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, out = tmp_path / "x.png", tmp_path / "out.png"
    Pil.fromarray(np.full((20, 30, 3), 40, np.uint8)).save(photo)
    with pytest.raises(SystemExit) as ended:
        main(
            ["enhance", str(photo), "-m", f"onnx:{picture_net}", "--no-protect-lit", "-o", str(out)]
        )
    assert not ended.value.code
    assert (np.asarray(Pil.open(out)) == 80).all()
    with pytest.raises(SystemExit) as ended:
        main(["enhance", str(photo), "-m", "onnx:none.onnx"])
    assert ended.value.code == 1
    assert "error: the network none.onnx cannot be read" in capsys.readouterr().err


def test_it_is_an_arm_of_a_study(tmp_path: Path, picture_net: Path) -> None:
    for n in range(2):
        pixels = np.full((20, 30, 3), 20 + 10 * n, np.uint8)
        (tmp_path / "in").mkdir(exist_ok=True)
        Pil.fromarray(pixels).save(tmp_path / "in" / f"{n}.png")
    arms = (f"mine=onnx:{picture_net},protect_lit=no",)

    def plan(report: str, *arms: str) -> Plan:
        return Plan(
            pictures=tmp_path / "in", report=tmp_path / report, arms=arms, detectors=("haar",)
        )

    done = study.run(plan("report", *arms), processes=1)
    rows = [json.loads(line) for line in (done.folder / "rows.jsonl").read_text().splitlines()]
    means = [row["mean"] for row in rows if row["arm"] == "mine" and row["detector"] is None]
    assert means == pytest.approx([40 / 255, 60 / 255], abs=1e-4)
    lock = json.loads((done.folder / "plan.lock").read_text())
    assert str(picture_net) in lock["files"], "another network is another study"
    with pytest.raises(WeightsError, match="cannot be read"):
        study.run(plan("other", "onnx:none.onnx"))
    assert not (tmp_path / "other").exists()
