"""Labels: the three kinds, and what is wrong with a file said by name and line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from relume.errors import InputError, UnreadableInput
from relume.study import dataset

NAMES = ("a.jpg", "b.jpg")


def write(folder: Path, text: str) -> Path:
    path = folder / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_boxes_with_an_empty_row_for_no_face(tmp_path: Path) -> None:
    path = write(tmp_path, "image,x0,y0,x1,y1\na.jpg,1,2,11,22\na.jpg,5,5,9,9\nb.jpg,,,,\n")
    found = dataset.read_labels(path, NAMES)
    assert found.kind == "boxes"
    assert [face.box for face in found.faces["a.jpg"]] == [(1, 2, 11, 22), (5, 5, 9, 9)]
    assert found.faces["b.jpg"] == ()


def test_an_upright_ellipse_fills_its_box(tmp_path: Path) -> None:
    header = "image,major_radius_px,minor_radius_px,angle_rad,center_x_px,center_y_px"
    path = write(tmp_path, f"{header}\nb.jpg,20,10,{np.pi / 2},50,60\n")
    found = dataset.read_labels(path, NAMES)
    assert found.kind == "ellipses"
    assert "a.jpg" not in found.faces
    np.testing.assert_allclose(found.faces["b.jpg"][0].box, (40, 40, 60, 80))


def points_file(path: Path, rows: int = 68) -> None:
    lines = [f"{10 + i % 17},{20 + i // 4}" for i in range(rows)]
    path.write_text("x,y\n" + "\n".join(lines) + "\n")


def test_points_of_a_folder_get_a_detectors_box(tmp_path: Path) -> None:
    points_file(tmp_path / "b.csv")
    found = dataset.read_labels(tmp_path, NAMES)
    assert found.kind == "points"
    (face,) = found.faces["b.jpg"]
    assert face.points is not None
    assert face.points.shape == (68, 2)
    # brows are the topmost points; a detector's box reaches above them
    assert face.box[1] < face.points[:, 1].min()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image,x0,y0,x1,y1\nz.jpg,1,2,3,4\n", "pictures that are not there: z.jpg"),
        ("image,x,y\n", "expected the columns"),
        ("image,x0,y0,x1,y1\na.jpg,1,2,x,4\n", "line 2: expected numbers"),
        ("image,x0,y0,x1,y1\na.jpg,1,2,nan,4\n", "line 2: expected finite"),
        ("image,x0,y0,x1,y1\na.jpg,1,2,3\n", "line 2: expected 5 values, got 4"),
        ("image,x0,y0,x1,y1\na.jpg,5,2,3,4\n", "line 2: a box must have x0 < x1"),
        ("", "are empty"),
    ],
)
def test_bad_labels_are_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        dataset.read_labels(write(tmp_path, text), NAMES)


def test_bad_points_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no 68-point file"):
        dataset.read_labels(tmp_path, NAMES)
    points_file(tmp_path / "a.csv", rows=67)
    with pytest.raises(InputError, match="expected 68 points, got 67"):
        dataset.read_labels(tmp_path, NAMES)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match="cannot read"):
        dataset.read_labels(tmp_path / "none.csv", NAMES)


def test_many_names_are_cut() -> None:
    assert dataset.name_some([str(i) for i in range(7)]) == "0, 1, 2, 3, 4 and 2 more"
