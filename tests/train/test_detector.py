"""The detector's training on drawn faces: labels alone, no teacher, no weights that are fetched."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from relume import weights  # noqa: E402
from relume.engine import Runtime, load  # noqa: E402
from relume.errors import InputError, RecipeError  # noqa: E402
from relume.faces.cells import decode, levels, padded  # noqa: E402
from relume.faces.relume import THRESHOLD, RelumeDetector  # noqa: E402
from relume.faces.search import RawDetections  # noqa: E402
from relume.faces.yunet import YuNet  # noqa: E402
from relume.nets.detector import DETECTOR_OUTPUTS, DetectorOutputs, FaceNet  # noqa: E402
from relume.train import face_sampler, faces, loop, run, teacher, validate_faces  # noqa: E402
from relume.train.face_sampler import FaceSampler  # noqa: E402
from relume.train.faces import Labels, centres, strides, targets  # noqa: E402
from relume.train.phases import DetectorPhase  # noqa: E402
from relume.train.recipe import Data, Phase  # noqa: E402
from relume.train.validate import inference  # noqa: E402

RECIPE = """
name = "tiny"
network = "detector"
seed = 5
[data]
patch_px = 64
batch = 2
darkened_share = 0.5
k_low = 0.1
k_high = 1.0
epoch_steps = 2
longest_px = 128
[[phases]]
name = "detector"
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


SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "weights" / "yunet"
DARK = (110, 20, 20)


