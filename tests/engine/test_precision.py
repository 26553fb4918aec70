"""f32 or bf16: measured once, kept, the same in every process of a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from relume import engine
from relume.engine import Runtime, openvino, precision
from relume.engine.precision import Measurement, Verdict
from relume.errors import DeviceError, ParameterError

from .test_engine import picture, write_scaler

onnx = pytest.importorskip("onnx", reason="the tests build small networks with onnx")

Outputs = Mapping[str, Any]


class Machine:
    """Runs a network in a time and with an error that the test says, and counts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, bf16_s: float, off: float = 0.0) -> None:
        self.now, self.bf16_s, self.off, self.prepared = 0.0, bf16_s, off, 0
        self.pauses: list[float] = []
        monkeypatch.setattr(precision, "_clock", lambda: self.now)

    def prepare(self, name: str) -> Callable[[Outputs], Outputs]:
        self.prepared += 1

        def run(inputs: Outputs) -> Outputs:
            pause = self.pauses.pop(0) if self.pauses else 0.0
            self.now += pause + (0.01 if name == "f32" else self.bf16_s)
            return {"photo": inputs["image"] + (self.off if name == "bf16" else 0.0)}

        return run

    def verdict(self, identity: str = "a CPU, a network") -> Verdict:
        return precision.measured(identity, lambda: {"image": picture(4, 4)}, self.prepare)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, in a process that knows nothing."""
    monkeypatch.setenv("RELUME_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(precision, "_known", {})
    return tmp_path / "cache"


def new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_known", {})


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    ("bf16_s", "off", "expected"),
    [
        (0.005, 0.0, Verdict("bf16", "measured 2.0 x as fast as f32")),
        (0.009, 0.0, Verdict("f32", "bf16 measured 1.1 x as fast")),
        (0.02, 0.0, Verdict("f32", "bf16 measured 0.5 x as fast")),
        (0.005, 5 / 255, Verdict("f32", "bf16 is off by up to 5.0 levels")),
        (0.005, 2 / 255, Verdict("f32", "bf16 is off by up to 2.0 levels")),  # everywhere
        (0.005, float("nan"), Verdict("f32", "bf16 is off by up to nan levels")),
    ],
)
def test_bf16_must_be_clearly_faster_and_look_the_same(
    monkeypatch: pytest.MonkeyPatch, bf16_s: float, off: float, expected: Verdict
) -> None:
    assert Machine(monkeypatch, bf16_s=bf16_s, off=off).verdict() == expected


@pytest.mark.usefixtures("cache")
def test_a_busy_machine_does_not_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other work came in all turns of bf16 but one: only the fastest time of each counts."""
    machine = Machine(monkeypatch, bf16_s=0.005)
    machine.pauses = [0, 0.05, 0, 0.01, 0, 0, 0, 0.02]
    machine.pauses += [0, 0.03] * precision.ROUNDS
    assert machine.verdict().precision == "bf16"


