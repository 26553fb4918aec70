"""The landmarker's training on drawn points: labels alone, no teacher, no fetched weights."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from relume.engine import load  # noqa: E402
from relume.errors import InputError, RecipeError  # noqa: E402
from relume.faces.base import MIRRORED  # noqa: E402
from relume.nets.landmarks import (  # noqa: E402
    LANDMARK_OUTPUTS,
    LandmarkNet,
    LandmarkOutputs,
)
from relume.train import losses, points, run, validate_points  # noqa: E402
from relume.train.phases import LandmarksPhase  # noqa: E402
from relume.train.point_sampler import PointSampler, turned  # noqa: E402
from relume.train.recipe import Data, Phase  # noqa: E402
from relume.train.validate import inference  # noqa: E402

RECIPE = """
name = "tiny"
network = "landmarks"
seed = 5
[data]
batch = 2
darkened_share = 0.5
k_low = 0.1
k_high = 1.0
epoch_steps = 2
[[phases]]
name = "landmarks"
epochs = 2
ema = 0.9
uneven_share = 0.5
lamp_share = 0.5
[watch]
validate_epochs = 1
panels_epochs = 2
panels = 1
checkpoint_s = 0.0
"""

RED, GREEN = (230, 30, 30), (30, 230, 30)


def drawn(middle: tuple[float, float], radius: float) -> np.ndarray:
    """68 points on a spiral about a middle, so that each lies alone: (68, 2)."""
    turns = np.linspace(0, 5 * np.pi, 68)
    reach = radius * np.linspace(1, 0.1, 68)
    spiral = np.stack([np.cos(turns), np.sin(turns)], axis=1) * reach[:, None]
    return (spiral + middle).astype(np.float32)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Six grey photographs; point 36 is a red blot, point 45, its mirrored one, a green one."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    for n in range(6):
        picture = np.full((200, 240, 3), 110, np.uint8)
        labels = drawn((90 + 10 * n, 100), 55)
        for point, colour in ((36, RED), (45, GREEN)):
            x, y = labels[point]
            cv2.circle(picture, (int(x), int(y)), 4, colour, -1)
        cv2.imwrite(str(folder / f"{n}.png"), picture[:, :, ::-1])
        if n % 2:
            text = "".join(f"{x + 0.5} {y + 0.5}\n" for x, y in labels)
            (folder / f"{n}.pts").write_text(f"version: 1\nn_points: 68\n{{\n{text}}}\n", "utf-8")
        else:
            text = "".join(f"{x},{y}\n" for x, y in labels)
            (folder / f"{n}.csv").write_text("x,y\n" + text, "utf-8")
    return folder


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE, "utf-8")
    return path


def test_the_square_around_a_face_keeps_its_points_in_place() -> None:
    photo = np.full((900, 1000, 3), 60, np.uint8)
    labels = drawn((80, 450), 300)  # cut by the left border
    weighed = np.concatenate([labels, np.ones((68, 1), np.float32)], axis=1)
    x, y = labels[45].astype(int)
    cv2.circle(photo, (int(x), int(y)), 12, GREEN, -1)
    part, moved = points.around(photo, weighed)
    assert part.shape == (points.KEPT_PX, points.KEPT_PX, 3)
    x, y = moved[45, :2].astype(int)
    assert part[y, x].tolist() == list(GREEN)
    assert (moved[:, 2] == 1).all()


def test_a_face_is_turned_mirrored_and_shrunk_with_its_points(photographs: Path) -> None:
    """Where point 36 is, the blot is red, or, mirrored, green: the sides change."""
    known = points.read_faces([photographs], Data())
    assert known.labelled.all()
    seen = {"plain": 0, "mirrored": 0}
    for n in range(40):
        rng = np.random.default_rng(n)
        part, moved = turned(rng, known.photos[n % 6], known.points[n % 6])
        for point, colour in ((36, 0), (45, 1)):
            x, y = moved[point, :2].astype(int)
            if not (min(x, y) >= 2 and max(x, y) < len(part) - 2):
                continue
            red, green, _ = (int(value) for value in part[y, x])
            plain = (red > green) == (colour == 0)
            assert abs(red - green) > 30, "the blot is where the point says"
            seen["plain" if plain else "mirrored"] += 1
    assert min(seen.values()) > 20


def test_mirrored_points_change_sides() -> None:
    assert (MIRRORED[68][36], MIRRORED[68][45]) == (45, 36)
    assert sorted(MIRRORED[68]) == list(range(68))


def test_a_batch_is_a_function_of_its_number_shared_by_processes(photographs: Path) -> None:
    data = Data(batch=4)
    faces = points.read_faces([photographs], data)
    sampler = PointSampler(faces, data, Phase("landmarks", 1), 3)
    whole = sampler.batch(0, 7)
    assert [part.shape for part in whole] == [(4, 3, 96, 96), (4, 3), (4, 1), (4, 68, 3)]
    halves = [sampler.batch(0, 7, rank=rank, world=2) for rank in (0, 1)]
    for part, first, second in zip(whole, *halves, strict=True):
        assert (part[0::2] == first).all()
        assert (part[1::2] == second).all()
    assert not (sampler.batch(0, 8)[0] == whole[0]).all()


def test_the_entropy_of_maps_by_hand() -> None:
    """A map that is the blot itself costs the blot's own entropy; one beside it costs more."""
    logits = torch.full((1, 2, 576), -40.0)
    logits[0, :, 24 * 5 + 9] = 0  # all in row 5, column 9
    at = torch.tensor([[[38.0, 22.0], [22.0, 38.0]]])  # its middle, and the transposed place
    here, transposed = losses.map_entropy(logits, at)[0]
    # the blot's share of its own cell is 1 / (1 + 2 sum exp(-n^2 / 2))^2
    share = 1 / (1 + 2 * sum(np.exp(-(n**2) / 2) for n in range(1, 10))) ** 2
    assert float(here) == pytest.approx(40 * (1 - share), rel=1e-3)
    assert float(transposed) == pytest.approx(40, rel=1e-3)


