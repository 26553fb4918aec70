"""Training: recipe -> data -> phases -> checkpoints -> export. Needs the extra ``train``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from relume.errors import MissingExtra

if TYPE_CHECKING:
    from relume.train.runner import run as run


def __getattr__(name: str) -> Any:
    if name != "run":
        raise AttributeError(f"module 'relume.train' has no attribute {name!r}")
    try:
        from relume.train.runner import run
    except ImportError as error:
        raise MissingExtra("training", "train", error.name or "torch") from error
    return run


__all__ = ["run"]
