"""Ctrl-C and SIGTERM, by real signals: what is saved, what is said, and how a run goes on."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from relume.errors import InputError, RelumeError  # noqa: E402
from relume.train import run, tasks, validate  # noqa: E402
from relume.train.interrupt import Interrupted  # noqa: E402


def rows(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "log.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def kill_self() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM to catch")
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_at_once_and_says_what(
    recipe: Path, pairs: Path, tmp_path: Path, signum: int, code: int
) -> None:
    text = recipe.read_text().replace("epochs = 3", "epochs = 100000")
    recipe.write_text(text.replace("checkpoint_s = 0.0", "checkpoint_s = 1000.0"))
    out = tmp_path / "out"
    command = [sys.executable, "-m", "relume", "train", recipe, "--pairs", pairs, "--out", out]
    training = subprocess.Popen(
        [*command, "--device", "cpu"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        for _ in range(1200):
            if (out / "log.jsonl").exists() and '"step": 10' in (out / "log.jsonl").read_text():
                break
            time.sleep(0.1)
        training.send_signal(signum)
        _, said = training.communicate(timeout=60)
    finally:
        training.kill()
    assert training.returncode == code, said
    state = torch.load(out / "checkpoint.pt", weights_only=True)
    assert state["phase"] == 0
    assert state["step"] > 10
    at = f"step {state['step']} of phase decom"
    first, second, *_, last = said.splitlines(keepends=True)
    assert re.fullmatch(r"note: training on \d training pairs; \d are held out .*\n", first)
    assert re.match(r"training: 1 of \d+, decom loss \d", second), "in a pipe, too"
    assert last == f"stopped; {out / 'checkpoint.pt'} holds the run up to {at}: --resume goes on " \
        "from there\n"  # fmt: skip
    assert not list(out.glob("*.part"))


@pytest.mark.parametrize("where", ["step", "validation"])
def test_an_interrupted_run_goes_on_as_an_unbroken_one(
    recipe: Path, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run(recipe, pairs=pairs, out=whole, device="cpu")
    figures, calls = validate.validate_retinexnet, []

    def interrupted_figures(*args: Any) -> dict[str, float]:
        calls.append(1)
        if where == "validation" and len(calls) == 2:
            kill_self()
        return figures(*args)

    monkeypatch.setattr(validate, "validate_retinexnet", interrupted_figures)
    with pytest.raises(Interrupted, match="phase decom: --resume goes on"):
        run(
            recipe,
            pairs=pairs,
            out=broken,
            device="cpu",
            progress=lambda p: kill_self() if where == "step" and p.step == 0 else None,
        )
    run(recipe, pairs=pairs, out=broken, device="cpu", resume=True)
    assert rows(whole) == rows(broken)
    from safetensors.numpy import load_file

    expected, got = (load_file(f / "retinexnet.safetensors") for f in (whole, broken))
    for name, tensor in expected.items():
        np.testing.assert_array_equal(tensor, got[name], err_msg=name)


def test_a_signal_before_the_first_step_leaves_nothing(
    recipe: Path, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(tasks, "create", lambda *_: kill_self())
    with pytest.raises(Interrupted, match="nothing was saved"):
        run(recipe, pairs=pairs, out=tmp_path / "out", device="cpu")
    assert not (tmp_path / "out").exists()
    assert signal.getsignal(signal.SIGINT) is handler


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_without_a_checkpoint_starts_again(
    recipe: Path, pairs: Path, tmp_path: Path, resume: bool
) -> None:
    """As kill -9 before the first checkpoint leaves it."""
    whole, out = tmp_path / "whole", tmp_path / "out"
    run(recipe, pairs=pairs, out=whole, device="cpu")
    out.mkdir()
    (out / "log.jsonl").write_text((whole / "log.jsonl").read_text())
    notes: list[str] = []
    run(recipe, pairs=pairs, out=out, device="cpu", resume=resume, note=notes.append)
    assert rows(out) == rows(whole)
    assert [note for note in notes if not note.startswith("training on ")] == (
        [f"{out} holds no checkpoint yet: training starts from the beginning"] * resume
    )


def test_a_run_is_not_resumed_with_other_settings(
    recipe: Path, pairs: Path, tmp_path: Path
) -> None:
    out, text = tmp_path / "out", recipe.read_text()
    run(recipe, pairs=pairs, out=out, device="cpu", stop_after=(0, 1))
    recipe.write_text(
        text.replace("epochs = 3", "epochs = 30", 1).replace("batch = 2", "batch = 3")
    )
    changes = r"data.batch 2 -> 3, phases\[0\].epochs 3 -> 30; resume with"
    with pytest.raises(InputError, match=changes):
        run(recipe, pairs=pairs, out=out, device="cpu", resume=True)
    recipe.write_text(text)
    for side in ("low", "high"):
        (pairs / side / "p1.png").unlink()
    with pytest.raises(InputError, match=r"training pairs 4 -> \d; resume with"):
        run(recipe, pairs=pairs, out=out, device="cpu", resume=True)


def test_how_often_a_run_is_looked_at_may_change(recipe: Path, pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(recipe, pairs=pairs, out=out, device="cpu", stop_after=(1, 2))
    recipe.write_text(recipe.read_text().replace("validate_epochs = 2", "validate_epochs = 1"))
    run(recipe, pairs=pairs, out=out, device="cpu", resume=True)
    assert (out / "summary.json").exists()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("patch_px = 16", "patch_px = 64"),
        ("validation_scenes = 1", "validation_scenes = 7"),
        ('name = "enhance"', 'name = "enhance"\nweights = { wrong = 1.0 }'),
    ],
)
def test_a_failed_start_leaves_no_folder(
    recipe: Path, pairs: Path, tmp_path: Path, old: str, new: str
) -> None:
    recipe.write_text(recipe.read_text().replace(old, new))
    with pytest.raises(RelumeError):
        run(recipe, pairs=pairs, out=tmp_path / "out", device="cpu")
    assert not (tmp_path / "out").exists()