def draw_face(picture: np.ndarray, x: int, y: int, side: int) -> None:
    """A pale disc with two eyes and a mouth, its box at (x, y, x + side, y + side)."""
    middle, radius = (x + side // 2, y + side // 2), side // 2
    cv2.circle(picture, middle, radius, (220, 190, 170), -1)
    for eye in (-1, 1):
        cv2.circle(
            picture, (middle[0] + eye * side // 5, middle[1] - side // 8), side // 12, DARK, -1
        )
    cv2.ellipse(
        picture, (middle[0], middle[1] + side // 5), (side // 5, side // 12), 0, 0, 180, DARK, 2
    )


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Six labelled photographs with a face each, at twice the size that training keeps."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    rows = ["image,x0,y0,x1,y1,ignore"]
    for n in range(6):
        picture = np.full((192, 256, 3), (90, 120, 60), np.uint8)
        draw_face(picture, 40 + 20 * n, 40, 80)
        cv2.imwrite(str(folder / f"{n}.png"), picture[:, :, ::-1])
        rows.append(f"{n}.png,{40 + 20 * n},40,{120 + 20 * n},120,0")
    (folder / "faces.csv").write_text("\n".join(rows) + "\n", "utf-8")
    return folder


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE, "utf-8")
    return path


def seen(side_px: int, cell: int | None = None, box: tuple[float, ...] = ()) -> RawDetections:
    """A teacher that sees one face in one cell, or nothing."""
    count = len(strides(side_px))
    boxes, scores = np.zeros((count, 4), np.float32), np.zeros(count, np.float32)
    if cell is not None:
        boxes[cell], scores[cell] = box, 0.8
    return RawDetections(boxes, scores, np.zeros((count, 5, 2), np.float32))


def labelled(*boxes: tuple[float, ...], ignore: bool = False) -> Labels:
    return Labels(np.float32(boxes).reshape(-1, 4), np.full(len(boxes), ignore))


def test_cells_are_ordered_as_the_network_gives_them() -> None:
    assert len(strides(64)) == 64 + 16 + 4
    assert centres(64)[[0, 1, 8, 64, 80]].tolist() == [[4, 4], [12, 4], [4, 12], [8, 8], [16, 16]]


def test_the_teacher_is_believed_where_nobody_labelled() -> None:
    wanted = targets(seen(64, 9, (2, 2, 22, 22)), None, 64)
    assert wanted[9, 0] == np.float32(0.8)
    assert wanted[:, 0].sum() == np.float32(0.8)
    assert wanted[9, 2:6].tolist() == [2, 2, 22, 22]
    assert (wanted[:, 1] == 1).all()


def test_a_labels_box_takes_the_place_of_the_teachers_that_means_the_same_face() -> None:
    shown = seen(64, 9, (2, 2, 22, 22))
    wanted = targets(shown, labelled((4, 2, 24, 22)), 64)  # they overlap by .82
    assert wanted[9, 0] == np.float32(0.8)
    assert wanted[9, 2:6].tolist() == [4, 2, 24, 22]
    wanted = targets(shown, labelled((4, 2, 24, 22), ignore=True), 64)
    assert wanted[9, 2:6].tolist() == [2, 2, 22, 22]


def test_what_a_teacher_sees_beside_the_labels_is_wrong_and_what_it_misses_is_taught() -> None:
    # the only label lies at the other end: 20 px wide, so on the finest level, in cell (5, 5)
    wanted = targets(seen(64, 9, (2, 2, 22, 22)), labelled((34, 34, 54, 54)), 64)
    assert wanted[9, 0] == 0
    cell = 5 * 8 + 5
    assert centres(64)[cell].tolist() == [44, 44]
    assert wanted[cell, 0] == np.float32(faces.TAUGHT)
    assert wanted[cell, 2:6].tolist() == [34, 34, 54, 54]
    assert wanted[cell, 16] == 0  # nobody knows its points
    beside = [cell - 1, cell + 1, cell - 8, cell + 8]
    assert (wanted[beside, 0] == np.float32(faces.BESIDE)).all()
    assert (wanted[64:, 0] == 0).all()


def test_faces_that_are_ignored_small_or_cut_are_neither_required_nor_wrong() -> None:
    for labels in (
        labelled((34, 34, 54, 54), ignore=True),
        labelled((40, 40, 46, 46)),
        labelled((50, 34, 90, 54)),  # 14 of 40 columns are inside
    ):
        wanted = targets(seen(64), labels, 64)
        assert (wanted[:, 0] == 0).all()
        assert (wanted[:, 1] == 0).any()
        x0, y0, x1, y1 = labels.boxes[0]
        free = wanted[:, 1] == 0
        assert ((centres(64)[free] >= (x0, y0)) & (centres(64)[free] <= (x1, y1))).all()


def taught_on_skin(image: np.ndarray, wanted: np.ndarray) -> int:
    """How many cells of a batch a missed face is taught in; each has to lie on skin."""
    checked = 0
    for crop, rows in zip(image, wanted, strict=True):
        for cell in np.flatnonzero(rows[:, 0] == np.float32(faces.TAUGHT)):
            x, y = centres(crop.shape[2])[cell].astype(int)
            assert crop[0, y, x] > crop[1, y, x] + 0.05  # skin is red, the ground green
            checked += 1
    return checked


def test_a_crop_and_its_labels_stay_together(photographs: Path) -> None:
    data = Data(patch_px=64, batch=12, longest_px=128, darkened_share=0)
    known = faces.read_face_photos([photographs], data)
    assert known.labels[0] is not None
    assert known.labels[0].boxes.tolist() == [[20, 20, 60, 60]]  # at half the size
    sampler = FaceSampler(known, data, Phase("detector", 1), 3)
    image, _, gain, wanted, features = sampler.batch(0, 0)
    assert features.shape == (12, 84, 0)  # nobody teaches
    assert image.shape == (12, 3, 64, 64)
    assert gain.min() >= 1
    assert taught_on_skin(image, wanted) > 5


def test_windows_are_laid_around_faces_of_all_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face_sampler, "AIMED_SHARE", 1.0)
    photo = np.zeros((300, 400, 3), np.uint8)
    box = (310.0, 30.0, 370.0, 90.0)  # 60 px, near a corner
    sizes = []
    rng = np.random.default_rng(4)
    for _ in range(200):
        crop, labels = face_sampler._window(rng, photo, labelled(box), 96)
        assert crop.shape == (96, 96, 3)
        assert labels is not None
        for x0, y0, x1, y1 in labels.boxes:
            assert 0 <= (x0 + x1) / 2 <= 96
            assert 0 <= (y0 + y1) / 2 <= 96
            sizes.append(x1 - x0)
    assert len(sizes) == 200
    assert min(sizes) < 18 < 70 < max(sizes)


def test_a_mosaic_keeps_its_windows_labels_at_their_places(
    photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(face_sampler, "MOSAIC_SHARE", 1.0)
    data = Data(patch_px=128, batch=12, longest_px=256, darkened_share=0)
    known = faces.read_face_photos([photographs], data)
    image, *_, wanted, _ = FaceSampler(known, data, Phase("detector", 1), 3).batch(0, 0)
    assert taught_on_skin(image, wanted) > 20


def test_the_teacher_gives_what_its_last_layers_read_of_every_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = weights.entries()["yunet"].file
    known = [p for p in (SHARED / file, weights.cache_folder() / file) if p.is_file()]
    if not known:
        pytest.skip("YuNet's weights are not at hand")
    shutil.copy(known[0], tmp_path)
    monkeypatch.setenv("RELUME_CACHE", str(tmp_path))
    picture = np.random.default_rng(1).random((64, 64, 3), np.float32)
    found, features = teacher.named("yunet")(picture)
    assert features.shape == (84, 64)
    alone = decode(*YuNet(runtime=Runtime(precision="f32")).outputs(picture), 0.0)
    assert np.abs(found.scores - alone.scores).max() < 1e-5
    assert features.min() == 0  # rectified
    assert len(np.unique(features.argmax(axis=1))) > 1


def test_features_count_by_their_own_deviation_and_most_where_a_face_is() -> None:
    rng = np.random.default_rng(2)
    true = torch.from_numpy(rng.normal(5, [1.0, 100.0], (2, 84, 2)).astype(np.float32))
    scores = torch.zeros(2, 84)
    levels = true.split([64, 16, 4], 1)
    right = torch.cat([(x - x.mean((0, 1))) / x.std((0, 1)) for x in levels], 1)
    assert float(DetectorPhase._unlike(right, true, scores, 64)) == pytest.approx(0, abs=1e-8)
    assert float(DetectorPhase._unlike(0 * right, true, scores, 64)) == pytest.approx(1, abs=0.1)
    wrong = right.clone()
    wrong[0, 9] += 3
    plain = float(DetectorPhase._unlike(wrong, true, scores, 64))
    scores[0, 9] = 1.0
    assert float(DetectorPhase._unlike(wrong, true, scores, 64)) > 4 * plain


def test_a_batch_is_a_function_of_its_number_shared_by_processes(photographs: Path) -> None:
    data = Data(patch_px=64, batch=4, longest_px=128)
    sampler = FaceSampler(
        faces.read_face_photos([photographs], data), data, Phase("detector", 1), 3
    )
    whole = sampler.batch(0, 7)
    halves = [sampler.batch(0, 7, rank=rank, world=2) for rank in (0, 1)]
    for part, first, second in zip(whole, *halves, strict=True):
        assert (part[0::2] == first).all()
        assert (part[1::2] == second).all()
    assert not (sampler.batch(0, 8)[0] == whole[0]).all()


def test_it_learns_where_the_face_is(photographs: Path) -> None:
    torch.manual_seed(0)
    data = Data(patch_px=64, batch=8, longest_px=128, darkened_share=0)
    sampler = FaceSampler(
        faces.read_face_photos([photographs], data), data, Phase("detector", 1), 3
    )
    net = FaceNet()
    phase = DetectorPhase(net, {}, bf16=False)
    optimiser = torch.optim.AdamW(net.parameters(), 3e-3)
    totals = []
    for step in range(40):
        terms = phase(*map(torch.from_numpy, sampler.batch(0, step)))
        optimiser.zero_grad()
        terms["total"].backward()
        optimiser.step()
        totals.append(float(terms["total"].detach()))
    assert np.mean(totals[-5:]) < 0.5 * np.mean(totals[:5])


def test_a_run_resumes_exports_and_equals_its_graph(
    recipe: Path, photographs: Path, tmp_path: Path
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run(recipe, bright=[photographs], held=[photographs], out=whole, device="cpu")
    names = {p.name for p in whole.iterdir()}
    assert {"relume-faces.onnx", "relume-faces.safetensors", "panels-1-detector-002.jpg"} <= names
    figures = json.loads((whole / "summary.json").read_text())["validation"]
    assert set(figures) == {"found", "found_1", "found_0.03", "found_0.01", "found_0.005"}
    run(recipe, bright=[photographs], held=[photographs], out=broken, device="cpu",
        stop_after=(0, 3))  # fmt: skip
    run(recipe, bright=[photographs], held=[photographs], out=broken, device="cpu", resume=True)
    same = [folder / "relume-faces.safetensors" for folder in (whole, broken)]
    assert same[0].read_bytes() == same[1].read_bytes()

    from safetensors.torch import load_file

    net = FaceNet().eval()
    net.load_state_dict(load_file(same[0]))
    given = {
        "image": np.random.default_rng(1).random((1, 3, 64, 96), np.float32),
        "black": np.float32([[0, 0.02, 0.01]]),
        "gain": np.float32([[9]]),
    }
    theirs = load(whole / "relume-faces.onnx")(given)
    ours = inference(DetectorOutputs(net), *DETECTOR_OUTPUTS)(given)
    for name in DETECTOR_OUTPUTS:
        assert np.abs(theirs[name] - ours[name]).max() < 1e-3


def test_decoding_by_hand() -> None:
    out = {}
    for stride, cells in ((8, 12), (16, 3), (32, 1)):  # a picture of 32 x 24 px would have these
        out[f"cls_{stride}"] = np.zeros((1, cells, 1), np.float32)
        out[f"bbox_{stride}"] = np.zeros((1, cells, 4), np.float32)
        out[f"kps_{stride}"] = np.zeros((1, cells, 10), np.float32)
    out["cls_8"][0, 6] = 0.9  # row 1, column 2 of four
    out["bbox_8"][0, 6] = [0.5, 0.25, np.log(2), np.log(3)]
    out["kps_8"][0, 6] = np.tile([1, -1], 5)
    found = decode(out, 32, 0.5)
    # centre (2.5, 1.25) * 8 = (20, 10), 16 x 24 px
    assert found.boxes == pytest.approx(np.float32([[12, -2, 28, 22]]))
    assert found.landmarks[0] == pytest.approx(np.float32([[24, 0]] * 5))
    # with a second score the geometric mean counts
    out["obj_8"] = np.full((1, 12, 1), 0.4, np.float32)
    first = next(levels(out, 32))
    assert first.scores[6] == pytest.approx(0.6)
    assert decode({**out, "obj_16": out["cls_16"], "obj_32": out["cls_32"]}, 32, 0.5).scores == (
        pytest.approx([0.6])
    )


def test_a_picture_is_padded_with_black_to_whole_cells() -> None:
    image = np.random.default_rng(0).random((33, 10, 3), np.float32)
    inputs = padded(image)
    assert inputs.shape == (1, 3, 64, 32)
    assert (inputs[0, :, :33, :10] == image.transpose(2, 0, 1)).all()
    assert inputs.sum() == pytest.approx(image.sum(), rel=1e-5)


def test_the_net_of_the_moment_is_a_detector() -> None:
    net = FaceNet().eval()
    find = RelumeDetector(inference=inference(DetectorOutputs(net), *DETECTOR_OUTPUTS))
    assert find(np.zeros((20, 30, 3), np.float32)) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "--bright DIR"),
        ({"bright": ["photographs"], "pairs": ["photographs"]}, "no use for --pairs"),
    ],
)
def test_folders_that_it_cannot_use_are_refused(
    recipe: Path, tmp_path: Path, options: dict[str, list[str]], words: str
) -> None:
    folders = {name: [tmp_path / each for each in value] for name, value in options.items()}
    with pytest.raises(RecipeError, match=words):
        run(recipe, out=tmp_path / "out", device="cpu", **folders)


