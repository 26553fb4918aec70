"""The thin shells: train, study and serve hand their options on."""

from __future__ import annotations

import io
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import rich.console

import relume.study
import relume.train
import relume.web  # noqa: F401  the shell looks its serve up here
from relume import weights
from relume.cli import console, train
from relume.errors import MissingExtra, RecipeError
from relume.executor import Local
from relume.train.interrupt import Interrupted

from .conftest import Relume, picture


class Recorder:
    """Stands for a function of the library; keeps what it was called with."""

    def __init__(self, result: object = None, error: BaseException | None = None) -> None:
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        self.result, self.error = result, error

    def __call__(self, *args: Any, **options: Any) -> Any:
        self.calls.append((args, options))
        if options.get("progress") is not None:
            options["progress"](self.tick)
        if self.error is not None:
            raise self.error
        return self.result

    tick = SimpleNamespace(
        phase="decom", step=0, steps=9, terms={"total": 0.5}, done=1, total=9, failures=1
    )


def test_train(relume: Relume, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = Recorder(result=tmp_path)
    monkeypatch.setitem(vars(sys.modules["relume.train"]), "run", run)
    result = relume(
        "train",
        "recipes/tiny.toml",
        "--pairs",
        "lol",
        "--bright",
        "day",
        "--resume",
        "--start",
        "first.safetensors",
    )
    assert (result.code, result.out) == (0, f"{tmp_path.resolve()}\n")
    ((recipe,), options) = run.calls[0]
    options.pop("progress")
    options.pop("note")
    assert recipe == Path("recipes/tiny.toml")
    assert options == {
        "pairs": (Path("lol"),),
        "out": Path("runs/tiny"),
        "bright": (Path("day"),),
        "held": (),
        "resume": True,
        "start": Path("first.safetensors"),
        "device": "auto",
        "precision": None,
        "stop_after": None,
    }
    options = ("--out", "x", "--device", "cpu", "--precision", "bf16", "--stop-after", "2:30")
    assert relume("train", "r.toml", "--pairs", "lol", *options).code == 0
    given = run.calls[1][1]
    assert (given["out"], given["device"], given["precision"]) == (Path("x"), "cpu", "bf16")
    assert given["stop_after"] == (1, 30)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (RecipeError("r.toml: unknown key 'bath'"), 2, "error: r.toml: unknown key 'bath'\n"),
        (
            MissingExtra("training", "train", "torch"),
            1,
            "'relume[train]' (in a checkout of relume: '.[train]') (without a GPU, --extra-index",
        ),
        (KeyboardInterrupt(), 130, "stopped: nothing was saved"),
        (Interrupted("stopped; x holds step 3", signal.SIGINT), 130, "stopped; x holds step 3\n"),
        (Interrupted("stopped; x holds step 3", signal.SIGTERM), 143, "stopped; x holds step 3\n"),
    ],
)
def test_train_that_stops(
    relume: Relume, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, said: str
) -> None:
    monkeypatch.setitem(vars(sys.modules["relume.train"]), "run", Recorder(error=error))
    result = relume("train", "r.toml", "--pairs", "lol", "-q")
    assert result.code == code
    assert said in result.err
    assert result.err.count("\n") == 1


def test_the_progress_line_fits_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, terminal = io.StringIO(), rich.console.Console
    monkeypatch.setattr(
        "rich.console.Console",
        lambda stderr: terminal(file=drawn, width=80, force_terminal=stderr, color_system=None),
    )
    bar = console.Bar("training", None)
    bar.start()
    terms = dict.fromkeys(("l1", "ssim", "gradient", "colour", "log", "total"), 0.12344)
    bar.show(1234, 150000, train._note(SimpleNamespace(phase="exposure", terms=terms)))
    bar.stop()
    line = [x for x in drawn.getvalue().splitlines() if "eta" in x][-1]
    assert "1234/150000" in line
    assert "exposure loss 0.1234" in line
    assert "…" not in line


@pytest.mark.parametrize("text", ["200", "0:5", "a:b", "1:-5"])
def test_train_refuses_a_wrong_stop(relume: Relume, text: str) -> None:
    result = relume("train", "r.toml", "--pairs", "lol", "--stop-after", text)
    assert result.code == 2
    assert "PHASE:STEP" in result.err


