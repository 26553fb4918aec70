"""Faces in photographs that are really dark, labelled by us (benchmarks/real-dark-faces.csv)."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import pytest

import relume
from relume.faces.search import iou

from .conftest import SHARED

LABELS = Path(__file__).resolve().parents[2] / "benchmarks" / "real-dark-faces.csv"
PICTURES = SHARED / "data" / "real_dark"


def test_every_row_is_a_photograph_or_a_face_in_one() -> None:
    with LABELS.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len({row["sha256"] for row in rows}) == 12
    for row in rows:
        assert len(row["sha256"]) == 64
        assert row["source"]
        corners = [row[name] for name in ("x0", "y0", "x1", "y1")]
        if any(corners):
            x0, y0, x1, y1 = map(float, corners)
            assert x1 - x0 >= 12
            assert y1 > y0


def test_people_on_a_street_at_night(yunet: None) -> None:
    """Of six faces of 14 to 39 px at least half; of all twelve photographs few false alarms."""
    if not PICTURES.is_dir():
        pytest.skip("no dark photographs at ../shared/data/real_dark")
    with LABELS.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    files = {hashlib.sha256(f.read_bytes()).hexdigest(): f for f in PICTURES.glob("*.jpg")}
    hits = wrong = 0
    for digest in dict.fromkeys(row["sha256"] for row in rows):
        if digest not in files:
            pytest.skip(f"the photograph {digest[:8]} is not at ../shared/data/real_dark")
        boxes = [face.box for face in relume.detect_faces(relume.read(files[digest]))]
        true = [
            tuple(float(row[name]) for name in ("x0", "y0", "x1", "y1"))
            for row in rows
            if row["sha256"] == digest and row["x0"]
        ]
        right = sum(any(iou(face, box) >= 0.3 for box in boxes) for face in true)  # type: ignore[arg-type]
        hits += right
        wrong += len(boxes) - right
    assert hits >= 3
    assert wrong <= 4