def test_wrong_labels_and_teachers_are_refused(
    recipe: Path, photographs: Path, tmp_path: Path
) -> None:
    recipe.write_text(RECIPE.replace("patch_px", 'teacher = "peter"\npatch_px'), "utf-8")
    with pytest.raises(RecipeError, match="'peter'"):
        run(recipe, bright=[photographs], out=tmp_path / "out", device="cpu")
    (photographs / "faces.csv").write_text("image,x0\n1.png,7\n", "utf-8")
    with pytest.raises(InputError, match="image,x0,y0,x1,y1"):
        run(recipe, bright=[photographs], out=tmp_path / "out", device="cpu")


def test_scores_are_moved_to_an_eighth_false_alarm_and_keep_their_order(photographs: Path) -> None:
    torch.manual_seed(3)
    net = FaceNet().eval()
    with torch.no_grad():
        for head in net.heads:
            head.score[-1].bias[0] = 0  # random scores around a half: false alarms everywhere
    held = validate_faces.read_held([photographs], Data(longest_px=128))
    moved = validate_faces.calibrated(net, held)
    shifts = [
        float((after.score[-1].bias - before.score[-1].bias).detach())
        for before, after in zip(net.heads, moved.heads, strict=True)
    ]
    assert shifts == pytest.approx([shifts[0]] * 3)
    assert abs(shifts[0]) > 0.01
    find = validate_faces.detector_of(moved)
    scored = [
        validate_faces._scored(find(validate_faces.darkened(h.photo, k, n)), h.labels)
        for n, h in enumerate(held)
        for k in validate_faces.LADDER
    ]
    sure = sum(int((picture.false > THRESHOLD + 1e-4).sum()) for picture in scored)
    assert sure <= 0.125 * len(scored) < sum(len(picture.false) for picture in scored)


def test_a_moving_average_is_of_the_statistics_too() -> None:
    average, net = torch.nn.BatchNorm1d(2), torch.nn.BatchNorm1d(2)
    net.running_mean.fill_(1.0)
    net.num_batches_tracked.fill_(9)
    loop._update_ema(average, net, 0.75)
    assert average.running_mean.tolist() == [0.25, 0.25]
    assert int(average.num_batches_tracked) == 9