def test_serve(
    relume: Relume, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    serve = Recorder()
    monkeypatch.setitem(vars(sys.modules["relume.web"]), "serve", serve)
    options = ("--port", 8123, "--no-browser", "--workers", 2, "--allow-host", "relume.lan")
    options += ("--root-path", "/relume")
    assert relume("serve", *options).code == 0
    expected = {"host": "127.0.0.1", "port": 8123, "browser": False, "workers": 2}
    expected |= {"allow_hosts": ["relume.lan"], "on_device": False, "site": None}
    expected |= {"root_path": "/relume"}
    ((args, given),) = serve.calls
    given.pop("on_ready")("http://127.0.0.1:8123")
    assert (args, given) == ((), expected)
    assert capsysbinary.readouterr().out == b"http://127.0.0.1:8123\n"


@pytest.fixture
def study_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Recorder:
    report = SimpleNamespace(
        failures=0, answer="gamma helps.", index=tmp_path / "report/index.html"
    )
    recorder = Recorder(result=report)
    monkeypatch.setitem(vars(sys.modules["relume.study"]), "run", recorder)
    return recorder


def test_study_from_options(relume: Relume, study_run: Recorder, tmp_path: Path) -> None:
    arms = f"gamma:0.4,clahe:clip=2,grid=4,theirs={tmp_path}"
    result = relume(
        *("study", "photos", "-o", "out", "--arms", arms, "--detectors"),
        *("haar,yunet", "--darken", "0.1,1", "--labels", "boxes.csv", "--seed", 3, "--jobs", 2),
    )
    assert result.code == 0
    assert result.out.splitlines() == ["gamma helps.", str(tmp_path / "report/index.html")]
    assert result.err == ""
    ((plan,), options) = study_run.calls[0]
    assert (plan.pictures, plan.report) == (Path("photos"), Path("out"))
    assert plan.arms == ("original", "gamma:0.4", "clahe:clip=2,grid=4", f"theirs={tmp_path}")
    assert plan.detectors == ("haar", "yunet")
    assert plan.darken == (1.0, 0.1)
    assert (plan.labels, plan.seed) == (Path("boxes.csv"), 3)
    assert (options["on"], options["force"]) == (Local(2), False)


def test_study_from_a_recipe_with_options_that_win(
    relume: Relume, study_run: Recorder, tmp_path: Path
) -> None:
    recipe = tmp_path / "s.toml"
    recipe.write_text('pictures = "p"\nreport = "r"\narms = ["gamma"]\nseed = 5\n')
    assert relume("study", recipe, "--seed", 7, "--force").code == 0
    ((plan,), options) = study_run.calls[0]
    assert (plan.pictures, plan.report) == (tmp_path / "p", tmp_path / "r")
    assert (plan.arms, plan.seed, options["force"]) == (("original", "gamma"), 7, True)


def test_study_counts_failures_in_photographs(relume: Relume, study_run: Recorder) -> None:
    study_run.result.failures = 2  # type: ignore[attr-defined]
    result = relume("study", "photos", "--arms", "gamma", "--detectors", "haar")
    assert (result.code, result.out.splitlines()[0]) == (1, "gamma helps.")
    assert result.err.startswith("2 photographs failed, left out of every comparison")


@pytest.mark.parametrize(("there", "detector"), [(True, "yunet"), (False, "relume")])
def test_study_without_options_compares_something(
    relume: Relume, study_run: Recorder, monkeypatch: pytest.MonkeyPatch, there: bool, detector: str
) -> None:
    monkeypatch.setattr(weights, "is_here", lambda *_: there)
    monkeypatch.setattr(weights, "path", lambda _: Path("yunet.onnx"))
    result = relume("study", "photos")
    ((plan,), _) = study_run.calls[0]
    assert plan.arms == ("original", "gamma", "original+machine")
    assert plan.detectors == (detector,)
    assert result.err == f"comparing original, gamma, original+machine with {detector}\n"
    relume("study", "photos", "--arms", "clahe", "--detectors", "haar", "-q")
    ((plan,), _) = study_run.calls[1]
    assert (plan.arms, plan.detectors) == (("original", "clahe"), ("haar",))


def test_study_help_names_label_formats_and_defaults(relume: Relume) -> None:
    words = " ".join(relume("study", "--help").out.replace("│", " ").split())
    for part in ("image,x0,y0,x1,y1", "[default: (0.6)]", "original,gamma,original+machine"):
        assert part in words


def test_study_writes_inputs_past_a_broken_photo(relume: Relume, tmp_path: Path) -> None:
    pictures = tmp_path / "photos"
    pictures.mkdir()
    picture().save(pictures / "a.png")
    (pictures / "b.png").write_bytes(b"no picture")
    result = relume("study", pictures, "--write-inputs", tmp_path / "dark", "--darken", 0.5)
    assert (result.code, result.out) == (1, f"1 picture in {tmp_path / 'dark'}\n")
    assert "b.png" in result.err
    assert (tmp_path / "dark" / "k0.5" / "a.png").is_file()


def test_study_wrong_options(relume: Relume, study_run: Recorder, tmp_path: Path) -> None:
    result = relume("study", "photos", "--darken", "1,dark")
    assert (result.code, study_run.calls) == (2, [])
    assert "--darken takes numbers" in result.err
    recipe = tmp_path / "s.toml"
    recipe.write_text('picures = "p"\n')
    result = relume("study", recipe)
    assert result.code == 2
    assert "'pictures'" in result.err
    study_run.error = KeyboardInterrupt()
    result = relume("study", "photos", "--arms", "gamma", "--detectors", "haar")
    assert (result.code, result.err) == (130, "stopped; the same command goes on from here\n")