def test_the_points_loss_by_hand(photographs: Path) -> None:
    """2 log s + r / s, times the root of s; what weighs nothing is not asked."""

    class Fixed(torch.nn.Module):
        def forward(self, image: object, black: object, gain: object) -> tuple[object, ...]:
            spread = torch.full((1, 68), float(np.log(4.0)))
            return torch.zeros(1, 68, 576), torch.full((1, 68, 2), 50.0), spread

    wanted = torch.full((1, 68, 3), 1.0)
    wanted[..., 0], wanted[..., 1] = 53.0, 54.0  # five pixels away
    wanted[0, 34:, 0], wanted[0, 34:, 2] = 5000.0, 0.0
    phase = LandmarksPhase(Fixed(), {"where": 0.0}, bf16=False)
    terms = phase(torch.zeros(1, 3, 96, 96), torch.zeros(1, 3), torch.ones(1, 1), wanted)
    assert float(terms["total"]) == pytest.approx((2 * np.log(4) + 5 / 4) * 2, rel=1e-4)
    assert float(terms["distance_px"]) == pytest.approx(5, rel=1e-4)
    assert float(terms["where"]) == pytest.approx(np.log(576), rel=1e-4)


def test_it_learns_where_the_points_are(photographs: Path) -> None:
    torch.manual_seed(0)
    data = Data(batch=8, darkened_share=0)
    faces = points.read_faces([photographs], data)
    sampler = PointSampler(faces, data, Phase("landmarks", 1), 3)
    net = LandmarkNet()
    phase = LandmarksPhase(net, {}, bf16=False)
    optimiser = torch.optim.AdamW(net.parameters(), 3e-3)
    away = []
    for step in range(40):
        terms = phase(*map(torch.from_numpy, sampler.batch(0, step)))
        optimiser.zero_grad()
        terms["total"].backward()
        optimiser.step()
        away.append(float(terms["distance_px"]))
    assert np.mean(away[-5:]) < 0.5 * np.mean(away[:3])


def test_a_run_resumes_exports_and_equals_its_graph(
    recipe: Path, photographs: Path, tmp_path: Path
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    given = {"bright": [photographs], "held": [photographs], "device": "cpu"}
    run(recipe, out=whole, **given)
    names = {p.name for p in whole.iterdir()}
    tensors, graph = "relume-landmarks.safetensors", "relume-landmarks.onnx"
    assert {graph, tensors, "panels-1-landmarks-002.jpg"} <= names
    figures = json.loads((whole / "summary.json").read_text())["validation"]
    lights = [f"nme_{k}" for k in ("1", "0.1", "0.03", "0.01", "0.005")]
    assert list(figures) == ["nme", *lights, "over_expected"]
    assert figures["nme"] == pytest.approx(np.mean([figures[k] for k in lights]), abs=1e-3)
    run(recipe, out=broken, stop_after=(0, 3), **given)
    run(recipe, out=broken, resume=True, **given)
    assert (whole / tensors).read_bytes() == (broken / tensors).read_bytes()

    from safetensors.torch import load_file

    net = LandmarkNet().eval()
    net.load_state_dict(load_file(whole / tensors))
    inputs = {  # three faces: as many as a photograph has
        "image": np.random.default_rng(1).random((3, 3, 96, 96), np.float32),
        "black": np.float32([[0, 0.02, 0.01]] * 3),
        "gain": np.float32([[9], [1], [80]]),
    }
    theirs = load(whole / graph)(inputs)
    ours = inference(LandmarkOutputs(net), *LANDMARK_OUTPUTS)(inputs)
    assert theirs["points"].shape == (3, 68, 2)
    for name in LANDMARK_OUTPUTS:  # but for weights of 16 bits: a hundredth of a pixel
        assert np.abs(theirs[name] - ours[name]).max() < 2e-4
    assert (whole / graph).stat().st_size < 0.6 * (whole / tensors).stat().st_size


def test_sigma_is_made_as_large_as_the_errors(photographs: Path) -> None:
    torch.manual_seed(3)
    net = LandmarkNet().eval()
    held = validate_points.read_held([photographs], Data())[:2]
    before = validate_points.validate_landmarks(net, held)
    after = validate_points.validate_landmarks(validate_points.calibrated(net, held), held)
    assert abs(before["over_expected"] - 1) > 0.1
    assert after["over_expected"] == pytest.approx(1, abs=2e-3)
    assert after["nme"] == before["nme"]


def test_what_cannot_be_learned_from_is_refused(
    recipe: Path, photographs: Path, tmp_path: Path
) -> None:
    options = {"out": tmp_path / "out", "device": "cpu"}
    with pytest.raises(RecipeError, match="--bright DIR"):
        run(recipe, **options)
    with pytest.raises(RecipeError, match="no use for --pairs"):
        run(recipe, bright=[photographs], pairs=[photographs], **options)
    for file in [*photographs.glob("*.pts"), *photographs.glob("*.csv")]:
        file.unlink()
    with pytest.raises(InputError, match="expected a file of 68 points beside a photograph"):
        run(recipe, bright=[photographs], **options)
    recipe.write_text(RECIPE.replace("batch", 'teacher = "peter"\nbatch'), "utf-8")
    with pytest.raises(RecipeError, match="'peter'"):
        run(recipe, bright=[photographs], **options)
