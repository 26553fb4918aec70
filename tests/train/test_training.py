"""Whole runs on a tiny set: resuming, several processes, what is written, what is refused."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from relume import weights as store  # noqa: E402
from relume.errors import (  # noqa: E402
    DeviceError,
    InputError,
    MissingExtra,
    OutputError,
    RecipeError,
    RelumeError,
)
from relume.train import loop, run  # noqa: E402


def losses(folder: Path) -> list[tuple[int, int, float]]:
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [(r["number"], r["step"], r["loss"]["total"]) for r in rows if "loss" in r]


def validations(folder: Path) -> list[dict[str, float]]:
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [r["validation"] for r in rows if "validation" in r]


def weights(folder: Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(folder / "retinexnet.safetensors")


def test_a_run_writes_all_it_promises(recipe: Path, pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    seen = []
    run(recipe, pairs=pairs, out=out, device="cpu", progress=seen.append)
    names = {p.name for p in out.iterdir()}
    assert {
        "checkpoint.pt",
        "curves.png",
        "log.jsonl",
        "panels-1-decom-003.jpg",
        "panels-2-enhance-003.jpg",
        "retinexnet.onnx",
        "retinexnet.safetensors",
        "summary.json",
    } <= names
    assert not [n for n in names if n.endswith(".part")]
    assert seen[-1].step == seen[-1].steps - 1
    summary = json.loads((out / "summary.json").read_text())
    assert summary["validation"]["psnr_db"] > 0
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [r["epoch"] for r in rows if "validation" in r] == [2, 3, 2, 3]


def test_a_run_begins_with_the_weights_it_is_given(
    recipe: Path, pairs: Path, tmp_path: Path
) -> None:
    first = run(recipe, pairs=pairs, out=tmp_path / "first", device="cpu")
    start = first / "retinexnet.safetensors"
    still = tmp_path / "still.toml"
    still.write_text(
        recipe.read_text().replace("\nepochs = 3", "\nepochs = 3\nrate = 0.0\nlast_rate = 0.0")
    )
    second = run(still, pairs=pairs, out=tmp_path / "second", device="cpu", start=start)
    for name, value in weights(first).items():
        np.testing.assert_array_equal(value, weights(second)[name])


def test_weights_of_another_network_are_no_beginning(
    recipe: Path, pairs: Path, tmp_path: Path
) -> None:
    start = store.path("relume-safetensors")
    with pytest.raises(InputError, match="cannot start from"):
        run(recipe, pairs=pairs, out=tmp_path / "out", device="cpu", start=start)


@pytest.mark.parametrize("stop", [(0, 3), (1, 1)])
def test_a_resumed_run_equals_an_unbroken_one(
    recipe: Path, pairs: Path, tmp_path: Path, stop: tuple[int, int]
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run(recipe, pairs=pairs, out=whole, device="cpu")
    run(recipe, pairs=pairs, out=broken, device="cpu", stop_after=stop)
    assert not (broken / "summary.json").exists()
    run(recipe, pairs=pairs, out=broken, device="cpu", resume=True)
    assert losses(whole) == losses(broken)
    expected, got = weights(whole), weights(broken)
    for name, tensor in expected.items():
        np.testing.assert_array_equal(tensor, got[name], err_msg=name)


def test_decom_is_frozen_in_the_second_phase(recipe: Path, pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(recipe, pairs=pairs, out=out, device="cpu", stop_after=(1, 0))
    after_first = torch.load(out / "checkpoint.pt", weights_only=True)["net"]
    before = {k: v.clone() for k, v in after_first.items()}
    run(recipe, pairs=pairs, out=out, device="cpu", resume=True)
    after = torch.load(out / "checkpoint.pt", weights_only=True)["net"]
    same = {k: torch.equal(before[k], after[k]) for k in before}
    assert all(same[k] for k in same if k.startswith("decom"))
    assert not any(same[k] for k in same if k.startswith("enhance") and k.endswith("weight"))


@pytest.mark.slow
def test_two_processes_train_as_one(recipe: Path, pairs: Path, tmp_path: Path) -> None:
    """torchrun with two gloo processes: the same losses as one process with the whole batch.

    Afterwards none of gloo's threads is left: one that is may abort the interpreter at its end.
    """
    one, two = tmp_path / "one", tmp_path / "two"
    run(recipe, pairs=pairs, out=one, device="cpu")
    script = tmp_path / "go.py"
    script.write_text(
        "from pathlib import Path\nfrom relume.train import run\n"
        f"run(Path({str(recipe)!r}), pairs=Path({str(pairs)!r}), out=Path({str(two)!r}), "
        "device='cpu')\n"
        "threads = [t.read_text() for t in Path('/proc/self/task').glob('*/comm')]\n"
        "assert not any('gloo' in name for name in threads), threads\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if sys.platform == "linux":  # gloo finds itself by the host's name otherwise, if that resolves
        environment["GLOO_SOCKET_IFNAME"] = "lo"
    done = subprocess.run(
        [*command, "--nproc-per-node=2", str(script)],
        timeout=120,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    alone, together = losses(one), losses(two)
    assert [row[:2] for row in alone] == [row[:2] for row in together]
    np.testing.assert_allclose([r[2] for r in alone], [r[2] for r in together], rtol=1e-4)
    for name, tensor in weights(one).items():
        np.testing.assert_allclose(tensor, weights(two)[name], atol=1e-4, err_msg=name)


def test_bf16_trains(recipe: Path, pairs: Path, tmp_path: Path) -> None:
    run(recipe, pairs=pairs, out=tmp_path / "a", device="cpu", precision="bf16")
    assert all(np.isfinite(loss) for _, _, loss in losses(tmp_path / "a"))


def test_another_runs_folder_is_not_overwritten(recipe: Path, pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(recipe, pairs=pairs, out=out, device="cpu", stop_after=(0, 1))
    with pytest.raises(OutputError, match="--resume"):
        run(recipe, pairs=pairs, out=out, device="cpu")


def test_a_run_is_resumed_or_started_from_weights(recipe: Path, tmp_path: Path) -> None:
    start = tmp_path / "older.safetensors"
    with pytest.raises(InputError, match="either --resume or --start"):
        run(recipe, pairs=tmp_path, out=tmp_path, device="cpu", resume=True, start=start)


def test_nothing_to_resume_and_damaged_checkpoints(
    recipe: Path, pairs: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="nothing to resume"):
        run(recipe, pairs=pairs, out=tmp_path / "new", device="cpu", resume=True)
    assert not (tmp_path / "new").exists()
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "checkpoint.pt").write_bytes(b"no checkpoint")
    with pytest.raises(InputError, match="cannot resume"):
        run(recipe, pairs=pairs, out=tmp_path / "new", device="cpu", resume=True)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('name = "decom"', 'name = "decoy"', "expected phases among decom, enhance"),
        ('"retinexnet"', '"other"', "expected network"),
        ("batch = 2", "batch = 2\ndarkened = 2", "--bright"),
        ("batch = 2", 'batch = 2\ncamera = "film"', "expected camera among real, phone"),
        ("epochs = 3", "epochs = 3\nweights = { wrong = 1.0 }", "unknown loss weight"),
    ],
)
def test_recipes_that_do_not_hold_together(
    recipe: Path, pairs: Path, tmp_path: Path, old: str, new: str, says: str
) -> None:
    recipe.write_text(recipe.read_text().replace(old, new, 1))
    with pytest.raises(RecipeError, match=says):
        run(recipe, pairs=pairs, out=tmp_path / "out", device="cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_cuda_is_never_replaced_silently(recipe: Path, pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="CUDA"):
        run(recipe, pairs=pairs, out=tmp_path / "out", device="cuda")


RELUME = """
name = "tiny"
network = "relume"
seed = 5
[data]
patch_px = 16
batch = 2
scenes = "scenes.csv"
validation_scenes = 1
darkened = -1
epoch_steps = 3
[[phases]]
name = "picture"
epochs = 2
clip = 1.0
ema = 0.9
[[phases]]
name = "exposure"
epochs = 1
ema = 0.9
[watch]
validate_epochs = 1
panels_epochs = 2
panels = 1
checkpoint_s = 0.0
"""


def test_relumes_network_trains_resumes_and_exports(
    recipe: Path, pairs: Path, tmp_path: Path
) -> None:
    recipe.write_text(RELUME)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    bright = [pairs / "high"]
    run(recipe, pairs=pairs, bright=bright, out=whole, device="cpu")
    run(recipe, pairs=pairs, bright=bright, out=broken, device="cpu", stop_after=(0, 4))
    run(recipe, pairs=pairs, bright=bright, out=broken, device="cpu", resume=True)
    assert losses(whole) == losses(broken)
    assert validations(whole) == validations(broken)
    from safetensors.numpy import load_file

    expected, got = (load_file(f / "relume.safetensors") for f in (whole, broken))
    for name, tensor in expected.items():
        np.testing.assert_array_equal(tensor, got[name], err_msg=name)
    summary = json.loads((whole / "summary.json").read_text())
    figures = summary["validation"]
    assert {"given_psnr_db", "psnr_db", "exposure_rms", "constant_rms"} <= set(figures)
    import openvino

    core = openvino.Core()
    options = {"INFERENCE_PRECISION_HINT": "f32"}
    picture = core.compile_model(whole / "relume.onnx", "CPU", options)
    small = np.full((1, 3, 96, 96), 0.1, np.float32)
    image = np.full((1, 3, 48, 32), 0.1, np.float32)
    inputs = {"image": image, "thumbnail": small, "brightness": np.array([[0.4]], np.float32)}
    inputs["gain"] = np.ones((1, 1, *image.shape[2:]), np.float32)
    assert picture(inputs)["photo"].shape == image.shape
    exposure = core.compile_model(whole / "relume-exposure.onnx", "CPU", options)
    assert 0.05 <= float(exposure({"thumbnail": small})["brightness"][0, 0]) <= 0.95


def test_weights_that_are_no_numbers_replace_no_checkpoint(
    recipe: Path, pairs: Path, tmp_path: Path
) -> None:
    """The loss that would tell is looked at every tenth step, a checkpoint comes every step."""
    out = tmp_path / "out"
    run(recipe, pairs=pairs, out=out, device="cpu", stop_after=(0, 2))
    before = (out / "checkpoint.pt").read_bytes()
    update = loop._update

    def broken(model: torch.nn.Module, *rest: object) -> object:
        terms = update(model, *rest)
        with torch.no_grad():
            next(iter(model.parameters())).fill_(float("nan"))
        return terms

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "_update", broken)
        with pytest.raises(RelumeError, match="no longer finite at step 3: lower the rate"):
            run(recipe, pairs=pairs, out=out, device="cpu", resume=True)
    assert (out / "checkpoint.pt").read_bytes() == before
    run(recipe, pairs=pairs, out=out, device="cpu", resume=True)
    assert np.isfinite(losses(out)[-1][2])


def test_packages_are_looked_for_before_the_work(
    recipe: Path, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)  # what the export needs in the end
    with pytest.raises(MissingExtra, match="'onnxscript' is not installed"):
        run(recipe, pairs=pairs, out=tmp_path / "out", device="cpu")
    assert not (tmp_path / "out").exists()


def test_the_recipe_for_phones_trains(recipe: Path, pairs: Path, tmp_path: Path) -> None:
    """Its own settings, on smaller patches of a smaller set."""
    text = (Path(__file__).resolve().parents[2] / "recipes" / "relume-5.toml").read_text()
    for old, new in (
        ("patch_px = 160", "patch_px = 16"),
        ("batch = 6", "batch = 2"),
        ('scenes = "../scenes.csv"', 'scenes = "scenes.csv"'),
        ("validation_scenes = 14", "validation_scenes = 1"),
    ):
        assert old in text
        text = text.replace(old, new)
    recipe.write_text(text)
    out = tmp_path / "out"
    run(recipe, pairs=pairs, bright=[pairs / "high"], out=out, device="cpu", stop_after=(0, 2))
    assert (out / "checkpoint.pt").exists()
    assert all(np.isfinite(loss) for _, _, loss in losses(out))
