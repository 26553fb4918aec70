"""The study: does enhancing photographs help to find faces in them, and can this be shown?

plan -> run -> table -> report. ``import relume.study`` loads nothing heavy.

>>> from relume import study
>>> plan = study.Plan(pictures="photos", report="report", arms=("gamma:0.4",))
>>> plan.arms
('original', 'gamma:0.4')
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relume.study.plan import Plan as Plan
    from relume.study.plan import split_arms as split_arms
    from relume.study.runner import Progress as Progress
    from relume.study.runner import Report as Report
    from relume.study.runner import run as run
    from relume.study.runner import write_inputs as write_inputs
    from relume.study.table import Table as Table

_HOMES = {
    "Plan": "plan",
    "split_arms": "plan",
    "Progress": "runner",
    "Report": "runner",
    "run": "runner",
    "write_inputs": "runner",
    "Table": "table",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'relume.study' has no attribute {name!r}")
    return getattr(import_module(f"relume.study.{_HOMES[name]}"), name)