def test_it_is_measured_once_and_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, bf16_s=0.005)
    first = machine.verdict()
    assert machine.prepared == 2
    new_process(monkeypatch)
    machine.bf16_s = 0.02  # what is kept stands, or pictures would change from run to run
    assert machine.verdict() == first
    assert machine.prepared == 2
    (file,) = (cache / "precision").iterdir()
    assert json.loads(file.read_text())["faster"] == pytest.approx(2)
    assert machine.verdict("another network").precision == "f32"
    assert len(list((cache / "precision").iterdir())) == 2


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", '{"faster": 3}', '{"faster": "x", "most_off": 0, "mean_off": 0}']
)
def test_a_broken_file_is_measured_anew(
    cache: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    machine = Machine(monkeypatch, bf16_s=0.005)
    machine.verdict()
    (file,) = (cache / "precision").iterdir()
    file.write_text(text)
    new_process(monkeypatch)
    assert machine.verdict().precision == "bf16"
    assert machine.prepared == 4
    assert json.loads(file.read_text())["faster"] == pytest.approx(2)


def test_without_a_cache_folder_a_process_measures_once(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.write_text("not a folder", "utf-8")
    machine = Machine(monkeypatch, bf16_s=0.005)
    assert machine.verdict().precision == "bf16"
    machine.bf16_s = 0.02
    assert machine.verdict().precision == "bf16"
    assert machine.prepared == 2


def test_the_first_of_two_processes_is_right(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both measured at the same time, and differently: the later one takes what is kept."""
    machine = Machine(monkeypatch, bf16_s=0.005)

    def meanwhile(inputs: Any, prepare: Any) -> Measurement:
        (cache / "precision").mkdir(parents=True)
        monkeypatch.setattr(precision, "measure", measure)
        precision.measured("a CPU, a network", lambda: inputs, prepare)
        new_process(monkeypatch)
        return Measurement(0.5, 0, 0)

    measure = precision.measure
    monkeypatch.setattr(precision, "measure", meanwhile)
    assert machine.verdict().precision == "bf16"


@pytest.mark.usefixtures("cache")
def test_what_cannot_be_measured_runs_in_f32(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> Any:
        raise DeviceError("out of memory")

    verdict = precision.measured("x", lambda: {"image": picture(4, 4)}, refuse)
    assert verdict == Verdict("f32", "bf16 could not be measured: out of memory")


@pytest.fixture
def scaler(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A network, on a CPU whose flags do not tell which precision is faster."""
    monkeypatch.delenv("RELUME_PRECISION")
    monkeypatch.setattr(openvino, "has_amx_bf16", lambda: False)
    monkeypatch.setattr(openvino, "has_bf16", lambda: True)
    return write_scaler(tmp_path / "scaler.onnx")


def sample() -> dict[str, Any]:
    return {"image": picture(8, 8)}


def never() -> dict[str, Any]:
    raise AssertionError("nothing was to be measured")


def test_auto_is_what_was_measured(scaler: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for faster, expected in ((1.74, "bf16 (measured 1.7 x as fast as f32)"), (0.6, "f32 (bf16 me")):
        monkeypatch.setattr(precision, "_known", {})
        monkeypatch.setattr(precision, "measure", lambda *_, by=faster: Measurement(by, 0, 0))
        monkeypatch.setattr(precision, "_read", lambda file: None)
        network = openvino.open_network(scaler, Runtime(), sample)
        assert f"on CPU, {expected}" in network.describe()
        assert network.precision == expected[: len(network.precision)]


def test_a_real_measurement_ends_in_a_network_that_runs(scaler: Path, cache: Path) -> None:
    if "BF16" not in openvino.core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this CPU has no bf16")
    network = engine.load(scaler, sample=sample)
    assert len(list((cache / "precision").iterdir())) == 1
    image = picture(5, 7)
    np.testing.assert_allclose(network({"image": image})["doubled"], 2 * image, rtol=1e-2)


def test_who_asks_is_not_measured(scaler: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert engine.load(scaler, runtime=Runtime(precision="f32"), sample=never).precision == "f32"
    monkeypatch.setenv("RELUME_PRECISION", "bf16")
    assert openvino._verdict(scaler, Runtime(), never) == Verdict("bf16", "RELUME_PRECISION")
    # an option comes before the environment
    assert engine.load(scaler, runtime=Runtime(precision="f32"), sample=never).precision == "f32"
    monkeypatch.setenv("RELUME_PRECISION", "f32")
    network = engine.load(scaler, sample=never)
    assert "f32 (RELUME_PRECISION)" in network.describe()
    monkeypatch.setenv("RELUME_PRECISION", "int4")
    with pytest.raises(ParameterError, match=r"RELUME_PRECISION must be auto \| f32 \| bf16"):
        engine.load(scaler, sample=never)


def test_flags_that_tell_are_believed(scaler: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # nobody vouches for a user's own network in bf16
    assert openvino._verdict(scaler, Runtime(), None).precision == "f32"
    monkeypatch.setattr(openvino, "has_amx_bf16", lambda: True)
    assert openvino._verdict(scaler, Runtime(), never) == Verdict("bf16", "AMX")
    monkeypatch.setattr(openvino, "has_bf16", lambda: False)
    assert openvino._verdict(scaler, Runtime(), never) == Verdict("f32", "this CPU has no bf16")
    with pytest.raises(DeviceError, match="no bf16 instructions"):
        openvino._verdict(scaler, Runtime(precision="bf16"), never)


def test_a_network_of_another_kind_is_not_measured(scaler: Path) -> None:
    """The sample does not fit it: the caller, who knows what it should be, says so better."""
    verdict = openvino._verdict(scaler, Runtime(), lambda: {"photo": picture(8, 8)})
    assert verdict.precision == "f32"
    assert "takes image, got photo" in verdict.why
