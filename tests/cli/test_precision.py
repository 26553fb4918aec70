"""One precision for all photos of a run: the parent decides, and its workers only obey."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from relume.cli import options
from relume.engine import Runtime
from relume.enhancers.relume import RelumeEnhancer

from .conftest import Relume


@dataclass
class Workers:
    """Workers beside others, here or elsewhere, that only tell what they were given."""

    elsewhere: bool = False
    threads: int = 1
    given: list[Any] = field(default_factory=list)

    def run(self, start: Callable[..., Any], items: Any, *, ordered: bool = False) -> Iterator[Any]:
        self.given.append(start.__self__)  # type: ignore[attr-defined]
        yield from ()


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Workers:
    fake = Workers()
    monkeypatch.setattr(options, "parse_on", lambda *args, **more: fake)
    monkeypatch.setattr(RelumeEnhancer, "precision", "bf16")  # what was measured here
    monkeypatch.setenv("RELUME_PRECISION", "auto")
    return fake


def test_workers_are_told_the_precision(relume: Relume, night: Path, workers: Workers) -> None:
    relume("enhance", night)
    assert workers.given[0].work.runtime == Runtime(precision="bf16")
    relume("enhance", night, "--precision", "f32")
    assert workers.given[1].work.runtime == Runtime(precision="f32")
    relume("enhance", night, "--brightness", "0.2,0.4")
    assert workers.given[2].work.runtime == Runtime(precision="bf16")


def test_other_machines_run_in_f32(relume: Relume, night: Path, workers: Workers) -> None:
    workers.elsewhere = True
    relume("enhance", night)
    assert workers.given[0].work.runtime == Runtime(precision="f32")


def test_detection_shares_a_precision_too(relume: Relume, night: Path, workers: Workers) -> None:
    relume("detect", night, "--detector", "haar")
    given = workers.given[0].work.given
    assert given["runtime"] == Runtime(precision="bf16")


def test_a_single_process_decides_by_itself(
    relume: Relume, night: Path, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relume.enhancers.settle", lambda *_, **__: pytest.fail("not needed"))
    workers.threads = 0
    relume("enhance", night)
    assert workers.given[0].work.runtime is None
